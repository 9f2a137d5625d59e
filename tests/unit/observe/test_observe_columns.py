import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from vernal.observe.columns import column_of, first_match, floats, keep, micros, strings_equal, take, to_micros, values


def test_nulls_become_nan_and_booleans_numbers() -> None:
    assert np.array_equal(floats(pa.array([1, None, 3], pa.int32())), [1.0, np.nan, 3.0], equal_nan=True)
    assert np.array_equal(floats(pa.array([True, False, None])), [1.0, 0.0, np.nan], equal_nan=True)
    assert floats(pa.array([], pa.float64())).shape == (0,)


def test_slices_and_chunks_are_read_from_their_offset() -> None:
    column = pa.chunked_array([pa.array([0.0, 1.0, None])[1:], pa.array([4.0])])
    assert np.array_equal(floats(column), [1.0, np.nan, 4.0], equal_nan=True)
    assert np.array_equal(floats(pa.array([9.0, None, 7.0])[1:]), [np.nan, 7.0], equal_nan=True)


def test_times_become_microseconds() -> None:
    from datetime import UTC, datetime

    moment = datetime(2013, 3, 10, 7, 0, 0, 5, tzinfo=UTC)
    assert micros(pa.array([moment], pa.timestamp("ms", tz="UTC"))).tolist() == [to_micros(moment) // 1000 * 1000]
    assert micros(pa.array([moment, None], pa.timestamp("us", tz="UTC")))[0] == to_micros(moment)


def test_strings_stay_objects() -> None:
    assert values(pa.array(["a", None])).tolist() == ["a", None]


def test_rows_are_kept_and_taken_by_position() -> None:
    table = pa.table({"a": list(range(20))})
    assert keep(table, np.arange(20) % 3 == 0)["a"].to_pylist() == [0, 3, 6, 9, 12, 15, 18]
    assert take(table, np.array([5, 0]))["a"].to_pylist() == [5, 0]


def test_a_match_is_the_first_occurrence_and_minus_one_where_there_is_none() -> None:
    wanted, among = pa.chunked_array([["x", "y", "q"]]), pa.chunked_array([["y", "x"], ["x"]])
    assert first_match(wanted, among).tolist() == [1, 0, -1]


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_strings_are_compared_in_any_encoding(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(["a", "b"]).cast(kind), pa.array(["b", None]).cast(kind)])
    assert strings_equal(column, "b").tolist() == [False, True, True, False]
    assert strings_equal(column, "z").tolist() == [False] * 4


def test_numbers_become_a_column() -> None:
    assert column_of(np.array([1.5, 2.5])).to_pylist() == [1.5, 2.5]


def test_reading_columns_does_not_import_pandas() -> None:
    code = """
import sys
import numpy as np, pyarrow as pa, pyarrow.compute as pc
from vernal.observe.columns import *
bits = pa.py_buffer(np.arange(4, dtype=np.int64).tobytes())
column = pa.chunked_array([pa.Array.from_buffers(pa.int64(), 4, [None, bits])])
table = pa.Table.from_arrays([column], names=["a"])
keep(table, np.array([True, False, True, False])); take(table, np.array([1, 0])); floats(column)
first_match(column, column); micros(column.cast(pa.timestamp("us", tz="UTC")));
strings_equal(column.cast(pa.string()), "1")
assert "pandas" not in sys.modules, "pandas was imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
