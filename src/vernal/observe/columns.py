"""Arrow columns as numpy arrays, by their buffers.

``Array.to_numpy``, ``pa.scalar`` and ``pa.array`` import pandas when it is installed, which a check must not pay for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

HOUR = 3_600_000_000
"""Microseconds in an hour."""


def floats(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """Return a numerical or boolean column as float64, shape ``(rows,)``; nulls become NaN."""
    array = _one(column)
    if not pa.types.is_float64(array.type):
        array = pc.cast(pc.cast(array, pa.int8()) if pa.types.is_boolean(array.type) else array, pa.float64())
    values = (
        np.frombuffer(array.buffers()[1], dtype=np.float64, count=len(array), offset=array.offset * 8)
        if len(array)
        else _NONE
    )
    return np.where(_valid(array), values, np.nan) if array.null_count else values


def micros(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """Return a timestamp column as microseconds since the epoch; nulls become the smallest integer."""
    array = _one(column)
    if array.type != _TIME:
        array = pc.cast(array, _TIME)
    if not len(array):
        return np.empty(0, dtype=np.int64)
    values = np.frombuffer(array.buffers()[1], dtype=np.int64, count=len(array), offset=array.offset * 8)
    return np.where(_valid(array), values, np.iinfo(np.int64).min) if array.null_count else values


def values(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """Return labels or predictions: float64 for numbers, objects for strings."""
    array = _one(column)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_dictionary(array.type):
        return np.array(array.to_pylist(), dtype=object)
    return floats(array)


def keep(table: pa.Table, mask: NDArray[np.bool_]) -> pa.Table:
    """Return the rows for which the mask holds."""
    return table if mask.all() else table.filter(booleans(mask))


def booleans(mask: NDArray[np.bool_]) -> pa.Array:
    """Return a mask as an Arrow array."""
    bits = pa.py_buffer(np.packbits(mask, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, bits])


def take(table: pa.Table, order: NDArray[np.int64]) -> pa.Table:
    """Return rows by position."""
    positions = np.ascontiguousarray(order, dtype=np.int64)
    return table.take(pa.Array.from_buffers(pa.int64(), len(positions), [None, pa.py_buffer(positions.tobytes())]))


def first_match(wanted: pa.ChunkedArray, among: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return for every wanted value the position of its first occurrence among others, -1 where there is none."""
    found = _one(pc.index_in(_one(wanted), value_set=_one(among)))
    if not len(found):
        return np.empty(0, dtype=np.int64)
    positions = np.frombuffer(found.buffers()[1], dtype=np.int32, count=len(found), offset=found.offset * 4)
    return np.where(_valid(found), positions, -1).astype(np.int64)


def to_micros(moment: datetime) -> int:
    """Return a moment as microseconds since the epoch."""
    return round(moment.timestamp() * 1_000_000)


def column_of(numbers: NDArray[np.float64]) -> pa.Array:
    """Return numbers as an Arrow column; NaN stays NaN."""
    data = np.ascontiguousarray(numbers, dtype=np.float64)
    return pa.Array.from_buffers(pa.float64(), len(data), [None, pa.py_buffer(data.tobytes())])


def strings_equal(column: pa.ChunkedArray, text: str) -> NDArray[np.bool_]:
    """Return where a string column equals a text."""
    if not len(column):
        return np.empty(0, dtype=np.bool_)
    encoded = _one(pc.dictionary_encode(_one(column))) if not pa.types.is_dictionary(column.type) else _one(column)
    hits: Sequence[int] = [code for code, value in enumerate(encoded.dictionary.to_pylist()) if value == text]
    if not hits:
        return np.zeros(len(column), dtype=np.bool_)
    codes = floats(pc.cast(encoded.indices, pa.float64()))
    return np.asarray(codes == hits[0], dtype=np.bool_)


_TIME = pa.timestamp("us", tz="UTC")
_NONE = np.empty(0, dtype=np.float64)


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        if not column.num_chunks:  # combining nothing would import pandas when it is installed
            return pa.nulls(0, column.type)
        combined = column.combine_chunks()
        return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) and combined.num_chunks else combined
    return column


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), dtype=np.bool_)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)
