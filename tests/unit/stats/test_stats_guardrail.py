"""The guardrail on rates against direct integration and the claims of its documentation."""

from __future__ import annotations

import math

import pytest
from scipy import integrate

from vernal.errors import SampleError
from vernal.stats.guardrail import rate_exceeds


def ratio(failures: int, trials: int, limit: float) -> float:
    """Return the likelihood averaged over the rates above the limit, over that of the limit."""

    def relative(rate: float) -> float:
        of_failures = failures * (math.log(rate) - math.log(limit)) if failures else 0.0
        rest = trials - failures
        return math.exp(of_failures + (rest * (math.log1p(-rate) - math.log1p(-limit)) if rest else 0.0))

    peak = min(max(failures / trials, limit), 1 - 1e-12)
    value = integrate.quad(relative, limit, peak, limit=200)[0] + integrate.quad(relative, peak, 1, limit=200)[0]
    return float(value) / (1 - limit)


@pytest.mark.parametrize(
    ("failures", "trials", "limit"),
    [(1, 1, 0.05), (5, 20, 0.05), (40, 400, 0.05), (9, 10, 0.5), (5, 400, 0.001), (150, 1000, 0.1), (30, 1000, 0.01)],
)
def test_it_fires_exactly_where_the_integrated_likelihood_ratio_reaches_one_over_alpha(
    failures: int, trials: int, limit: float
) -> None:
    alpha = 1 / ratio(failures, trials, limit)
    assert 0 < alpha < 1
    assert rate_exceeds(failures, trials, limit=limit, alpha=alpha * 1.0001)
    assert not rate_exceeds(failures, trials, limit=limit, alpha=alpha * 0.9999)


def test_two_failures_in_the_first_two_requests_are_enough() -> None:
    assert not rate_exceeds(1, 1, limit=0.05, alpha=0.05)
    assert rate_exceeds(2, 2, limit=0.05, alpha=0.05)


def test_three_failures_in_sixty_requests_are_not_enough() -> None:
    assert not rate_exceeds(3, 60, limit=0.05, alpha=0.05)


def test_a_higher_limit_tolerates_more_failures() -> None:
    assert rate_exceeds(8, 40, limit=0.05, alpha=0.05)
    assert not rate_exceeds(8, 40, limit=0.15, alpha=0.05)


def test_a_smaller_alpha_wants_more_evidence() -> None:
    assert rate_exceeds(5, 20, limit=0.05, alpha=0.05)
    assert not rate_exceeds(5, 20, limit=0.05, alpha=0.0005)


@pytest.mark.parametrize(("failures", "trials"), [(0, 0), (0, 1), (0, 10**9), (1, 10**9), (10**6, 10**9)])
def test_a_rate_far_below_the_limit_never_fires(failures: int, trials: int) -> None:
    assert not rate_exceeds(failures, trials, limit=0.05, alpha=0.99)


def test_a_rate_far_above_the_limit_fires_at_any_number_of_requests() -> None:
    assert rate_exceeds(10**8, 10**9, limit=0.05, alpha=1e-12)
    assert rate_exceeds(10**9, 10**9, limit=0.05, alpha=1e-12)


@pytest.mark.parametrize(("failures", "trials"), [(2, 1), (-1, 5)])
def test_impossible_counts_are_refused(failures: int, trials: int) -> None:
    with pytest.raises(SampleError, match=f"{failures} failures in {trials} trials"):
        rate_exceeds(failures, trials, limit=0.05, alpha=0.05)


@pytest.mark.parametrize(("limit", "alpha"), [(0.0, 0.05), (1.0, 0.05), (0.05, 0.0), (0.05, 1.0), (math.nan, 0.05)])
def test_limits_and_levels_outside_zero_to_one_are_refused(limit: float, alpha: float) -> None:
    with pytest.raises(SampleError, match="expected both inside"):
        rate_exceeds(1, 2, limit=limit, alpha=alpha)
