"""Metrics of sampled ground truth in simulations: whether they are those of all rows, and how often bounds miss.

Claimed, for 400 answers out of 8,000 predictions and bounds that say 5 %: the mean over samples is the metric of all
rows, to within 4 standard errors of 400 samples, and each bound is missed in at most 7.5 % of them (log loss 10 %),
whichever rule drew the sample.
"""

from __future__ import annotations

import numpy as np
import pytest

from calibration import assert_rate
from vernal.stats.arrays import Floats
from vernal.stats.metrics import Needs, metric
from vernal.stats.sampling import inclusion_chances, pick
from vernal.stats.weighting import RowWeights, weighted_measure

NAMES = ("accuracy", "f1", "precision", "recall", "roc_auc", "brier", "log_loss")
ROWS, PICKS, SIMULATIONS = 8000, 400, 400


def even(p: Floats) -> Floats:
    return np.ones_like(p)


def by_score(p: Floats) -> Floats:
    return p


def by_uncertainty(p: Floats) -> Floats:
    near: Floats = 1 - 2 * np.abs(p - 0.5)
    return near


def production(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats, Floats]:
    """Return scores that are somewhat too low, answers and labels."""
    p = rng.beta(0.6, 1.2, rows)
    return p**1.3, (p**1.3 > 0.5).astype(np.float64), (rng.random(rows) < p).astype(np.float64)


@pytest.mark.parametrize("rule", [even, by_score, by_uncertainty])
def test_a_metric_of_a_sample_is_that_of_all_rows_and_its_bounds_hold(rule: object) -> None:
    assert callable(rule)
    rng = np.random.default_rng(11)
    scores, answers, labels = production(rng, 1_000_000)
    truth = {name: metric(name).value(labels, outputs(name, scores, answers)) for name in NAMES}
    off: dict[str, list[float]] = {name: [] for name in NAMES}
    above, below = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for _ in range(SIMULATIONS):
        scores, answers, labels = production(rng, ROWS)
        chances = inclusion_chances(rule(scores), PICKS)
        drawn = pick(chances, rng)
        rows = RowWeights(1 / chances[drawn], np.ones(drawn.size))
        for name in NAMES:
            given = outputs(name, scores, answers)
            found = weighted_measure(metric(name), labels[drawn], given[drawn], rows)
            all_rows, target = metric(name).value(labels, given), truth[name]
            assert found.value is not None
            assert found.lower is not None
            assert found.upper is not None
            assert all_rows is not None
            assert target is not None
            off[name].append(found.value - all_rows)
            above[name] += target > found.upper
            below[name] += target < found.lower
    for name in NAMES:
        error = float(np.std(off[name])) / np.sqrt(SIMULATIONS)
        assert abs(float(np.mean(off[name]))) < 4 * error, name
        for misses in (above[name], below[name]):
            assert_rate(misses, SIMULATIONS, at_most=0.10 if name == "log_loss" else 0.075)


def test_the_same_sample_taken_as_if_all_rows_counted_alike_is_wrong() -> None:
    """So that the test above would see weights that are left out."""
    rng = np.random.default_rng(12)
    scores, answers, labels = production(rng, 100_000)
    drawn = pick(inclusion_chances(by_uncertainty(scores), 10_000), rng)
    plain, true = (metric("accuracy").value(labels[rows], answers[rows]) for rows in (drawn, np.arange(100_000)))
    assert plain is not None
    assert true is not None
    assert plain < true - 0.05


def outputs(name: str, scores: Floats, answers: Floats) -> Floats:
    return scores if metric(name).needs is Needs.SCORES else answers
