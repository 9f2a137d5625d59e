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
    return batch.column(place_of(batch.schema, feature))


def place_of(schema: pa.Schema, feature: str) -> int:
    """Return the place of a feature's column.

    Raises
    ------
    ProfileError
        If there is no such column, or more than one.
    """
    places = schema.get_all_field_indices(feature)
    if len(places) != 1:
        found = "no such column" if not places else f"{len(places)} columns of this name"
        raise ProfileError(f"feature {feature}: found {found}, expected one among {', '.join(schema.names)}")
    return int(places[0])


def no_rows(schema: pa.Schema, feature: str) -> pa.Array:
    """Return the column of a feature without any rows: its type is to be checked all the same.

    Raises
    ------
    ProfileError
        If there is no such column, or more than one.
    """
    return pa.nulls(0, schema.field(place_of(schema, feature)).type)


def taken(column: pa.Array, places: pa.Array) -> pa.Array:
    """Return the values at some places."""
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())  # Arrow takes nothing from views
    return column.take(places)


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
    if pa.types.is_decimal(column.type):
        return _decimals(column), _valid(column)
    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        return _microseconds(column), _valid(column)
    plain = column.cast(_plain_type(feature, column.type), safe=False)
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
        If the column holds lists, structures or other values that have no dictionary, or is damaged.
    """
    if pa.types.is_decimal(column.type):
        column = _wide(column)
    try:
        dictionary_array = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise _no_category(feature, column.type) from None
    dictionary = dictionary_array.dictionary
    codes = _values(dictionary_array.indices).astype(np.int64)
    valid = _valid(dictionary_array.indices)
    if valid is not None:
        codes[~valid] = -1
    if codes.size and not -1 <= codes.min() <= codes.max() < len(dictionary):
        raise ProfileError(f"feature {feature}: found a code without an entry in its dictionary, expected sound data")
    if pa.types.is_floating(dictionary.type):
        codes = _without_nan(codes, dictionary)
    return codes, dictionary


def labels_of(feature: str, dictionary: pa.Array) -> pa.Array:
    """Return distinct values as ``large_string``, so that 1, 1.0 and a decimal 1.00 are the same category.

    Raises
    ------
    ProfileError
        If the values have no written form.
    """
    kinds = pa.types
    try:
        if kinds.is_decimal(dictionary.type):
            return pc.ascii_lower(_plainly_written(_wide(dictionary).cast(pa.large_string())))
        if kinds.is_timestamp(dictionary.type) or kinds.is_time(dictionary.type):
            return _plainly_written(dictionary.cast(pa.large_string()))
        if kinds.is_floating(dictionary.type):
            return _labels_of_floats(dictionary)
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
    elif kinds.is_null(found):
        plain = pa.float64()
    else:
        raise ProfileError(
            f"feature {feature}: found a column of {found}, expected numbers", hint="Declare the feature categorical."
        )
    return plain


def _microseconds(column: pa.Array) -> Codes:
    """Return dates, times and durations in microseconds, the farthest of all where they are out of reach."""
    ticks = _values(column).astype(np.int64)
    unit = "d" if pa.types.is_date32(column.type) else getattr(column.type, "unit", "ms")
    if unit == "ns":
        return ticks // 1000
    factor = _MICROSECONDS[unit]
    farthest = np.iinfo(np.int64).max // factor  # databases write the end of time as the largest date they have
    return ticks if factor == 1 else ticks.clip(-farthest, farthest) * factor


_MICROSECONDS = {"d": 86_400_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}


def _decimals(column: pa.Array) -> Numbers:
    """Return decimals as the nearest floats, which Arrow's own cast does not: it makes 0.30000000000000004 of 0.3."""
    scale = column.type.scale
    if column.type.bit_width < _WIDE:
        column = column.cast(pa.decimal128(38, scale))
    buffer = column.buffers()[1]
    if not len(column) or buffer is None:
        return np.zeros(len(column))
    width = column.type.bit_width // 64
    words = np.frombuffer(buffer, "<i8", count=width * len(column), offset=8 * width * column.offset).reshape(-1, width)
    low = words[:, 0]
    exact = (words[:, 1:] == (low >> 63)[:, None]).all(axis=1) & (low <= _EXACT) & (low >= -_EXACT)
    if 0 <= scale <= _EXACT_POWERS and (exact | ~is_valid(column)).all():
        quotients: Numbers = low / 10.0**scale
        return quotients
    return _values(column.cast(pa.large_string()).cast(pa.float64()))


_WIDE = 128
_EXACT = 1 << 53
"""Whole numbers up to here are floats, as are powers of ten up to the next, and a quotient is rounded only once."""

_EXACT_POWERS = 22


def _wide(decimals: pa.Array) -> pa.Array:
    """Return decimals in the type that Arrow can do most with: no dictionary of small ones, no plain negative scale."""
    return decimals.cast(pa.decimal256(76, max(0, decimals.type.scale)))


def _labels_of_floats(values: pa.Array) -> pa.Array:
    """Return floats as text, whole ones as whole numbers are written: a column that gains a null turns into floats."""
    numbers = _values(values.cast(pa.float64()))
    whole = is_valid(values) & (np.abs(numbers) < _WHOLE) & (np.trunc(numbers) == numbers)
    bits = pa.py_buffer(np.packbits(whole, bitorder="little"))
    condition = pa.Array.from_buffers(pa.bool_(), whole.size, [None, bits])
    as_whole = indices(np.where(whole, numbers, 0).astype(np.int64)).cast(pa.large_string())
    return pc.if_else(condition, as_whole, values.cast(pa.large_string()))


_WHOLE = 2.0**63


def _plainly_written(text: pa.Array) -> pa.Array:
    """Return numbers and times without final zeros after the point, which only tell of the column's type."""
    text = pc.replace_substring_regex(text, pattern=r"(\.\d*?)0+(\D|$)", replacement=r"\1\2")
    text = pc.replace_substring_regex(text, pattern=r"\.(\D|$)", replacement=r"\1")
    return pc.replace_substring_regex(text, pattern=r"^-?0E.*$", replacement="0")


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
