"""Chi-square homogeneity against SciPy's contingency tables and tables dealt out at random."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vernal.stats.homogeneity import chi_square, chi_square_many


@pytest.mark.parametrize(
    ("reference", "current"),
    [([40, 60], [60, 40]), ([500, 300, 200], [460, 300, 240]), ([9, 12, 80], [7, 20, 44]), ([10_000, 90], [100, 6])],
)
def test_statistic_and_p_value_are_those_of_scipys_contingency_table(reference: list[int], current: list[int]) -> None:
    expected = stats.chi2_contingency([reference, current], correction=False)
    result = chi_square(reference, current)
    if expected.expected_freq.min() >= 5:
        assert result.method == "chi2"
        assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert result.dof == expected.dof


def test_it_is_a_test_of_homogeneity_and_not_of_fit() -> None:
    reference, current = np.array([60, 40]), np.array([5000, 5000])
    fit = stats.chisquare(current, reference / 100 * 10_000).pvalue
    assert chi_square(reference, current).p_value > 0.04
    assert fit < 1e-80


def test_cells_empty_on_both_sides_are_dropped() -> None:
    assert chi_square([40, 0, 60], [60, 0, 40]) == chi_square([40, 60], [60, 40])


def test_sparse_tables_have_the_p_value_of_dealing_their_rows_out() -> None:
    rng = np.random.default_rng(3)
    shares = 1 / np.arange(1, 61)
    reference, current = (rng.multinomial(rows, shares / shares.sum()) for rows in (3000, 40))
    result = chi_square(reference, current)
    totals = (reference + current)[reference + current > 0]
    dealt = rng.multivariate_hypergeometric(totals, current.sum(), size=20_000)
    expected = totals * current.sum() / totals.sum()
    scale = totals.sum() / reference.sum()
    statistics = ((dealt - expected) ** 2 / expected).sum(axis=1) * scale
    assert result.method == "moments"
    assert result.p_value == pytest.approx((statistics >= result.statistic - 1e-9).mean(), abs=0.02)
    assert abs(result.p_value - stats.chi2.sf(result.statistic, result.dof)) > 0.05


def test_the_limit_is_used_while_every_expected_count_is_at_least_five() -> None:
    assert chi_square([95, 5], [95, 5]).method == "chi2"
    assert chi_square([96, 4], [95, 5]).method == "exact"
    assert chi_square([900, 100, 100, 100], [36, 4, 9, 4]).method == "moments"


@pytest.mark.parametrize(("reference", "current"), [([96, 4], [30, 5]), ([3, 900], [2, 98]), ([5, 6], [40, 2])])
def test_two_sparse_cells_have_the_exact_p_value(reference: list[int], current: list[int]) -> None:
    result = chi_square(reference, current)
    rows, rare, m = sum(reference) + sum(current), reference[0] + current[0], sum(current)
    x = np.arange(max(0, rare + m - rows), min(rare, m) + 1)
    expected = rare * m / rows
    as_far = np.abs(x - expected) >= abs(current[0] - expected) - 1e-9
    assert result.method == "exact"
    assert result.p_value == pytest.approx(stats.hypergeom(rows, rare, m).pmf(x)[as_far].sum(), rel=1e-9)


def test_one_occupied_cell_cannot_differ() -> None:
    result = chi_square([0, 12], [0, 30])
    assert (result.statistic, result.critical, result.p_value, result.dof, result.method) == (0, 0, 1, 0, "one cell")


def test_the_level_moves_the_critical_statistic() -> None:
    assert chi_square([40, 60], [60, 40], alpha=0.05).critical == pytest.approx(stats.chi2.isf(0.05, 1))
    assert chi_square([40, 60], [60, 40], alpha=0.001).critical == pytest.approx(stats.chi2.isf(0.001, 1))


def test_each_feature_of_many_has_the_result_it_has_alone() -> None:
    r, c = [40, 60, 7, 9, 0, 5, 5], [60, 40, 1, 0, 2, 0, 0]
    together = chi_square_many(r, c, [0, 2, 5])
    assert together.method == ("chi2", "exact", "no rows")
    assert together.dof.tolist() == [1, 2, 0]
    for i, cells in enumerate((slice(0, 2), slice(2, 5))):
        alone = chi_square(r[cells], c[cells], alpha=0.01)
        assert (together.statistic[i], together.p_value[i]) == (alone.statistic, alone.p_value)
        assert together.critical_at(0.01)[i] == alone.critical
    for numbers in (together.statistic, together.p_value, together.critical_at(0.01)):
        assert np.isnan(numbers).tolist() == [False, False, True]
