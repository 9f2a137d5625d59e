"""Calibration maps: monotone, right on average, sure of nothing, and able to say what they owe to each block."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from vernal.errors import SampleError
from vernal.stats.arrays import Floats
from vernal.stats.calibration import Calibration, fit_calibration


def drawn(seed: int, rows: int, a: float = 1.0, b: float = 1.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.beta(a, b, rows)
    return p, (rng.random(rows) < p).astype(np.float64)


def three_classes(seed: int, rows: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], rows)
    return p, (p.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)


def test_the_knots_are_scikit_learns_isotonic_regression_on_the_bins() -> None:
    rng = np.random.default_rng(0)
    scores = np.repeat(np.arange(12.0), 25)  # every score is a bin of its own
    labels = (rng.random(scores.size) < 0.3 + 0.03 * scores).astype(float)
    (fitted,) = fit_calibration(scores, labels, bins=12).maps
    by_score = labels.reshape(12, 25).mean(axis=1)
    assert fitted.scores == pytest.approx(np.arange(12.0))
    assert fitted.values == pytest.approx(IsotonicRegression().fit_transform(np.arange(12.0), by_score))
    assert (np.diff(by_score) < 0).any()
    assert len(fitted.variances) < len(fitted.values)


def test_a_block_has_the_smoothed_binomial_variance_of_its_rows() -> None:
    calibration = fit_calibration([0.1] * 50 + [0.9] * 50, [0] * 50 + [0] * 20 + [1] * 30)
    (fitted,) = calibration.maps
    assert fitted.values == (0.0, 0.6)
    smooth = np.array([0.5 / 51, 30.5 / 51])
    assert fitted.variances == pytest.approx(smooth * (1 - smooth) / 50)


def test_blocks_of_one_of_several_classes_have_poisson_variances() -> None:
    scores = np.column_stack(([0.1] * 50 + [0.9] * 50, [0.9] * 50 + [0.1] * 50))
    calibration = fit_calibration(scores, [1] * 50 + [1] * 20 + [0] * 30)
    smooth = np.array([0.5 / 51, 30.5 / 51])
    assert calibration.maps[0].variances == pytest.approx(smooth / 50)


def test_the_mean_probability_of_a_bin_is_its_observed_frequency_so_a_rare_class_stays_rare() -> None:
    p, labels = drawn(1, 5000, 0.15, 10)
    calibration = fit_calibration(p, labels)
    assert calibration.apply(p).mean() == pytest.approx(labels.mean(), rel=0.1)


def test_a_rare_class_gets_bins_where_it_occurs() -> None:
    p, labels = drawn(2, 2000, 0.15, 3)
    (fitted,) = fit_calibration(p, labels).maps
    top = np.quantile(p, 0.95)
    assert sum(score > top for score in fitted.scores) >= 3 * 0.05 * len(fitted.scores)


def test_a_map_rises_and_is_constant_beyond_its_ends() -> None:
    p, labels = drawn(3, 500)
    calibration = fit_calibration(p, labels)
    values = calibration.apply(np.linspace(-5, 5, 1001))
    assert (np.diff(values) >= 0).all()
    assert (values[0], values[-1]) == (calibration.maps[0].values[0], calibration.maps[0].values[-1])


def test_scores_that_are_no_probabilities_are_mapped_all_the_same() -> None:
    p, labels = drawn(4, 4000)
    margins = np.log(p / (1 - p))
    calibration = fit_calibration(margins, labels)
    assert calibration.error_before is None
    assert np.abs(calibration.apply(margins) - p).mean() < 0.05


def test_scores_the_wrong_way_round_tell_nothing_but_the_base_rate() -> None:
    p, labels = drawn(5, 2000)
    assert fit_calibration(1 - p, labels).apply([0.1, 0.9]) == pytest.approx([labels.mean()] * 2, abs=0.02)


def test_more_bins_give_more_knots_and_fewer_a_coarser_map() -> None:
    p, labels = drawn(6, 1000)
    assert len(fit_calibration(p, labels, bins=2).maps[0].scores) == 2
    assert len(fit_calibration(p, labels, bins=40).maps[0].scores) == 40
    assert len(fit_calibration(p, labels).maps[0].scores) == 20


def test_a_single_bin_or_a_single_row_is_a_constant() -> None:
    p, labels = drawn(7, 200)
    assert fit_calibration(p, labels, bins=1).apply([0.0, 1.0]) == pytest.approx([labels.mean()] * 2)
    assert fit_calibration([0.4], [1]).apply([0.0, 1.0]).tolist() == [1.0, 1.0]


def test_the_calibration_error_falls_where_calibration_was_needed_and_not_where_it_was_not() -> None:
    p, labels = drawn(8, 10_000)
    fine, skewed = fit_calibration(p, labels), fit_calibration(p**3, labels)
    assert fine.error_before is not None
    assert skewed.error_before is not None
    assert fine.error_before == pytest.approx(fine.error_by_chance, rel=0.4)
    assert skewed.error_before > 5 * skewed.error_by_chance
    assert skewed.error_after == pytest.approx(skewed.error_by_chance, rel=0.4)


def test_the_error_before_is_the_mean_distance_over_bins_of_equal_mass() -> None:
    calibration = fit_calibration([0.2] * 50 + [0.7] * 50, [0] * 45 + [1] * 5 + [0] * 25 + [1] * 25, bins=2)
    assert calibration.error_before == pytest.approx((0.1 + 0.2) / 2)


def test_rows_of_several_classes_add_up_to_one_even_where_every_map_gives_zero() -> None:
    p, labels = three_classes(9, 2000)
    calibration = fit_calibration(p, labels)
    assert calibration.apply(p).sum(axis=1) == pytest.approx(np.ones(2000))
    never = fit_calibration(np.eye(3)[[0, 1, 2] * 20], [0, 1, 2] * 20)
    assert never.apply([[0.0, 0.0, 0.0]])[0] == pytest.approx([1 / 3] * 3)
    assert never.variance([[0.0, 0.0, 0.0]], np.ones((1, 3))) == 0.0


@pytest.mark.parametrize("classes", [1, 3])
def test_the_variance_is_that_of_the_blocks_by_finite_differences(classes: int) -> None:
    rng = np.random.default_rng(10)
    scores, labels = drawn(10, 600) if classes == 1 else three_classes(10, 600)
    calibration = fit_calibration(scores, labels, bins=8)
    window = scores[:40] * 1.1 - 0.05  # some beyond the ends
    gradient = rng.normal(size=window.shape)

    def moved(one: int, block: int, by: float) -> Calibration:
        old = calibration.maps[one]
        values = tuple(v + by * (b == block) for v, b in zip(old.values, old.blocks, strict=True))
        maps = list(calibration.maps)
        maps[one] = msgspec.structs.replace(old, values=values)
        return msgspec.structs.replace(calibration, maps=tuple(maps))

    by_hand, step = 0.0, 1e-5
    for one, fitted in enumerate(calibration.maps):
        for block, variance in enumerate(fitted.variances):
            up, down = (moved(one, block, sign * step).apply(window) for sign in (1, -1))
            by_hand += float((gradient * (up - down)).sum() / (2 * step)) ** 2 * variance
    assert calibration.variance(window, gradient) == pytest.approx(by_hand, rel=1e-6)


def test_a_calibration_survives_being_stored() -> None:
    calibration = fit_calibration(*three_classes(11, 300))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(calibration), type=Calibration) == calibration
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration


@pytest.mark.parametrize(
    ("scores", "labels", "options", "message"),
    [
        ([], [], {}, "found no rows"),
        ([0.1, 0.2], [1], {}, r"labels: found shape \(1,\)"),
        ([0.1, math.nan], [0, 1], {}, "NaN or infinite"),
        ([0.1, 0.2], [0, 2], {}, "found 2, expected whole numbers from 0 to 1"),
        ([0.1, 0.2], [0, 0.5], {}, r"found 0\.5"),
        ([0.1, 0.2], ["no", "yes"], {}, "found no"),
        ([[0.1, 0.9, 0.0]], [3], {}, "from 0 to 2"),
        ([[[0.1]]], [0], {}, "expected one score, or one per class"),
        ([0.1, 0.2], [0, 1], {"bins": 0}, "bins: found 0"),
    ],
)
def test_what_is_no_labelled_sample_of_scores_is_refused(
    scores: list[float], labels: list[int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        fit_calibration(scores, labels, **options)


def test_scores_of_other_columns_than_the_calibration_has_are_refused() -> None:
    with pytest.raises(SampleError, match="found 2 columns, expected 1"):
        fit_calibration(*drawn(12, 50)).apply([[0.1, 0.9]])
