"""The smooth model of scores against a general optimiser, refits and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, special

from vernal.stats.arrays import Floats, Ints
from vernal.stats.logistic import ScoreModel, fit_score_model


def beta(seed: int, rows: int, distort: float = 1.0) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 1.2, rows)
    return (p**distort)[:, None], (rng.random(rows) < p).astype(np.int64)


def three_classes(seed: int, rows: int, temperature: float = 1.0) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], rows)
    codes = (p.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    bent: Floats = p ** (1 / temperature)
    return bent / bent.sum(axis=1, keepdims=True), codes


@pytest.mark.parametrize("distort", [1.0, 3.0, 1 / 3])
def test_one_column_is_the_penalised_beta_calibration_that_an_optimiser_finds(distort: float) -> None:
    columns, codes = beta(1, 500, distort)
    model = fit_score_model(columns, codes)
    inner = columns[:, 0].clip(model.least, model.most)
    features = np.column_stack((np.log(inner), -np.log1p(-inner))) - model.centres

    def loss(point: Floats) -> float:
        powers = features @ point[:2] + point[2]
        prior = ((point[:2] - 1) ** 2).sum() / 2 + 0.01 * point[2] ** 2 / 4  # two offsets of half the size each
        return float(np.logaddexp(0, powers).sum() - codes @ powers + prior)

    found = optimize.minimize(loss, [1.0, 1.0, 0.0], bounds=[(0, None), (0, None), (None, None)], tol=1e-12).x
    assert model.slopes == pytest.approx(found[:2], abs=2e-3)
    assert model.offsets[1] - model.offsets[0] == pytest.approx(found[2], abs=2e-3)
    assert model.apply(columns)[:, 0] == pytest.approx(special.expit(features @ found[:2] + found[2]), abs=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_temperature_that_all_columns_share_is_undone(temperature: float) -> None:
    columns, codes = three_classes(2, 20_000, temperature)
    model = fit_score_model(columns, codes)
    honest, _ = three_classes(2, 20_000)
    assert model.slopes[0] == pytest.approx(temperature, rel=0.06)
    assert np.abs(model.apply(columns) - honest).max() < 0.03


def test_other_scores_get_a_single_slope() -> None:
    columns, codes = beta(3, 20_000)
    margins = special.logit(columns)
    model = fit_score_model(margins, codes)
    assert not model.logs
    assert model.slopes[0] / model.spread == pytest.approx(1.0, abs=0.05)
    assert np.abs(model.apply(margins) - columns).max() < 0.02


def test_slopes_never_have_different_signs() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        model = fit_score_model(rng.random((60, 1)), rng.integers(0, 2, 60))
        assert math.prod(model.slopes) >= 0


def test_scores_that_separate_the_classes_give_a_finite_fit() -> None:
    codes = np.repeat([0, 1], 50)
    model = fit_score_model(codes[:, None] * 1.0, codes)
    chances = model.apply(np.array([[0.0], [1.0]]))[:, 0]
    assert max(map(abs, model.slopes)) < 20
    assert (chances[0] < 0.05, chances[1] > 0.95) == (True, True)


def test_few_rows_leave_the_scores_nearly_as_they_are() -> None:
    model = fit_score_model(np.array([[0.3], [0.6]]), np.array([1, 0]))
    assert model.slopes == pytest.approx((1.0, 1.0), abs=0.6)


@pytest.mark.parametrize("classes", [1, 3])
def test_derivatives_by_the_slopes_are_finite_differences_with_the_best_offsets(classes: int) -> None:
    columns, codes = beta(4, 300) if classes == 1 else three_classes(4, 300)
    model, step = fit_score_model(columns, codes), 1e-4

    def moved(place: int, by: float) -> ScoreModel:
        slopes = np.array(model.slopes)
        slopes[place] += by
        features = np.tensordot(slopes, model.features(columns), 1)

        def loss(offsets: Floats) -> float:
            powers = features + offsets[:, None]
            fit = powers[codes, np.arange(300)] - special.logsumexp(powers, axis=0)
            return float(0.005 * offsets @ offsets - fit.sum())

        best = optimize.minimize(loss, model.offsets, tol=1e-11).x
        return ScoreModel(
            slopes=tuple(slopes.tolist()),
            offsets=tuple(best.tolist()),
            covariance=model.covariance,
            follow=model.follow,
            logs=model.logs,
            least=model.least,
            most=model.most,
            centres=model.centres,
            spread=model.spread,
        )

    found = model.by_slope(columns)
    for place in (0, 1):
        by_hand = (moved(place, step).apply(columns) - moved(place, -step).apply(columns)) / (2 * step)
        assert pytest.approx(by_hand, abs=2e-3) == found[place].T


def test_the_covariance_is_the_spread_of_the_slopes_over_refits() -> None:
    fits = [fit_score_model(*beta(seed, 1000)) for seed in range(300)]
    spread = np.cov(np.array([fit.slopes for fit in fits]).T)
    stated = np.mean([fit.covariance for fit in fits], axis=0)
    assert np.diag(stated) == pytest.approx(np.diag(spread), rel=0.3)  # the spread is known within 8 %
    assert stated[0, 1] / math.sqrt(stated[0, 0] * stated[1, 1]) == pytest.approx(
        spread[0, 1] / math.sqrt(spread[0, 0] * spread[1, 1]), abs=0.15
    )


def test_a_slope_held_at_zero_counts_as_certain() -> None:
    columns, codes = three_classes(5, 2000)
    model = fit_score_model(columns, codes)
    held = [place for place, slope in enumerate(model.slopes) if slope == 0.0]
    assert held == [1]
    assert model.covariance[1] == (0.0, 0.0)
    assert model.covariance[0][0] > 0
