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
Counts = npt.NDArray[np.int64]


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


def encoded(feature: str, column: pa.Array) -> tuple[Codes, pa.Array]:
    """Return a column as codes into a dictionary of its distinct values.

    Parameters
    ----------
    feature
        For messages.
    column
        Strings, or anything that Arrow writes as a string.

    Returns
    -------
    codes, dictionary
        Codes of shape ``(n,)``, -1 for null and NaN; the dictionary in the column's own type, in which nulls may occur.

    Raises
    ------
    ProfileError
        If the column holds lists, structures or other values that have no dictionary.
    """
    try:
        dictionary_array = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise _no_category(feature, column.type) from None
    dictionary = dictionary_array.dictionary
    codes = _values(dictionary_array.indices).astype(np.int64)
    valid = _valid(dictionary_array.indices)
    if valid is not None:
        codes[~valid] = -1
    if pa.types.is_floating(dictionary.type):
        codes = _without_nan(codes, dictionary)
    return codes, dictionary


def labels_of(feature: str, dictionary: pa.Array) -> pa.Array:
    """Return distinct values as ``large_string``, so that 1, 1.0 and a decimal 1 are the same category.

    Raises
    ------
    ProfileError
        If the values have no written form.
    """
    try:
        return dictionary.cast(pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise _no_category(feature, dictionary.type) from None


def _no_category(feature: str, found: pa.DataType) -> ProfileError:
    return ProfileError(f"feature {feature}: found a column of {found}, expected strings or numbers")


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


def indices(places: Codes) -> pa.Array:
    """Return whole numbers as an Arrow array."""
    return pa.Array.from_buffers(pa.int64(), places.size, [None, pa.py_buffer(places.astype(np.int64))])


def whole_numbers(array: pa.Array) -> Codes:
    """Return an Arrow array of whole numbers, none of them null."""
    return _values(array).astype(np.int64)


def is_valid(array: pa.Array) -> Mask:
    """Return which values are not null."""
    valid = _valid(array)
    return np.ones(len(array), dtype=np.bool_) if valid is None else valid


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
