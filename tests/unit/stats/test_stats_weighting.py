from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from vernal.errors import SampleError
from vernal.stats.metrics import METRICS, Needs, metric, of_function
from vernal.stats.performance import measure, measure_paired
from vernal.stats.weighting import RowWeights, effective_rows, weighted_measure

RNG = np.random.default_rng(5)
N = 500
P = RNG.beta(1.0, 1.5, N)
LABELS = (RNG.random(N) < P).astype(float)
ANSWERS = (P > 0.5).astype(float)
SCORES = np.round(P, 2)  # with ties
WEIGHTS = RNG.choice([1.0, 2.0, 5.0], N)
ORACLES = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "roc_auc": sk.roc_auc_score,
    "brier": sk.brier_score_loss,
    "log_loss": sk.log_loss,
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
}


@pytest.mark.parametrize("name", METRICS)
def test_a_weighted_metric_is_what_scikit_learn_gives_with_sample_weights(name: str) -> None:
    outputs = SCORES if metric(name).needs is Needs.SCORES or name in {"mae", "rmse"} else ANSWERS
    found = weighted_measure(metric(name), LABELS, outputs, RowWeights(WEIGHTS, np.ones(N)))

    assert found.value == pytest.approx(ORACLES[name](LABELS, outputs, sample_weight=WEIGHTS))
    assert found.value is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.value < found.upper
    assert found.effective_rows == pytest.approx(WEIGHTS.sum() ** 2 / (WEIGHTS**2).sum())


@pytest.mark.parametrize("name", METRICS)
def test_equal_weights_are_no_weights(name: str) -> None:
    outputs = SCORES if metric(name).needs is Needs.SCORES or name in {"mae", "rmse"} else ANSWERS
    even = RowWeights(np.full(N, 3.0), np.ones(N))
    plain = measure(metric(name), LABELS, outputs, rng=np.random.default_rng(0))

    assert measure(metric(name), LABELS, outputs, rng=np.random.default_rng(0), weights=even) == plain
    near = weighted_measure(metric(name), LABELS, outputs, even)
    assert plain.lower is not None
    assert plain.upper is not None
    assert (near.lower, near.upper) == pytest.approx((plain.lower, plain.upper), rel=0.02)


def test_half_the_information_is_half_the_rows() -> None:
    halves = weighted_measure(metric("accuracy"), LABELS, ANSWERS, RowWeights(np.full(N, 0.5), np.full(N, 0.5)))
    few = measure(metric("accuracy"), LABELS[::2], LABELS[::2], rng=RNG)

    assert halves.effective_rows == pytest.approx(N / 2)
    assert few.rows == N / 2
    assert halves.lower is not None
    assert halves.upper is not None
    whole = measure(metric("accuracy"), LABELS, ANSWERS, rng=RNG)
    assert whole.lower is not None
    assert whole.upper is not None
    assert (halves.upper - halves.lower) / (whole.upper - whole.lower) == pytest.approx(np.sqrt(2), rel=0.02)


def test_all_right_is_bounded_by_what_the_rows_are_worth() -> None:
    rows = RowWeights(np.array([1.0] * 90 + [10.0] * 10), np.ones(100))
    found = weighted_measure(metric("accuracy"), np.ones(100), np.ones(100), rows)
    plain = measure(metric("accuracy"), np.ones(100), np.ones(100), rng=RNG)

    assert (found.value, found.upper) == (1.0, 1.0)
    assert found.lower is not None
    assert plain.lower is not None
    assert found.lower < plain.lower


@pytest.mark.parametrize(
    ("labels", "answers", "note"),
    [([], [], "no rows"), ([0.0, 0.0], [0.0, 0.0], "no row of class 1"), ([1.0], [1.0], "one row only")],
)
def test_what_cannot_be_said_is_a_note(labels: list[float], answers: list[float], note: str) -> None:
    rows = RowWeights(np.arange(1.0, len(labels) + 1), np.ones(len(labels)))
    found = weighted_measure(metric("recall"), labels, answers, rows)

    assert note in found.note
    assert (found.lower, found.upper) == (None, None)


def test_one_class_has_no_area() -> None:
    found = weighted_measure(metric("roc_auc"), [1.0, 1.0], [0.2, 0.3], RowWeights(np.array([1.0, 2.0]), np.ones(2)))
    assert (found.value, found.note) == (None, "one class only")


@pytest.mark.parametrize(
    ("weights", "information", "problem"),
    [
        ([1.0, 0.0], [1.0, 1.0], "weights: found a number that is not above 0"),
        ([1.0, np.nan], [1.0, 1.0], "weights: found a number that is not above 0"),
        ([1.0], [1.0], "weights: found shape"),
        ([1.0, 2.0], [1.0, 2.0], "information: found 2.0, expected at most 1"),
    ],
)
def test_weights_that_are_none_are_refused(weights: list[float], information: list[float], problem: str) -> None:
    with pytest.raises(SampleError, match=problem):
        weighted_measure(metric("accuracy"), [1, 0], [1, 1], RowWeights(np.array(weights), np.array(information)))


def test_a_function_and_blocks_do_not_go_with_weights() -> None:
    rows = RowWeights(np.array([1.0, 2.0]), np.ones(2))

    def bias(labels: np.ndarray, outputs: np.ndarray, /, *, sample_weight: np.ndarray) -> float:
        return float(np.average(outputs - labels, weights=sample_weight))

    with pytest.raises(SampleError, match="is a function"):
        weighted_measure(of_function(bias, greater_is_better=False), [1, 0], [1, 1], rows)
    with pytest.raises(SampleError, match="both weights and blocks"):
        measure(metric("accuracy"), [1, 0], [1, 1], rng=RNG, weights=rows, blocks=[0, 1])


def test_no_rows_are_worth_nothing() -> None:
    assert effective_rows(RowWeights.ones(0)) == 0.0


@pytest.mark.parametrize("name", METRICS)
def test_models_compared_on_rows_of_weight_two_are_compared_on_rows_that_are_there_twice(name: str) -> None:
    numbers = metric(name).needs is Needs.SCORES or name in {"mae", "rmse"}
    one = SCORES if numbers else ANSWERS
    two = np.clip(SCORES**1.5, 0.01, 0.99) if numbers else (P > 0.3).astype(float)
    often, blocks = np.random.default_rng(6).integers(1, 4, N), np.arange(N) % 12
    weighed = measure_paired(metric(name), LABELS, one, two, blocks=blocks, weights=often, rng=RNG)
    labels, first, second, days = (np.repeat(values, often) for values in (LABELS, one, two, blocks))
    repeated = measure_paired(metric(name), labels, first, second, blocks=days, rng=RNG)

    for found, expected in ((getattr(weighed, part), getattr(repeated, part)) for part in PARTS):
        assert found == pytest.approx(expected)


PARTS = ("champion", "challenger", "difference", "lower", "upper", "p_value")


@pytest.mark.parametrize(
    ("options", "problem"), [({"blocks": [0, 1], "weights": [1.0]}, "found shape"), ({"weights": [1, 1]}, "no blocks")]
)
def test_weights_of_a_comparison_must_be_weights_of_its_rows(options: dict[str, list[float]], problem: str) -> None:
    with pytest.raises(SampleError, match=problem):
        measure_paired(metric("accuracy"), [1, 0], [1, 1], [1, 0], rng=RNG, **options)  # type: ignore[arg-type]
