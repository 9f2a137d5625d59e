"""Calibration maps: smooth between bins, right on average, sure of nothing, able to say what they owe to each bin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

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


def test_the_values_are_the_frequencies_of_the_bins_even_where_they_contradict_the_order() -> None:
    rng = np.random.default_rng(0)
    scores = np.repeat(np.arange(12.0), 25)  # every score is a bin of its own
    labels = (rng.random(scores.size) < 0.3 + 0.03 * scores).astype(float)
    calibration = fit_calibration(scores, labels, bins=12)
    by_score = labels.reshape(12, 25).mean(axis=1)
    assert calibration.maps[0].values == pytest.approx(by_score)
    assert calibration.apply(np.arange(12.0)) == pytest.approx(by_score)
    assert (np.diff(by_score) < 0).any()


def test_between_its_bins_a_map_bends_as_the_smooth_model_does() -> None:
    p, labels = drawn(13, 20_000)
    scores = np.linspace(0.02, 0.98, 200) ** 3
    found = fit_calibration(p**3, labels, bins=4).apply(scores)
    assert np.abs(found - np.cbrt(scores)).max() < 0.03  # chords of the cube root between four bins miss by 0.1


def test_a_bin_has_the_smoothed_binomial_variance_of_its_rows() -> None:
    calibration = fit_calibration([0.1] * 50 + [0.9] * 50, [0] * 50 + [0] * 20 + [1] * 30)
    (fitted,) = calibration.maps
    assert fitted.values == (0.0, 0.6)
    smooth = np.array([0.5 / 51, 30.5 / 51])
    assert fitted.variances == pytest.approx(smooth * (1 - smooth) / 50)


def test_bins_of_one_of_several_classes_have_poisson_variances() -> None:
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
    top = np.quantile(p, 0.95)  # the probabilities are honest, so that the model expects about the scores
    assert sum(expected > top for expected in fitted.expected) >= 3 * 0.05 * len(fitted.expected)


def test_beyond_its_bins_a_map_runs_on_to_zero_and_one() -> None:
    p, labels = drawn(3, 5000)
    calibration = fit_calibration(p, labels)
    values = calibration.apply([0.0, 0.001, 0.01, 0.99, 0.999, 1.0])
    assert (np.diff(values) >= 0).all()
    assert values[0] < min(calibration.maps[0].values)
    assert values[-1] > max(calibration.maps[0].values)


@pytest.mark.parametrize("label", [0, 1])
def test_where_only_one_label_was_seen_no_score_speaks_for_the_other(label: int) -> None:
    p, _ = drawn(3, 200)
    assert fit_calibration(p, np.full(200, label)).apply([0.0, 0.5, 1.0]).tolist() == [label] * 3


def test_scores_that_are_no_probabilities_are_mapped_all_the_same() -> None:
    p, labels = drawn(4, 4000)
    margins = np.log(p / (1 - p))
    calibration = fit_calibration(margins, labels)
    assert calibration.error_before is None
    assert np.abs(calibration.apply(margins) - p).mean() < 0.05


@pytest.mark.parametrize("far", [1e9, 1e300])
def test_a_score_far_out_does_not_rule_the_map(far: float) -> None:
    p, labels = drawn(4, 4000)
    margins = np.log(p / (1 - p))
    margins[0] = far
    assert np.abs(fit_calibration(margins, labels).apply(margins) - p)[1:].mean() < 0.05


def test_the_scale_of_scores_does_not_matter() -> None:
    p, labels = drawn(4, 1000)
    margins = p - 0.5
    expected = fit_calibration(margins, labels).apply(margins)
    for scale in (1e-300, 1e3, 3e307):
        assert fit_calibration(margins * scale, labels).apply(margins * scale) == pytest.approx(expected)


def test_scores_the_wrong_way_round_are_read_the_other_way_round() -> None:
    p, labels = drawn(5, 2000)
    assert np.abs(fit_calibration(1 - p, labels).apply(1 - p) - p).mean() < 0.05


def test_equal_scores_tell_the_base_rate_and_how_well_it_is_known() -> None:
    calibration = fit_calibration([0.3] * 200, [1] * 80 + [0] * 120)
    assert calibration.apply([0.3]) == pytest.approx([0.4])
    assert calibration.variance([0.3], np.ones(1)) == pytest.approx(0.4 * 0.6 / 200, rel=0.02)


def test_more_bins_give_more_knots_and_fewer_a_coarser_map() -> None:
    p, labels = drawn(6, 1000)
    for bins, knots in ((2, 2), (40, 40), (None, 20)):
        assert len(fit_calibration(p, labels, bins=bins).maps[0].expected) == knots


def test_a_single_bin_keeps_the_base_rate_and_a_single_row_is_a_constant() -> None:
    p, labels = drawn(7, 200)
    assert fit_calibration(p, labels, bins=1).apply(p).mean() == pytest.approx(labels.mean(), abs=0.02)
    assert fit_calibration([0.4], [1]).apply([0.0, 1.0]).tolist() == [1.0, 1.0]


def test_the_calibration_error_falls_where_calibration_was_needed_and_not_where_it_was_not() -> None:
    p, labels = drawn(8, 10_000)
    fine, skewed = fit_calibration(p, labels), fit_calibration(p**3, labels)
    assert fine.error_before is not None
    assert skewed.error_before is not None
    assert fine.error_before == pytest.approx(fine.error_by_chance, rel=0.4)
    assert skewed.error_before > 5 * skewed.error_by_chance
    assert 0.9 < skewed.error_after / skewed.error_by_chance < 1.7


def test_the_error_before_is_the_mean_distance_over_bins_of_equal_mass() -> None:
    calibration = fit_calibration([0.2] * 50 + [0.7] * 50, [0] * 45 + [1] * 5 + [0] * 25 + [1] * 25, bins=2)
    assert calibration.error_before == pytest.approx((0.1 + 0.2) / 2)


def test_rows_of_several_classes_add_up_to_one_even_where_every_map_gives_zero() -> None:
    p, labels = three_classes(9, 2000)
    calibration = fit_calibration(p, labels)
    assert calibration.apply(p).sum(axis=1) == pytest.approx(np.ones(2000))
    never = fit_calibration(np.eye(3)[[0, 1, 2] * 20], [0, 1, 2] * 20)
    assert never.apply([[0.0, 0.0, 0.0]])[0] == pytest.approx([1 / 3] * 3)
    assert never.variance([[0.0, 0.0, 0.0]], np.ones((1, 3))) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("classes", [1, 3])
def test_the_variance_is_that_of_the_bins_and_slopes_by_finite_differences(classes: int) -> None:
    rng = np.random.default_rng(10)
    scores, labels = drawn(10, 600) if classes == 1 else three_classes(10, 600)
    calibration = fit_calibration(scores**2, labels, bins=2)  # few, so that the slopes matter
    window = (scores[:40] * 1.1 - 0.05).clip(0, 1) ** 2  # some beyond the ends
    gradient = rng.normal(size=window.shape)
    smooth, step = calibration.smooth, 1e-6

    def derivative(move: Callable[[float], Calibration]) -> float:
        return float((gradient * (move(step).apply(window) - move(-step).apply(window))).sum() / (2 * step))

    def with_value(one: int, place: int, by: float) -> Calibration:
        maps = list(calibration.maps)
        values = tuple(v + by * (i == place) for i, v in enumerate(maps[one].values))
        maps[one] = msgspec.structs.replace(maps[one], values=values)
        return msgspec.structs.replace(calibration, maps=tuple(maps))

    def with_slope(place: int, by: float) -> Calibration:
        slopes = tuple(v + by * (i == place) for i, v in enumerate(smooth.slopes))
        offsets = tuple(v + by * row[place] for v, row in zip(smooth.offsets, smooth.follow, strict=True))
        maps = tuple(
            msgspec.structs.replace(
                one, expected=tuple(v + by * row[place] for v, row in zip(one.expected, one.slants, strict=True))
            )
            for one in calibration.maps
        )
        moved = msgspec.structs.replace(smooth, slopes=slopes, offsets=offsets)
        return msgspec.structs.replace(calibration, smooth=moved, maps=maps)

    own, shared = 0.0, np.zeros(2)
    for one, fitted in enumerate(calibration.maps):
        for place, variance in enumerate(fitted.variances):
            slope = derivative(lambda by, one=one, place=place: with_value(one, place, by))  # type: ignore[misc]
            own += slope**2 * variance
            shared += slope * np.array(fitted.slants[place])
    slopes = np.array([derivative(lambda by, place=place: with_slope(place, by)) for place in (0, 1)])  # type: ignore[misc]
    covariance = np.array(smooth.covariance)
    by_hand = own + 2 * shared @ covariance @ slopes + slopes @ covariance @ slopes
    assert abs(by_hand - own) > 0.01 * own
    assert calibration.variance(window, gradient) == pytest.approx(by_hand, rel=1e-4)


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
