"""Distances between histograms against hand calculation and SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance as spatial

from vernal.errors import SampleError
from vernal.stats.distance import (
    chi_square,
    hellinger,
    jensen_shannon,
    jensen_shannon_many,
    kolmogorov_smirnov,
    psi,
    psi_many,
    total_variation,
)

Measure = Callable[..., Any]


def test_psi_adds_half_a_row_to_every_cell_after_dropping_those_empty_on_both_sides() -> None:
    r, c = np.array([60.5, 40.5, 0.5]) / 101.5, np.array([50.5, 45.5, 5.5]) / 101.5
    by_hand = float(((c - r) * np.log(c / r)).sum())
    assert psi([60, 40, 0, 0], [50, 45, 0, 5]).score == pytest.approx(by_hand, rel=1e-12)


def test_a_new_category_has_a_finite_psi_that_hardly_depends_on_the_size_of_the_samples() -> None:
    small = psi([500, 500, 0], [475, 475, 50]).score
    large = psi([5000, 5000, 0], [4750, 4750, 500]).score
    assert 0.2 < small < large < 0.6


def test_psi_does_not_see_how_cells_are_ordered() -> None:
    assert psi([5, 20, 75], [10, 30, 60]).score == pytest.approx(psi([75, 5, 20], [60, 10, 30]).score)


@pytest.mark.parametrize(
    ("reference", "current"),
    [([10, 20, 70], [30, 30, 40]), ([1, 0, 9], [0, 5, 5]), ([1000, 1], [999, 2])],
)
def test_jensen_shannon_is_scipys_distance_of_base_two(reference: list[int], current: list[int]) -> None:
    expected = spatial.jensenshannon(reference, current, base=2)
    assert jensen_shannon(reference, current).score == pytest.approx(expected, rel=1e-12)


def test_a_natural_log_threshold_divided_by_root_ln_two_is_ours() -> None:
    natural = spatial.jensenshannon([10, 20, 70], [30, 30, 40])
    assert natural / math.sqrt(math.log(2)) == pytest.approx(jensen_shannon([10, 20, 70], [30, 30, 40]).score)


def test_histograms_that_share_no_cell_have_jensen_shannon_distance_one() -> None:
    assert jensen_shannon([7, 0], [0, 3]).score == 1.0


def test_in_large_samples_jensen_shannon_squared_is_an_eighth_of_psi() -> None:
    r, c = np.array([100_000, 200_000, 300_000]), np.array([101_000, 199_000, 300_000])
    assert jensen_shannon(r, c).score ** 2 * math.log(2) == pytest.approx(psi(r, c).score / 8, rel=1e-2)


def test_with_well_filled_cells_the_null_of_psi_is_the_classical_limit() -> None:
    result = psi([1000] * 10, [100, 110, 95, 105, 90, 100, 100, 100, 95, 105], alpha=0.01)
    scale = 1 / 10_000 + 1 / 1000
    assert result.method == "chi2"
    assert result.critical == pytest.approx(scale * stats.chi2.ppf(0.99, 9))
    assert result.p_value == pytest.approx(stats.chi2.sf(result.score / scale, 9))


def test_with_well_filled_cells_the_critical_jensen_shannon_distance_is_converted_to_base_two() -> None:
    result = jensen_shannon([1000] * 10, [100] * 10, alpha=0.01)
    nats = (1 / 10_000 + 1 / 1000) * stats.chi2.ppf(0.99, 9) / 8
    assert result.critical == pytest.approx(math.sqrt(nats / math.log(2)))


def test_sparse_cells_get_a_computed_null_instead_of_the_limit() -> None:
    result = psi([3, 2, 5, 4, 1], [2, 3, 4, 5, 6])
    assert result.method == "moments"
    assert result.critical < (1 / 15 + 1 / 20) * stats.chi2.ppf(0.95, 4)


def test_cells_empty_on_both_sides_do_not_count_as_degrees_of_freedom() -> None:
    assert psi([500, 500, 0, 0], [480, 520, 0, 0]).cells == 2
    assert psi([500, 500, 0, 0], [480, 520, 0, 0]) == psi([500, 500], [480, 520])


@pytest.mark.parametrize("measure", [psi, jensen_shannon])
def test_the_p_value_at_the_critical_score_is_alpha(measure: Measure) -> None:
    for current in ([100, 120, 80, 6], [300, 310, 390, 400]):
        result = measure([400, 300, 200, 100], current, alpha=0.03)
        value = result.critical if result.root_unit is None else result.critical**2 * result.root_unit
        assert result.null.sf(value) == pytest.approx(0.03, rel=1e-6)
        assert (result.p_value <= 0.03) == (result.score >= result.critical)
        assert result.critical_at(0.03) == result.critical < result.critical_at(0.001)


@pytest.mark.parametrize("measure", [psi, jensen_shannon])
def test_one_occupied_cell_cannot_differ(measure: Measure) -> None:
    result = measure([0, 12], [0, 30])
    assert (result.score, result.critical, result.p_value, result.method) == (0.0, 0.0, 1.0, "one cell")


@pytest.mark.parametrize("measure", [psi, jensen_shannon, kolmogorov_smirnov, chi_square, hellinger, total_variation])
@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        ([0, 0], [1, 2], "reference: found no rows"),
        ([1, 2], [0, 0], "current: found no rows"),
        ([1, 2], [1, 2, 3], "found 2 reference and 3 current cells"),
        ([1, -2], [1, 2], "found a count of -2"),
        ([1.5, 2], [1, 2], "expected whole counts"),
        ([math.nan, 2], [1, 2], "expected whole counts"),
        ([[1, 2]], [1, 2], r"shape \(1, 2\)"),
    ],
)
def test_what_is_no_pair_of_histograms_is_refused(
    measure: Measure, reference: list[Any], current: list[Any], message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        measure(reference, current)


@pytest.mark.parametrize("measure", [psi, jensen_shannon, kolmogorov_smirnov, chi_square])
@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_a_level_outside_zero_to_one_is_refused(measure: Measure, alpha: float) -> None:
    with pytest.raises(SampleError, match="alpha"):
        measure([1, 2], [2, 1], alpha=alpha)


MANY = pytest.mark.parametrize(("many", "one"), [(psi_many, psi), (jensen_shannon_many, jensen_shannon)])
REFERENCE = [500, 300, 200, 3, 0, 9, 40, 60, 7, 8, 4, 9, 3, 8, 500, 200, 2]
CURRENT = [460, 300, 240, 2, 4, 5, 0, 0, 12, 0, 5, 2, 0, 9, 480, 220, 5]
STARTS = [0, 3, 6, 8, 9, 10, 14]


@MANY
def test_each_feature_of_many_has_the_result_it_has_alone(many: Measure, one: Measure) -> None:
    together = many(REFERENCE, CURRENT, STARTS)
    critical = together.critical_at(0.01)
    assert together.method == ("chi2", "exact", "no rows", "one cell", "no rows", "moments", "conditional")
    for i in (0, 1, 3, 5, 6):
        cells = slice(*[*STARTS, 17][i : i + 2])
        alone = one(REFERENCE[cells], CURRENT[cells], alpha=0.01)
        assert (together.score[i], together.p_value[i], critical[i]) == (alone.score, alone.p_value, alone.critical)
        assert (together.cells[i], together.reference_rows[i], together.rows[i]) == (
            alone.cells,
            alone.reference_rows,
            alone.rows,
        )


@MANY
def test_a_feature_without_rows_on_a_side_is_undefined_and_leaves_the_others_alone(many: Measure, one: Measure) -> None:
    together = many(REFERENCE, CURRENT, STARTS)
    for numbers in (together.score, together.p_value, together.critical_at(0.05)):
        assert np.isnan(numbers).tolist() == [False, False, True, False, True, False, False]


@MANY
def test_no_features_at_all_have_no_results(many: Measure, one: Measure) -> None:
    nothing = many([], [], [])
    assert (nothing.score.size, nothing.method, nothing.critical_at(0.05).size) == (0, (), 0)
