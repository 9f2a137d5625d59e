"""The decay curve: known curves come back, noise stays flat, and the closed forms are integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize

from vernal.errors import SampleError
from vernal.stats.arrays import Floats
from vernal.stats.decay import DecayCurve, DecayKind, fit_decay

DAYS = np.arange(2.0, 62.0, 2.0)


def noise(seed: int, size: int = DAYS.size, sd: float = 0.002) -> Floats:
    return np.random.default_rng(seed).normal(0, sd, size)


def test_a_straight_decay_is_found_with_its_rate() -> None:
    curve = fit_decay(DAYS, 0.001 * DAYS + noise(0))
    assert curve.kind is DecayKind.LINE
    assert curve.rate == pytest.approx(0.001, rel=0.03)
    assert (curve.ceiling, curve.tau, curve.note) == (None, None, "")
    assert curve.residual == pytest.approx(0.002, rel=0.3)


def test_a_decay_that_levels_off_is_found_with_its_ceiling() -> None:
    curve = fit_decay(DAYS, 0.04 * (1 - np.exp(-DAYS / 10)) + noise(1))
    assert curve.kind is DecayKind.SATURATING
    assert curve.ceiling == pytest.approx(0.04, rel=0.05)
    assert curve.tau == pytest.approx(10, rel=0.2)
    assert curve.rate == pytest.approx(curve.ceiling / curve.tau)  # type: ignore[operator]


def test_a_model_that_does_not_change_has_no_decay() -> None:
    curve = fit_decay(DAYS, noise(2))
    assert (curve.kind, curve.rate) == (DecayKind.NONE, 0.0)
    assert "noise" in curve.note
    assert not curve.loss(DAYS).any()


@pytest.mark.parametrize("gain", [-0.001 * DAYS, -0.04 * (1 - np.exp(-DAYS / 10))])
def test_a_model_that_seems_to_get_better_has_no_decay(gain: Floats) -> None:
    assert fit_decay(DAYS, gain + noise(3)).kind is DecayKind.NONE


@pytest.mark.parametrize("ages", [[], [0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4], [1, 1, 1, 2, 2, 3, 4, 4]])
def test_fewer_than_five_ages_are_not_fitted_and_no_comparison_with_them_holds(ages: list[float]) -> None:
    curve = fit_decay(ages, [0.01 * age for age in ages])
    assert (curve.kind, curve.rate) == (DecayKind.NOT_FITTED, None)
    assert "a fit needs 5" in curve.note
    assert not (curve.loss([1.0, 100.0]) >= 0).any()
    assert not (curve.accumulated([1.0, 100.0]) >= 0).any()


def test_five_exact_points_are_enough_for_a_line() -> None:
    curve = fit_decay([1, 2, 3, 4, 5], [0.01, 0.02, 0.03, 0.04, 0.05])
    assert curve.kind is DecayKind.LINE
    assert curve.rate == pytest.approx(0.01)
    assert curve.rate_error == pytest.approx(0, abs=1e-12)


def test_six_points_that_level_off_are_too_few_for_more_than_a_line_unless_they_leave_no_doubt() -> None:
    days = np.arange(1.0, 7.0)
    levelling = 0.04 * (1 - np.exp(-days / 4))
    scatter = np.array([1, -1, -1, 1, 1, -1])
    assert fit_decay(days, levelling + 0.002 * scatter).kind is DecayKind.LINE
    assert fit_decay(days, levelling + 0.0002 * scatter).kind is DecayKind.SATURATING


def test_losses_of_zero_are_no_decay() -> None:
    curve = fit_decay([1, 2, 3, 4, 5], [0.0] * 5)
    assert (curve.kind, curve.residual) == (DecayKind.NONE, 0.0)


def curves() -> tuple[DecayCurve, ...]:
    return (
        fit_decay(DAYS, noise(2)),
        fit_decay(DAYS, 0.001 * DAYS + noise(0)),
        fit_decay(DAYS, 0.04 * (1 - np.exp(-DAYS / 10)) + noise(1)),
    )


@pytest.mark.parametrize("curve", curves(), ids=[curve.kind.value for curve in curves()])
def test_the_accumulated_loss_is_the_integral_of_the_loss(curve: DecayCurve) -> None:
    ages = np.array([[0.0, 0.5], [30.0, 400.0]])
    by_hand = [integrate.quad(lambda t: float(curve.loss(t)), 0, age)[0] for age in ages.ravel()]
    assert curve.accumulated(ages).ravel() == pytest.approx(by_hand, rel=1e-9)
    assert curve.loss(ages).shape == ages.shape


def test_the_rate_is_the_slope_at_age_zero_and_the_ceiling_the_loss_of_an_old_model() -> None:
    curve = curves()[2]
    assert curve.rate is not None
    assert float(curve.loss(1e-6)) / 1e-6 == pytest.approx(curve.rate, rel=1e-6)
    assert float(curve.loss(1e6)) == pytest.approx(curve.ceiling)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_saturating_fit_and_its_errors_are_scipys(weighted: bool) -> None:
    w = np.linspace(0.2, 3, DAYS.size) if weighted else np.ones(DAYS.size)
    y = 0.04 * (1 - np.exp(-DAYS / 10)) + noise(5) / np.sqrt(w)
    curve = fit_decay(DAYS, y, weights=w if weighted else None)

    def shape(t: Floats, rate: float, tau: float) -> Floats:
        return rate * tau * (1 - np.exp(-t / tau))

    found, covariance = optimize.curve_fit(shape, DAYS, y, p0=(0.004, 10), sigma=1 / np.sqrt(w))
    assert curve.kind is DecayKind.SATURATING
    assert (curve.rate, curve.tau) == pytest.approx(tuple(found), rel=1e-4)
    assert (curve.rate_error, curve.tau_error) == pytest.approx(tuple(np.sqrt(np.diag(covariance))), rel=1e-3)
    ceiling, of_ceiling = optimize.curve_fit(
        lambda t, top, tau: top * (1 - np.exp(-t / tau)), DAYS, y, p0=(0.04, 10), sigma=1 / np.sqrt(w)
    )
    assert curve.ceiling == pytest.approx(ceiling[0], rel=1e-4)
    assert curve.ceiling_error == pytest.approx(math.sqrt(of_ceiling[0, 0]), rel=1e-3)


def test_the_line_and_its_error_are_those_of_regression_through_the_origin() -> None:
    y = 0.001 * DAYS + noise(6)
    curve = fit_decay(DAYS, y)
    found, covariance = optimize.curve_fit(lambda t, rate: rate * t, DAYS, y)
    assert curve.rate == pytest.approx(found[0])
    assert curve.rate_error == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-6)


def test_weights_count_by_their_ratio_only_and_draw_the_curve_to_the_heavy_points() -> None:
    y = np.where(DAYS > 30, 0.002, 0.001) * DAYS
    heavy_late = fit_decay(DAYS, y, weights=np.where(DAYS > 30, 100.0, 1.0))
    heavy_early = fit_decay(DAYS, y, weights=np.where(DAYS > 30, 1.0, 100.0))
    assert heavy_late.rate is not None
    assert heavy_early.rate is not None
    assert heavy_early.rate < 0.0015 < heavy_late.rate
    scaled = fit_decay(DAYS, y, weights=np.where(DAYS > 30, 1000.0, 10.0))
    assert (scaled.rate, scaled.rate_error) == pytest.approx((heavy_late.rate, heavy_late.rate_error))


def test_more_certainty_widens_the_bounds_of_the_rate() -> None:
    y = 0.001 * DAYS + noise(0)
    wide, narrow, none = (fit_decay(DAYS, y, certainty=level) for level in (0.99, 0.8, 0.5))
    assert wide.lower is not None
    assert narrow.lower is not None
    assert wide.upper is not None
    assert narrow.upper is not None
    assert wide.lower < narrow.lower < narrow.upper < wide.upper
    assert (none.lower, none.upper) == pytest.approx((none.rate, none.rate))


@pytest.mark.parametrize(
    ("ages", "loss", "options", "message"),
    [
        ([1, 2], [0.1], {}, "expected equal rows"),
        ([[1, 2]], [[0.1, 0.2]], {}, "expected equal rows"),
        ([1, 2], [0.1, math.nan], {}, "loss: found NaN"),
        ([1, math.inf], [0.1, 0.2], {}, "age_days: found NaN or infinite"),
        ([-1, 2], [0.1, 0.2], {}, "age_days: found -1.0"),
        ([1, 2], [0.1, 0.2], {"weights": [1, 0]}, "weights: found 0.0"),
        ([1, 2], [0.1, 0.2], {"weights": [1]}, "expected equal rows"),
        ([1, 2], [0.1, 0.2], {"certainty": 1.0}, "certainty"),
    ],
)
def test_what_is_no_series_of_losses_is_refused(
    ages: list[float], loss: list[float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        fit_decay(ages, loss, **options)
