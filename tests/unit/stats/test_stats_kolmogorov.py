"""Kolmogorov-Smirnov distances of counts on a grid against SciPy and the raw values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from vernal.errors import SampleError
from vernal.stats.kolmogorov import kolmogorov_smirnov, kolmogorov_smirnov_many


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


def test_large_samples_have_a_corrected_asymptotic_p_value() -> None:
    x, y, r, c = histograms(np.random.default_rng(5), 3000, 2000, 0.05)
    result = kolmogorov_smirnov(r, c)
    assert result.method == "asymptotic"
    assert result.distance == pytest.approx(stats.ks_2samp(x, y).statistic, abs=1e-12)
    assert result.p_value == pytest.approx(stats.ks_2samp(x, y, method="exact").pvalue, rel=5e-3)
    assert result.p_value == pytest.approx(stats.ks_2samp(x, y, method="asymp").pvalue, rel=5e-2)
    assert result.critical == pytest.approx(stats.kstwobign.isf(0.05) / math.sqrt(1200), rel=1e-2)


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


@pytest.mark.parametrize(("n", "m"), [(201, 200), (250, 250), (400, 600), (40, 2000), (997, 1000), (300, 900)])
def test_the_corrected_limit_is_close_to_the_exact_law_where_it_takes_over(n: int, m: int) -> None:
    for apart in (1.36, 1.63):
        gap = round(apart * math.sqrt((n + m) / (n * m)) * n)
        result = kolmogorov_smirnov([gap, n - gap], [0, m])
        assert result.method == "asymptotic"
        x, y = np.repeat([0.0, 1.0], [gap, n - gap]), np.ones(m)
        exact = stats.ks_2samp(x, y, method="exact")
        assert result.distance == pytest.approx(exact.statistic, abs=1e-12)
        assert result.p_value == pytest.approx(exact.pvalue, rel=0.06)


def test_a_p_value_at_most_alpha_is_a_distance_beyond_the_critical_one_in_large_samples_too() -> None:
    for gap in range(40, 140, 3):
        result = kolmogorov_smirnov([gap, 1003 - gap], [0, 800], alpha=0.02)
        assert (result.distance > result.critical) == (result.p_value <= 0.02)
        assert result.critical_at(0.02) == result.critical < result.critical_at(0.001)


def test_billions_of_rows_neither_overflow_nor_lose_the_distance() -> None:
    n = 4_000_000_000
    result = kolmogorov_smirnov([n, n], [n + 4_000_000, n - 4_000_000])
    assert result.distance == pytest.approx(0.0005, rel=1e-9)
    assert kolmogorov_smirnov([n, n, 3], [n, n, 3]).distance == 0.0


def test_each_feature_of_many_has_the_result_it_has_alone() -> None:
    r, c = [5, 5, 0, 3000, 2000, 7, 2, 2], [0, 5, 5, 2900, 2200, 0, 9, 1]
    points = [False, True, False, False, True, True, False, False]
    together = kolmogorov_smirnov_many(r, c, [0, 3, 5, 6], points=points)
    critical = together.critical_at(0.02)
    assert together.method == ("exact", "asymptotic", "no rows", "exact")
    for i, cells in ((0, slice(0, 3)), (1, slice(3, 5)), (3, slice(6, 8))):
        alone = kolmogorov_smirnov(r[cells], c[cells], points=points[cells], alpha=0.02)
        assert (together.distance[i], together.upper[i], together.resolution[i]) == (
            alone.distance,
            alone.upper,
            alone.resolution,
        )
        assert (together.p_value[i], critical[i]) == (alone.p_value, alone.critical)
        assert (together.reference_rows[i], together.rows[i]) == (alone.reference_rows, alone.rows)


def test_a_feature_without_rows_on_a_side_is_undefined_and_leaves_the_others_alone() -> None:
    result = kolmogorov_smirnov_many([5, 5, 0, 0, 0, 0], [1, 9, 1, 3, 0, 0], [0, 2, 4])
    for numbers in (result.distance, result.upper, result.p_value, result.resolution, result.critical_at(0.05)):
        assert np.isnan(numbers).tolist() == [False, True, True]


def test_no_features_at_all_have_no_results() -> None:
    assert kolmogorov_smirnov_many([], [], []).critical_at(0.05).size == 0


def test_there_is_one_point_mark_per_cell() -> None:
    with pytest.raises(SampleError, match=r"points: found shape \(3,\), expected one per cell: \(2,\)"):
        kolmogorov_smirnov_many([5, 5], [4, 6], [0], points=[True, False, True])
