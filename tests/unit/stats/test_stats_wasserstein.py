"""The area between distribution functions against SciPy on values, and by integration on cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints
from vernal.stats.wasserstein import wasserstein, wasserstein_many


@pytest.mark.parametrize("seed", range(5))
def test_where_every_cell_is_one_value_it_is_scipys_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-20, 20, size=300) * 0.5, rng.integers(-15, 30, size=120) * 0.5
    values = np.unique(np.concatenate((x, y)))
    r, c = ((values == side[:, None]).sum(axis=0) for side in (x, y))
    found = wasserstein(r, c, lefts=values, rights=values)
    assert found == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-12)


def test_rows_are_spread_evenly_over_a_cell() -> None:
    edges = np.array([0.0, 1.0, 1.5, 4.0, 4.0, 9.0])  # the fourth cell is one value
    r, c = np.array([10, 20, 5, 30, 35]), np.array([40, 5, 5, 10, 20])

    def spread(counts: Ints) -> Floats:
        pieces = zip(edges[:-1], edges[1:], counts * 2000, strict=True)
        return np.concatenate([left + (np.arange(k) + 0.5) / k * (right - left) for left, right, k in pieces])

    found = wasserstein(r, c, lefts=edges[:-1], rights=edges[1:])
    assert found == pytest.approx(stats.wasserstein_distance(spread(r), spread(c)), rel=1e-5)


def test_distribution_functions_that_cross_inside_a_cell_are_two_triangles_apart() -> None:
    # The difference runs from 1/2 at 1 to -1/2 at 3: two triangles of area 1/4 each.
    assert wasserstein([1, 0, 1], [0, 2, 0], lefts=[1, 1, 3], rights=[1, 3, 3]) == pytest.approx(0.5)


def test_a_gap_between_cells_is_bridged_by_the_rows_that_cross_it() -> None:
    assert wasserstein([10, 0], [4, 6], lefts=[0, 100], rights=[0, 100]) == pytest.approx(60.0)


def test_a_shift_by_a_cells_width_moves_every_row_by_it() -> None:
    assert wasserstein([5, 5, 0], [0, 5, 5], lefts=[0, 2, 4], rights=[2, 4, 6]) == pytest.approx(2.0)


def test_the_unit_of_the_values_is_the_unit_of_the_distance() -> None:
    r, c = [5, 5, 1], [0, 5, 5]
    metres = wasserstein(r, c, lefts=[0, 2, 4], rights=[2, 4, 6])
    assert wasserstein(r, c, lefts=[0, 2000, 4000], rights=[2000, 4000, 6000]) == pytest.approx(1000 * metres)


def test_each_feature_of_many_has_the_distance_it_has_alone() -> None:
    r, c = [5, 5, 0, 4, 7, 3], [0, 5, 5, 9, 2, 0]
    lefts, rights = [0, 2, 4, -1, 0, math.nan], [2, 4, 6, 0, 0, math.inf]
    together = wasserstein_many(r, c, [0, 3, 5], lefts=lefts, rights=rights)
    assert together[0] == wasserstein(r[:3], c[:3], lefts=lefts[:3], rights=rights[:3])
    assert together[1] == pytest.approx(wasserstein(r[3:5], c[3:5], lefts=lefts[3:5], rights=rights[3:5]), rel=1e-12)
    assert np.isnan(together[2])
    assert wasserstein_many([], [], [], lefts=[], rights=[]).size == 0


@pytest.mark.parametrize(
    ("lefts", "rights"),
    [
        ([0, 2], [3, 4]),
        ([0, 2], [1, 1]),
        ([-math.inf, 2], [1, 3]),
        ([0, 2], [1, math.inf]),
        ([0, math.nan], [1, 3]),
    ],
)
def test_limits_that_are_not_finite_and_in_order_are_refused(lefts: list[float], rights: list[float]) -> None:
    with pytest.raises(SampleError, match="expected finite limits in rising order"):
        wasserstein([1, 2], [2, 1], lefts=lefts, rights=rights)


def test_a_feature_without_rows_on_a_side_leaves_the_next_one_alone() -> None:
    together = wasserstein_many([4, 5, 5], [0, 0, 10], [0, 1], lefts=[0, 0, 1], rights=[0, 0, 1])
    assert together[1] == wasserstein([5, 5], [0, 10], lefts=[0, 1], rights=[0, 1])


def test_limits_of_one_feature_need_not_rise_above_those_of_the_one_before() -> None:
    assert wasserstein_many([1, 1], [1, 1], [0, 1], lefts=[5, 0], rights=[6, 1]).tolist() == [0.0, 0.0]


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(SampleError, match="current: found no rows"):
        wasserstein([1], [0], lefts=[0], rights=[1])
