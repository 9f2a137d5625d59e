"""Which fired triggers are held back, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.json_schema import WithJsonSchema

from vernal.spec.base import Delay, Duration, Off, Section
from vernal.spec.wording import shown

_WORDS: Final = ("any", "all")
_AT_LEAST: Final = "at_least"
_MOST: Final = 1000


def _quorum(value: object) -> object:
    if value in _WORDS:
        return value
    number = value.get(_AT_LEAST) if isinstance(value, Mapping) and set(value) == {_AT_LEAST} else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"got {shown(value)}, expected any, all, or {_AT_LEAST} with a whole number from 1")
    return number


def _as_written(value: str | int) -> Any:  # noqa: ANN401 - a text or a mapping, as a file has it
    return value if isinstance(value, str) else {_AT_LEAST: value}


Quorum = Annotated[
    Literal["any", "all"] | int,
    BeforeValidator(_quorum),
    PlainSerializer(_as_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [*_WORDS]},
                {
                    "type": "object",
                    "properties": {_AT_LEAST: {"type": "integer", "minimum": 1}},
                    "required": [_AT_LEAST],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""How many triggers have to fire together; a number is written ``at_least: 2``."""

Checks = Annotated[int, Field(ge=1, le=_MOST)]


class CircuitBreakerSpec(Section):
    """Stops the triggers for a while after several runs in a row that led to nothing."""

    after: Annotated[int, Field(ge=1, le=_MOST)] = Field(
        default=3, description="So many runs in a row that failed, were rejected or were rolled back stop the triggers."
    )
    pause: Duration = Field(
        default=timedelta(days=7),
        description="For how long, from the end of the last of them; twice as long with every further one, at most "
        "`365d`.",
    )


class PolicySpec(Section):
    """Which fired triggers are held back, and for how long. What a person asks for is never held back."""

    combine: Quorum = Field(
        default="any",
        description="How many of the triggers that are switched on have to fire together: `any` of them, `all`, or "
        "`at_least: 2`. The schedule and the volume of labels count like the others, and a due time stays due until "
        "it gets its run. A trigger that could not tell, or is held back itself, has not fired.",
        examples=["all", {"at_least": 2}],
    )
    consecutive: Checks = Field(
        default=3,
        description="Drift asks for a run once it has fired in so many checks that count. Checks count when they are "
        "at least a quarter of the drift window apart; one that counts and stays quiet starts the count again, and "
        "one that could not tell changes nothing. `1` acts at once.",
    )
    consecutive_performance: Checks = Field(
        default=1, description="The same for the performance trigger, with a quarter of its own window."
    )
    warm_up: Annotated[int, Field(ge=0, le=_MOST)] = Field(
        default=2,
        description="So many drift windows after a promotion, drift asks for nothing: the window still holds what came "
        "before. `0` switches it off.",
    )
    cooldown: Delay = Field(
        default=timedelta(hours=24),
        description="After a run has ended, triggers of the same model ask for no other one for this long.",
    )
    circuit_breaker: Annotated[CircuitBreakerSpec | None, *Off] = Field(
        default=CircuitBreakerSpec(),
        description="A promotion, or a person who asks for a run (`vernal retrain`), lets the triggers ask again.",
    )
    supersede: bool = Field(
        default=True,
        description="An emergency, which is a run that the performance trigger asks for, ends an open run that serves "
        "nobody yet and takes its place, unless that was asked for by a person or is an emergency too.",
    )


__all__ = ["CircuitBreakerSpec", "PolicySpec", "Quorum"]
