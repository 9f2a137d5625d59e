"""Grids cut on a reference: quantiles, single values, open tails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.profile.grid import QUANTILES, CategoryGrid, NumericalGrid, cut, describe, restore

LARGEST = float(np.finfo(np.float64).max)


def grid_of(values: Any, *, narrow: bool = False) -> NumericalGrid:  # noqa: ANN401 - whatever numpy makes an array of
    return cut("x", np.sort(np.asarray(values)), narrow=narrow)


def cells_of(grid: NumericalGrid, values: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    return np.bincount(grid.edges.searchsorted(np.asarray(values, np.float64)), minlength=grid.intervals)


def test_intervals_of_a_smooth_reference_hold_equal_shares() -> None:
    values = np.random.default_rng(1).normal(size=320_000)
    inner = cells_of(grid_of(values), values)
    assert inner[0] == inner[-1] == 0
    assert inner.max() == 1000


def test_deciles_of_the_reference_are_edges() -> None:
    values = np.random.default_rng(2).permutation(64_000).astype(np.float64)
    deciles = np.sort(values)[np.arange(1, 10) * 6_400 - 1]
    assert np.isin(deciles, grid_of(values).edges).all()


def test_the_first_and_the_last_interval_lie_outside_the_reference() -> None:
    values = np.random.default_rng(3).lognormal(size=5_000)
    edges = grid_of(values).edges
    assert edges[0] == np.nextafter(values.min(), -np.inf)
    assert edges[-1] == values.max()


def test_a_value_that_holds_many_rows_has_an_interval_of_its_own() -> None:
    values = np.concatenate((np.zeros(6_000), np.random.default_rng(4).exponential(size=4_000)))
    grid = grid_of(values)
    zero = int(grid.edges.searchsorted(0.0))
    assert grid.points[zero]
    assert cells_of(grid, values)[zero] == 6_000
    assert np.median(np.delete(cells_of(grid, values), [0, zero])) == pytest.approx(10_000 / QUANTILES, abs=2)


def test_every_value_of_a_small_discrete_reference_has_an_interval_of_its_own() -> None:
    values = np.random.default_rng(5).integers(0, 9, 2_000)
    grid = grid_of(values)
    assert cells_of(grid, values)[grid.points].tolist() == np.bincount(values).tolist()


@pytest.mark.parametrize("narrow", [False, True])
def test_single_values_are_told_in_the_precision_of_the_reference(narrow: bool) -> None:
    kind = np.float32 if narrow else np.float64
    values = np.repeat(np.array([0.1, 0.2, 0.3], kind), 100)
    grid = grid_of(values, narrow=narrow)
    assert grid.points.tolist() == [False, True, False, True, False, True, False]
    assert np.nextafter(kind(grid.edges[0]), kind(1)) == kind(0.1)


def test_a_constant_has_one_single_value_between_two_tails() -> None:
    grid = grid_of([7.0] * 50)
    assert (grid.intervals, grid.width) == (3, 5)
    assert grid.points.tolist() == [False, True, False]


def test_no_values_give_one_interval_that_takes_all() -> None:
    grid = grid_of(np.empty(0))
    assert (grid.intervals, grid.width, grid.points.tolist()) == (1, 3, [False])


def test_zero_and_minus_zero_cut_the_same_grid() -> None:
    """Which of the two a sort puts first is chance, and a grid is named by its bytes."""
    one, other = grid_of([0.0, -0.0, 1.0]), grid_of([-0.0, 0.0, 1.0])
    assert describe(one) == describe(other)
    assert not np.signbit(one.edges[one.edges == 0]).any()


@pytest.mark.parametrize(("kind", "narrow"), [(np.float64, False), (np.float32, True)])
def test_the_least_of_all_numbers_lies_in_no_tail(kind: type[np.floating[Any]], narrow: bool) -> None:
    """It is what many programs write for a value that is missing, so it can be frequent."""
    least = np.finfo(kind).min
    values = np.array([least] * 30 + [1, 2, 3] * 10, kind)
    grid = grid_of(values, narrow=narrow)
    place = int(grid.edges.searchsorted(float(least)))
    assert grid.points[place]
    assert cells_of(grid, values)[[0, place]].tolist() == [0, 30]


@pytest.mark.parametrize(
    "values",
    [
        [LARGEST, -LARGEST, 0.0, 1.0],
        [5e-324, 1e-323, 0.0, -5e-324],
        [1.0],
        [1.0, np.nextafter(1.0, 2.0)],
        np.array([2**63 - 1, -(2**63), 0]),
        np.array([2**64 - 1, 0, 2**53 + 1], np.uint64),
        np.arange(2**53, 2**53 + 4_000),
    ],
)
def test_edges_rise_and_every_value_of_the_reference_lies_between_the_tails(values: Any) -> None:  # noqa: ANN401
    grid = grid_of(values)
    assert (np.diff(grid.edges) > 0).all()
    cells = cells_of(grid, values)
    assert (cells[0], cells[-1], cells.sum()) == (0, 0, len(values))


@pytest.mark.parametrize("rows", [1, 2, 10, 319, 320, 321, 5_000])
def test_the_number_of_intervals_is_bounded_whatever_the_rows(rows: int) -> None:
    for values in (np.arange(rows), np.arange(rows) // 7, np.random.default_rng(rows).normal(size=rows)):
        assert grid_of(values).intervals <= 2 * QUANTILES + 80


def test_grids_are_restored_from_their_description() -> None:
    number = grid_of(np.random.default_rng(6).normal(size=100).astype(np.float32), narrow=True)
    texts = pa.array(["", "a\0b", "\u05e9\u05dc", "\U0001f469\u200d\U0001f680"], pa.large_string())
    for grid in (
        number,
        CategoryGrid(name="c", vocabulary=texts, top=3),
        CategoryGrid(name="c", vocabulary=texts.slice(1, 2), top=1, complete=False, split=True),
        CategoryGrid(name="c", vocabulary=texts.slice(0, 0), top=0),
    ):
        again = restore(describe(grid))
        assert describe(again) == describe(grid)
        assert (again.name, again.width, again.kind) == (grid.name, grid.width, grid.kind)
    again = restore(describe(CategoryGrid(name="c", vocabulary=texts.slice(1, 2), top=1, complete=False, split=True)))
    assert isinstance(again, CategoryGrid)
    assert (again.vocabulary.to_pylist(), again.complete, again.split) == (texts.to_pylist()[1:3], False, True)


def test_a_description_does_not_tell_where_in_memory_the_vocabulary_lay() -> None:
    texts = pa.array(["x", "a", "b"], pa.large_string())
    sliced = CategoryGrid(name="c", vocabulary=texts.slice(1), top=2)
    alone = CategoryGrid(name="c", vocabulary=pa.array(["a", "b"], pa.large_string()), top=2)
    assert describe(sliced) == describe(alone)


def test_cells_of_categories_are_the_top_then_other_new_and_null() -> None:
    grid = CategoryGrid(name="c", vocabulary=pa.array(["a", "b", "c", "d"], pa.large_string()), top=2)
    assert grid.cells(np.array([0, 1, 2, 3, -1, -2])).tolist() == [0, 1, 2, 2, 3, 4]
    assert (grid.other, grid.new, grid.width) == (2, 3, 5)
