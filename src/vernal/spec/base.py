"""What every section of a file shares: frozen, strict, no unknown keys, and the types its values come in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
)
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError

from vernal.spec.durations import EXPECTED, LONGEST, PATTERN, format_duration, parse_duration
from vernal.spec.wording import shown

PROBLEMS: Final = "vernal_problems"
"""Type of the pydantic error that carries several problems, each with its place below the validated value."""


class Section(BaseModel):
    """A mapping of a file: frozen, values of exactly the stated types, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fault(NamedTuple):
    """One problem found by a check across keys: where, below the value that is checked, and what."""

    at: tuple[str | int, ...]
    message: str


def refuse(faults: Iterable[Fault]) -> None:
    """Raise all faults as one error that pydantic collects with every other problem of the file.

    Raises
    ------
    PydanticCustomError
        If there is any fault.
    """
    found = list(faults)
    if found:
        text = "; ".join(fault.message for fault in found)
        raise PydanticCustomError(PROBLEMS, "{text}", {"text": text, "faults": found})


class DefaultNote(NamedTuple):
    """Says in words what leaving a key out means, where the Python default does not: metadata of a field."""

    text: str


class Required(NamedTuple):
    """Stands in for a value that has no default here, so that its absence is reported like every other problem."""

    why: str


class OrOff:
    """Lets a section be switched off: ``off``, ``false`` and ``null`` all read as ``None``."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Offer the words for "off" beside the section."""
        schema = handler(core_schema)
        schema["anyOf"] = [*schema["anyOf"], {"enum": ["off", False]}]
        return schema


def _off_is_none(value: object) -> object:
    return None if value is False or value == "off" else value


Off = (BeforeValidator(_off_is_none), OrOff())
"""Metadata of a section that can be switched off: ``Annotated[X | None, *Off]``."""


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        if not timedelta(0) <= value <= LONGEST:
            raise ValueError(f"got {value}, expected a duration from 0s to {format_duration(LONGEST)}")
        return value
    found = f"got {value}" if isinstance(value, int | float) and not isinstance(value, bool) else "found no duration"
    raise ValueError(f"{found}, expected {EXPECTED}")


def _positive_duration(value: object) -> object:
    duration = _duration(value)
    if duration == timedelta(0):
        raise ValueError("got 0, expected a duration longer than 0")
    return duration


_AS_TEXT: Final = PlainSerializer(format_duration, return_type=str, when_used="json")
_DURATION_SCHEMA: Final[JsonSchemaValue] = {"type": "string", "pattern": PATTERN, "minLength": 2}

Duration = Annotated[timedelta, BeforeValidator(_positive_duration), _AS_TEXT, WithJsonSchema(_DURATION_SCHEMA)]
"""A duration longer than zero."""

Delay = Annotated[timedelta, BeforeValidator(_duration), _AS_TEXT, WithJsonSchema(_DURATION_SCHEMA)]
"""A duration that may be zero."""


def _money(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Through the shortest text, so that 0.1 means a tenth and not the nearest binary fraction.
        return Decimal(repr(value))
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    Field(ge=0, le=10**12),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**12}),
]
"""US dollars."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
"""A number strictly between 0 and 1."""

Certainty = Annotated[float, Field(ge=0.5, lt=1)]
"""How sure a verdict has to be; 0.5 is the plain comparison."""

Rows = Annotated[int, Field(ge=1, le=10**12)]

ListOf = Strict(strict=False)
"""Metadata of a tuple: files bring lists, and a strict tuple would refuse them. Its items stay strict."""


def _local_path(path: str) -> str:
    if "://" in path or "\0" in path:
        raise ValueError(f"got {shown(path)}, expected a path on this machine, relative to the project")
    return path


LocalPath = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_local_path)]
"""A path on this machine, relative to the project."""
