"""The kind of feature that a type suggests."""

from __future__ import annotations

import pyarrow as pa
import pytest

from vernal.profile import FeatureKind, build_baseline, kind_of

NUMERICAL = [
    *(pa.float16(), pa.float32(), pa.float64()),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.decimal32(5, 2), pa.decimal64(10, 2), pa.decimal128(20, 2), pa.decimal256(50, 2)),
    *(pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns"), pa.duration("ms"), pa.null()),
    *(pa.timestamp("s"), pa.timestamp("ns", tz="UTC")),
]
CATEGORICAL = [
    *(pa.bool_(), pa.string(), pa.large_string(), pa.string_view()),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64())),
]
NEITHER = [
    *(pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.map_(pa.string(), pa.int8()), pa.binary(), pa.binary(4)),
    *(pa.month_day_nano_interval(), pa.dictionary(pa.int8(), pa.binary()), pa.run_end_encoded(pa.int32(), pa.int8())),
]


@pytest.mark.parametrize("found", NUMERICAL, ids=str)
def test_numbers_and_times_lie_on_a_line(found: pa.DataType) -> None:
    assert kind_of(found) is FeatureKind.NUMERICAL


@pytest.mark.parametrize("found", CATEGORICAL, ids=str)
def test_strings_booleans_and_dictionaries_are_categories(found: pa.DataType) -> None:
    assert kind_of(found) is FeatureKind.CATEGORICAL


@pytest.mark.parametrize("found", NEITHER, ids=str)
def test_what_cannot_be_compared_has_no_kind(found: pa.DataType) -> None:
    assert kind_of(found) is None


@pytest.mark.parametrize("found", [*NUMERICAL, *CATEGORICAL], ids=str)
def test_every_type_that_has_a_kind_can_be_counted_as_it(found: pa.DataType) -> None:
    kind = kind_of(found)
    assert kind is not None
    baseline = build_baseline(pa.table({"x": pa.nulls(3, found)}), {"x": kind})
    assert baseline.cells(baseline.reference, "x")[-1] == 3
