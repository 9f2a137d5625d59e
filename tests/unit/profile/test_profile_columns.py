"""Arrow columns of every type as numbers and as categories."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile.columns import (
    column_of,
    encoded,
    indices,
    is_valid,
    labels_of,
    no_rows,
    numbers,
    positions,
    taken,
    whole_numbers,
)

DAY = 86_400_000_000
HALF_PAST = dt.datetime(2024, 3, 1, 12, 30, tzinfo=dt.UTC)
MICROS = int(HALF_PAST.timestamp()) * 1_000_000


def values_of(column: pa.Array) -> list[Any]:
    """Return a column's numbers, ``None`` where they are not valid."""
    values, valid = numbers("x", column)
    return [value if ok else None for value, ok in zip(values.tolist(), _mask(values, valid), strict=True)]


def _mask(values: np.ndarray[Any, Any], valid: np.ndarray[Any, Any] | None) -> list[bool]:
    return [True] * values.size if valid is None else valid.tolist()


def labelled(column: pa.Array) -> list[str | None]:
    """Return the label of each row of a column, ``None`` for what counts as null."""
    codes, dictionary = encoded("x", column)
    labels = labels_of("x", dictionary).to_pylist()
    return [None if code < 0 else labels[code] for code in codes.tolist()]


def of(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, type=kind)


NUMERICAL = [
    (of([1.5, None, -2.0], pa.float64()), [1.5, None, -2.0]),
    (of([1.5, None, -2.0], pa.float32()), [1.5, None, -2.0]),
    (pa.array(np.array([1.5, -2.0], np.float16)), [1.5, -2.0]),
    *((of([1, None, 100], kind), [1, None, 100]) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    *((of([1, None, 200], kind), [1, None, 200]) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    (of([2**64 - 1], pa.uint64()), [2**64 - 1]),
    (of([2**63 - 1, -(2**63)], pa.int64()), [2**63 - 1, -(2**63)]),
    (of([True, None, False], pa.bool_()), [1, None, 0]),
    (of([None, None], pa.null()), [None, None]),
    (of([dt.date(1970, 1, 2), None], pa.date32()), [DAY, None]),
    (of([dt.date(1970, 1, 2), None], pa.date64()), [DAY, None]),
    (of([dt.time(0, 0, 3), None], pa.time32("s")), [3_000_000, None]),
    (of([dt.time(0, 0, 3), None], pa.time32("ms")), [3_000_000, None]),
    (of([dt.time(0, 0, 3), None], pa.time64("us")), [3_000_000, None]),
    (of([dt.time(0, 0, 3), None], pa.time64("ns")), [3_000_000, None]),
    *((of([HALF_PAST, None], pa.timestamp(unit)), [MICROS, None]) for unit in ("s", "ms", "us", "ns")),
    *((of([HALF_PAST, None], pa.timestamp(unit, tz="Asia/Tokyo")), [MICROS, None]) for unit in ("s", "ns")),
    *((of([dt.timedelta(hours=1)], pa.duration(unit)), [3_600_000_000]) for unit in ("s", "ms", "us", "ns")),
    (of([1, None, 1], pa.int64()).dictionary_encode(), [1, None, 1]),
    (of([0.5, None], pa.float64()).dictionary_encode(), [0.5, None]),
]


@pytest.mark.parametrize(("column", "expected"), NUMERICAL, ids=lambda one: str(getattr(one, "type", "")))
def test_every_type_with_an_order_becomes_numbers(column: pa.Array, expected: list[Any]) -> None:
    assert values_of(column) == expected


@pytest.mark.parametrize("kind", [pa.decimal32(9, 4), pa.decimal64(18, 4), pa.decimal128(38, 4), pa.decimal256(76, 4)])
def test_decimals_become_the_nearest_floats(kind: pa.DataType) -> None:
    text = ["0.1", "0.3", "-0.7", "1234.5678", "0", "-99999.9999", "2.675"]
    column = of([*map(Decimal, text), None], kind)
    assert values_of(column) == [*map(float, text), None]
    assert values_of(column.slice(3, 2)) == [1234.5678, 0.0]


def test_decimals_too_long_for_a_float_are_rounded_to_the_nearest() -> None:
    text = ["123456789012345678901234567890.125", "-0.3", "9007199254740993", "0.1"]
    assert values_of(of([*map(Decimal, text), None], pa.decimal256(76, 25))) == [*map(float, text), None]
    assert values_of(of([Decimal(12300), Decimal(0)], pa.decimal128(10, -2))) == [12300.0, 0.0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (of([2**62, -(2**62)], pa.timestamp("s")), [(2**63 - 1) // 10**6 * 10**6, -((2**63 - 1) // 10**6 * 10**6)]),
        (of([2**62], pa.timestamp("ms")), [(2**63 - 1) // 1000 * 1000]),
        (of([2**31 - 1], pa.date32()), [(2**63 - 1) // DAY * DAY]),
        (of([2**62], pa.duration("s")), [(2**63 - 1) // 10**6 * 10**6]),
    ],
)
def test_a_time_beyond_all_microseconds_is_the_last_one_and_not_one_from_the_past(
    column: pa.Array, expected: list[int]
) -> None:
    assert values_of(column) == expected


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 13])
@pytest.mark.parametrize("kind", [pa.float64(), pa.int16(), pa.bool_(), pa.timestamp("s"), pa.decimal128(38, 1)])
def test_a_slice_that_begins_within_a_byte_of_validity_has_its_own_rows(kind: pa.DataType, start: int) -> None:
    plain = of([None if i % 3 == 0 else i % 2 for i in range(40)], pa.int64())
    column = plain.cast(kind)
    assert values_of(column.slice(start, 17)) == values_of(column)[start : start + 17]


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_slices_of_text_and_of_its_codes_have_their_own_rows(kind: pa.DataType, start: int) -> None:
    column = of([None if i % 5 == 0 else f"c{i % 4}" for i in range(40)], pa.string())
    expected = column.to_pylist()[start : start + 21]
    assert labelled(column.cast(kind).slice(start, 21)) == expected
    assert labelled(column.dictionary_encode().slice(start, 21)) == expected


REFUSED = [
    of([[1]], pa.list_(pa.int64())),
    of([{"a": 1}], pa.struct([("a", pa.int64())])),
    of([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    of([(1, 2, 3)], pa.month_day_nano_interval()),
    pa.DictionaryArray.from_arrays(of([0], pa.int8()), of([[1]], pa.list_(pa.int64()))),
]


@pytest.mark.parametrize("column", REFUSED, ids=lambda one: str(one.type)[:12])
def test_what_can_be_neither_number_nor_category_is_refused_with_its_name_and_type(column: pa.Array) -> None:
    with pytest.raises(ProfileError, match="feature x: found a column of"):
        numbers("x", column)
    with pytest.raises(ProfileError, match="feature x: found a column of"):
        labelled(column)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
def test_text_is_no_number(kind: pa.DataType) -> None:
    with pytest.raises(ProfileError, match="expected numbers") as caught:
        numbers("x", of(["1"], pa.string()).cast(kind))
    assert caught.value.hint == "Declare the feature categorical."


def test_bytes_are_categories_where_they_are_text_and_refused_where_not() -> None:
    assert labelled(of([b"a", None], pa.binary())) == ["a", None]
    with pytest.raises(ProfileError, match="found a column of binary"):
        labelled(of([b"\xff"], pa.binary()))


ONE = [
    of(["1"], pa.string()),
    of([1], pa.int64()),
    of([1], pa.uint8()),
    of([1.0], pa.float64()),
    of([1.0], pa.float32()),
    pa.array(np.array([1.0], np.float16)),
    of([Decimal("1.00")], pa.decimal128(5, 2)),
    of([Decimal("1.0")], pa.decimal32(5, 1)),
    of([Decimal("1.000")], pa.decimal256(50, 3)),
    of([1], pa.int64()).dictionary_encode(),
    of([Decimal("1.00")], pa.decimal128(5, 2)).dictionary_encode(),
]


@pytest.mark.parametrize("column", ONE, ids=lambda one: str(one.type)[:20])
def test_one_is_the_same_category_in_every_type(column: pa.Array) -> None:
    assert labelled(column) == ["1"]


@pytest.mark.parametrize(
    ("floats", "label"),
    [
        (1e15, "1000000000000000"),
        (123456789012345680.0, "123456789012345680"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e-7, "1e-7"),
    ],
)
def test_a_number_as_a_category_does_not_hang_on_how_large_it_is(floats: float, label: str) -> None:
    assert labelled(of([floats], pa.float64())) == [label]


def test_decimals_as_categories_are_written_without_final_zeros_and_in_the_way_of_floats() -> None:
    text = ["100", "0.50", "-0.10", "0", "0.0000001", "120.05"]
    column = of([Decimal(one) for one in text], pa.decimal128(38, 10))
    assert labelled(column) == ["100", "0.5", "-0.1", "0", "1e-7", "120.05"]
    assert labelled(of([Decimal(12300)], pa.decimal128(10, -2))) == ["12300"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_as_a_category_does_not_hang_on_its_unit(unit: str) -> None:
    assert labelled(of([HALF_PAST], pa.timestamp(unit))) == ["2024-03-01 12:30:00"]


def test_infinities_are_categories_and_nan_is_null() -> None:
    column = of([float("nan"), float("inf"), -float("inf"), None], pa.float64())
    assert labelled(column) == [None, "inf", "-inf", None]
    assert labelled(column.dictionary_encode()) == [None, "inf", "-inf", None]


TEXTS = ["e\u0301", "\u00e9", "\U0001f469\u200d\U0001f680", "\u05e9\u05dc\u05d5\u05dd", "", "a\0b", "a", " a", "A"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_texts_are_categories_byte_for_byte(kind: pa.DataType) -> None:
    column = of(TEXTS, pa.string()).cast(kind)
    assert labelled(column) == TEXTS
    assert len(encoded("x", column)[1]) == len(TEXTS)


def test_a_null_in_a_dictionary_is_null_and_an_unused_entry_has_no_row() -> None:
    column = pa.DictionaryArray.from_arrays(of([0, 1, None, 0], pa.int8()), of(["a", None, "unused"], pa.string()))
    assert labelled(column) == ["a", None, None, "a"]
    assert values_of(pa.DictionaryArray.from_arrays(of([0, 1, None], pa.int8()), of([7, None], pa.int8()))) == [
        7,
        None,
        None,
    ]


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()])
def test_codes_may_have_any_width(index: pa.DataType) -> None:
    assert labelled(pa.DictionaryArray.from_arrays(of([1, None, 0], index), of(["a", "b"], pa.string()))) == [
        "b",
        None,
        "a",
    ]


def test_a_code_beyond_its_dictionary_is_damage_and_no_category() -> None:
    codes = of([0, 2], pa.int32())
    damaged = pa.DictionaryArray.from_arrays(codes, of(["a", "b"], pa.string()), safe=False)
    with pytest.raises(ProfileError, match="feature x: found a code without an entry"):
        encoded("x", damaged)


def test_places_in_a_vocabulary_tell_unknown_from_null() -> None:
    vocabulary = of(["a", "", "b"], pa.large_string())
    assert positions(of(["b", None, "c", ""], pa.large_string()), vocabulary).tolist() == [2, -2, -1, 1]


def test_values_are_taken_from_views_too() -> None:
    column = of(["a", None, "b"], pa.string_view())
    assert taken(column, indices(np.array([2, 1, 1]))).to_pylist() == ["b", None, None]


def test_whole_numbers_and_validity_are_read_from_slices() -> None:
    column = of([4, None, 6, 7], pa.int32()).slice(1)
    assert is_valid(column).tolist() == [False, True, True]
    assert whole_numbers(column.slice(1)).tolist() == [6, 7]


def test_a_column_is_found_by_its_whole_name() -> None:
    batch = pa.RecordBatch.from_arrays([of([1], pa.int8()), of([2], pa.int8())], names=["a", "a.b"])
    assert column_of(batch, "a.b").to_pylist() == [2]
    assert no_rows(batch.schema, "a").type == pa.int8()


@pytest.mark.parametrize(("name", "found"), [("b", "no such column"), ("a", "2 columns of this name")])
def test_a_column_that_is_missing_or_there_twice_is_refused(name: str, found: str) -> None:
    batch = pa.RecordBatch.from_arrays([of([1], pa.int8()), of([2], pa.int8())], names=["a", "a"])
    with pytest.raises(ProfileError, match=f"feature {name}: found {found}, expected one among a, a"):
        column_of(batch, name)
    with pytest.raises(ProfileError, match=found):
        no_rows(batch.schema, name)
