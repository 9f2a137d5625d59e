"""The decay curve in simulations: how often noise passes for decay, and how often the rate's bounds hold."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import assert_rate
from vernal.stats.decay import DecayKind, fit_decay


@pytest.mark.parametrize("points", [5, 12, 60])
def test_noise_passes_for_decay_in_at_most_five_simulations_of_a_hundred(points: int) -> None:
    rng, simulations = np.random.default_rng(points), 1000
    days = np.arange(1.0, points + 1)
    found = [fit_decay(days, rng.normal(0, 0.01, points)).kind for _ in range(simulations)]
    assert_rate(sum(kind is not DecayKind.NONE for kind in found), simulations, at_most=0.05)


@pytest.mark.parametrize(
    ("ceiling", "tau", "limit"),
    [(None, None, 0.055), (0.05, 15.0, 0.07)],
    ids=["line", "saturating"],
)
def test_the_bounds_of_the_rate_hold_at_their_certainty(ceiling: float | None, tau: float | None, limit: float) -> None:
    rng, simulations = np.random.default_rng(7), 1000
    days = np.arange(1.0, 61.0)
    truth = 0.001 if ceiling is None or tau is None else ceiling / tau
    curve = truth * days if ceiling is None or tau is None else ceiling * (1 - np.exp(-days / tau))
    kind = DecayKind.LINE if ceiling is None else DecayKind.SATURATING
    weights = rng.uniform(0.3, 3, days.size)
    below = above = fitted = 0
    for _ in range(simulations):
        found = fit_decay(days, curve + rng.normal(0, 0.004, days.size) / np.sqrt(weights), weights=weights)
        if found.kind is kind and found.lower is not None and found.upper is not None:
            fitted += 1
            below += found.lower > truth
            above += found.upper < truth
    assert_rate(fitted, simulations, at_least=0.95)
    assert_rate(below, fitted, at_most=limit)
    assert_rate(above, fitted, at_most=limit)
    assert_rate(below + above, fitted, at_least=0.09)


def test_a_decay_of_a_tenth_of_the_noise_a_day_is_found_within_two_months() -> None:
    rng, simulations = np.random.default_rng(8), 500
    days = np.arange(1.0, 61.0)
    found = [fit_decay(days, 0.0002 * days + rng.normal(0, 0.002, days.size)).kind for _ in range(simulations)]
    assert_rate(sum(kind is not DecayKind.NONE for kind in found), simulations, at_least=0.99)
