"""Exact confidence sequences of rates against scipy's beta-binomial law and a search over all pairs of rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from vernal.errors import SampleError
from vernal.stats.proportions import log_evidence, proportion_difference_sequence, proportion_sequence

COUNTS = [(0, 1), (1, 1), (0, 40), (3, 40), (40, 40), (17, 900), (500, 1000)]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.5, 0.97])
def test_the_evidence_is_the_beta_binomial_probability_over_the_binomial_one(
    successes: int, trials: int, rate: float
) -> None:
    expected = stats.betabinom.logpmf(successes, trials, 0.5, 0.5) - stats.binom.logpmf(successes, trials, rate)
    assert float(log_evidence(successes, trials, rate)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_evidence_is_a_martingale_under_its_rate() -> None:
    for s, n, p in ((0, 0, 0.1), (1, 7, 0.1), (5, 9, 0.8)):
        now = math.exp(float(log_evidence(s, n, p)))
        after = p * math.exp(float(log_evidence(s + 1, n + 1, p))) + (1 - p) * math.exp(
            float(log_evidence(s, n + 1, p))
        )
        assert after == pytest.approx(now, rel=1e-12)


def test_evidence_against_many_rates_comes_at_once() -> None:
    assert log_evidence([[1], [2]], [[4], [9]], [0.1, 0.2, 0.3]).shape == (2, 3)


def test_the_evidence_against_an_impossible_rate_is_infinite() -> None:
    assert log_evidence([1, 0], [3, 3], [0.0, 1.0]).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_bounds_of_a_rate_are_where_the_evidence_reaches_one_over_alpha(
    successes: int, trials: int, alpha: float
) -> None:
    result = proportion_sequence(successes, trials, alpha=alpha)
    assert result.estimate == successes / trials
    assert result.lower <= result.estimate <= result.upper
    for bound, extreme in ((result.lower, 0.0), (result.upper, 1.0)):
        if bound != extreme:
            assert float(log_evidence(successes, trials, bound)) == pytest.approx(-math.log(alpha), abs=1e-6)
    assert (result.lower == 0.0) == (successes == 0)
    assert (result.upper == 1.0) == (successes == trials)


def test_a_rate_without_trials_can_be_anything() -> None:
    result = proportion_sequence(0, 0)
    assert (result.estimate, result.lower, result.upper, result.trials) == (None, 0.0, 1.0, 0)


def by_search(champion: tuple[int, int], challenger: tuple[int, int], alpha: float) -> tuple[float, float]:
    """Return the extremes of the difference by walking the edge of the set of pairs of rates."""
    grid = np.unique(np.concatenate((np.linspace(0, 1, 1001), np.geomspace(1e-9, 0.5, 300))))
    grid = np.unique(np.concatenate((grid, 1 - grid)))
    lowest, highest = math.inf, -math.inf
    budget = -math.log(alpha) - log_evidence(*champion, grid)
    low, best = float(log_evidence(*challenger, challenger[0] / challenger[1])), challenger[0] / challenger[1]

    def edge(left: float, over: float, extreme: float) -> float:
        if float(log_evidence(*challenger, extreme)) <= over:
            return extreme
        return float(optimize.brentq(lambda q: float(log_evidence(*challenger, q)) - over, *sorted((left, extreme))))

    tiny = 1e-300
    for rate, over in zip(grid, budget, strict=True):
        if over >= low:
            highest = max(highest, rate - edge(best, over, tiny if best > tiny else 0.0))
            lowest = min(lowest, rate - edge(best, over, 1 - 1e-16 if best < 1 else 1.0))
    return lowest, highest


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [((0, 30), (0, 20)), ((1, 200), (8, 30)), ((30, 60), (10, 60)), ((0, 5), (5, 5)), ((40, 40), (3, 9))],
)
def test_the_bounds_of_a_difference_are_its_extremes_among_the_pairs_not_refuted(
    champion: tuple[int, int], challenger: tuple[int, int]
) -> None:
    result = proportion_difference_sequence(*champion, *challenger)
    lowest, highest = by_search(champion, challenger, 0.05)
    assert result.lower == pytest.approx(lowest, abs=1.1e-3)  # the step of the search
    assert result.upper == pytest.approx(highest, abs=1.1e-3)  # the step of the search
    assert result.lower <= lowest + 1e-9  # the search knows only some pairs, so it finds less
    assert result.upper >= highest - 1e-9
    assert result.trials == champion[1] + challenger[1]


def test_a_challenger_that_fails_less_has_a_positive_difference() -> None:
    assert proportion_difference_sequence(200, 1000, 20, 1000).lower > 0
    assert proportion_difference_sequence(20, 1000, 200, 1000).upper < 0


def test_swapping_the_arms_turns_the_bounds_round() -> None:
    here, there = proportion_difference_sequence(3, 100, 9, 80), proportion_difference_sequence(9, 80, 3, 100)
    assert (there.lower, there.upper) == pytest.approx((-here.upper, -here.lower), abs=1e-12)


def test_an_arm_without_trials_can_be_anything() -> None:
    result = proportion_difference_sequence(50, 100, 0, 0)
    alone = proportion_sequence(50, 100)
    assert result.estimate is None
    assert (result.lower, result.upper) == pytest.approx((alone.lower - 1, alone.upper), abs=1e-9)
    nothing = proportion_difference_sequence(0, 0, 0, 0)
    assert (nothing.lower, nothing.upper) == (-1.0, 1.0)


def test_a_smaller_alpha_widens_the_bounds() -> None:
    assert proportion_sequence(3, 100, alpha=0.001).upper > proportion_sequence(3, 100, alpha=0.05).upper + 0.02
    wide, narrow = (proportion_difference_sequence(3, 100, 9, 80, alpha=alpha) for alpha in (0.001, 0.05))
    assert wide.lower < narrow.lower - 0.02
    assert wide.upper > narrow.upper + 0.02


def test_three_failures_in_the_first_three_requests_of_a_challenger_are_enough() -> None:
    assert proportion_difference_sequence(0, 400, 3, 3).upper < 0
    assert proportion_difference_sequence(0, 400, 1, 1).upper > 0


@pytest.mark.parametrize("trials", [10**6, 10**12])
def test_rates_of_one_in_a_million_and_huge_counts_keep_their_precision(trials: int) -> None:
    result = proportion_sequence(trials // 10**6, trials)
    assert 0 < result.lower < 1e-6 < result.upper < 2e-5
    expected = -math.log(0.05)
    assert float(log_evidence(trials // 10**6, trials, result.lower)) == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(("successes", "trials"), [(2, 1), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(SampleError, match=f"successes: found {successes} in {trials} trials"):
        proportion_sequence(successes, trials)
    with pytest.raises(SampleError, match="champion failures"):
        proportion_difference_sequence(successes, trials, 0, 1)
    with pytest.raises(SampleError, match="challenger failures"):
        proportion_difference_sequence(0, 1, successes, trials)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_a_level_outside_zero_to_one_is_refused(alpha: float) -> None:
    with pytest.raises(SampleError, match="alpha"):
        proportion_sequence(1, 2, alpha=alpha)
    with pytest.raises(SampleError, match="alpha"):
        proportion_difference_sequence(1, 2, 1, 2, alpha=alpha)
