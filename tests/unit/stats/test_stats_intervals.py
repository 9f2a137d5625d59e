"""Intervals of proportions, areas and paired accuracies against SciPy, scikit-learn and brute force."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn.metrics import roc_auc_score

from vernal.errors import SampleError
from vernal.stats.areas import delong, paired_delong
from vernal.stats.intervals import PairedInterval, bounds_within, clopper_pearson, largest_unseen, wilson_bounds
from vernal.stats.paired import mcnemar, paired_accuracy, paired_accuracy_table

Z = float(stats.norm.ppf(0.975))


def _table(won: int, lost: int, rows: int, certainty: float = 0.975) -> PairedInterval:
    rest = rows - won - lost
    return paired_accuracy_table(
        both_right=rest - rest // 3,
        only_champion=lost,
        only_challenger=won,
        both_wrong=rest // 3,
        certainty=certainty,
    )


# ------------------------------------------------------------------------------------------------------- proportions
@pytest.mark.parametrize(("successes", "rows"), [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (999, 100_000)])
@pytest.mark.parametrize("certainty", [0.9, 0.975, 0.999])
def test_the_exact_bounds_are_scipys_two_sided_interval_at_the_matching_level(
    successes: int, rows: int, certainty: float
) -> None:
    expected = stats.binomtest(successes, rows).proportion_ci(2 * certainty - 1, method="exact")
    found = clopper_pearson(successes, rows, certainty=certainty)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_less_than_even_certainty_turns_the_bounds_round() -> None:
    more, less = clopper_pearson(7, 20, certainty=0.8), clopper_pearson(7, 20, certainty=0.2)
    assert (less.lower, less.upper) == pytest.approx((more.upper, more.lower))
    even = clopper_pearson(7, 20, certainty=0.5)
    assert even.lower == even.value == even.upper == 0.35


@pytest.mark.parametrize("rows", [1, 30, 5000])
def test_the_largest_unseen_share_is_the_upper_bound_of_no_case(rows: int) -> None:
    assert largest_unseen(rows, 0.95) == pytest.approx(clopper_pearson(0, rows).upper)
    assert largest_unseen(rows, 0.5) == 0.0


@pytest.mark.parametrize(("share", "rows"), [(0.0, 4), (0.15, 20), (1.0, 7)])
def test_wilsons_bounds_are_scipys(share: float, rows: int) -> None:
    expected = stats.binomtest(round(share * rows), rows).proportion_ci(0.95, method="wilson")
    assert wilson_bounds(share, rows, Z) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_perfect_share_has_an_interval_that_ends_at_it() -> None:
    found = clopper_pearson(30, 30)
    assert found.upper == found.value == 1.0
    assert found.lower is not None
    assert 0.9 < found.lower < 1.0


@pytest.mark.parametrize(("successes", "rows"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_proportion_is_refused(successes: int, rows: int) -> None:
    with pytest.raises(SampleError, match=f"found {successes} of {rows}"):
        clopper_pearson(successes, rows)


@pytest.mark.parametrize("certainty", [0.0, 1.0, math.nan])
def test_a_certainty_that_is_no_probability_is_refused(certainty: float) -> None:
    for call in (
        lambda: clopper_pearson(1, 2, certainty=certainty),
        lambda: delong([0, 1], [0, 1], certainty=certainty),
        lambda: paired_delong([0, 1], [0, 1], [0, 1], certainty=certainty),
        lambda: _table(1, 1, 4, certainty),
    ):
        with pytest.raises(SampleError, match="certainty"):
            call()


# ------------------------------------------------------------------------------------------------------------- ranges
def test_bounds_above_a_lowest_value_are_those_of_the_logarithm() -> None:
    lower, upper = bounds_within((0.0, math.inf), 2.0, 1.0)
    assert (math.log(lower), math.log(upper)) == pytest.approx((math.log(2) - 0.5, math.log(2) + 0.5))


def test_bounds_between_two_limits_are_those_of_the_logit() -> None:
    lower, upper = bounds_within((1.0, 3.0), 1.5, 0.3)
    logit, far = math.log(0.25 / 0.75), 0.15 / (0.25 * 0.75)
    assert [math.log((x - 1) / (3 - x)) for x in (lower, upper)] == pytest.approx([logit - far, logit + far])


@pytest.mark.parametrize("limits", [(0.0, math.inf), (0.0, 1.0)])
def test_a_reach_beyond_all_numbers_stays_within_the_range(limits: tuple[float, float]) -> None:
    lower, upper = bounds_within(limits, 0.5, 1e9)
    assert limits[0] <= lower < 1e-9
    assert upper > 0.999
    assert upper <= limits[1]


# -------------------------------------------------------------------------------------------------------------- areas
def _rows(seed: int, *, ties: bool, n: int = 60) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    scores = rng.normal(size=(2, n)) + labels
    champion, challenger = np.round(scores, 0) if ties else scores
    return labels, champion, challenger


def _components(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compare every pair, as DeLong et al. write it: means over rows and columns of the kernel."""
    x, y = scores[labels], scores[~labels]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return kernel.mean(axis=1), kernel.mean(axis=0)


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_scikit_learns(ties: bool) -> None:
    for seed in range(20):
        labels, scores, _ = _rows(seed, ties=ties)
        assert delong(labels, scores).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-14)


@pytest.mark.parametrize("ties", [False, True])
def test_delongs_variance_is_that_of_all_pairs_compared_one_by_one_and_two_rows_more(ties: bool) -> None:
    for seed in range(20):
        labels, scores, _ = _rows(seed, ties=ties)
        components = _components(labels, scores)
        area = float(components[0].mean())
        parts = [(v.var(ddof=1) + 2 * area * (1 - area) / (v.size - 1)) / v.size for v in components]
        freedom = sum(parts) ** 2 / sum(part**2 / (v.size - 1) for part, v in zip(parts, components, strict=True))
        found = delong(labels, scores, certainty=0.975)
        assert found.lower is not None
        assert found.upper is not None
        logits = [math.log(x / (1 - x)) for x in (found.lower, found.upper)]
        far = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts)) / (area * (1 - area))
        centre = math.log(area / (1 - area))
        assert logits == pytest.approx([centre - far, centre + far], abs=1e-9)


def test_in_large_samples_the_bounds_are_delongs_own() -> None:
    labels, scores, _ = _rows(0, ties=False, n=4000)
    components = _components(labels, scores)
    plain = math.sqrt(sum(v.var(ddof=1) / v.size for v in components))
    found = delong(labels, scores, certainty=0.975)
    assert (found.upper or 0) - (found.lower or 0) == pytest.approx(2 * Z * plain, rel=5e-3)


@pytest.mark.parametrize("ties", [False, True])
def test_the_paired_variance_is_that_of_all_pairs_compared_one_by_one(ties: bool) -> None:
    for seed in range(20):
        labels, champion, challenger = _rows(seed, ties=ties)
        (a1, a0), (b1, b0) = _components(labels, champion), _components(labels, challenger)
        covariance = np.cov(a1, b1) / a1.size + np.cov(a0, b0) / a0.size
        error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
        difference = b1.mean() - a1.mean()
        found = paired_delong(labels, champion, challenger, certainty=0.975)
        assert found.difference == pytest.approx(difference, abs=1e-12)
        assert (found.lower, found.upper) == pytest.approx((difference - Z * error, difference + Z * error), abs=1e-9)
        assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / error), rel=1e-9)


def test_only_the_order_of_scores_counts() -> None:
    labels, champion, challenger = _rows(3, ties=False)
    plain, squeezed = paired_delong(labels, champion, challenger), paired_delong(labels, np.exp(champion), challenger)
    assert plain == squeezed


def test_scores_that_separate_the_classes_leave_room_for_doubt_by_the_smaller_class() -> None:
    found = delong([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    assert (found.value, found.upper) == (1.0, 1.0)
    assert found.lower == pytest.approx(wilson_bounds(1.0, 4, stats.norm.ppf(0.95))[0])


def test_a_single_positive_has_the_widest_interval_an_area_can_have() -> None:
    found = delong([1, 0, 0, 0, 0], [3, 4, 2, 1, 0])
    assert found.value == 0.75
    half = stats.norm.ppf(0.95) / (1 + stats.norm.ppf(0.95) ** 2)  # Wilson's, of one row
    assert found.upper is not None
    assert found.lower is not None
    assert found.upper - found.lower > half


def test_a_difference_without_variance_has_bounds_and_a_p_value_that_agree() -> None:
    labels = np.arange(40) % 2
    found = paired_delong(labels, -labels, labels)
    assert found.difference == 1.0
    assert found.p_value is not None
    assert 0.0 < found.p_value < 1e-6
    at = paired_delong(labels, -labels, labels, certainty=1 - found.p_value / 2)
    assert at.lower == pytest.approx(0.0, abs=1e-6)
    assert paired_delong(labels, labels, labels * 2.0).p_value == 1.0


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "found 2 of class 1 and 0 of class 0, expected both"),
        ([0, 2], [0.1, 0.2], "found 2 in 1 of 2 rows, expected 0 or 1"),
        ([0, 1], [0.1], r"found shape \(1,\), expected \(2,\)"),
        ([0, 1], [0.1, math.nan], "found 1 of 2 that are NaN or infinite"),
        ([], [], r"labels: found shape \(0,\)"),
        ([[0, 1]], [0.1, 0.2], r"labels: found shape \(1, 2\)"),
    ],
)
def test_rows_that_carry_no_area_are_refused(labels: list[Any], scores: list[float], message: str) -> None:
    with pytest.raises(SampleError, match=message):
        delong(labels, scores)
    with pytest.raises(SampleError, match=message):
        paired_delong(labels, scores, scores)


# ------------------------------------------------------------------------------------------------------------- McNemar
@pytest.mark.parametrize(
    ("won", "lost"), [(0, 0), (1, 0), (0, 5), (7, 7), (3, 11), (30, 12), (500, 430), (10_000, 9_700)]
)
def test_mcnemar_is_scipys_two_sided_binomial_test_of_the_discordant_rows(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-9)
    assert _table(won, lost, 30_000).p_value == mcnemar(won, lost)


def test_mcnemar_refuses_counts_below_0() -> None:
    with pytest.raises(SampleError, match="found -1 won and 3 lost"):
        mcnemar(-1, 3)


# --------------------------------------------------------------------------------------------------------------- Tango
def _score(won: int, lost: int, rows: int, difference: float) -> float:
    """Return Tango's statistic with the nuisance parameter maximised numerically instead of by the quadratic."""
    low = max(0.0, -difference)

    def less_likely(share_lost: float) -> float:
        probabilities = (share_lost + difference, share_lost, 1 - 2 * share_lost - difference)
        return -sum(
            n * math.log(max(p, 1e-300))
            for n, p in zip((won, lost, rows - won - lost), probabilities, strict=True)
            if n
        )

    share_lost = optimize.minimize_scalar(
        less_likely, bounds=(low, (1 - difference) / 2), method="bounded", options={"xatol": 1e-12}
    ).x
    variance = rows * (2 * share_lost + difference * (1 - difference))
    return (won - lost - rows * difference) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("won", "lost", "rows"), [(12, 2, 100), (2, 12, 100), (1, 1, 44), (8, 3, 20), (30, 20, 60), (5, 90, 2000)]
)
def test_tangos_bounds_are_the_roots_of_the_score_statistic(won: int, lost: int, rows: int) -> None:
    found, estimate = _table(won, lost, rows), (won - lost) / rows
    lower = optimize.brentq(lambda d: _score(won, lost, rows, d) - Z, -1 + 1e-9, estimate)
    upper = optimize.brentq(lambda d: _score(won, lost, rows, d) + Z, estimate, 1 - 1e-9)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-6)


def test_the_consolidation_therapy_trial_has_its_published_interval_and_p_value() -> None:
    """M. Fagerland, S. Lydersen, P. Laake (2017). Statistical Analysis of Contingency Tables, chapter 8 (Cavo 2012)."""
    found = paired_accuracy_table(both_right=59, only_champion=16, only_challenger=6, both_wrong=80, certainty=0.975)
    assert (found.difference, found.lower, found.upper) == pytest.approx((-0.0621, -0.1240, -0.0054), abs=5e-5)
    assert found.p_value == pytest.approx(0.052479, abs=5e-7)


def test_without_discordant_rows_the_bounds_are_those_of_the_rule_of_no_events() -> None:
    found = _table(0, 0, 50)
    assert (found.lower, found.upper) == pytest.approx((-Z * Z / (50 + Z * Z), Z * Z / (50 + Z * Z)))


def test_the_table_and_the_rows_give_the_same_interval() -> None:
    champion = [True] * 80 + [False] * 20
    challenger = [True] * 78 + [False] * 2 + [True] * 12 + [False] * 8
    from_counts = paired_accuracy_table(both_right=78, only_champion=2, only_challenger=12, both_wrong=8)
    assert paired_accuracy(champion, challenger) == from_counts
    assert (from_counts.champion, from_counts.challenger, from_counts.rows) == (0.8, 0.9, 100)


def test_millions_of_rows_are_four_counts() -> None:
    found = _table(30_500, 30_000, 10_000_000, 0.95)
    assert found.difference == pytest.approx(5e-5)
    assert found.lower == pytest.approx(5e-5 - stats.norm.ppf(0.95) * math.sqrt(60_500) / 1e7, rel=1e-2)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (5, -1, 3, 3)])
def test_counts_that_are_no_table_are_refused(counts: tuple[int, int, int, int]) -> None:
    names = ("both_right", "only_champion", "only_challenger", "both_wrong")
    with pytest.raises(SampleError, match="expected none below 0 and at least 1 row"):
        paired_accuracy_table(**dict(zip(names, counts, strict=True)))


@pytest.mark.parametrize(("champion", "challenger"), [([], []), ([True], [True, False]), ([[True]], [[True]])])
def test_correctness_of_other_shapes_is_refused(champion: list[Any], challenger: list[Any]) -> None:
    with pytest.raises(SampleError, match="expected two equal rows of at least 1"):
        paired_accuracy(champion, challenger)
