"""What is expected of rows as they arrive."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import WithJsonSchema

from vernal.spec.base import DefaultNote, Delay, Duration, Fault, ListOf, Section
from vernal.spec.features import ColumnKind
from vernal.spec.metrics import Task
from vernal.spec.wording import guess, shown

Action = Literal["quarantine", "warn"]
"""What happens to a row that breaks an expectation."""

Plain = str | int | float | bool
"""A value that a file can hold and a column too."""

_RULES: Final = ("min", "max", "allowed_values", "pattern", "not_null", "max_null_share")
_VALUES: Final = {
    "type": "array",
    "items": {"type": ["string", "number", "boolean"]},
    "minItems": 1,
    "maxItems": 10_000,
}
_ANSWERS: Final = ("prediction", "score", "label")
"""Columns beside the features that something can be expected of."""


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"got {shown(text)}, expected a regular expression ({error})") from None
    return text


class ExpectationSpec(Section):
    """What is expected of one column. A null breaks `not_null` and `max_null_share` only; NaN counts as null."""

    column: str = Field(
        description="A feature of the model, or `prediction`, `score` or `label`. It may be named more than once.",
        examples=["amount"],
    )
    min: float | None = Field(default=None, description="Smallest value that is expected; numbers only.", examples=[0])
    max: float | None = Field(default=None, description="Largest value that is expected; numbers only.")
    allowed_values: Annotated[
        Annotated[tuple[Plain, ...], ListOf, Field(min_length=1, max_length=10_000)] | None,
        WithJsonSchema({"anyOf": [_VALUES, {"type": "null"}]}),
    ] = Field(
        default=None,
        description="The only values that are expected: texts, or numbers for a column of numbers.",
        examples=[["DE", "FR"]],
    )
    pattern: Annotated[str, AfterValidator(_regular_expression), Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Regular expression (Python's) that the whole value is expected to match; texts only.",
        examples=["[A-Z]{2}"],
    )
    not_null: bool = Field(default=False, description="A value is expected in every row.")
    max_null_share: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="Largest share of nulls that is expected. With `quarantine` a batch of 100 rows or more that has "
        "more is refused as a whole; each check counts it over all rows that it takes in.",
        examples=[0.05],
    )
    action: Action = Field(
        default="quarantine",
        description="`quarantine` refuses a row that breaks the expectation; `warn` counts it and lets it in.",
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if all(getattr(self, rule) is None or getattr(self, rule) is False for rule in _RULES):
            raise ValueError(f"found nothing that is expected, expected at least one of {', '.join(_RULES)}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"got min {self.min:g} above max {self.max:g}, expected min to be at most max")
        return self

    def faults(self, kinds: Mapping[str, ColumnKind]) -> Iterator[Fault]:
        """Yield what does not fit the model's columns."""
        kind = kinds.get(self.column)
        if kind is None:
            message = f"got {shown(self.column)}, expected a feature of the model or one of {', '.join(_ANSWERS)}"
            yield Fault(("column",), f"{message}{guess(self.column, kinds)}")
        elif kind == "categorical":
            for key in ("min", "max"):
                if getattr(self, key) is not None:
                    yield Fault((key,), f"{self.column} holds texts, expected allowed_values or pattern instead")
        else:
            if self.pattern is not None:
                yield Fault(("pattern",), f"{self.column} holds numbers, expected min, max or allowed_values instead")
            for index, value in enumerate(self.allowed_values or ()):
                if isinstance(value, str | bool):
                    message = f"got {shown(value)}, expected a number, for {self.column} holds numbers"
                    yield Fault(("allowed_values", index), message)


class QualitySpec(Section):
    """What is expected of rows as they arrive."""

    expectations: Annotated[tuple[ExpectationSpec, ...], ListOf, Field(max_length=10_000)] = Field(
        default=(), description="What is expected of columns."
    )
    ignored_columns: Annotated[tuple[str, ...], ListOf, Field(max_length=5000)] = Field(
        default=(),
        description="Columns that are logged beside the features on purpose. They are dropped; every other column that "
        "the model does not know is dropped too, and told of by each check that meets it.",
        examples=[["request_id"]],
    )
    late_after: Delay = Field(
        default=timedelta(days=1),
        description="A prediction that is received longer than this after its event is counted as late. It enters and "
        "counts in the hour of its event.",
    )
    max_lateness: Annotated[Duration | None, DefaultNote("no limit")] = Field(
        default=None,
        description="A prediction that is received longer than this after its event is quarantined.",
        examples=["90d"],
    )
    max_refused_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="When more than this share of the rows that a check takes in is refused, the check is "
        "`insufficient` instead of `healthy`: what did enter need not speak for the rest.",
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.max_lateness is not None and self.max_lateness < self.late_after:
            raise ValueError("max_lateness is shorter than late_after, expected it to be at least as long")
        return self

    def faults(
        self, features: Mapping[str, ColumnKind], task: Task, *, own_tables: Collection[str] = ()
    ) -> list[Fault]:
        """Return what does not fit the model's columns, and what nothing is held against.

        Parameters
        ----------
        own_tables
            Of ``predictions`` and ``labels`` those that are read from the user's own tables: nothing arrives there.
        """
        answer: ColumnKind = "categorical" if task == "multiclass" else "numerical"
        kinds: dict[str, ColumnKind] = {"prediction": answer, "score": "numerical", "label": answer, **features}
        found = [
            Fault(("expectations", index, *fault.at), fault.message)
            for index, expectation in enumerate(self.expectations)
            for fault in expectation.faults(kinds)
        ]
        for index, expectation in enumerate(self.expectations):
            table = "labels" if expectation.column == "label" else "predictions"
            if table in own_tables:
                message = f"the {table} are read from your own table, where no row is refused; expected no rule here"
                found.append(Fault(("expectations", index, "column"), message))
        return found
