"""Baselines of more rows than the quantiles are taken from, and of none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import FeatureKind, NumericalGrid, TableSource, build_baseline, building, profile_rows

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
ROWS = 50_000


@pytest.fixture
def _small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the quantiles of 50,000 rows be taken from 6,250 of them."""
    monkeypatch.setattr(building, "_SAMPLE", 10_000)


def shares(table: pa.Table | list[pa.RecordBatch]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the share of rows in each interval of a baseline of ``x``, single values aside."""
    baseline = build_baseline(table, {"x": NUMERICAL})
    grid, cells = baseline.grids[0], baseline.cells(baseline.reference, "x")
    assert isinstance(grid, NumericalGrid)
    return cells[: grid.intervals][~grid.points] / baseline.rows


@pytest.mark.usefixtures("_small_sample")
def test_beyond_the_sample_every_row_is_still_counted() -> None:
    values = np.random.default_rng(1).normal(size=ROWS)
    values[::50] = np.nan
    table = pa.table({"x": pa.array(values, mask=np.arange(ROWS) % 20 == 1)})
    baseline = build_baseline(table, {"x": NUMERICAL})
    cells = baseline.cells(baseline.reference, "x")
    assert (cells.sum(), cells[-1], cells[-2]) == (ROWS, ROWS // 20, ROWS // 50)
    assert profile_rows(baseline, table) == baseline.reference


@pytest.mark.usefixtures("_small_sample")
def test_intervals_cut_on_a_sample_hold_about_equal_shares() -> None:
    found = shares(pa.table({"x": np.random.default_rng(2).lognormal(size=ROWS)}))
    assert found.max() < 2.2 / 320
    assert (found[0], found[-1]) == (0, 0)


@pytest.mark.usefixtures("_small_sample")
def test_the_extremes_of_all_rows_bound_a_grid_that_is_cut_on_a_sample() -> None:
    values = np.random.default_rng(3).normal(size=ROWS)
    values[[17, 40_001]] = -1e6, 1e6
    grid = build_baseline(pa.table({"x": values}), {"x": NUMERICAL}).grids[0]
    assert isinstance(grid, NumericalGrid)
    assert (grid.edges[0], grid.edges[-1]) == (np.nextafter(-1e6, -np.inf), 1e6)


@pytest.mark.usefixtures("_small_sample")
@pytest.mark.parametrize("chunk", [7, 1_000, 4_096, 20_000])
def test_how_many_rows_are_cut_into_chunks_does_not_move_the_grid(chunk: int) -> None:
    """Extremes of every chunk among the sample would: with chunks of seven rows they would be most of it."""
    table = pa.table({"x": np.random.default_rng(4).normal(size=ROWS)})
    baseline = build_baseline(table.to_batches(max_chunksize=chunk), {"x": NUMERICAL})
    assert baseline.grid_id == build_baseline(table, {"x": NUMERICAL}).grid_id


@pytest.mark.usefixtures("_small_sample")
@pytest.mark.parametrize("sensors", [2, 8, 64])
def test_rows_that_come_in_turns_are_all_among_the_sample(sensors: int) -> None:
    """Of every eighth row the quantiles would be those of one sensor, and all others would share one cell."""
    turn = np.arange(ROWS) % sensors
    found = shares(pa.table({"x": 100.0 * turn + np.random.default_rng(5).normal(size=ROWS)}))
    assert found.max() < 2.5 / 320


@pytest.mark.usefixtures("_small_sample")
def test_a_sample_of_whole_numbers_keeps_the_frequent_ones_apart() -> None:
    values = np.random.default_rng(6).poisson(4, ROWS)
    baseline = build_baseline(pa.table({"x": values}), {"x": NUMERICAL})
    grid, cells = baseline.grids[0], baseline.cells(baseline.reference, "x")
    assert isinstance(grid, NumericalGrid)
    place = grid.edges.searchsorted(4.0)
    assert (grid.points[place], cells[place]) == (True, (values == 4).sum())


@pytest.mark.parametrize(
    ("table", "kinds", "message"),
    [
        (pa.table({"x": [1.0]}), {}, "found no features"),
        (pa.table({"x": pa.array([], pa.float64())}), {"x": NUMERICAL}, "found no reference rows"),
        ([], {"x": NUMERICAL}, "found no reference rows"),
        (pa.table({"x": [1.0]}), {"y": NUMERICAL}, "feature y: found no such column, expected one among x"),
        (pa.table({"x": [[1.0]]}), {"x": NUMERICAL}, "feature x: found a column of list"),
        (pa.table({"x": [{"a": 1}]}), {"x": CATEGORICAL}, "feature x: found a column of struct"),
        (pa.Table.from_arrays([[1], [2]], names=["x", "x"]), {"x": NUMERICAL}, "2 columns of this name"),
    ],
)
def test_what_no_baseline_can_be_cut_on_is_refused(
    table: pa.Table, kinds: dict[str, FeatureKind], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        build_baseline(table, kinds)


def test_a_source_without_any_batch_has_no_columns() -> None:
    with pytest.raises(ProfileError, match="found no record batch"):
        _ = TableSource([]).schema


def test_batches_of_different_columns_are_refused() -> None:
    batches = [pa.RecordBatch.from_pydict({"x": [1.0]}), pa.RecordBatch.from_pydict({"y": [1.0]})]
    with pytest.raises(ProfileError, match="feature x: found no such column"):
        build_baseline(batches, {"x": NUMERICAL})


def test_batches_may_differ_in_their_numbers_types() -> None:
    batches = [pa.RecordBatch.from_pydict({"x": pa.array([1, 2], kind)}) for kind in (pa.int8(), pa.float64())]
    whole = build_baseline(pa.table({"x": [1.0, 2.0, 1.0, 2.0]}), {"x": NUMERICAL})
    assert build_baseline(batches, {"x": NUMERICAL}).reference == whole.reference
