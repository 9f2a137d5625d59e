"""The model of a regression's errors: what it learns, what it admits, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from vernal.errors import SampleError
from vernal.stats.arrays import Floats
from vernal.stats.direct_loss import LossModel, fit_loss_model
from vernal.stats.estimation import BLIND_TO


def rows(seed: int, count: int, low: float = 0.0, high: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Return features, predictions and labels; the spread of the labels is 0.2 below 0.5 and 1 above."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(low, high, (count, 2))
    answers = 3 * x[:, 1]
    return x, answers, answers + np.where(x[:, 0] > 0.5, 1.0, 0.2) * rng.normal(size=count)


@pytest.fixture(scope="module")
def absolute() -> LossModel:
    return fit_loss_model(*rows(0, 2000), metric="mae", rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def squared() -> LossModel:
    return fit_loss_model(*rows(0, 2000), metric="rmse", rng=np.random.default_rng(0))


def test_the_error_is_estimated_where_it_is_small_and_where_it_is_large(
    absolute: LossModel, squared: LossModel
) -> None:
    for low, high, spread in ((0.0, 0.45, 0.2), (0.55, 1.0, 1.0)):
        x, answers, _ = rows(1, 1000, low, high)
        assert absolute.estimate(x, answers).value == pytest.approx(spread * math.sqrt(2 / math.pi), rel=0.15)
        assert squared.estimate(x, answers).value == pytest.approx(spread, rel=0.15)


def test_the_sampling_error_is_that_of_the_mean_and_follows_the_rows(absolute: LossModel) -> None:
    quiet, loud = rows(2, 1000, 0.0, 0.45), rows(2, 1000, 0.55, 1.0)
    small, large = (absolute.estimate(x, answers).sampling_error for x, answers, _ in (quiet, loud))
    assert small is not None
    assert large is not None
    assert large == pytest.approx(math.sqrt(1 - 2 / math.pi) / math.sqrt(1000), rel=0.25)
    assert large > 3 * small
    few = absolute.estimate(loud[0][:250], loud[1][:250]).sampling_error
    assert few == pytest.approx(2 * large, rel=0.1)


def test_few_labelled_rows_give_a_larger_calibration_error(absolute: LossModel) -> None:
    x, answers, _ = rows(3, 1000)
    small = fit_loss_model(*rows(4, 200), metric="mae", rng=np.random.default_rng(0))
    few, many = small.estimate(x, answers).calibration_error, absolute.estimate(x, answers).calibration_error
    assert few is not None
    assert many is not None
    assert few > 1.5 * many


def test_the_calibration_error_is_never_below_that_of_the_scale(absolute: LossModel) -> None:
    x, answers, _ = rows(5, 1000)
    agreed = msgspec.structs.replace(absolute, parts=absolute.parts[:1] * 10)  # parts that never differ
    found = agreed.estimate(x, answers)
    assert found.value is not None
    assert found.calibration_error == pytest.approx(found.value * absolute.scale_error / absolute.scale)


def test_the_scale_that_unseen_rows_showed_is_applied(absolute: LossModel) -> None:
    x, answers, _ = rows(6, 100)
    doubled = msgspec.structs.replace(absolute, scale=2 * absolute.scale)
    assert doubled.estimate(x, answers).value == pytest.approx(2 * absolute.estimate(x, answers).value)  # type: ignore[operator]


def test_the_same_seed_gives_the_same_estimate_and_another_another() -> None:
    data, (x, answers, _) = rows(7, 300), rows(8, 100)
    first, again, other = (
        fit_loss_model(*data, metric="mae", rng=np.random.default_rng(seed)).estimate(x, answers) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.value != other.value


def test_folds_are_the_number_of_parts() -> None:
    assert len(fit_loss_model(*rows(9, 100), metric="mae", rng=np.random.default_rng(0), folds=3).parts) == 3


def test_missing_features_are_taken_as_they_are(absolute: LossModel) -> None:
    x, answers, _ = rows(10, 100)
    x[:, 0] = np.nan
    assert absolute.estimate(x, answers).value is not None


def test_more_certainty_widens_the_bounds_and_one_half_gives_the_value(squared: LossModel) -> None:
    x, answers, _ = rows(11, 300)
    wide, narrow, none = (squared.estimate(x, answers, certainty=level) for level in (0.99, 0.8, 0.5))
    assert wide.lower < narrow.lower < narrow.upper < wide.upper  # type: ignore[operator]
    assert (none.lower, none.upper) == pytest.approx((none.value, none.value))


def test_no_rows_give_no_value(absolute: LossModel) -> None:
    found = absolute.estimate(np.empty((0, 2)), [])
    assert (found.value, found.lower, found.rows, found.note) == (None, None, 0, "no rows")


def test_a_regression_that_is_never_wrong_has_no_error() -> None:
    x, answers, _ = rows(12, 100)
    found = fit_loss_model(x, answers, answers, metric="rmse", rng=np.random.default_rng(0)).estimate(x, answers)
    assert (found.value, found.lower, found.upper) == (0.0, 0.0, 0.0)


def test_the_unit_of_the_labels_does_not_matter() -> None:
    x, answers, labels = rows(14, 300)
    found, tiny = (
        fit_loss_model(x, unit * answers, unit * labels, metric="rmse", rng=np.random.default_rng(0)).estimate(
            x, unit * answers
        )
        for unit in (1.0, 2.0**-40)
    )
    assert found.value is not None
    assert tiny.value == pytest.approx(2.0**-40 * found.value)


def test_errors_in_a_single_row_are_no_obstacle() -> None:
    x, answers, _ = rows(15, 100)
    labels = answers.copy()
    labels[0] += 1
    found = fit_loss_model(x, answers, labels, metric="mae", rng=np.random.default_rng(0)).estimate(x, answers)
    assert found.value is not None
    assert 0 < found.value < 0.05


def test_the_estimate_does_not_move_when_only_the_meaning_of_the_inputs_changes(absolute: LossModel) -> None:
    x, answers, labels = rows(13, 1000)
    found = absolute.estimate(x, answers)
    realised = float(np.abs(answers - (labels + 5)).mean())  # the same inputs, labels that have moved
    assert found.upper is not None
    assert found.upper < 0.7
    assert realised > 4
    assert found.blind_to == BLIND_TO


@pytest.mark.parametrize(
    ("features", "answers", "labels", "options", "message"),
    [
        (np.ones((20, 1)), np.ones(20), np.ones(20), {"metric": "accuracy"}, "expected one of mae, rmse"),
        (np.ones(20), np.ones(20), np.ones(20), {}, "features: found shapes"),
        (np.ones((20, 1)), np.ones(19), np.ones(20), {}, "features: found shapes"),
        (np.ones((20, 1)), np.ones(20), np.ones(19), {}, "labels: found shape"),
        (np.ones((20, 1)), np.ones(20), np.full(20, np.nan), {}, "finite numbers"),
        (np.full((20, 1), np.inf), np.ones(20), np.ones(20), {}, "features: found infinite"),
        (np.ones((20, 1)), np.full(20, np.nan), np.ones(20), {}, "not finite"),
        (np.ones((20, 1)), np.ones(20), np.ones(20), {"folds": 5}, "folds: found 5 for 20 rows"),
        (np.ones((20, 1)), np.ones(20), np.ones(20), {"folds": 1}, "folds: found 1"),
    ],
)
def test_what_is_no_labelled_regression_is_refused(
    features: Floats, answers: Floats, labels: Floats, options: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"metric": "mae", "folds": 2} | options
    with pytest.raises(SampleError, match=message):
        fit_loss_model(features, answers, labels, rng=np.random.default_rng(0), **given)


def test_other_features_than_the_model_was_fitted_on_are_refused(absolute: LossModel) -> None:
    with pytest.raises(SampleError, match="found 3 columns, expected 2"):
        absolute.estimate(np.ones((4, 3)), np.ones(4))
