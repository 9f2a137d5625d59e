"""Estimates without labels in simulations: how often the metric measured later lies outside their bounds.

The bounds are first-order and the maps isotonic, linear between knots: they take some noise for signal and cut corners
where the score bends. With 1,000 labelled rows estimates are off by up to a third of a standard error, so a side that
claims 5 % is held to 8 %, and to 11 % where the map has a strong distortion to undo; both sides together to at least
5 %, below which the bounds would be needlessly wide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calibration import assert_rate
from vernal.stats.arrays import Floats
from vernal.stats.calibration import fit_calibration
from vernal.stats.direct_loss import fit_loss_model
from vernal.stats.estimation import ESTIMATED, estimate_performance
from vernal.stats.metrics import metric

Draw = Callable[[np.random.Generator, int], Floats]


def honest(p: Floats) -> Floats:
    return p


def overconfident(p: Floats) -> Floats:
    distorted: Floats = p**3 / (p**3 + 2 * (1 - p) ** 3)
    return distorted


@pytest.mark.parametrize(("stated", "limit"), [(honest, 0.08), (overconfident, 0.11)])
@pytest.mark.parametrize(
    "later",
    [lambda rng, n: rng.beta(0.6, 1.2, n), lambda rng, n: rng.beta(2.0, 1.5, n)],
    ids=["as before", "shifted"],
)
def test_a_binary_metric_measured_later_lies_within_the_bounds(
    stated: Callable[[Floats], Floats], limit: float, later: Draw
) -> None:
    rng, simulations = np.random.default_rng(1), 250
    above, below = dict.fromkeys(ESTIMATED, 0), dict.fromkeys(ESTIMATED, 0)
    for _ in range(simulations):
        p = rng.beta(0.6, 1.2, 1000)
        calibration = fit_calibration(stated(p), rng.random(1000) < p)
        p = later(rng, 1000)
        labels, scores, answers = rng.random(1000) < p, stated(p), p > 0.5
        for name in ESTIMATED:
            found = estimate_performance(name, scores, answers, calibration)
            realised = metric(name).value(labels, scores if name == "roc_auc" else answers)
            assert found.lower is not None
            assert found.upper is not None
            assert realised is not None
            above[name] += realised > found.upper
            below[name] += realised < found.lower
    for name in ESTIMATED:
        assert_rate(above[name], simulations, at_most=limit)
        assert_rate(below[name], simulations, at_most=limit)
        assert_rate(above[name] + below[name], simulations, at_least=0.05)


@pytest.mark.parametrize("window", [500, 4000], ids=["sampling error rules", "calibration error rules"])
@pytest.mark.parametrize("stated", [honest, np.sqrt], ids=["honest", "distorted"])
def test_a_metric_of_three_classes_measured_later_lies_within_the_bounds(
    stated: Callable[[Floats], Floats], window: int
) -> None:
    rng, simulations = np.random.default_rng(2), 120
    above, below = dict.fromkeys(ESTIMATED, 0), dict.fromkeys(ESTIMATED, 0)
    for _ in range(simulations):
        p, labels = three_classes(rng, [1.0, 1.0, 1.0], 1000)
        calibration = fit_calibration(stated(p), labels)
        p, labels = three_classes(rng, [1.5, 1.0, 0.7], window)
        answers = p.argmax(axis=1)
        for name in ESTIMATED:
            found = estimate_performance(name, stated(p), answers, calibration)
            realised = macro(name, labels, p, answers)
            assert found.lower is not None
            assert found.upper is not None
            above[name] += realised > found.upper
            below[name] += realised < found.lower
    for name in ESTIMATED:
        assert_rate(above[name], simulations, at_most=0.08)
        assert_rate(below[name], simulations, at_most=0.08)
        assert_rate(above[name] + below[name], simulations, at_least=0.05)


def test_the_calibration_error_of_three_classes_is_the_spread_over_refits() -> None:
    rng, refits = np.random.default_rng(4), 250
    window, _ = three_classes(rng, [1.5, 1.0, 0.7], 1000)
    answers = window.argmax(axis=1)
    found = [
        estimate_performance("accuracy", window, answers, fit_calibration(*three_classes(rng, [1.0, 1.0, 1.0], 1000)))
        for _ in range(refits)
    ]
    spread = float(np.std([one.value for one in found if one.value is not None]))
    stated = float(np.mean([one.calibration_error for one in found if one.calibration_error is not None]))
    assert 0.87 < stated / spread < 1.15  # the spread itself is known within 4.5 %


def three_classes(rng: np.random.Generator, mix: list[float], rows: int) -> tuple[Floats, Floats]:
    p = rng.dirichlet(mix, rows)
    return p, (p.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)


def macro(name: str, labels: Floats, p: Floats, answers: Floats) -> float:
    if name == "accuracy":
        return float((answers == labels).mean())
    outputs = [p[:, j] if name == "roc_auc" else answers == j for j in range(3)]
    values = [metric(name).value(labels == j, output) for j, output in enumerate(outputs)]
    return float(np.mean([value for value in values if value is not None]))


def noisy(rng: np.random.Generator, rows: int, skew: float) -> tuple[Floats, Floats, Floats]:
    """Return features, predictions and labels whose spread differs sixfold over the features' range."""
    x = rng.beta(skew, 1.0, (rows, 2))
    spread = 0.3 + 1.5 * x[:, 0] ** 2
    return x, x[:, 1], x[:, 1] + spread * rng.normal(size=rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mae", "rmse"])
def test_an_error_measured_later_lies_within_the_bounds_also_where_the_noisy_rows_have_become_frequent(
    name: str,
) -> None:
    rng, simulations = np.random.default_rng(3), 30
    misses = {"as before": 0, "shifted": 0}
    for _ in range(simulations):
        model = fit_loss_model(*noisy(rng, 400, 1.0), metric=name, rng=rng)
        for window, skew in (("as before", 1.0), ("shifted", 3.0)):
            x, predictions, labels = noisy(rng, 800, skew)
            found = model.estimate(x, predictions)
            realised = metric(name).value(labels, predictions)
            assert found.lower is not None
            assert found.upper is not None
            assert realised is not None
            misses[window] += not found.lower <= realised <= found.upper
    assert_rate(misses["as before"], simulations, at_most=0.10)
    assert_rate(misses["shifted"], simulations, at_most=0.10)
