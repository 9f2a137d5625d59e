"""Arrow columns as numpy arrays, by their buffers.

``Array.to_numpy`` and ``pyarrow.scalar`` import pandas when it is installed, which would cost every check 0.4 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vernal.errors import ProfileError

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


def column_of(batch: pa.RecordBatch, feature: str) -> pa.Array:
    """Return the column of a feature.

    Raises
    ------
    ProfileError
        If there is no such column, or more than one.
    """
    places = batch.schema.get_all_field_indices(feature)
    if len(places) != 1:
        found = "no such column" if not places else f"{len(places)} columns of this name"
        raise ProfileError(f"feature {feature}: found {found}, expected one among {', '.join(batch.schema.names)}")
    return batch.column(places[0])


def numbers(feature: str, column: pa.Array) -> tuple[Numbers, Mask | None]:
    """Return a column's values and which of them are valid.

    Parameters
    ----------
    feature
        For messages.
    column
        Numbers, booleans (0 and 1), decimals, dates, times or durations (microseconds), or a dictionary of these.

    Returns
    -------
    values, valid
        Shape ``(n,)``; ``valid`` is ``None`` when all are. Values that are not valid are arbitrary.

    Raises
    ------
    ProfileError
        If the column holds something that has no order on a line, such as strings.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    plain = column.cast(_plain_type(feature, column.type), safe=False)
    if pa.types.is_temporal(plain.type):
        plain = plain.view(pa.int64())
    return _values(plain), _valid(plain)


def categories(feature: str, column: pa.Array) -> tuple[Codes, pa.Array]:
    """Return a column as codes into its distinct values.

    Parameters
    ----------
    feature
        For messages.
    column
        Strings, or anything that Arrow writes as a string; 1, 1.0 and a decimal 1 are the same category, and NaN is
        a null.

    Returns
    -------
    codes, labels
        Codes of shape ``(n,)``, -1 for null; labels as an Arrow ``large_string`` array, in which nulls may occur.

    Raises
    ------
    ProfileError
        If the column holds lists, structures or other values without a written form.
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    try:
        labels = encoded.dictionary.cast(pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        found = encoded.dictionary.type
        raise ProfileError(f"feature {feature}: found a column of {found}, expected strings or numbers") from None
    codes = _values(encoded.indices).astype(np.int64)
    valid = _valid(encoded.indices)
    if valid is not None:
        codes[~valid] = -1
    if pa.types.is_floating(encoded.dictionary.type):
        codes = _without_nan(codes, encoded.dictionary)
    return codes, labels


def positions(values: pa.Array, vocabulary: pa.Array) -> Codes:
    """Return the place of each value in a vocabulary, -1 for values that are not in it, -2 for nulls."""
    found = pc.index_in(values, value_set=vocabulary)
    places = _values(found).astype(np.int64)
    valid = _valid(found)
    if valid is not None:
        places[~valid] = -1
    present = _valid(values)
    if present is not None:
        places[~present] = -2
    return places


def strings(values: list[str]) -> pa.Array:
    """Return an Arrow ``large_string`` array of Python strings, none of them null."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return pa.Array.from_buffers(
        pa.large_string(), len(values), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )


def _plain_type(feature: str, found: pa.DataType) -> pa.DataType:
    kinds = pa.types
    if kinds.is_float32(found) or kinds.is_float64(found) or kinds.is_integer(found):
        plain = found
    elif kinds.is_float16(found):
        plain = pa.float32()
    elif kinds.is_boolean(found):
        plain = pa.uint8()
    elif kinds.is_decimal(found) or kinds.is_null(found):
        plain = pa.float64()
    elif kinds.is_timestamp(found) or kinds.is_date(found):
        plain = pa.timestamp("us", tz=getattr(found, "tz", None))
    elif kinds.is_time(found):
        plain = pa.time64("us")
    elif kinds.is_duration(found):
        plain = pa.duration("us")
    else:
        raise ProfileError(
            f"feature {feature}: found a column of {found}, expected numbers", hint="Declare the feature categorical."
        )
    return plain


def _values(array: pa.Array) -> Numbers:
    bits = array.type.bit_width
    sign = "f" if pa.types.is_floating(array.type) else "u" if pa.types.is_unsigned_integer(array.type) else "i"
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return np.zeros(len(array), dtype=f"{sign}{bits // 8}")
    return np.frombuffer(buffer, dtype=f"{sign}{bits // 8}", count=len(array), offset=array.offset * bits // 8)


def _valid(array: pa.Array) -> Mask | None:
    if not array.null_count:
        return None
    buffer = array.buffers()[0]
    if buffer is None:
        return np.zeros(len(array), dtype=np.bool_)  # the null type has no bitmap
    first = array.offset // 8
    bits = np.unpackbits(
        np.frombuffer(buffer, dtype=np.uint8, offset=first, count=(array.offset + len(array) + 7) // 8 - first),
        bitorder="little",
    )
    return bits[array.offset % 8 : array.offset % 8 + len(array)].astype(np.bool_)


def _without_nan(codes: Codes, labels: pa.Array) -> Codes:
    values = _values(labels.cast(pa.float64()))
    return np.where((codes >= 0) & ~np.isnan(values)[codes], codes, -1) if len(values) else codes
