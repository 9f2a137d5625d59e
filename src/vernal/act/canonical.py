"""Columns in the one form that the lake holds, whatever type they came with.

==================================  ================================================================
numerical features, scores          float64; NaN and infinities stay, in features, for profiles count them
categorical features, ids, versions  string; whole numbers are written without a decimal point
predictions and labels              float64 for ``binary`` (0 or 1) and ``regression``, string for ``multiclass``
times                               ``timestamp[us, tz=UTC]``; times without a zone are taken to be in UTC
==================================  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.observe.columns import column_of, floats, to_micros

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

_TIME: Final = pa.timestamp("us", tz="UTC")
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1000}
"""Microseconds in the units that are coarser."""


class UnfitError(ValueError):
    """A batch that no row can be taken from: a column is missing, of a wrong type, or has too many nulls.

    ``rule`` is what it broke, without what was found.
    """

    def __init__(self, reason: str, *, rule: str | None = None) -> None:
        super().__init__(reason)
        self.rule = rule or reason


def number(rows: pa.Table, name: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return a column as float64, and where a text is no number."""
    return as_numbers(one_column(rows, name), name)


def as_numbers(column: pa.Array, name: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return values as float64, and where a text is no number.

    Raises
    ------
    UnfitError
        If they are neither numbers nor texts.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.float64()), np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _parsed(column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise UnfitError(f"{name}: found a column of {kind}, expected numbers")
    return column.cast(pa.float64(), safe=False), np.zeros(len(column), dtype=np.bool_)


def _parsed(column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    numbers = np.full(len(column), np.nan)
    absent, unreadable = np.zeros(len(column), dtype=np.bool_), np.zeros(len(column), dtype=np.bool_)
    for row, text in enumerate(column.to_pylist()):
        try:
            numbers[row] = float(text or "nan")
            absent[row] = not text
        except ValueError:
            unreadable[row] = True
    return without(column_of(numbers), absent | unreadable), unreadable


def text(rows: pa.Table, name: str) -> pa.Array:
    """Return a column as strings; an empty id or class is none."""
    return as_texts(one_column(rows, name), name)


def as_texts(column: pa.Array, name: str) -> pa.Array:
    """Return values as strings; an empty one is none.

    Raises
    ------
    UnfitError
        If they cannot be written as strings.
    """
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_floating(column.type):
        # A column of whole numbers with gaps arrives as floats: 3.0 is the category that was 3 in another batch.
        column = column.cast(pa.float64())
        numbers = floats(column)
        whole = np.isfinite(numbers) & (np.floor(numbers) == numbers) & (np.abs(numbers) < 2**53)
        as_integer = column_of(np.where(whole, numbers, 0.0)).cast(pa.int64()).cast(pa.string())
        written = pc.if_else(_mask(whole), as_integer, column.cast(pa.string()))
        return without(written, np.isnan(numbers))
    try:
        column = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnfitError(f"{name}: found a column of {column.type}, expected texts") from error
    return without(column, np.asarray(floats(pc.binary_length(column)) == 0.0, dtype=np.bool_))


def time(rows: pa.Table, name: str) -> pa.Array:
    """Return a column as times in UTC."""
    column = one_column(rows, name)
    try:
        if pa.types.is_integer(column.type):
            raise UnfitError(f"{name}: found a column of {column.type}, expected times")
        return _within_reach(column).cast(_TIME, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnfitError(f"{name}: found a column of {column.type} that are no times: {error}") from error


def _within_reach(column: pa.Array) -> pa.Array:
    """Return times without those that lie too far away to be counted in microseconds: casting would wrap them round."""
    if not pa.types.is_timestamp(column.type) or column.type.unit not in _MICROSECONDS:
        return column
    reach = np.iinfo(np.int64).max // _MICROSECONDS[column.type.unit]
    moments = column.cast(pa.int64())
    return without(column, np.asarray(floats(pc.greater(pc.abs(moments), reach)) == 1.0, dtype=np.bool_))


def one_column(rows: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece, decoded; nulls where there is none."""
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows)
    if rows.column_names.count(name) > 1:
        raise UnfitError(f"{name}: found {rows.column_names.count(name)} columns of this name, expected one")
    column = rows[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def filled(column: pa.Array, now: datetime) -> pa.Array:
    """Return times with one in the place of those that are missing."""
    filler = np.full(len(column), to_micros(now), dtype=np.int64)
    return pc.coalesce(column, pa.Array.from_buffers(_TIME, len(column), [None, pa.py_buffer(filler.tobytes())]))


def without(column: pa.Array, unwanted: NDArray[np.bool_]) -> pa.Array:
    """Return a column with nulls in the place of some values."""
    return pc.if_else(_mask(~unwanted), column, pa.nulls(len(column), column.type)) if unwanted.any() else column


def is_null(column: pa.Array) -> NDArray[np.bool_]:
    """Return where a column has nulls."""
    return np.asarray(floats(pc.is_null(column)) == 1.0, dtype=np.bool_)


def _mask(flags: NDArray[np.bool_]) -> pa.Array:
    bits = np.packbits(flags, bitorder="little").tobytes()
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(bits)])


def missing(names: list[str]) -> UnfitError:
    """Return what is wrong with a batch that lacks columns."""
    return UnfitError(f"found no column {', '.join(names)}, expected it in every batch")
