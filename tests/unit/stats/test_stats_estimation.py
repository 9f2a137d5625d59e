"""Estimates without labels against brute force, finite differences and drawn labels."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import numpy as np
import pytest

from vernal.errors import SampleError
from vernal.stats.arrays import Floats
from vernal.stats.calibration import BinnedMap, Calibration, fit_calibration
from vernal.stats.estimation import BLIND_TO, ESTIMATED, Estimate, estimate_performance
from vernal.stats.logistic import ScoreModel
from vernal.stats.metrics import metric

SURE = 1e-12


def identity(classes: int = 1, variance: float = SURE) -> Calibration:
    """Return a calibration that leaves probabilities as they are, those nearer to 0 or 1 than 1e-9 becoming these."""
    smooth = ScoreModel(
        slopes=(1.0, float(classes == 1)),
        offsets=(0.0,) * max(classes, 2),
        covariance=((0.0, 0.0), (0.0, 0.0)),
        follow=((0.0, 0.0),) * max(classes, 2),
        logs=True,
        least=1e-12,
        most=1 - 1e-12,
        centres=(0.0, 0.0),
        spread=1.0,
    )
    knots = (1e-9, 1 - 1e-9)
    one = BinnedMap(expected=knots, values=(0.0, 1.0), variances=(variance, variance), slants=((0.0, 0.0),) * 2)
    return Calibration(
        smooth=smooth, maps=(one,) * classes, rows=1, error_before=0.0, error_after=0.0, error_by_chance=0.0
    )


def estimated(name: str, p: Floats, answers: Any = None, **options: Any) -> Estimate:  # noqa: ANN401
    return estimate_performance(name, p, answers, identity(1 if p.ndim == 1 else p.shape[1]), **options)


def test_the_expected_area_is_the_sum_over_pairs_of_different_rows_ties_at_one_half() -> None:
    p = np.array([0.1, 0.3, 0.3, 0.3, 0.7, 0.7, 0.95])
    above = pairs = 0.0
    for i, j in itertools.permutations(range(p.size), 2):
        chance = p[i] * (1 - p[j])
        pairs += chance
        above += chance * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
    assert estimated("roc_auc", p).value == pytest.approx(above / pairs)


def test_certain_labels_give_the_metric_itself() -> None:
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 2, 60), rng.integers(0, 2, 60)
    for name in ESTIMATED[:-1]:
        found = estimated(name, labels.astype(float), answers)
        assert found.value == pytest.approx(metric(name).value(labels, answers))
        assert found.sampling_error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ESTIMATED)
@pytest.mark.parametrize("classes", [2, 3])
def test_both_errors_are_those_of_finite_differences(name: str, classes: int) -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1, 2, 25) if classes == 2 else rng.dirichlet([1, 1, 1], 25)
    answers = (p > 0.4).astype(int) if classes == 2 else p.argmax(axis=1)
    columns = p.reshape(25, -1)
    scores = columns.copy()

    def value(chances: Floats) -> float:
        """Return the metric at these probabilities, the order of the scores as it was, by the definitions."""
        if classes == 2:
            return one(chances[:, 0], scores[:, 0], answers == 1)
        if name == "accuracy":
            return float(chances[np.arange(25), answers].mean())
        return float(np.mean([one(chances[:, j], scores[:, j], answers == j) for j in range(3)]))

    def one(q: Floats, s: Floats, chosen: Any) -> float:  # noqa: ANN401
        tp, fp, fn = q[chosen].sum(), (1 - q)[chosen].sum(), q[~chosen].sum()
        if name == "roc_auc":
            order = (s[:, None] > s[None, :]) + 0.5 * (s[:, None] == s[None, :])
            weight = q[:, None] * (1 - q)[None, :] * (1 - np.eye(25))
            return float((weight * order).sum() / weight.sum())
        table = {
            "accuracy": (tp + (1 - q)[~chosen].sum()) / 25,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
        }
        return float(table[name])

    slopes = np.empty_like(columns)
    for index in np.ndindex(*columns.shape):
        step = np.zeros_like(columns)
        step[index] = 1e-6
        slopes[index] = (value(columns + step) - value(columns - step)) / 2e-6
    variance = (slopes**2 * columns).sum() - ((slopes * columns).sum(axis=1) ** 2).sum()
    found = estimate_performance(name, p, answers, identity(columns.shape[1], 0.01))
    assert found.value == pytest.approx(value(columns))
    assert found.sampling_error == pytest.approx(math.sqrt(variance), rel=1e-4)
    learned = identity(columns.shape[1], 0.01).variance(p, slopes.reshape(p.shape))
    assert found.calibration_error == pytest.approx(math.sqrt(learned), rel=1e-4)


@pytest.mark.parametrize("name", ESTIMATED)
def test_value_and_sampling_error_are_the_mean_and_spread_over_drawn_labels(name: str) -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 1, 800)
    answers = (p > 0.5).astype(int)
    outputs = p if name == "roc_auc" else answers
    drawn = [metric(name).value((rng.random(800) < p).astype(int), outputs) for _ in range(1500)]
    values = np.array([value for value in drawn if value is not None])
    found = estimated(name, p, answers)
    assert found.value == pytest.approx(values.mean(), abs=4 * values.std() / math.sqrt(1500) + 1e-3)
    assert found.sampling_error == pytest.approx(values.std(), rel=0.1)


def test_more_certainty_widens_the_bounds_and_one_half_gives_the_value() -> None:
    p = np.random.default_rng(3).beta(1, 1, 300)
    wide, narrow, none = (estimated("accuracy", p, p > 0.5, certainty=level) for level in (0.99, 0.8, 0.5))
    assert wide.lower < narrow.lower < narrow.upper < wide.upper  # type: ignore[operator]
    assert (none.lower, none.upper) == pytest.approx((none.value, none.value))


def test_both_errors_make_up_the_reach_of_the_bounds() -> None:
    rng = np.random.default_rng(4)
    p = rng.beta(1, 1, 1000)
    calibration = fit_calibration(p, (rng.random(1000) < p).astype(int))
    found = estimate_performance("f1", p[:500], p[:500] > 0.5, calibration)
    assert found.value is not None
    assert found.upper is not None
    assert found.sampling_error is not None
    assert found.calibration_error is not None
    assert found.upper - found.value == pytest.approx(
        1.6448536 * math.hypot(found.sampling_error, found.calibration_error)
    )


def test_bounds_stay_within_zero_and_one() -> None:
    found = estimated("accuracy", np.array([0.02, 0.03]), [0, 0])
    assert found.upper == 1.0
    assert estimated("accuracy", np.array([0.02, 0.03]), [1, 1]).lower == 0.0


@pytest.mark.parametrize(
    ("name", "p", "answers"),
    [
        ("precision", [0.2, 0.4], [0, 0]),
        ("recall", [0.0, 0.0], [1, 0]),
        ("f1", [0.0, 0.0], [0, 0]),
        ("roc_auc", [0.0, 0.0], None),
        ("roc_auc", [1.0, 1.0], None),
        ("roc_auc", [0.5], None),
    ],
)
def test_an_undefined_metric_has_no_value_and_says_why(name: str, p: list[float], answers: list[int] | None) -> None:
    found = estimated(name, np.array(p), answers)
    assert (found.value, found.lower, found.upper, found.sampling_error) == (None, None, None, None)
    assert found.note == metric(name).undefined


@pytest.mark.parametrize("name", ESTIMATED)
def test_no_rows_give_no_value(name: str) -> None:
    found = estimate_performance(name, [], [], identity())
    assert (found.value, found.rows, found.note) == (None, 0, "no rows")
    assert estimate_performance(name, np.empty((0, 3)), [], identity(3)).note == "no rows"


def test_a_class_that_is_never_predicted_is_left_out_of_the_mean_precision() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    found = estimated("precision", p, [0, 1])
    assert found.value == pytest.approx((0.6 + 0.7) / 2)
    assert found.note == "left out, being undefined: class 2"


def test_classes_that_are_all_undefined_leave_nothing() -> None:
    found = estimated("roc_auc", np.eye(3)[:1])
    assert (found.value, found.note) == (None, "left out, being undefined: class 0, 1, 2")


def test_every_estimate_says_that_it_is_blind_to_concept_drift_and_is() -> None:
    rng = np.random.default_rng(5)
    p = rng.beta(1, 1, 4000)
    calibration = fit_calibration(p[:2000], (rng.random(2000) < p[:2000]).astype(int))
    scores = p[2000:]
    answers = (scores > 0.5).astype(int)
    found = estimate_performance("accuracy", scores, answers, calibration)
    flipped = (rng.random(2000) < 1 - scores).astype(int)  # the same inputs, the opposite meaning
    realised = metric("accuracy").value(flipped, answers)
    assert found.lower is not None
    assert realised is not None
    assert realised < 0.3
    assert found.lower > 0.7
    assert found.blind_to == BLIND_TO
    assert "concept drift" in BLIND_TO


def test_a_hundred_thousand_rows_take_well_under_a_second() -> None:
    rng = np.random.default_rng(6)
    p = rng.beta(1, 1, 100_000)
    calibration = fit_calibration(p, (rng.random(p.size) < p).astype(int))
    began = time.process_time()
    for name in ESTIMATED:
        estimate_performance(name, p, p > 0.5, calibration)
    assert time.process_time() - began < 0.2 * len(ESTIMATED)


@pytest.mark.parametrize(
    ("name", "scores", "answers", "options", "message"),
    [
        ("brier", [0.1], [0], {}, "metric: found 'brier', expected one of accuracy"),
        ("f1", [0.1], None, {}, "predictions: found none"),
        ("f1", [0.1], [0, 1], {}, "predictions: found shape"),
        ("f1", [0.1], [2], {}, "predictions: found 2"),
        ("f1", [math.inf], [1], {}, "scores: found 1 of 1"),
        ("f1", [0.1], [0], {"certainty": 0.0}, "certainty"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    name: str, scores: list[float], answers: list[int] | None, options: dict[str, float], message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        estimate_performance(name, scores, answers, identity(), **options)
