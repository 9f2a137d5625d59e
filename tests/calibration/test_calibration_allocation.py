"""How often the sample-ratio test is wrong over every look, and how soon it is right."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from calibration import assert_rate
from vernal.stats import allocation
from vernal.stats.allocation import sample_ratio

Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

SHARES = np.array([[0.95, 0.05], [0.75, 0.25], [0.5, 0.5]])


def in_steps(arms: npt.NDArray[np.bool_], steps: npt.NDArray[np.int64]) -> Counts:
    """Return counts by look, step and arm, ``arms`` saying who fell to the challenger, ``(simulations, entities)``."""
    here = steps[:, None] == np.arange(len(SHARES))
    challengers = np.cumsum(arms[..., None] & here, axis=1)
    everyone = np.cumsum(here, axis=0)
    return np.stack((everyone - challengers, challengers), axis=-1)


def ever_refuted(counts: npt.NDArray[np.generic], shares: Numbers, *, alpha: float) -> int:
    """Return in how many simulations any look calls a mismatch; counts are by simulation, look, step and arm."""
    evidence = allocation._log_evidence(counts.astype(np.int64), shares, 100.0)
    return int((evidence >= -math.log(alpha)).any(axis=1).sum())


@pytest.mark.parametrize("concentration", [2.0, 100.0])
def test_a_correct_split_is_ever_called_wrong_at_most_at_alpha_looking_after_every_entity(concentration: float) -> None:
    rng = np.random.default_rng(21)
    steps = np.repeat(np.arange(3), 400)
    highest = np.empty(0)
    for _ in range(4):
        counts = in_steps(rng.random((500, steps.size)) < SHARES[steps, 1], steps)
        evidence = allocation._log_evidence(counts, SHARES, concentration)
        highest = np.concatenate((highest, evidence.max(axis=1)))
        for look in rng.integers(steps.size, size=20):
            result = sample_ratio(counts[7, look], SHARES, concentration=concentration)
            assert result.log_evidence == pytest.approx(float(evidence[7, look]))
    for alpha in (0.05, 0.001):
        assert_rate(int((highest >= -math.log(alpha)).sum()), 2000, at_most=alpha)


def test_three_arms_are_ever_called_wrong_at_most_at_alpha() -> None:
    rng = np.random.default_rng(22)
    shares = np.array([[0.8, 0.15, 0.05]])
    drawn = rng.choice(3, size=(1000, 1000), p=shares[0])
    counts = np.cumsum(drawn[..., None] == np.arange(3), axis=1)[:, :, None, :]
    assert_rate(ever_refuted(counts, shares, alpha=0.05), 1000, at_most=0.05)


@pytest.mark.parametrize(("spread", "least"), [(1.0, 0.25), (2.0, 0.6)])
def test_requests_of_sticky_entities_are_called_wrong_and_their_first_sights_are_not(
    spread: float, least: float
) -> None:
    # Entities differ in how often they come (log-normal), and each stays with its arm.
    rng = np.random.default_rng(23)
    entities, requests, shares = 1000, 5000, np.array([[0.5, 0.5]])
    of_requests = of_entities = 0
    for _ in range(300):
        activity = rng.lognormal(0.0, spread, entities)
        who = rng.choice(entities, size=requests, p=activity / activity.sum())
        new = (rng.random(entities) < 0.5)[who]
        first = np.zeros(requests, dtype=np.bool_)
        first[np.unique(who, return_index=True)[1]] = True
        of_requests += ever_refuted(by_arm(new, np.ones_like(first)), shares, alpha=0.001)
        of_entities += ever_refuted(by_arm(new, first), shares, alpha=0.001)
    assert_rate(of_requests, 300, at_least=least)
    assert_rate(of_entities, 300, at_most=0.001)


def by_arm(new: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_]) -> Counts:
    """Return counts after every request of a single simulation, in which only the ``counted`` requests count."""
    arms = np.stack((~new & counted, new & counted), axis=-1).astype(np.int64)
    return np.cumsum(arms, axis=0)[None, :, None, :]


@pytest.mark.parametrize(
    ("promised", "real", "within"), [(0.5, 0.52, 20_000), (0.5, 0.7, 260), (0.05, 0.1, 900), (0.05, 0.0, 300)]
)
def test_a_wrong_split_is_found_within_a_stated_number_of_entities(promised: float, real: float, within: int) -> None:
    rng = np.random.default_rng(24)
    shares = np.array([[1 - promised, promised]])
    looks = np.unique(np.linspace(1, within, 200).astype(np.int64)) - 1
    new = np.cumsum(rng.random((200, within)) < real, axis=1)[:, looks]
    counts = np.stack((looks + 1 - new, new), axis=-1)[:, :, None, :]
    assert_rate(ever_refuted(counts, shares, alpha=0.001), 200, at_least=0.9)
