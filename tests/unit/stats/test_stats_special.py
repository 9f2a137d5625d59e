"""Our special functions against SciPy's, over the ranges that drift scores can reach."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from vernal.errors import SampleError
from vernal.stats.special import beta_cdf, beta_quantile, gamma_isf, gamma_sf, kolmogorov_isf, kolmogorov_sf, log_gamma

SHAPES = np.array([0.05, 0.5, 1.0, 2.5, 5.0, 17.0, 160.0, 500.0, 5e3, 1e5])
LEVELS = [1e-12, 1e-6, 1e-4, 0.001, 0.01, 0.05, 0.3, 0.5, 0.9, 0.999]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_incomplete_gamma_function_is_scipys(shape: float) -> None:
    spread = np.sqrt(shape)
    x = np.abs(np.concatenate((np.linspace(0, 3, 20) * shape, shape + spread * np.linspace(-6, 30, 40))))
    assert gamma_sf(shape, x) == pytest.approx(special.gammaincc(shape, x), rel=2e-10, abs=1e-14)


def test_far_tails_keep_their_relative_precision() -> None:
    x = np.array([60.0, 200.0, 600.0])
    assert gamma_sf(5.0, x) == pytest.approx(special.gammaincc(5.0, x), rel=1e-12)
    assert gamma_sf(5.0, 1e5) == 0.0


def test_the_incomplete_gamma_function_at_its_ends() -> None:
    assert gamma_sf(2.0, [-1.0, 0.0, np.inf]).tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(gamma_sf([2.0, np.nan], [np.nan, 1.0])).all()
    assert np.isnan(gamma_isf([np.nan, 2.0], 0.05)).tolist() == [True, False]


@pytest.mark.parametrize("level", LEVELS)
def test_its_inverse_is_scipys(level: float) -> None:
    assert gamma_isf(SHAPES, level) == pytest.approx(special.gammainccinv(SHAPES, level), rel=1e-8)


def test_its_inverse_keeps_order_and_shape() -> None:
    shapes = np.array([[5.0, 0.5], [0.5, 17.0]])
    assert gamma_isf(shapes, 0.05) == pytest.approx(special.gammainccinv(shapes, 0.05), rel=1e-10)


def test_kolmogorovs_law_is_scipys() -> None:
    x = np.concatenate((np.linspace(0.01, 4, 400), [7.0, 15.0]))
    assert kolmogorov_sf(x) == pytest.approx(special.kolmogorov(x), rel=1e-11, abs=1e-15)
    assert kolmogorov_sf([-1.0, 0.0]).tolist() == [1.0, 1.0]
    assert np.isnan(kolmogorov_sf(np.nan))


@pytest.mark.parametrize("level", LEVELS)
def test_its_inverse_is_scipys_too(level: float) -> None:
    assert kolmogorov_isf(level) == pytest.approx(special.kolmogi(level), rel=1e-9)


def test_the_gamma_function_is_scipys() -> None:
    x = np.concatenate((np.linspace(0.01, 200, 500), [1e4, 1e7, 1e12]))
    assert log_gamma(x) == pytest.approx(special.gammaln(x), rel=1e-14, abs=1e-13)


COUNTS = [(1, 1), (1, 50), (8, 3), (200, 1), (180, 21), (4990, 11), (30, 10**6), (9 * 10**5, 10**5 + 1)]


@pytest.mark.parametrize(("a", "b"), COUNTS)
def test_the_incomplete_beta_function_is_scipys(a: int, b: int) -> None:
    spread = np.sqrt(a * b / (a + b + 1)) / (a + b)
    for x in np.clip(a / (a + b) + spread * np.linspace(-6, 6, 25), 0, 1).tolist():
        assert beta_cdf(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-15)


@pytest.mark.parametrize(("a", "b"), COUNTS)
def test_its_quantiles_are_scipys(a: int, b: int) -> None:
    for level in LEVELS:
        assert beta_quantile(a, b, level) == pytest.approx(special.betaincinv(a, b, level), rel=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, float("nan")])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(SampleError, match="probability"):
        gamma_isf(1.0, level)
    with pytest.raises(SampleError, match="probability"):
        kolmogorov_isf(level)


@pytest.mark.parametrize("shape", [0.5, 1.0, 4.5, 5.0, 10.5, 40.25, 300.3])
def test_a_probability_is_never_above_one_though_sums_are_rounded(shape: float) -> None:
    x = np.geomspace(1e-12, 5 * shape, 20_000)
    found = gamma_sf(np.full(x.shape, shape), x)
    assert found.max() <= 1.0
    assert found.min() >= 0.0
