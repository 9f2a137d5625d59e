"""Metrics against scikit-learn, their directions, and what makes them undefined."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from vernal.errors import SampleError
from vernal.stats.metrics import METRICS, Needs, metric, of_function, row_scores

Oracle = Callable[[NDArray[Any], NDArray[Any]], float]

ORACLES: dict[str, Oracle] = {
    "accuracy": sk.accuracy_score,
    "roc_auc": sk.roc_auc_score,
    "f1": sk.f1_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "log_loss": lambda y, p: sk.log_loss(y, p, labels=[0, 1]),
    "brier": sk.brier_score_loss,
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
}

#: Labels, the champion's outputs, and a challenger's that are better by every metric of their kind.
BETTER: dict[str, tuple[list[float], list[float], list[float]]] = {
    "scores": ([1, 0, 1, 0, 1], [0.6, 0.5, 0.4, 0.3, 0.7], [0.9, 0.2, 0.8, 0.1, 0.7]),
    "classes": ([1, 0, 1, 0, 1], [1, 1, 0, 0, 1], [1, 0, 1, 0, 1]),
    "numbers": ([1.0, 2.0, 3.0], [1.5, 2.5, 4.0], [1.1, 1.9, 3.0]),
}


def _kind(name: str) -> str:
    if METRICS[name].needs is Needs.SCORES:
        return "scores"
    return "numbers" if name in {"mae", "rmse"} else "classes"


def test_every_metric_has_an_oracle() -> None:
    assert set(ORACLES) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_scikit_learns(name: str) -> None:
    rng = np.random.default_rng(0)
    for n in (2, 7, 300):
        labels = np.arange(n) % 2 if _kind(name) != "numbers" else rng.normal(size=n)
        scores = np.round(rng.random(n), 1) if n < 300 else rng.random(n)
        outputs = {"scores": scores, "classes": (scores > 0.4).astype(int), "numbers": scores}[_kind(name)]
        outputs[0] = labels[0]
        if _kind(name) == "classes":
            outputs[1] = 1
        assert METRICS[name].value(labels, outputs) == pytest.approx(ORACLES[name](labels, outputs), rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_better_challenger_has_a_positive_improvement(name: str) -> None:
    labels, champion, challenger = BETTER[_kind(name)]
    asked = METRICS[name]
    before, after = asked.value(labels, champion), asked.value(labels, challenger)
    assert before is not None
    assert after is not None
    assert asked.improvement(before, after) > 0
    assert asked.improvement(after, before) == -asked.improvement(before, after)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_lies_within_its_limits_and_reaches_the_better_one(name: str) -> None:
    labels, champion, _ = BETTER[_kind(name)]
    asked = METRICS[name]
    value, perfect = asked.value(labels, champion), asked.value(labels, labels)
    assert value is not None
    assert asked.limits[0] <= value <= asked.limits[1]
    assert perfect == (1.0 if asked.greater_is_better else 0.0)


@pytest.mark.parametrize(
    ("name", "labels", "outputs"),
    [
        ("roc_auc", [1, 1, 1], [0.1, 0.2, 0.3]),
        ("roc_auc", [0], [0.5]),
        ("f1", [0, 0, 0], [0, 0, 0]),
        ("precision", [0, 1, 0], [0, 0, 0]),
        ("recall", [0, 0, 0], [1, 0, 0]),
        *((name, [], []) for name in METRICS),
    ],
)
def test_a_metric_without_what_it_divides_by_is_undefined_not_zero(
    name: str, labels: list[int], outputs: ArrayLike
) -> None:
    assert METRICS[name].value(labels, outputs) is None


@pytest.mark.parametrize(("name", "labels", "outputs"), [("f1", [0, 1], [1, 0]), ("precision", [0, 1], [1, 0])])
def test_a_metric_that_is_wrong_throughout_is_zero_not_undefined(
    name: str, labels: list[int], outputs: list[int]
) -> None:
    assert METRICS[name].value(labels, outputs) == 0.0


def test_a_sure_and_wrong_probability_costs_36_nats() -> None:
    assert METRICS["log_loss"].value([1], [0.0]) == pytest.approx(-math.log(np.finfo(float).eps))
    assert METRICS["log_loss"].value([1, 0], [1.0, 0.0]) == 0.0


def test_classes_may_be_words() -> None:
    assert METRICS["accuracy"].value(["cat", "dog", "cat"], ["cat", "cat", "cat"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("name", "labels", "outputs", "message"),
    [
        ("accuracy", [1, 0], [1], r"predictions: found shape \(1,\), expected \(2,\)"),
        ("accuracy", [1.0, math.nan], [1.0, 0.0], "labels: found NaN"),
        ("accuracy", ["a", "b"], [0, 1], "expected classes like the labels'"),
        ("f1", [1, 0], [1], r"predictions: found shape \(1,\)"),
        ("f1", [1, 2], [1, 1], "labels: found 2 in 1 of 2 rows"),
        ("brier", [1, 0], [1.2, 0.0], "expected probabilities from 0 to 1"),
        ("log_loss", [1, 0], [math.nan, 0.0], "found 1 of 2 that are NaN"),
        ("roc_auc", [1, 0], [0.5], r"scores: found shape \(1,\)"),
        ("rmse", [1.0, 2.0], [1.0], r"predictions: found shape \(1,\)"),
        ("mae", [1.0, math.inf], [1.0, 2.0], "found 1 of 2 rows that are NaN or infinite"),
    ],
)
def test_data_that_cannot_carry_a_metric_are_refused(
    name: str, labels: ArrayLike, outputs: ArrayLike, message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        METRICS[name].value(labels, outputs)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SampleError, match="found 'auc', expected one of accuracy, roc_auc"):
        metric("auc")


@pytest.mark.parametrize("name", ["accuracy", "brier", "log_loss", "mae"])
def test_row_scores_average_to_the_metric_and_rise_with_quality(name: str) -> None:
    labels, champion, challenger = BETTER[_kind(name)]
    sign = 1 if METRICS[name].greater_is_better else -1
    assert sign * row_scores(name, labels, champion).mean() == pytest.approx(METRICS[name].value(labels, champion))
    assert row_scores(name, labels, challenger).mean() > row_scores(name, labels, champion).mean()


@pytest.mark.parametrize("name", ["roc_auc", "f1", "precision", "recall"])
def test_a_metric_without_a_value_per_row_names_the_score_that_stands_in(name: str) -> None:
    with pytest.raises(SampleError, match="expected its row score brier"):
        row_scores(name, [1, 0], [1, 0])


# ---------------------------------------------------------------------------------------------------- user's functions
def test_a_function_of_scikit_learn_is_a_metric() -> None:
    labels, answers = np.array([1, 0, 1, 1]), np.array([1, 1, 1, 0])
    asked = of_function(sk.f1_score, greater_is_better=True)
    assert asked.name == "f1_score"
    assert asked.value(labels, answers) == METRICS["f1"].value(labels, answers)


def test_the_direction_of_a_function_is_the_callers() -> None:
    assert of_function(sk.mean_absolute_error, greater_is_better=False).improvement(2.0, 1.5) == 0.5
    assert of_function(sk.r2_score, greater_is_better=True).improvement(0.2, 0.5) == pytest.approx(0.3)


def test_a_function_can_be_given_a_name_for_messages() -> None:
    def refuse(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        raise ValueError("no positives")

    with pytest.raises(SampleError, match="metric gain: its function refuses these rows: no positives"):
        of_function(refuse, greater_is_better=True, name="gain").value(np.array([1]), np.array([1]))


def test_a_function_that_gives_no_finite_number_is_undefined() -> None:
    def unknown(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        return math.nan

    asked = of_function(unknown, greater_is_better=True)
    assert asked.value(np.array([1, 0]), np.array([1, 0])) is None
    assert asked.value(np.array([]), np.array([])) is None


@pytest.mark.parametrize(("labels", "outputs"), [([1, 0], [1]), ([[1]], [[1]]), ([1, 0], 3)])
def test_rows_that_do_not_match_are_refused_before_a_function_sees_them(labels: ArrayLike, outputs: ArrayLike) -> None:
    with pytest.raises(SampleError, match="expected one row of each"):
        of_function(sk.f1_score, greater_is_better=True).value(labels, outputs)


def test_a_function_may_take_one_row_of_probabilities_per_label() -> None:
    labels, outputs = np.array([0, 1, 2]), np.eye(3) * 0.7 + 0.1
    asked = of_function(sk.log_loss, greater_is_better=False)
    assert asked.value(labels, outputs) == pytest.approx(sk.log_loss(labels, outputs))
