"""The bootstrap against resampled rows written out, analytic standard errors, and its own other paths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk

from vernal.errors import SampleError
from vernal.stats import bootstrap
from vernal.stats.bootstrap import bootstrap_interval, paired_bootstrap
from vernal.stats.intervals import PairedInterval, clopper_pearson
from vernal.stats.metrics import METRICS, Needs, WeightedFunction, of_function
from vernal.stats.weighted import weighted

T95 = stats.t.ppf(0.95, np.arange(1, 5001))


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _two_models(n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    rng = _rng(1)
    labels = (rng.random(n) < 0.4).astype(np.int64)
    signal = labels + rng.normal(size=n)
    champion, challenger = (1 / (1 + np.exp(-signal - 0.5 * rng.normal(size=n))) for _ in range(2))
    return labels, champion, challenger


def _outputs(name: str, scores: NDArray[Any]) -> NDArray[Any]:
    return scores if METRICS[name].needs is Needs.SCORES else (scores > 0.5).astype(np.int64)


def _error(found: PairedInterval, units: int) -> float:
    assert found.upper is not None
    assert found.lower is not None
    return (found.upper - found.lower) / 2 / float(T95[units - 2])


# ---------------------------------------------------------------------------------- the metric as a function of weights
@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("blocks", [7, 120], ids=["blocks", "rows"])
def test_a_weighted_metric_is_the_metric_of_rows_written_out(name: str, blocks: int) -> None:
    labels, scores, _ = _two_models(120)
    scores, codes = np.round(scores, 1), np.arange(120) % blocks
    weights = _rng().multinomial(blocks, np.full(blocks, 1 / blocks), size=5)
    outputs = _outputs(name, scores)
    found = weighted(METRICS[name], labels, outputs, codes, blocks)(weights.astype(np.float64))
    for one, drawn in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(120), drawn[codes])
        assert one == pytest.approx(METRICS[name].value(labels[rows], outputs[rows]), rel=1e-12)


def test_the_weighted_area_is_scikit_learns_whether_pairs_are_counted_beforehand_or_rows_sorted() -> None:
    labels, scores, _ = _two_models(900)
    scores = np.round(scores, 2)
    for blocks in (20, 450, 900):
        codes = np.arange(900) % blocks
        weights = _rng().multinomial(blocks, np.full(blocks, 1 / blocks), size=3).astype(np.float64)
        found = weighted(METRICS["roc_auc"], labels, scores, codes, blocks)(weights)
        expected = [sk.roc_auc_score(labels, scores, sample_weight=drawn[codes]) for drawn in weights]
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("blocks", [2, 500])
def test_a_resample_of_one_class_has_no_area(blocks: int) -> None:
    labels = np.arange(500) % 2
    weights = np.zeros((1, blocks))
    weights[0, 0] = blocks
    assert np.isnan(weighted(METRICS["roc_auc"], labels, labels, np.arange(500) % blocks, blocks)(weights)).all()


# ------------------------------------------------------------------------------------------------------ standard errors
@pytest.mark.parametrize("name", ["roc_auc", "f1", "brier", "log_loss", "precision"])
def test_the_paired_bootstrap_has_the_spread_of_resampled_rows_written_out(name: str) -> None:
    labels, a, b = _two_models(150)
    champion, challenger, asked = _outputs(name, a), _outputs(name, b), METRICS[name]
    rng, differences = _rng(5), []
    for _ in range(2000):
        rows = rng.integers(0, 150, size=150)
        before, after = asked.value(labels[rows], champion[rows]), asked.value(labels[rows], challenger[rows])
        assert before is not None
        assert after is not None
        differences.append(asked.improvement(before, after))
    plain = float(np.std(differences)) * math.sqrt(150 / 149)
    found = paired_bootstrap(asked, labels, champion, challenger, rng=_rng(), resamples=4000)
    assert _error(found, 150) == pytest.approx(plain, rel=0.08)  # four standard errors of both simulations


@pytest.mark.parametrize("n", [400, 5000], ids=["drawn", "normal"])
def test_the_spread_of_a_mean_is_its_standard_error(n: int) -> None:
    labels, a, b = _two_models(n)
    differences = (a - labels) ** 2 - (b - labels) ** 2
    found = paired_bootstrap(METRICS["brier"], labels, a, b, rng=_rng(), resamples=4000)
    assert found.difference == pytest.approx(differences.mean())
    assert _error(found, n) == pytest.approx(stats.sem(differences), rel=0.05)


def test_weights_drawn_in_pieces_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, a, b = _two_models(100)
    whole = paired_bootstrap(METRICS["roc_auc"], labels, a, b, rng=_rng())
    monkeypatch.setattr(bootstrap, "AT_ONCE", 700)
    pieces = paired_bootstrap(METRICS["roc_auc"], labels, a, b, rng=_rng())
    assert (pieces.lower, pieces.upper) == pytest.approx((whole.lower, whole.upper), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------ functions
@pytest.mark.parametrize(
    ("name", "function"),
    [("f1", sk.f1_score), ("roc_auc", sk.roc_auc_score), ("brier", sk.brier_score_loss)],
)
def test_a_function_of_the_users_has_the_interval_of_the_metric_it_is(name: str, function: WeightedFunction) -> None:
    labels, a, b = _two_models(150)
    champion, challenger, asked = _outputs(name, a), _outputs(name, b), METRICS[name]
    own = of_function(function, greater_is_better=asked.greater_is_better)
    expected, found = (
        paired_bootstrap(each, labels, champion, challenger, rng=_rng(), resamples=50) for each in (asked, own)
    )
    for field in ("champion", "challenger", "difference", "lower", "upper", "p_value"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), rel=1e-9)


def test_the_direction_of_a_function_turns_the_difference_round() -> None:
    labels, a, b = _two_models(80)
    up, down = (
        paired_bootstrap(
            of_function(sk.brier_score_loss, greater_is_better=greater), labels, a, b, rng=_rng(), resamples=20
        )
        for greater in (True, False)
    )
    assert up.difference is not None
    assert up.lower is not None
    assert (down.difference, down.upper) == pytest.approx((-up.difference, -up.lower))


def _needs_both_classes(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
    if len(set(labels.tolist())) < 2:
        raise ValueError("only one class")
    return float(np.average(labels == outputs, weights=sample_weight))


def test_resamples_that_a_function_refuses_are_left_out() -> None:
    labels = np.array([1, 0, 0, 0, 0, 0])
    found = bootstrap_interval(
        of_function(_needs_both_classes, greater_is_better=True), labels, np.zeros(6), rng=_rng(), resamples=300
    )
    assert found.lower is not None
    assert found.lower < 5 / 6


def test_a_function_refused_in_most_resamples_has_a_value_and_no_bounds() -> None:
    labels = np.array([1, 0, 0, 0])

    def only_whole(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        return 1.0 if len(labels) == 4 else math.nan

    asked = of_function(only_whole, greater_is_better=True)
    found = bootstrap_interval(asked, labels, labels, rng=_rng(), resamples=50)
    assert (found.value, found.lower, found.upper) == (1.0, None, None)
    assert "only_whole is undefined in" in found.note
    pair = paired_bootstrap(asked, labels, labels, labels, rng=_rng(), resamples=50)
    assert (pair.champion, pair.difference, pair.lower, pair.p_value) == (1.0, None, None, None)
    assert "of 50 resamples" in pair.note


# --------------------------------------------------------------------------------------------------------------- ranges
def test_a_perfect_f1_has_the_exact_bound_of_the_share_of_hits_mapped_to_f1() -> None:
    found = bootstrap_interval(METRICS["f1"], [1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], rng=_rng())
    hits = clopper_pearson(3, 3).lower
    assert hits is not None
    assert (found.value, found.lower, found.upper) == pytest.approx((1.0, 2 * hits / (1 + hits), 1.0))


def test_the_upper_bound_of_an_f1_of_0_is_that_of_the_share_of_hits_mapped_to_f1() -> None:
    labels, answers = np.repeat([1, 0], 500), np.repeat([0, 1], 500)
    hits = clopper_pearson(0, 1000).upper
    assert hits is not None
    found = bootstrap_interval(METRICS["f1"], labels, answers, rng=_rng())
    assert found.upper == pytest.approx(2 * hits / (1 + hits))


def test_a_perfect_area_rests_on_the_smaller_class() -> None:
    labels = np.array([1, 1, 1, *[0] * 30])
    found = bootstrap_interval(METRICS["roc_auc"], labels, labels, rng=_rng())
    assert found.lower == pytest.approx(clopper_pearson(3, 3).lower)


def test_one_defined_resample_of_two_has_no_spread() -> None:
    calls = iter([1.0, 1.0, math.nan])

    def once(labels: NDArray[Any], outputs: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        return next(calls)

    asked = of_function(once, greater_is_better=True)
    found = bootstrap_interval(asked, np.arange(3), np.arange(3), rng=_rng(), resamples=2)
    assert (found.lower, found.note) == (None, "once is undefined in 1 of 2 resamples")


def test_bounds_of_a_loss_stay_above_0_and_those_of_a_function_need_not() -> None:
    labels, guesses = np.zeros(6), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 10.0])
    loss = bootstrap_interval(METRICS["mae"], labels, guesses, rng=_rng())
    plain = bootstrap_interval(
        of_function(sk.mean_absolute_error, greater_is_better=False), labels, guesses, rng=_rng()
    )
    assert loss.lower is not None
    assert plain.lower is not None
    assert loss.lower > 0 > plain.lower


def test_the_upper_bound_of_a_skewed_loss_is_that_of_studentised_resamples_written_out() -> None:
    errors = _rng(3).lognormal(sigma=1.5, size=120)
    rng, fallen_short = _rng(4), []
    for _ in range(4000):
        drawn = errors[rng.integers(0, 120, size=120)]
        fallen_short.append((drawn.mean() - errors.mean()) / stats.sem(drawn))
    expected = errors.mean() - np.quantile(fallen_short, 0.05) * stats.sem(errors)
    found = bootstrap_interval(METRICS["mae"], np.zeros(120), errors, rng=_rng(), resamples=4000)
    assert found.upper == pytest.approx(expected, rel=0.03)
    assert expected > errors.mean() + 2 * stats.sem(errors)


def test_over_many_rows_the_upper_bound_of_a_skewed_loss_is_johnsons() -> None:
    errors = _rng(3).lognormal(sigma=2, size=2500)
    t = stats.t.ppf(0.95, 2499)
    quantile = t + stats.skew(errors) / 50 * (1 + 2 * t**2) / 6
    found = bootstrap_interval(METRICS["mae"], np.zeros(2500), errors, rng=_rng())
    assert found.upper == pytest.approx(errors.mean() + quantile * stats.sem(errors), rel=1e-6)


def test_the_upper_bound_of_a_root_is_the_root_of_that_of_the_squares() -> None:
    errors = _rng(3).lognormal(sigma=1, size=120)
    root, squares = (
        bootstrap_interval(METRICS[name], np.zeros(120), rows, rng=_rng()).upper
        for name, rows in (("rmse", errors), ("mae", errors**2))
    )
    assert squares is not None
    assert root == pytest.approx(math.sqrt(squares))


def test_a_difference_of_shares_never_exceeds_one() -> None:
    labels = np.arange(8) % 2
    found = paired_bootstrap(METRICS["f1"], labels, [0, 1, 0, 1, 0, 1, 1, 0], [1, 0] * 4, rng=_rng(), certainty=0.999)
    assert found.lower is not None
    assert found.upper is not None
    assert -1.0 <= found.lower <= found.upper <= 1.0


# -------------------------------------------------------------------------------------------------------------- options
def test_equal_models_differ_by_nothing() -> None:
    labels, a, _ = _two_models(60)
    found = paired_bootstrap(METRICS["log_loss"], labels, a, a, rng=_rng())
    assert (found.difference, found.lower, found.upper, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_that_every_unit_shows_has_the_p_value_of_a_sign_test() -> None:
    labels = np.arange(6.0)
    found = paired_bootstrap(METRICS["mae"], labels, labels + 1, labels, rng=_rng())
    assert (found.difference, found.lower) == (1.0, 1.0)
    assert found.p_value == pytest.approx(2 * 0.5**6)


def test_few_rows_that_happen_to_differ_alike_are_not_certainty() -> None:
    labels = np.arange(4.0)
    found = paired_bootstrap(METRICS["mae"], labels, labels + 1, labels, rng=_rng())
    assert (found.difference, found.note) == (None, "all 4 rows differ alike, too few to tell their error")


def test_more_resamples_settle_the_bounds() -> None:
    labels, a, b = _two_models(80)

    def spread(resamples: int) -> float:
        bounds = [
            paired_bootstrap(METRICS["brier"], labels, a, b, rng=_rng(seed), resamples=resamples).lower
            for seed in range(12)
        ]
        return float(np.std(np.array(bounds, dtype=np.float64)))

    assert spread(2000) < spread(20) / 3


def test_a_single_row_says_nothing_of_its_error() -> None:
    found = bootstrap_interval(METRICS["mae"], [1.0], [1.0], rng=_rng())
    assert (found.value, found.lower, found.upper) == (0.0, None, None)
    assert found.note == "one row only: it says nothing about another"
    pair = paired_bootstrap(METRICS["mae"], [1.0], [1.0], [1.0], rng=_rng())
    assert (pair.difference, pair.blocks, pair.note) == (None, 1, found.note)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"certainty": 1.0}, "certainty"),
        ({"resamples": 1}, "resamples: found 1, expected at least 2"),
    ],
)
def test_an_option_out_of_its_range_is_refused(given: dict[str, Any], message: str) -> None:
    numbers = [1.0, 2.0, 3.0]
    with pytest.raises(SampleError, match=message):
        bootstrap_interval(METRICS["mae"], numbers, numbers, rng=_rng(), **given)
    with pytest.raises(SampleError, match=message):
        paired_bootstrap(METRICS["mae"], numbers, numbers, numbers, rng=_rng(), **given)
