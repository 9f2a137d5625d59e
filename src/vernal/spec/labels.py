"""Which labels count, and how much."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from vernal.spec.base import Section
from vernal.spec.wording import shown

_NAMED: Final = {"exclude": 0.0, "include": 1.0}


def _proxy(value: object) -> object:
    if isinstance(value, str) and value in _NAMED:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError(f"got {shown(value)}, expected exclude, include, or a weight between 0 and 1 such as 0.5")


Proxy = Annotated[
    Literal["exclude", "include"] | float,
    BeforeValidator(_proxy),
    WithJsonSchema(
        {"anyOf": [{"enum": list(_NAMED)}, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]}
    ),
]
"""Whether labels that only stand in for the truth count: not at all, fully, or with a weight."""


class LabelsSpec(Section):
    """Which labels count."""

    proxy: Proxy = Field(
        default="exclude",
        description="What labels with the source `proxy` (clicks, complaints, other stand-ins for the truth) count: "
        "`exclude` leaves them out, `include` lets them count like true ones, with a number such as 0.5 two of them "
        "count like one true label. A true label always replaces the proxy of the same prediction.",
        examples=[0.5],
    )

    @property
    def proxy_weight(self) -> float:
        """How much a proxy counts, 0 to 1."""
        return _NAMED[self.proxy] if isinstance(self.proxy, str) else self.proxy
