"""The columns a model predicts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from vernal.spec.base import Fault, ListOf, Section, refuse
from vernal.spec.wording import shown

ColumnKind = Literal["numerical", "categorical"]
_NUMERICAL: ColumnKind = "numerical"
_CATEGORICAL: ColumnKind = "categorical"

RESERVED_COLUMNS: Final = frozenset(
    {
        "prediction_id",
        "model_version",
        "role",
        "entity",
        "event_time",
        "received_time",
        "prediction",
        "score",
        "other_version",
        "other_prediction",
        "other_score",
        "day",
        "label",
        "arrival_time",
        "source",
    }
)
"""Columns of the lake's tables, as :class:`vernal.records.Predictions` and :class:`vernal.records.Labels` name them."""

_LONGEST_NAME: Final = 128
_MOST_FEATURES: Final = 5_000


def _column_name(name: str) -> str:
    if not 0 < len(name) <= _LONGEST_NAME or name != name.strip() or not name.isprintable():
        expected = f"a printable column name of 1 to {_LONGEST_NAME} characters, no blanks at the ends"
        raise ValueError(f"got {shown(name)}, expected {expected}")
    if name.casefold() in RESERVED_COLUMNS:
        raise ValueError(f"got {shown(name)}, which is a column that Vernal writes itself; expected another name")
    return name


Names = Annotated[
    tuple[Annotated[str, AfterValidator(_column_name)], ...],
    ListOf,
    Field(max_length=_MOST_FEATURES),
]


class FeaturesSpec(Section):
    """The columns a model predicts from; at least one."""

    numerical: Names = Field(
        default=(), description="Columns of numbers; their drift is measured by PSI.", examples=[["amount", "age"]]
    )
    categorical: Names = Field(
        default=(),
        description="Columns of categories (texts, codes, flags); their drift is measured by the Jensen-Shannon "
        "distance.",
        examples=[["country"]],
    )

    @property
    def names(self) -> tuple[str, ...]:
        """All features, numerical first, in the order of the file."""
        return self.numerical + self.categorical

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """What kind of column each feature is, in the order of :attr:`names`."""
        return dict.fromkeys(self.numerical, _NUMERICAL) | dict.fromkeys(self.categorical, _CATEGORICAL)

    @field_validator("numerical", "categorical")
    @classmethod
    def _told_apart(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        other = info.data.get("numerical", ()) if info.field_name == "categorical" else ()
        refuse(_repeated(names, other=other))
        return names

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.names:
            raise ValueError("found no feature, expected at least one under numerical or categorical")
        return self


def _repeated(names: Sequence[str], *, other: Sequence[str]) -> list[Fault]:
    # Column names are compared without regard to case because that is how Delta tables and SQL tell them apart.
    seen = {name.casefold(): "features.numerical" for name in other}
    faults = []
    for index, name in enumerate(names):
        where = seen.setdefault(name.casefold(), f"[{index}]")
        if where != f"[{index}]":
            message = (
                f"got {shown(name)}, which is at {where} already (columns are not told apart by upper and lower case)"
            )
            faults.append(Fault((index,), message))
    return faults
