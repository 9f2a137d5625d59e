"""Estimates without labels in simulations: how often the metric measured later lies outside their bounds.

Claimed, with 1,000 labelled rows and a bound that says 5 %: each side is missed in 3 to 7.5 % of windows for two
classes, whatever rising distortion the scores have, and in 2 to 9 % for three.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from calibration import assert_rate
from vernal.stats.arrays import Floats
from vernal.stats.calibration import fit_calibration
from vernal.stats.direct_loss import fit_loss_model
from vernal.stats.estimation import ESTIMATED, estimate_performance
from vernal.stats.metrics import metric

Distortion = Callable[[Floats], Floats]
WINDOWS = {"as before": (0.6, 1.2), "shifted": (2.0, 1.5)}


def honest(p: Floats) -> Floats:
    return p


def cubed(p: Floats) -> Floats:
    distorted: Floats = p**3
    return distorted


def overconfident(p: Floats) -> Floats:
    distorted: Floats = p**2 / (p**2 + (1 - p) ** 2)
    return distorted


def lopsided(p: Floats) -> Floats:
    distorted: Floats = p**3 / (p**3 + 2 * (1 - p) ** 3)
    return distorted


def stepped(p: Floats) -> Floats:
    """Return scores that hardly rise around 0.2, 0.4, 0.6 and 0.8: no curve of few parameters undoes that."""
    step = np.floor(5 * p)
    within = 5 * p - step
    distorted: Floats = (step + within**3 / (within**3 + (1 - within) ** 3)) / 5
    return distorted


def assert_a_binary_metric_lies_within_the_bounds(
    stated: Distortion, simulations: int, *, at_least: float | None
) -> None:
    rng = np.random.default_rng(1)
    above = dict.fromkeys(itertools.product(WINDOWS, ESTIMATED), 0)
    below = above.copy()
    for _ in range(simulations):
        p = rng.beta(0.6, 1.2, 1000)
        calibration = fit_calibration(stated(p), rng.random(1000) < p)
        for window, shape in WINDOWS.items():
            p = rng.beta(*shape, 1000)
            labels, scores, answers = rng.random(1000) < p, stated(p), p > 0.5
            for name in ESTIMATED:
                found = estimate_performance(name, scores, answers, calibration)
                realised = metric(name).value(labels, scores if name == "roc_auc" else answers)
                assert found.lower is not None
                assert found.upper is not None
                assert realised is not None
                above[window, name] += realised > found.upper
                below[window, name] += realised < found.lower
    for misses in (*above.values(), *below.values()):
        assert_rate(misses, simulations, at_most=0.075, at_least=at_least)


@pytest.mark.parametrize("stated", [honest, lopsided])
def test_a_binary_metric_measured_later_lies_within_the_bounds(stated: Distortion) -> None:
    """So few simulations can only tell that the bounds are not too narrow."""
    assert_a_binary_metric_lies_within_the_bounds(stated, 200, at_least=None)


@pytest.mark.slow
@pytest.mark.parametrize("stated", [honest, cubed, np.cbrt, overconfident, lopsided, stepped])
def test_a_binary_metric_lies_within_the_bounds_whatever_the_distortion(stated: Distortion) -> None:
    assert_a_binary_metric_lies_within_the_bounds(stated, 1000, at_least=0.03)


def sharpened(p: Floats) -> Floats:
    """Return what a model gives whose temperature is one half: each column depends on all."""
    distorted: Floats = p**2 / (p**2).sum(axis=1, keepdims=True)
    return distorted


def assert_a_metric_of_three_classes_lies_within_the_bounds(
    stated: Distortion, simulations: int, *, at_least: float | None
) -> None:
    rng, sizes = np.random.default_rng(2), (500, 4000)  # the sampling error rules, the calibration error rules
    above = dict.fromkeys(itertools.product(sizes, ESTIMATED), 0)
    below = above.copy()
    for _ in range(simulations):
        p, labels = three_classes(rng, [1.0, 1.0, 1.0], 1000)
        calibration = fit_calibration(stated(p), labels)
        for size in sizes:
            p, labels = three_classes(rng, [1.5, 1.0, 0.7], size)
            answers = p.argmax(axis=1)
            for name in ESTIMATED:
                found = estimate_performance(name, stated(p), answers, calibration)
                realised = macro(name, labels, stated(p), answers)
                assert found.lower is not None
                assert found.upper is not None
                above[size, name] += realised > found.upper
                below[size, name] += realised < found.lower
    for misses in (*above.values(), *below.values()):
        assert_rate(misses, simulations, at_most=0.09, at_least=at_least)


def test_a_metric_of_three_classes_measured_later_lies_within_the_bounds() -> None:
    assert_a_metric_of_three_classes_lies_within_the_bounds(sharpened, 150, at_least=None)


@pytest.mark.slow
@pytest.mark.parametrize("stated", [honest, sharpened, np.sqrt, overconfident])
def test_a_metric_of_three_classes_lies_within_the_bounds_whatever_the_distortion(stated: Distortion) -> None:
    assert_a_metric_of_three_classes_lies_within_the_bounds(stated, 400, at_least=0.02)


@pytest.mark.parametrize("mix", [[1.5, 1.0, 0.7], [0.3, 0.3, 0.3]], ids=["mild shift", "sharper scores"])
def test_the_calibration_error_of_three_classes_is_the_spread_over_refits(mix: list[float]) -> None:
    rng, refits = np.random.default_rng(4), 250
    window, _ = three_classes(rng, mix, 1000)
    answers = window.argmax(axis=1)
    found = [
        estimate_performance("accuracy", window, answers, fit_calibration(*three_classes(rng, [1.0, 1.0, 1.0], 1000)))
        for _ in range(refits)
    ]
    spread = float(np.std([one.value for one in found if one.value is not None]))
    stated = float(np.mean([one.calibration_error for one in found if one.calibration_error is not None]))
    assert 0.87 < stated / spread < 1.15  # the spread itself is known within 4.5 %
    truth = float(window.max(axis=1).mean())
    assert abs(float(np.mean([one.value for one in found if one.value is not None])) - truth) < 0.4 * spread


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
