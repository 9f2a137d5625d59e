"""The few special functions behind the laws of drift scores and the bounds of proportions.

SciPy has all of them. But importing ``scipy.special`` takes longer than a check of a window takes otherwise, so what
every check needs is here, on numpy alone, and tested against SciPy; everything rarer is imported from there.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Floats, check_level

_TINY = 1e-300
_PRECISION = 4e-16
_MOST_TERMS = 1_000_000
_STEPS = 200
_NEARLY = 1e-8

_MOST_SUMMED = 50.0
"""Shape up to which a finite sum is the shortest way."""

_LARGEST_SUMMED = 600.0
"""Argument up to which its first term is not below the smallest number."""

_LIFT = 16
"""Argument from which Stirling's series has full precision."""


def gamma_sf(shape: npt.ArrayLike, x: npt.ArrayLike) -> Floats:
    """Return the regularised upper incomplete gamma function Q(shape, x), elementwise.

    ``gamma_sf(dof / 2, x / 2)`` is the probability that a chi-squared variable exceeds ``x``.

    Parameters
    ----------
    shape
        Above 0.
    x
        Broadcast against ``shape``; 1 is returned up to 0.

    Returns
    -------
    Floats
        NaN where either is NaN.

    References
    ----------
    W. Gautschi (1979). A computational procedure for incomplete gamma functions. ACM TOMS 5.

    Examples
    --------
    >>> gamma_sf([0.5, 5.0], [1.0, 5.0]).round(6).tolist()
    [0.157299, 0.440493]
    """
    a, value = np.broadcast_arrays(np.asarray(shape, dtype=np.float64), np.asarray(x, dtype=np.float64))
    result = np.where(np.isnan(value) | np.isnan(a), np.nan, 1.0)
    result[value == np.inf] = 0.0
    inside = (value > 0) & (value < np.inf)
    summable = inside & (2 * a == np.floor(2 * a)) & (a <= _MOST_SUMMED) & (value <= _LARGEST_SUMMED)
    low, high = inside & ~summable & (value < a + 1), inside & ~summable & (value >= a + 1)
    if summable.any():
        result[summable] = _half_integer_sum(a[summable], value[summable])
    if low.any():
        result[low] = 1 - _lower_series(a[low], value[low])
    if high.any():
        result[high] = _upper_fraction(a[high], value[high])
    return result


def gamma_isf(shape: npt.ArrayLike, probability: float) -> Floats:
    """Return the ``x`` at which :func:`gamma_sf` is ``probability``, elementwise over ``shape``.

    Newton's method on the logarithm of the probability, kept within what is already known to be too low or too high.

    Raises
    ------
    SampleError
        If ``probability`` is not between 0 and 1.

    Examples
    --------
    >>> (2 * gamma_isf([0.5, 5.0], 0.05)).round(3).tolist()
    [3.841, 18.307]
    """
    check_level("probability", probability)
    shapes = np.asarray(shape, dtype=np.float64)
    known = ~np.isnan(shapes)
    result = np.full(shapes.shape, np.nan)
    result[known] = _inverse(shapes[known], probability)
    return result


def _inverse(shapes: Floats, probability: float) -> Floats:
    a, places = np.unique(shapes, return_inverse=True)
    log_gamma_a, log_probability = log_gamma(a), math.log(probability)
    deviate = math.copysign(math.sqrt(-2 * math.log(min(probability, 1 - probability))), 0.5 - probability)
    x = a * np.maximum(1 - 1 / (9 * a) + deviate / (3 * np.sqrt(a)), 0.1) ** 3  # near enough to start from
    low, high = np.zeros_like(a), np.full_like(a, np.inf)
    settled = np.zeros(a.shape, np.bool_)
    for _ in range(_STEPS):
        found = gamma_sf(a, x)
        low, high = np.where(found > probability, x, low), np.where(found > probability, high, x)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            density = np.exp((a - 1) * np.log(x) - x - log_gamma_a)
            step = (np.log(found) - log_probability) * found / density
        middle = np.where(np.isfinite(high), (low + high) / 2, 2 * x)
        nearly = np.abs(step) <= _NEARLY * x  # this step of Newton's squares the error
        moved = np.where(nearly | ((x + step > low) & (x + step < high)), x + step, middle)
        x, settled = np.where(settled, x, moved), settled | nearly
        if settled.all():
            break
    inverse: Floats = x[places]
    return inverse


def kolmogorov_sf(x: npt.ArrayLike) -> Floats:
    """Return the probability that Kolmogorov's limit of the scaled distance exceeds ``x``, elementwise.

    References
    ----------
    W. Feller (1948). On the Kolmogorov-Smirnov limit theorems for empirical distributions. Ann. Math. Stat. 19.

    Examples
    --------
    >>> kolmogorov_sf([0.0, 1.0, 1.358]).round(4).tolist()
    [1.0, 0.27, 0.05]
    """
    value = np.asarray(x, dtype=np.float64)
    inside = np.where(value > 0, value, 1.0)[..., None]
    k = np.arange(1, 6, dtype=np.float64)
    odd = (2 * k - 1) * math.pi / inside
    near = 1 - math.sqrt(2 * math.pi) / inside[..., 0] * np.exp(-(odd**2) / 8).sum(axis=-1)
    far = 2 * ((-1) ** (k - 1) * np.exp(-2 * (k * inside) ** 2)).sum(axis=-1)
    result: Floats = np.where(value > 0, np.where(value < 1, near, far), 1.0)
    return np.where(np.isnan(value), np.nan, result)


@functools.lru_cache(maxsize=1024)
def kolmogorov_isf(probability: float) -> float:
    """Return the ``x`` at which :func:`kolmogorov_sf` is ``probability``.

    Raises
    ------
    SampleError
        If ``probability`` is not between 0 and 1.

    Examples
    --------
    >>> round(kolmogorov_isf(0.05), 4)
    1.3581
    """
    check_level("probability", probability)
    low, high = 0.0, math.sqrt(-math.log(probability / 2) / 2)  # the first term alone bounds the probability
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if kolmogorov_sf(middle) > probability else (low, middle)
    return high


def beta_cdf(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    ``beta_cdf(k, n - k + 1, p)`` is the probability that at least ``k`` of ``n`` tries succeed, each with chance ``p``.

    Parameters
    ----------
    a, b
        Above 0.
    x
        0 is returned up to 0, and 1 from 1 on.

    References
    ----------
    A. R. Didonato, A. H. Morris (1992). Algorithm 708. ACM TOMS 18; the continued fraction by Lentz's method.

    Examples
    --------
    >>> round(beta_cdf(8, 3, 0.5), 7)  # 56 of the 1024 outcomes of ten coins
    0.0546875
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    scale = math.exp(_log_beta_scale(a, b, x))
    # The fraction converges fast below the mean, and the mirrored one above it.
    if x < (a + 1) / (a + b + 2):
        return scale / a * _beta_fraction(a, b, x)
    return 1 - scale / b * _beta_fraction(b, a, 1 - x)


def beta_quantile(a: float, b: float, probability: float) -> float:
    """Return the ``x`` at which :func:`beta_cdf` is ``probability``.

    Newton's method on the logarithm of the probability, kept within what is already known to be too low or too high.

    Raises
    ------
    SampleError
        If ``probability`` is not between 0 and 1.

    Examples
    --------
    >>> round(beta_quantile(8, 3, 0.0546875), 7)
    0.5
    """
    check_level("probability", probability)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(_STEPS):
        found = beta_cdf(a, b, x)
        density = math.exp(_log_beta_scale(a, b, x)) / (x * (1 - x))
        low, high = (x, high) if found < probability else (low, x)
        step = math.log(probability / found) * found / density if found > 0 and density > 0 else math.inf
        if abs(step) <= _NEARLY * x:
            return x + step  # this step of Newton's squares the error
        x = x + step if low < x + step < high else (low + high) / 2
    return x


def log_gamma(x: npt.ArrayLike) -> Floats:
    """Return the natural logarithm of the gamma function, elementwise, for numbers above 0.

    By Stirling's series; small arguments are lifted first.

    Examples
    --------
    >>> log_gamma([1.0, 2.0, 6.0, 171.0]).round(6).tolist()
    [0.0, 0.0, 4.787492, 706.573062]
    """
    a = np.asarray(x, dtype=np.float64)
    small = a < _LIFT
    lifted = np.where(small, a + _LIFT, a)
    rising = np.where(small, a, 1.0)
    product = rising.copy()
    for step in range(1, _LIFT):
        product *= rising + step
    inverse = 1 / lifted
    square = inverse * inverse
    series = inverse * (1 / 12 + square * (-1 / 360 + square * (1 / 1260 + square * (-1 / 1680 + square / 1188))))
    stirling = (lifted - 0.5) * np.log(lifted) - lifted + 0.5 * math.log(2 * math.pi) + series
    result: Floats = np.where(small, stirling - np.log(product), stirling)
    return result


def _half_integer_sum(a: Floats, x: Floats) -> Floats:
    """Return Q(a, x) for multiples of one half, as a finite sum up from Q(1, x) or Q(1/2, x)."""
    whole = a == np.floor(a)
    falling = np.exp(-x)
    shape = np.where(whole, 1.0, 0.5)
    total = np.where(whole, falling, [math.erfc(root) for root in np.sqrt(x).tolist()])
    term = falling * np.where(whole, x, 2 * np.sqrt(x / math.pi))
    while (more := shape < a).any():
        total += np.where(more, term, 0.0)
        shape += 1
        term *= x / shape
    return np.minimum(total, 1.0)  # rounded up at every step, the sum may end above a probability


def _lower_series(a: Floats, x: Floats) -> Floats:
    """Return P(a, x) by its power series, for ``x < a + 1``."""
    term = np.ones_like(a)
    total = np.ones_like(a)
    for n in range(1, _MOST_TERMS):
        term = term * (x / (a + n))
        total = total + term
        term = np.where(term > _PRECISION * total, term, 0.0)  # what is done rests, so neighbours do not matter
        if not term.any():
            break
    return np.exp(a * np.log(x) - x - log_gamma(a + 1)) * total


def _upper_fraction(a: Floats, x: Floats) -> Floats:
    """Return Q(a, x) by its continued fraction (Lentz's method), for ``x >= a + 1``."""
    b = x + 1 - a
    c = np.full_like(a, 1 / _TINY)
    d = 1 / b
    value = d.copy()
    moving = np.ones(a.shape, np.bool_)
    for n in range(1, _MOST_TERMS):
        factor = -n * (n - a)
        b = b + 2
        d = 1 / np.where(np.abs(b + factor * d) < _TINY, _TINY, b + factor * d)
        c = b + factor / c
        change = c * d
        value = np.where(moving, value * change, value)
        moving &= np.abs(change - 1) > _PRECISION
        if not moving.any():
            break
    with np.errstate(under="ignore"):
        return np.exp(a * np.log(x) - x - log_gamma(a)) * value


def _log_beta_scale(a: float, b: float, x: float) -> float:
    """Return the logarithm of ``x^a (1 - x)^b / B(a, b)``."""
    return a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of I_x(a, b) (Lentz's method), for ``x`` below ``(a + 1) / (a + b + 2)``."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + factor / c, 1 / (1 + factor * d)
            value *= c * d
        if abs(c * d - 1) <= _PRECISION:
            break
    return value
