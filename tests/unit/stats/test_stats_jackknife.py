"""The block jackknife against cluster-robust errors, rows left out by hand, and what its parts are for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk

from vernal.errors import SampleError
from vernal.stats import jackknife
from vernal.stats.jackknife import jackknife_interval, paired_jackknife
from vernal.stats.metrics import METRICS, Needs, WeightedFunction, of_function


def _two_models(n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(1)
    labels = (rng.random(n) < 0.4).astype(np.int64)
    signal = labels + rng.normal(size=n)
    champion, challenger = (1 / (1 + np.exp(-signal - 0.5 * rng.normal(size=n))) for _ in range(2))
    return labels, champion, challenger


def _outputs(name: str, scores: NDArray[Any]) -> NDArray[Any]:
    return scores if METRICS[name].needs is Needs.SCORES else (scores > 0.5).astype(np.int64)


def _gains(gains: list[float], sizes: list[int] | None = None) -> dict[str, Any]:
    """Return labels, answers and days such that the mean absolute error of each day is better by its gain."""
    days = np.repeat(np.arange(len(gains)), sizes or [1] * len(gains))
    labels = np.zeros(days.size)
    return {
        "labels": labels,
        "champion": np.full(days.size, 10.0),
        "challenger": 10.0 - np.array(gains)[days],
        "blocks": days,
    }


SYMMETRIC = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


# ------------------------------------------------------------------------------------------------------ standard errors
@pytest.mark.parametrize("name", METRICS)
def test_the_error_is_that_of_metrics_without_the_rows_of_each_day(name: str) -> None:
    labels, a, b = _two_models(160)
    days = np.arange(160) % 8
    champion, challenger, asked = _outputs(name, a), _outputs(name, b), METRICS[name]
    found = paired_jackknife(asked, labels, champion, challenger, blocks=days)
    assert found.difference is not None
    without = []
    for day in range(8):
        kept = days != day
        before, after = asked.value(labels[kept], champion[kept]), asked.value(labels[kept], challenger[kept])
        assert before is not None
        assert after is not None
        without.append(asked.improvement(before, after))
    error = math.sqrt(7 / 8 * ((np.array(without) - found.difference) ** 2).sum())
    assert found.upper is not None
    assert found.lower is not None
    # Skewness can only widen one side, so the nearer bound shows the error itself; the days' shares differ slightly.
    reach = min(found.upper - found.difference, found.difference - found.lower)
    assert reach == pytest.approx(stats.t.ppf(0.95, 7) * error, rel=0.02)
    assert (found.blocks, found.rows, found.method) == (8, 160, "day-block jackknife")


@pytest.mark.parametrize("k", [4, 25])
def test_the_error_of_a_mean_over_equal_days_is_the_cluster_robust_one(k: int) -> None:
    rng, per_day = np.random.default_rng(2), 40
    days = np.repeat(np.arange(k), per_day)
    labels = rng.normal(size=k * per_day)
    champion = labels + rng.normal(size=k)[days] + rng.normal(size=k * per_day)
    challenger = labels + 0.5 * rng.normal(size=k * per_day)
    gains = (np.abs(champion - labels) - np.abs(challenger - labels)).reshape(k, per_day).mean(axis=1)
    found = paired_jackknife(METRICS["mae"], labels, champion, challenger, blocks=days)
    assert found.difference is not None
    assert found.lower is not None
    assert found.upper is not None
    reach = min(found.difference - found.lower, found.upper - found.difference)
    assert reach == pytest.approx(stats.t.ppf(0.95, k - 1) * stats.sem(gains), rel=1e-9)


def test_days_without_skewness_have_students_interval_and_p_value() -> None:
    found = paired_jackknife(METRICS["mae"], **_gains(SYMMETRIC))
    expected = stats.ttest_1samp(SYMMETRIC, 0.0)
    interval = expected.confidence_interval(0.9)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_a_day_with_half_of_the_rows_leaves_the_degrees_of_freedom_of_the_effective_number_of_days() -> None:
    """Shares of 1/2 and six of 1/12 are worth 1 / (1/4 + 6/144) days; the error is that of type CR3."""
    sizes = [60, *[10] * 6]
    found = paired_jackknife(METRICS["mae"], **_gains(SYMMETRIC, sizes))
    shares = np.array(sizes) / 120
    mean = float(shares @ SYMMETRIC)
    robust = shares * (np.array(SYMMETRIC) - mean) / (1 - shares)
    t = stats.t.ppf(0.95, 1 / (0.25 + 6 / 144) - 1)
    assert found.upper is not None
    assert found.lower is not None
    assert found.difference == pytest.approx(mean)
    nearer = min(found.upper - mean, mean - found.lower)
    assert nearer == pytest.approx(t * math.sqrt(6 / 7 * (robust**2).sum()))


@pytest.mark.parametrize("name", ["recall", "roc_auc", "accuracy"])
def test_days_count_by_what_the_metric_divides_by(name: str) -> None:
    """Of four equal days one has most of the class-1 rows: little for accuracy, nearly everything for recall."""
    labels = np.concatenate([np.repeat([1, 0], split) for split in ([70, 30], [10, 90], [10, 90], [10, 90])])
    shares = np.array([0.7, 0.1, 0.1, 0.1])
    if name == "roc_auc":
        shares = (shares + np.array([0.1, 0.3, 0.3, 0.3])) / 2
    elif name == "accuracy":
        shares = np.full(4, 0.25)
    worth = 1 / float(shares @ shares)
    rng, days = np.random.default_rng(3), np.repeat(np.arange(4), 100)
    scores = np.clip(0.5 * labels + 0.25 + rng.normal(scale=0.4, size=400), 0, 1)
    outputs = scores if name == "roc_auc" else (scores > 0.5).astype(np.int64)
    narrow, wide = (
        jackknife_interval(METRICS[name], labels, outputs, blocks=days, certainty=certainty)
        for certainty in (0.9, 0.95)
    )

    def reach(bound: float | None) -> float:
        assert bound is not None
        return math.log(bound / (1 - bound)) - math.log(wide.value / (1 - wide.value)) if wide.value else math.nan

    ratio = stats.t.ppf(0.95, worth - 1) / stats.t.ppf(0.9, worth - 1)
    assert reach(wide.upper) / reach(narrow.upper) == pytest.approx(ratio, rel=1e-6)


# ------------------------------------------------------------------------------------------------------------- skewness
def test_a_few_far_worse_days_move_the_lower_bound_out_and_never_the_upper_one_in() -> None:
    gains = [1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.1, -4.0]
    found = paired_jackknife(METRICS["mae"], **_gains(gains))
    error, skewness = float(stats.sem(gains)), float(stats.skew(gains, bias=False))
    t = stats.t.ppf(0.95, 7)
    assert found.upper == pytest.approx(np.mean(gains) + t * error)
    further = -skewness / math.sqrt(8) * (1 + 2 * t**2) / 6
    assert found.lower == pytest.approx(np.mean(gains) - (t + further) * error)
    assert further > 0.5


@pytest.mark.parametrize("shift", [-3.0, -0.5, 0.5, 3.0])
def test_the_p_value_is_the_one_at_which_the_bound_reaches_no_difference(shift: float) -> None:
    given = _gains([shift + gain for gain in [1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.1, -4.0]])
    p = paired_jackknife(METRICS["mae"], **given).p_value
    assert p is not None
    found = paired_jackknife(METRICS["mae"], **given, certainty=1 - p / 2)
    assert found.difference is not None
    bound = found.lower if found.difference > 0 else found.upper
    assert p < 1
    assert bound == pytest.approx(0.0, abs=1e-9)


def test_two_days_lean_to_no_side() -> None:
    found = paired_jackknife(METRICS["mae"], **_gains([1.0, 3.0]))
    t = stats.t.ppf(0.95, 1)
    assert (found.lower, found.upper) == pytest.approx((2 - t, 2 + t))


# ------------------------------------------------------------------------------------------------------------ functions
@pytest.mark.parametrize(
    ("name", "function"),
    [("f1", sk.f1_score), ("roc_auc", sk.roc_auc_score), ("brier", sk.brier_score_loss)],
)
def test_a_function_of_the_users_has_the_error_of_the_metric_it_is(name: str, function: WeightedFunction) -> None:
    labels, a, b = _two_models(150)
    champion, challenger, asked = _outputs(name, a), _outputs(name, b), METRICS[name]
    own = of_function(function, greater_is_better=asked.greater_is_better)
    expected, found = (
        paired_jackknife(each, labels, champion, challenger, blocks=np.arange(150) % 15) for each in (asked, own)
    )
    assert found.difference == pytest.approx(expected.difference, rel=1e-9)
    # A function does not say what it divides by, so its days count by their rows.
    assert found.lower == pytest.approx(expected.lower, rel=0.05)
    assert found.upper == pytest.approx(expected.upper, rel=0.05)


def test_blocks_left_out_in_pieces_are_those_left_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, a, b = _two_models(100)
    given: dict[str, Any] = {"blocks": np.arange(100) % 50}
    whole = paired_jackknife(METRICS["roc_auc"], labels, a, b, **given)
    monkeypatch.setattr(jackknife, "AT_ONCE", 700)
    pieces = paired_jackknife(METRICS["roc_auc"], labels, a, b, **given)
    assert (pieces.lower, pieces.upper) == pytest.approx((whole.lower, whole.upper), rel=1e-12)


# ---------------------------------------------------------------------------------------------------- what has no error
def test_a_metric_that_rests_on_one_day_has_a_value_and_no_bounds() -> None:
    labels, days = np.array([0, 1, 1, 0, 0, 0, 0, 0]), np.arange(8) // 2
    found = jackknife_interval(METRICS["recall"], labels, labels, blocks=np.where(days == 1, 0, days))
    assert (found.value, found.lower, found.upper) == (1.0, None, None)
    assert found.note == "recall rests on single blocks: without 1 of 3 it is undefined"
    pair = paired_jackknife(METRICS["recall"], labels, labels, labels, blocks=np.where(days == 1, 0, days))
    assert (pair.champion, pair.difference, pair.lower, pair.p_value, pair.method) == (1.0, None, None, None, "none")
    assert pair.note == found.note


@pytest.mark.parametrize(
    ("days", "certainty", "told"), [(2, 0.95, False), (4, 0.95, False), (5, 0.95, True), (5, 0.975, False)]
)
def test_few_days_that_happen_to_differ_alike_are_not_certainty(days: int, certainty: float, told: bool) -> None:
    """The sign test of two days has a p-value of one half; bounds without width would pass the improvement gate."""
    labels, day = np.ones(10 * days), np.repeat(np.arange(days), 10)
    better = np.where(np.arange(labels.size) % 10, 1, 0)
    worse = np.where(np.arange(labels.size) % 10 < 2, 0, 1)
    found = paired_jackknife(METRICS["accuracy"], labels, worse, better, blocks=day, certainty=certainty)
    assert (found.lower is not None) is told
    assert told or (found.difference is None and "too few" in found.note)
    if told:
        assert found.lower == found.upper == found.difference
        assert found.p_value == pytest.approx(2 * 0.5**days)


def test_equal_models_differ_by_nothing() -> None:
    labels, a, _ = _two_models(60)
    found = paired_jackknife(METRICS["log_loss"], labels, a, a, blocks=np.arange(60) % 6)
    assert (found.difference, found.lower, found.upper, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_one_block_says_nothing_of_its_error() -> None:
    labels = [1.0, 2.0, 3.0]
    found = jackknife_interval(METRICS["mae"], labels, labels, blocks=[5, 5, 5])
    assert (found.value, found.lower, found.upper) == (0.0, None, None)
    assert found.note == "one block only: its rows say nothing about another"
    pair = paired_jackknife(METRICS["mae"], labels, labels, labels, blocks=[5, 5, 5])
    assert (pair.difference, pair.blocks, pair.note) == (None, 1, found.note)


# --------------------------------------------------------------------------------------------------------------- ranges
def test_a_perfect_area_has_the_exact_bound_of_the_days_it_is_worth() -> None:
    labels = np.array([*[1, 0] * 6, *[0] * 4])
    found = jackknife_interval(METRICS["roc_auc"], labels, labels, blocks=np.repeat(np.arange(4), 4))
    shares = (np.array([2, 2, 2, 0]) / 6 + np.array([2, 2, 2, 4]) / 10) / 2
    worth = 1 / float(shares @ shares)
    assert (found.value, found.upper) == (1.0, 1.0)
    assert found.lower == pytest.approx(0.05 ** (1 / worth))


def test_a_difference_of_shares_never_exceeds_one() -> None:
    labels = np.arange(8) % 2
    found = paired_jackknife(
        METRICS["accuracy"], labels, [0, 1, 0, 1, 0, 1, 1, 0], [1, 0] * 4, blocks=np.arange(8) // 2, certainty=0.999
    )
    assert (found.lower, found.upper) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"certainty": 1.0}, "certainty"),
        ({"blocks": [1, 2]}, r"blocks: found shape \(2,\), expected \(3,\)"),
    ],
)
def test_an_option_out_of_its_range_is_refused(given: dict[str, Any], message: str) -> None:
    numbers = [1.0, 2.0, 3.0]
    asked = {"blocks": [1, 2, 3], **given}
    with pytest.raises(SampleError, match=message):
        jackknife_interval(METRICS["mae"], numbers, numbers, **asked)
    with pytest.raises(SampleError, match=message):
        paired_jackknife(METRICS["mae"], numbers, numbers, numbers, **asked)
