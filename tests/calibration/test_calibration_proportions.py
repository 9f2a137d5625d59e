"""How often exact sequences of rates, and the guardrail, are ever wrong when looked at after every single request."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from calibration import assert_rate
from vernal.stats.guardrail import rate_exceeds
from vernal.stats.proportions import log_evidence, proportion_difference_sequence, proportion_sequence

ALPHA = 0.05
Counts = npt.NDArray[np.int64]

RATES = [0.5, 0.1, 0.01, 0.001]


def cumulated(rng: np.random.Generator, rate: float, simulations: int, trials: int) -> Counts:
    return np.cumsum(rng.random((simulations, trials)) < rate, axis=1, dtype=np.int64)


@pytest.mark.parametrize("rate", RATES)
def test_the_exact_sequence_of_a_rate_is_ever_wrong_at_most_at_alpha(rate: float) -> None:
    rng = np.random.default_rng(round(1 / rate))
    successes, trials = cumulated(rng, rate, 1000, 2000), np.arange(1, 2001)
    evidence = log_evidence(successes, trials, rate)
    refuted = evidence >= -math.log(ALPHA)
    assert_rate(int(refuted.any(axis=1).sum()), 1000, at_most=ALPHA)
    # The bounds exclude the truth exactly at the looks at which the evidence refutes it.
    close = rng.permutation(np.argwhere(np.abs(evidence + math.log(ALPHA)) < 0.5))[:200]
    some = close.tolist() + rng.integers((1000, 2000), size=(100, 2)).tolist()
    for simulation, at in some:
        result = proportion_sequence(int(successes[simulation, at]), int(trials[at]), alpha=ALPHA)
        assert (not result.lower <= rate <= result.upper) == refuted[simulation, at]


@pytest.mark.parametrize(("rate", "difference"), [(0.5, 0.0), (0.1, -0.05), (0.01, 0.0), (0.001, 0.0), (0.001, -0.2)])
def test_the_exact_sequence_of_a_difference_is_ever_wrong_at_most_at_alpha(rate: float, difference: float) -> None:
    rng = np.random.default_rng(round(1 / rate) + 1)
    other = rate - difference
    trials, quarter = np.arange(1, 2001), np.arange(1, 2001) // 4  # the challenger has a quarter of the requests
    champion, challenger = cumulated(rng, rate, 1000, 2000), cumulated(rng, other, 1000, 500)
    asked = np.maximum(quarter - 1, 0)
    failed = np.where(quarter > 0, challenger[:, asked], 0)
    evidence = log_evidence(champion, trials, rate) + log_evidence(failed, quarter, other)
    refuted = evidence >= -math.log(ALPHA)
    assert_rate(int(refuted.any(axis=1).sum()), 1000, at_most=ALPHA)
    # The bounds hold the truth wherever the pair of rates is not refuted, be it so nearly.
    close = rng.permutation(np.argwhere(~refuted & (evidence > -math.log(ALPHA) - 0.5)))[:300]
    for simulation, at in close.tolist() + rng.integers((1000, 2000), size=(100, 2)).tolist():
        counts = champion[simulation, at], trials[at], failed[simulation, at], quarter[at]
        result = proportion_difference_sequence(*(int(count) for count in counts), alpha=ALPHA)
        assert result.lower <= difference <= result.upper or refuted[simulation, at]


@pytest.mark.parametrize(("rate", "limit"), [(0.05, 0.05), (0.04, 0.05), (0.01, 0.01)])
def test_the_guardrail_ever_fires_at_most_at_alpha_under_rates_up_to_its_limit(rate: float, limit: float) -> None:
    rng = np.random.default_rng(round(1 / rate))
    fired = 0
    for requests in rng.random((2000, 2000)) < rate:
        # Only a failure raises the evidence, so the other looks cannot be the first to fire.
        failed_at = np.flatnonzero(requests) + 1
        fired += any(
            rate_exceeds(failures, int(trials), limit=limit, alpha=ALPHA)
            for failures, trials in enumerate(failed_at, start=1)
        )
    assert_rate(fired, 2000, at_most=ALPHA)


@pytest.mark.parametrize(("rate", "requests"), [(1.0, 2), (0.5, 10), (0.2, 50)])
def test_the_guardrail_catches_a_failing_challenger_within_few_requests(rate: float, requests: int) -> None:
    rng = np.random.default_rng(16)
    caught = 0
    for _ in range(500):
        failed = np.cumsum(rng.random(requests) < rate)
        caught += any(
            rate_exceeds(int(failures), trials, limit=0.05, alpha=ALPHA)
            for trials, failures in enumerate(failed, start=1)
        )
    assert_rate(caught, 500, at_least=0.7)
