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
from vernal.stats.distance import jensen_shannon, kolmogorov_smirnov, psi

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


@pytest.mark.parametrize("measure", [psi, jensen_shannon, kolmogorov_smirnov])
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


@pytest.mark.parametrize("measure", [psi, jensen_shannon, kolmogorov_smirnov])
@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_a_level_outside_zero_to_one_is_refused(measure: Measure, alpha: float) -> None:
    with pytest.raises(SampleError, match="alpha"):
        measure([1, 2], [2, 1], alpha=alpha)


def histograms(rng: np.random.Generator, n: int, m: int, shift: float) -> tuple[Any, Any, Any, Any]:
    x, y = rng.normal(size=n), rng.normal(shift, size=m)
    cells = np.sort(np.concatenate((x, y)))  # a grid so fine that nothing is lost
    edges = np.concatenate(([-np.inf], cells))
    return x, y, np.histogram(x, np.append(edges, np.inf))[0], np.histogram(y, np.append(edges, np.inf))[0]


@pytest.mark.parametrize(("n", "m"), [(5, 7), (40, 40), (200, 150), (30, 900)])
def test_small_samples_have_scipys_exact_kolmogorov_smirnov_p_value(n: int, m: int) -> None:
    x, y, r, c = histograms(np.random.default_rng(n), n, m, 0.4)
    expected = stats.ks_2samp(x, y, method="exact")
    result = kolmogorov_smirnov(r, c)
    assert result.method == "exact"
    assert result.distance == pytest.approx(expected.statistic, abs=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_large_samples_have_the_asymptotic_p_value() -> None:
    x, y, r, c = histograms(np.random.default_rng(5), 3000, 2000, 0.05)
    result = kolmogorov_smirnov(r, c)
    assert result.method == "asymptotic"
    assert result.distance == pytest.approx(stats.ks_2samp(x, y).statistic, abs=1e-12)
    assert result.p_value == pytest.approx(stats.kstwobign.sf(math.sqrt(1200) * result.distance), rel=1e-9)
    assert result.critical == pytest.approx(stats.kstwobign.isf(0.05) / math.sqrt(1200))


def test_beyond_the_exact_critical_distance_and_only_there_p_is_at_most_alpha() -> None:
    n, m = 12, 18
    beyond = kolmogorov_smirnov([n, 0], [0, m], alpha=0.05).critical
    for shift in range(n + 1):
        result = kolmogorov_smirnov([n - shift, shift, 0], [0, 0, m], alpha=0.05)
        assert (result.distance > beyond) == (result.p_value <= 0.05)
    for first in range(m + 1):
        result = kolmogorov_smirnov([n, 0], [first, m - first], alpha=0.05)
        assert (result.distance > beyond) == (result.p_value <= 0.05)


def test_equal_histograms_are_at_distance_zero_with_p_one() -> None:
    result = kolmogorov_smirnov([30, 60, 10], [3, 6, 1])
    assert (result.distance, result.p_value) == (0.0, 1.0)


def test_a_coarse_grid_bounds_the_distance_of_the_raw_values_from_both_sides() -> None:
    rng = np.random.default_rng(8)
    for _ in range(30):
        x, y = rng.normal(size=400), rng.normal(rng.normal(0, 0.3), rng.uniform(0.5, 2), size=300)
        edges = np.concatenate(([-np.inf], np.quantile(x, np.arange(1, 20) / 20), [np.inf]))
        result = kolmogorov_smirnov(np.histogram(x, edges)[0], np.histogram(y, edges)[0])
        raw = stats.ks_2samp(x, y).statistic
        assert result.distance <= raw + 1e-12
        assert raw <= result.upper + 1e-12
        assert result.upper - result.distance <= result.resolution + 1e-12


def test_cells_of_one_value_hide_nothing() -> None:
    loose = kolmogorov_smirnov([50, 50], [20, 80])
    tight = kolmogorov_smirnov([50, 50], [20, 80], points=[True, True])
    assert (tight.distance, tight.upper, tight.resolution) == (loose.distance, tight.distance, 0.0)
    assert loose.upper > loose.distance
