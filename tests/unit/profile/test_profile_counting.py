"""Rows on the cells of a grid, against counting one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import FeatureKind, NumericalGrid, TableSource, build_baseline, profile_rows
from vernal.profile.counting import BLOCK
from vernal.profile.grid import Grid

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
RNG = np.random.default_rng(11)
INFINITY = float("inf")


def counted_slowly(grid: Grid, column: list[Any]) -> list[int]:
    """Return a feature's cells, each row looked at on its own."""
    cells = [0] * grid.width
    for value in column:
        if value is None:
            cells[-1] += 1
        elif isinstance(grid, NumericalGrid):
            place = sum(value > edge for edge in grid.edges.tolist()) if math.isfinite(value) else grid.width - 2
            cells[place] += 1
        else:
            known = grid.vocabulary.to_pylist()
            cells[min(known.index(value), grid.other) if value in known else grid.new] += 1
    return cells


COLUMNS: dict[str, Callable[[int], list[Any]]] = {
    "smooth": lambda n: RNG.normal(size=n).tolist(),
    "skewed": lambda n: RNG.lognormal(0, 3, size=n).tolist(),
    "60 % zeros": lambda n: np.where(RNG.random(n) < 0.6, 0.0, RNG.normal(size=n)).tolist(),
    "whole": lambda n: RNG.poisson(3, n).tolist(),
    "constant": lambda n: [4.5] * n,
    "with nulls": lambda n: [None if u < 0.2 else u for u in RNG.random(n).tolist()],
    "with what is not finite": lambda n: RNG.choice([1.0, 2.0, math.nan, INFINITY, -INFINITY], n).tolist(),
    "all null": lambda n: [None] * n,
    "nothing finite": lambda n: [math.nan] * n,
    "tiny": lambda n: RNG.choice([0.0, -0.0, 5e-324, -5e-324, 1e-310], n).tolist(),
    "huge": lambda n: RNG.choice([-1.7976931348623157e308, 0.0, 1.7976931348623157e308], n).tolist(),
    "one row": lambda n: [float(n)],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_row_of_numbers_is_counted_once_in_its_cell(name: str) -> None:
    reference, current = (pa.table({"x": pa.array(COLUMNS[name](600), pa.float64())}) for _ in range(2))
    baseline = build_baseline(reference, {"x": NUMERICAL})
    for table, profile in ((reference, baseline.reference), (current, profile_rows(baseline, current))):
        assert baseline.cells(profile, "x").tolist() == counted_slowly(baseline.grids[0], table["x"].to_pylist())
        assert profile.rows == table.num_rows


@pytest.mark.parametrize("values", [["a"] * 5 + ["b"] * 30, ["", "a\0", "e\u0301", "\u00e9", None] * 30, [None] * 9])
def test_every_row_of_categories_is_counted_once_in_its_cell(values: list[str | None]) -> None:
    current = [*values, "never seen", None, ""]
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int16(), pa.string())):
        baseline = build_baseline(pa.table({"c": pa.array(values, pa.string()).cast(kind)}), {"c": CATEGORICAL})
        profile = profile_rows(baseline, pa.table({"c": pa.array(current, pa.string()).cast(kind)}))
        assert baseline.cells(profile, "c").tolist() == counted_slowly(baseline.grids[0], current)


def test_more_than_a_block_is_counted_as_one() -> None:
    values = RNG.normal(size=3 * BLOCK + 17)
    values[::1000] = math.nan
    table = pa.table({"x": values})
    baseline = build_baseline(table, {"x": NUMERICAL})
    profile = profile_rows(baseline, table)
    assert np.array_equal(profile.counts, baseline.reference.counts)
    found = baseline.summary(profile, "x")
    finite = values[np.isfinite(values)]
    assert found is not None
    assert (found.count, found.minimum, found.maximum) == (finite.size, finite.min(), finite.max())
    assert found.mean == pytest.approx(finite.mean(), rel=1e-12, abs=1e-12)
    assert found.variance == pytest.approx(finite.var(ddof=1), rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e20, 1e-30])
def test_moments_of_single_precision_are_taken_in_double(scale: float) -> None:
    """In single precision the squares of 1e20 overflow, and a mean of 1e8 is off by as much as 4."""
    values = ((1e8 + 8 * np.arange(1_000)) * scale).astype(np.float32)
    baseline = build_baseline(pa.table({"x": values}), {"x": NUMERICAL})
    for profile in (baseline.reference, profile_rows(baseline, pa.table({"x": values}))):
        found = baseline.summary(profile, "x")
        assert found is not None
        assert found.variance == pytest.approx(values.astype(np.float64).var(ddof=1), rel=1e-10)


@pytest.mark.parametrize(("then", "now"), [("f8", "f4"), ("f4", "f8"), ("f4", "f4"), ("f8", "f8")])
def test_a_tenth_is_a_tenth_in_either_precision(then: str, now: str) -> None:
    reference, current = (np.repeat(np.arange(-20, 20) / 10, 50).astype(kind) for kind in (then, now))
    baseline = build_baseline(pa.table({"x": reference}), {"x": NUMERICAL})
    profile = profile_rows(baseline, pa.table({"x": current}))
    assert np.array_equal(profile.counts, baseline.reference.counts)


def test_a_smooth_reference_in_double_takes_values_in_single_precision() -> None:
    values = RNG.normal(size=50_000)
    baseline = build_baseline(pa.table({"x": values}), {"x": NUMERICAL})
    profile = profile_rows(baseline, pa.table({"x": values.astype(np.float32)}))
    assert abs(profile.counts - baseline.reference.counts).max() <= 1


def test_numbers_beyond_single_precision_are_finite_and_beyond_a_reference_in_it() -> None:
    baseline = build_baseline(pa.table({"x": np.arange(100, dtype=np.float32)}), {"x": NUMERICAL})
    cells = baseline.cells(profile_rows(baseline, pa.table({"x": [1e300, -1e300, math.inf]})), "x")
    assert (cells[0], cells[-3], cells[-2]) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32"])
def test_a_column_that_changes_its_type_is_counted_as_before(kind: str) -> None:
    values = RNG.integers(0, 100, 2_000)
    baseline = build_baseline(pa.table({"x": values}), {"x": NUMERICAL})
    assert profile_rows(baseline, pa.table({"x": values.astype(kind)})) == baseline.reference


def test_whole_numbers_as_categories_are_the_same_in_every_type() -> None:
    values = RNG.integers(0, 30, 2_000)
    baseline = build_baseline(pa.table({"c": values}), {"c": CATEGORICAL})
    for column in (
        pa.array(values.astype(str)),
        pa.array(values.astype(np.float64)),
        pa.array(values).cast(pa.decimal128(38, 2)),
        pa.array(values).cast(pa.uint8()).dictionary_encode(),
    ):
        assert profile_rows(baseline, pa.table({"c": column})) == baseline.reference


def test_dictionaries_may_differ_from_chunk_to_chunk() -> None:
    one = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, None], pa.int8()), pa.array(["a", "b", "unused"]))
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["b", None]))
    table = pa.table({"c": pa.chunked_array([one, other, one])})
    baseline = build_baseline(table, {"c": CATEGORICAL})
    assert baseline.grids[0].width == 5
    assert baseline.cells(baseline.reference, "c").tolist() == [4, 4, 0, 0, 3]
    assert profile_rows(baseline, table) == baseline.reference


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_result(threads: int) -> None:
    table = pa.table({f"x{i}": RNG.normal(size=3_000) for i in range(4)} | {"c": RNG.integers(0, 2_000, 3_000)})
    kinds = dict.fromkeys(table.column_names, NUMERICAL) | {"c": CATEGORICAL}
    alone, baseline = build_baseline(table, kinds), build_baseline(table, kinds, threads=threads)
    assert baseline.to_bytes() == alone.to_bytes()
    assert profile_rows(baseline, table, threads=threads) == profile_rows(alone, table)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_thread_reaches_the_caller(threads: int) -> None:
    table = pa.table({"x": [1.0], "y": ["a"]})
    with pytest.raises(ProfileError, match="feature y"):
        build_baseline(table, {"x": NUMERICAL, "y": NUMERICAL}, threads=threads)


@pytest.mark.parametrize("data", ["table", "batch", "source"])
def test_rows_may_come_as_a_table_a_batch_or_a_source(data: str) -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "more": [1, 2, 3]})
    baseline = build_baseline(table, {"x": NUMERICAL})
    forms = {"table": table, "batch": table.to_batches()[0], "source": TableSource(table.to_batches(max_chunksize=1))}
    assert profile_rows(baseline, forms[data]) == baseline.reference


def test_no_rows_give_the_empty_profile() -> None:
    table = pa.table({"x": [1.0, 2.0], "c": ["a", "b"]})
    baseline = build_baseline(table, {"x": NUMERICAL, "c": CATEGORICAL})
    for nothing in (table.slice(0, 0), table.schema.empty_table(), pa.table({"x": pa.nulls(0), "c": pa.nulls(0)})):
        profile = profile_rows(baseline, nothing)
        assert (profile.rows, profile.counts.sum()) == (0, 0)
        assert baseline.summary(profile, "x") is None


@pytest.mark.parametrize("rows", [0, 1])
def test_a_missing_column_or_one_of_a_wrong_type_is_refused_with_and_without_rows(rows: int) -> None:
    baseline = build_baseline(pa.table({"x": [1.0]}), {"x": NUMERICAL})
    with pytest.raises(ProfileError, match="feature x: found no such column, expected one among y"):
        profile_rows(baseline, pa.table({"y": pa.array([1.0] * rows, pa.float64())}))
    with pytest.raises(ProfileError, match="feature x: found a column of list"):
        profile_rows(baseline, pa.table({"x": pa.array([[1]] * rows, pa.list_(pa.int8()))}))
