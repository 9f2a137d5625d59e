"""What a model's file expects of columns, held against a batch of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.refused import texts
from vernal.observe.columns import floats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from vernal.spec import ExpectationSpec

SMALLEST_BATCH: Final = 100
"""Rows below which a batch's share of nulls says little: one null in ten rows is 10 %."""

_MOST_SHOWN: Final = 5
"""Allowed values that a reason names."""
_WHOLE: Final = 1e15
"""Below it, whole numbers are written without a decimal point."""
_LONGEST_SHOWN: Final = 60
"""Characters of a value that a reason shows."""


class Objection(NamedTuple):
    """Rows that break a rule; ``seen`` is the column that it is about, where a reason should show its value."""

    flags: NDArray[np.bool_]
    rule: str
    seen: pa.Array | None = None
    subject: str = ""

    def reason(self, value: object) -> str:
        """Return the rule with what was found in one row."""
        text = _written(value)
        text = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
        return f"{self.subject}: got {text}, {self.rule.removeprefix(f'{self.subject}: ')}"


class Nulls(NamedTuple):
    """How many nulls a column had, which share is expected at most, and what to do above it."""

    column: str
    missing: int
    limit: float
    refuse: bool


def objections(expectation: ExpectationSpec, column: pa.Array) -> Iterator[Objection]:
    """Yield the rows of a column in canonical form that break each rule of an expectation."""
    name = expectation.column
    if pa.types.is_floating(column.type):
        numbers = floats(column)
        if expectation.min is not None:
            rule = f"{name}: expected at least {_written(expectation.min)}"
            yield Objection(numbers < expectation.min, rule, column, name)
        if expectation.max is not None:
            rule = f"{name}: expected at most {_written(expectation.max)}"
            yield Objection(numbers > expectation.max, rule, column, name)
        if expectation.allowed_values is not None:
            allowed = np.array([float(value) for value in expectation.allowed_values])
            yield Objection(~np.isin(numbers, allowed) & ~np.isnan(numbers), _one_of(expectation), column, name)
    else:
        if expectation.allowed_values is not None:
            allowed = texts([_written(value) for value in expectation.allowed_values])
            known = floats(pc.is_in(column, value_set=allowed)) == 1.0
            yield Objection(~known & ~nulls(column), _one_of(expectation), column, name)
        if expectation.pattern is not None:
            rule = f"{name}: expected to match {expectation.pattern}"
            yield Objection(_mismatched(column, expectation.pattern), rule, column, name)
    if expectation.not_null:
        yield Objection(nulls(column), f"{name}: found none, expected a value")


def null_counts(
    expectations: Sequence[ExpectationSpec], columns: Mapping[str, pa.Array], *, excused: NDArray[np.bool_]
) -> Iterator[Nulls]:
    """Yield the nulls of the columns of which a largest share is expected; rows that hold no answer owe none."""
    for one in expectations:
        if one.max_null_share is not None and one.column in columns:
            absent = nulls(columns[one.column])
            count = int(np.count_nonzero(absent & ~excused if one.column in {"prediction", "score"} else absent))
            yield Nulls(one.column, count, one.max_null_share, one.action == "quarantine")


def nulls(column: pa.Array) -> NDArray[np.bool_]:
    """Return where a column has no value; NaN is none."""
    absent = np.isnan(floats(column)) if pa.types.is_floating(column.type) else floats(pc.is_null(column)) == 1.0
    return np.asarray(absent, dtype=np.bool_)


def _mismatched(column: pa.Array, pattern: str) -> NDArray[np.bool_]:
    encoded = pc.dictionary_encode(column)
    compiled = re.compile(pattern)
    wrong = np.array([compiled.fullmatch(value) is None for value in encoded.dictionary.to_pylist()], dtype=np.bool_)
    if not wrong.any():
        return np.zeros(len(column), dtype=np.bool_)
    codes = floats(encoded.indices)
    present = ~np.isnan(codes)
    return present & wrong[np.where(present, codes, 0.0).astype(np.int64)]


def _one_of(expectation: ExpectationSpec) -> str:
    allowed = expectation.allowed_values or ()
    shown = ", ".join(_written(value) for value in allowed[:_MOST_SHOWN])
    more = f" and {len(allowed) - _MOST_SHOWN} more" if len(allowed) > _MOST_SHOWN else ""
    return f"{expectation.column}: expected one of {shown}{more}"


def _written(value: object) -> str:
    """Return a value as categories are written in the lake."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    return str(value)
