"""Which method measures which metric, and what each option changes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from vernal.errors import SampleError
from vernal.stats.areas import delong, paired_delong
from vernal.stats.intervals import Interval, PairedInterval, clopper_pearson
from vernal.stats.metrics import METRICS, Needs, of_function
from vernal.stats.paired import paired_accuracy
from vernal.stats.performance import measure, measure_paired

N = 200
LABELS = (np.random.default_rng(0).random(N) < 0.4).astype(np.int64)
SCORES = [1 / (1 + np.exp(0.5 - LABELS - np.random.default_rng(seed).normal(size=N))) for seed in (1, 2)]
DAYS = np.arange(N) // 20


def _outputs(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = SCORES
    if METRICS[name].needs is Needs.SCORES or name in {"mae", "rmse"}:
        return first, second
    return (first > 0.5).astype(np.int64), (second > 0.5).astype(np.int64)


def _measure(name: str, seed: int = 0, *, blocks: ArrayLike | None = None, certainty: float = 0.95) -> Interval:
    rng = np.random.default_rng(seed)
    return measure(METRICS[name], LABELS, _outputs(name)[0], rng=rng, blocks=blocks, certainty=certainty)


def _measure_paired(
    name: str, seed: int = 0, *, blocks: ArrayLike | None = None, certainty: float = 0.95
) -> PairedInterval:
    rng = np.random.default_rng(seed)
    return measure_paired(METRICS[name], LABELS, *_outputs(name), rng=rng, blocks=blocks, certainty=certainty)


def _width(found: Interval | PairedInterval) -> float:
    assert found.upper is not None
    assert found.lower is not None
    return found.upper - found.lower


def test_accuracy_precision_and_recall_are_proportions_of_the_rows_they_divide_by() -> None:
    answers = _outputs("accuracy")[0]
    hits = int((LABELS & answers).sum())
    for name, successes, rows in (
        ("accuracy", int((answers == LABELS).sum()), N),
        ("precision", hits, int(answers.sum())),
        ("recall", hits, int(LABELS.sum())),
    ):
        expected, found = clopper_pearson(successes, rows), _measure(name)
        assert (found.value, found.lower, found.upper) == (expected.value, expected.lower, expected.upper)
        assert (found.rows, found.method) == (N, "clopper-pearson")


def test_the_area_is_measured_by_delong() -> None:
    first, second = _outputs("roc_auc")
    assert _measure("roc_auc") == delong(LABELS, first)
    assert _measure_paired("roc_auc") == paired_delong(LABELS, first, second)


def test_two_accuracies_are_compared_by_their_table() -> None:
    first, second = _outputs("accuracy")
    assert _measure_paired("accuracy") == paired_accuracy(first == LABELS, second == LABELS)


@pytest.mark.parametrize("name", ["f1", "log_loss", "brier", "mae", "rmse"])
def test_the_others_are_resampled(name: str) -> None:
    assert _measure(name).method == "bootstrap"
    assert _measure_paired(name).method == "paired bootstrap"


@pytest.mark.parametrize("name", METRICS)
def test_blocks_make_every_metric_a_jackknife_over_blocks(name: str) -> None:
    alone, pair = _measure(name, blocks=DAYS), _measure_paired(name, blocks=DAYS)
    assert alone.method == pair.method == "day-block jackknife"
    assert (pair.blocks, _measure_paired(name).blocks) == (10, N)
    assert alone.lower != _measure(name).lower
    assert pair.lower != _measure_paired(name).lower


@pytest.mark.parametrize("name", METRICS)
def test_blocks_that_repeat_each_row_widen_the_interval_to_what_the_distinct_rows_tell(name: str) -> None:
    labels, first, second = (np.repeat(x[:50], 4) for x in (LABELS, *_outputs(name)))
    blocks = np.repeat(np.arange(50), 4)
    given: dict[str, Any] = {"rng": np.random.default_rng(0)}
    assert _width(measure(METRICS[name], labels, first, blocks=blocks, **given)) > 1.4 * _width(
        measure(METRICS[name], labels, first, **given)
    )
    assert _width(measure_paired(METRICS[name], labels, first, second, blocks=blocks, **given)) > 1.4 * _width(
        measure_paired(METRICS[name], labels, first, second, **given)
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("blocks", [None, DAYS], ids=["rows", "days"])
def test_more_certainty_is_a_wider_interval(name: str, blocks: ArrayLike | None) -> None:
    for call in (_measure, _measure_paired):
        widths = [_width(call(name, certainty=c, blocks=blocks)) for c in (0.8, 0.95, 0.99)]
        assert widths == sorted(widths)
        assert widths[0] < widths[2]


@pytest.mark.parametrize("name", ["f1", "brier"])
def test_the_random_numbers_are_the_callers(name: str) -> None:
    assert _measure(name, seed=3) == _measure(name, seed=3) != _measure(name, seed=4)
    assert _measure_paired(name, seed=3) == _measure_paired(name, seed=3) != _measure_paired(name, seed=4)


@pytest.mark.parametrize("name", ["accuracy", "roc_auc"])
def test_what_has_a_formula_draws_no_random_numbers(name: str) -> None:
    rng = np.random.default_rng(0)
    measure(METRICS[name], LABELS, _outputs(name)[0], rng=rng)
    measure_paired(METRICS[name], LABELS, *_outputs(name), rng=rng)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_the_number_of_resamples_is_the_callers() -> None:
    rows = 50
    counted = 0

    def counting(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        nonlocal counted
        counted += 1
        return float(np.average(labels == outputs, weights=sample_weight))

    asked, answers = of_function(counting, greater_is_better=True), _outputs("f1")[0][:rows]
    measure(asked, LABELS[:rows], answers, rng=np.random.default_rng(0), resamples=30)
    assert counted == 1 + 30
    counted = 0
    measure_paired(asked, LABELS[:rows], answers, answers, rng=np.random.default_rng(0), resamples=40)
    assert counted == 2 * (1 + 40)


def test_a_function_is_measured_like_any_metric() -> None:
    asked = of_function(sk.balanced_accuracy_score, greater_is_better=True)
    first, second = _outputs("f1")
    rng = np.random.default_rng(0)
    alone = measure(asked, LABELS, first, rng=rng, resamples=50)
    pair = measure_paired(asked, LABELS, first, second, rng=rng, blocks=DAYS, resamples=50)
    assert alone.value == pair.champion == pytest.approx(sk.balanced_accuracy_score(LABELS, first))
    assert pair.blocks == 10
    assert 0 < _width(alone) < 0.3


@pytest.mark.parametrize(
    ("name", "labels", "outputs", "note"),
    [
        ("roc_auc", [1, 1], [0.2, 0.3], "one class only"),
        ("f1", [0, 0], [0, 0], "no row of class 1, neither predicted nor true"),
        ("precision", [1, 0], [0, 0], "no row predicted to be of class 1"),
        ("recall", [0, 0], [1, 0], "no row of class 1"),
        *((name, [], [], "no rows") for name in METRICS),
    ],
)
def test_an_undefined_metric_is_a_result_with_a_reason(
    name: str, labels: list[int], outputs: list[float], note: str
) -> None:
    rng = np.random.default_rng(0)
    alone = measure(METRICS[name], labels, outputs, rng=rng)
    assert (alone.value, alone.lower, alone.upper, alone.note) == (None, None, None, note)
    for blocks in (None, np.zeros(len(labels))):
        pair = measure_paired(METRICS[name], labels, outputs, outputs, rng=rng, blocks=blocks)
        assert (pair.difference, pair.lower, pair.upper, pair.p_value) == (None, None, None, None)
        assert (pair.note, pair.method, pair.rows) == (note, "none", len(labels))


def test_a_metric_undefined_for_one_of_two_models_has_the_value_of_the_other() -> None:
    found = measure_paired(METRICS["precision"], [1, 0], [0, 0], [1, 0], rng=np.random.default_rng(0))
    assert (found.champion, found.challenger, found.difference) == (None, 1.0, None)


def test_one_block_gives_no_difference() -> None:
    found = _measure_paired("accuracy", blocks=np.zeros(N))
    assert (found.difference, found.blocks) == (None, 1)
    assert found.note == "one block only: its rows say nothing about another"


@pytest.mark.parametrize("name", METRICS)
def test_models_of_different_length_are_refused(name: str) -> None:
    first, second = _outputs(name)
    with pytest.raises(SampleError, match="found shape"):
        measure_paired(METRICS[name], LABELS, first, second[1:], rng=np.random.default_rng(0))


def test_a_share_is_bounded_without_importing_scipy() -> None:
    """Its import would take longer than the check."""
    code = (
        "import sys, numpy as np;"
        "from vernal.stats.metrics import METRICS; from vernal.stats.performance import measure;"
        "found = measure(METRICS['accuracy'], np.ones(9), np.arange(9) > 1, rng=np.random.default_rng(0));"
        "assert found.lower < found.upper; assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
