"""The Kolmogorov-Smirnov distance, read off a grid, with the law of chance for any two sample sizes."""

from __future__ import annotations

import functools
import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, Ints, check_level, paired_counts
from vernal.stats.segments import NO_ROWS, Segments, segments_of
from vernal.stats.special import kolmogorov_isf, kolmogorov_sf


class KolmogorovSmirnov(msgspec.Struct, frozen=True, kw_only=True):
    """The largest difference of two distribution functions, read off a grid.

    ``distance`` is taken at the grid's edges, and the distance of the raw values lies between it and ``upper``.
    ``resolution`` is the mass of the reference's largest cell that is not a single value. ``method`` is ``exact`` or
    ``asymptotic``.
    """

    distance: float
    upper: float
    critical: float
    p_value: float
    alpha: float
    reference_rows: int
    rows: int
    resolution: float
    method: str

    def critical_at(self, alpha: float) -> float:
        """Return the distance that chance exceeds with probability ``alpha``."""
        return float(_critical(np.array([self.reference_rows]), np.array([self.rows]), alpha)[0])


class KolmogorovSmirnovs(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The distances of many features: :class:`KolmogorovSmirnov` with arrays of shape ``(f,)``.

    A feature without rows on a side has the method ``no rows`` and NaN for all that is no number of rows.
    """

    distance: Floats
    upper: Floats
    p_value: Floats
    resolution: Floats
    reference_rows: Ints
    rows: Ints
    method: tuple[str, ...]

    def critical_at(self, alpha: float) -> Floats:
        """Return the distances that chance exceeds with probability ``alpha``, shape ``(f,)``."""
        return _critical(self.reference_rows, self.rows, alpha)


def kolmogorov_smirnov(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, points: npt.ArrayLike | None = None, alpha: float = 0.05
) -> KolmogorovSmirnov:
    """Compare two distribution functions given as counts on the cells of one grid.

    Parameters
    ----------
    reference, current
        Counts per cell in order of value, shape ``(k,)``; values that have no place in the order (nulls, NaN) stay out.
    points
        True for cells that hold one value only, shape ``(k,)``; nothing can hide inside them.
    alpha
        Level of the critical value.

    Returns
    -------
    KolmogorovSmirnov
        With ties the p-value is conservative: at most the stated share of false alarms.

    Raises
    ------
    SampleError
        If a side is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    J. L. Hodges (1958). The significance probability of the Smirnov two-sample test. Arkiv for Matematik 3.

    Examples
    --------
    >>> result = kolmogorov_smirnov([5, 5, 0], [0, 5, 5])
    >>> result.distance, result.upper, round(result.p_value, 4)
    (0.5, 1.0, 0.1678)
    """
    many = kolmogorov_smirnov_many(*paired_counts(reference, current), [0], points=points)
    return KolmogorovSmirnov(
        distance=float(many.distance[0]),
        upper=float(many.upper[0]),
        critical=float(many.critical_at(alpha)[0]),
        p_value=float(many.p_value[0]),
        alpha=alpha,
        reference_rows=int(many.reference_rows[0]),
        rows=int(many.rows[0]),
        resolution=float(many.resolution[0]),
        method=many.method[0],
    )


def kolmogorov_smirnov_many(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    starts: npt.ArrayLike,
    *,
    points: npt.ArrayLike | None = None,
) -> KolmogorovSmirnovs:
    """Compare the distribution functions of many features at once; see :func:`kolmogorov_smirnov`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, each in order of value, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.
    points
        True for cells that hold one value only, shape ``(cells,)``.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, or ``starts`` does not cut the cells into features.

    Examples
    --------
    >>> result = kolmogorov_smirnov_many([5, 5, 0, 1, 2], [0, 5, 5, 0, 0], [0, 3])
    >>> result.distance.tolist(), result.method
    ([0.5, nan], ('exact', 'no rows'))
    """
    segments = segments_of(reference, current, starts)
    f, g = segments.shares()
    gap = np.cumsum(f - g)  # at the right edge of each cell
    # Inside a cell the one function may have risen fully where the other has not yet begun to: the difference is then
    # that at the left edge plus what the one rises, which is that at the right edge plus what the other will rise.
    hidden = np.maximum(f - gap, gap + g)
    if points is not None:
        inside = ~_checked_points(points, segments)
        hidden *= inside
        f *= inside
    pairs = np.maximum(segments.n * segments.m, 1.0)
    # Every difference is a whole multiple of 1 / (n m), which takes the rounding of the sums away again.
    distance = np.rint(np.maximum(segments.largest(gap), -segments.smallest(gap)) * pairs) / pairs
    upper = np.clip(np.rint(segments.largest(hidden) * pairs) / pairs, distance, 1.0)
    n, m = segments.n.astype(np.int64), segments.m.astype(np.int64)
    names = np.where(segments.defined, np.where(_is_small(n, m), "exact", "asymptotic"), NO_ROWS)
    return KolmogorovSmirnovs(
        distance=segments.where_defined(distance),
        upper=segments.where_defined(upper),
        p_value=segments.where_defined(_p_value(n, m, distance)),
        resolution=segments.where_defined(segments.largest(f)),
        reference_rows=n,
        rows=m,
        method=tuple(names.tolist()),
    )


def _checked_points(points: npt.ArrayLike, segments: Segments) -> Bools:
    array = np.asarray(points, dtype=np.bool_)
    if array.shape != segments.owner.shape:
        raise SampleError(f"points: found shape {array.shape}, expected one per cell: {segments.owner.shape}")
    return array


_EXACT_PATHS = 40_000


def _is_small(n: Ints, m: Ints) -> Bools:
    """Tell where counting lattice paths is cheap; beyond it the corrected limit is accurate."""
    paths = n * m.astype(np.float64)
    small: Bools = (paths > 0) & (paths <= _EXACT_PATHS)
    return small


def _p_value(n: Ints, m: Ints, distance: Floats) -> Floats:
    """Return the probabilities of at least ``distance`` without drift, shape ``(f,)``."""
    root, correction = _limit(n, m)
    p = kolmogorov_sf(root * distance + correction)
    for i in np.flatnonzero(_is_small(n, m)):
        rows, others = int(n[i]), int(m[i])
        p[i] = _exact_sf(rows, others, round(distance[i] * rows * others))
    return p


def _critical(n: Ints, m: Ints, alpha: float) -> Floats:
    """Return the distances that chance exceeds with probability ``alpha``; NaN where a side has no rows."""
    check_level("alpha", alpha)
    root, correction = _limit(n, m)
    critical: Floats = np.clip((kolmogorov_isf(alpha) - correction) / root, 0.0, 1.0)
    critical[(n == 0) | (m == 0)] = np.nan
    for i in np.flatnonzero(_is_small(n, m)):
        critical[i] = _exact_critical(int(n[i]), int(m[i]), alpha)
    return critical


def _limit(n: Ints, m: Ints) -> tuple[Floats, Floats]:
    """Return what turns a distance into the argument of Kolmogorov's limit: the factor and what is then added.

    The limit alone is reached slowly: with a window of 200 rows against a huge reference it understates the tail's
    fall, so that a test at 0.01 fires at 0.009. Hodges' term mends that for sizes without a common divisor, and half a
    step of the lattice on which the distance lies is taken off again, which for equal sizes cancels the term.
    """
    fewer, more = np.maximum(np.minimum(n, m), 1).astype(np.float64), np.maximum(np.maximum(n, m), 1).astype(np.float64)
    root = np.sqrt(fewer * more / (fewer + more))
    hodges = (more + 2 * fewer) / (6 * np.sqrt(fewer * more * (fewer + more)))
    step = np.gcd(n, m) / (fewer * more)
    return root, hodges - root * step / 2


@functools.lru_cache(maxsize=4096)
def _exact_sf(n: int, m: int, steps: int) -> float:
    """Return P(n m D >= steps): one minus the share of lattice paths that stay strictly inside the band."""
    if steps <= 0:
        return 1.0
    if n > m:
        n, m = m, n
    j = np.arange(m + 1, dtype=np.int64)
    row = (j * n < steps).astype(np.float64)
    log_scale = 0.0
    for i in range(1, n + 1):
        allowed = np.abs(i * m - j * n) < steps
        row = np.where(allowed, np.cumsum(np.where(allowed, row, 0.0)), 0.0)
        top = float(row.max())
        if top == 0.0:
            return 1.0
        row /= top
        log_scale += math.log(top)
    if row[-1] == 0.0:
        return 1.0
    log_paths = math.lgamma(n + m + 1) - math.lgamma(n + 1) - math.lgamma(m + 1)
    return min(1.0, max(0.0, -math.expm1(math.log(float(row[-1])) + log_scale - log_paths)))


@functools.lru_cache(maxsize=512)
def _exact_critical(n: int, m: int, alpha: float) -> float:
    """Return the largest distance that chance reaches with probability above ``alpha``: beyond it, p <= alpha."""
    unit = math.gcd(n, m)
    low, high = 0, n * m // unit + 1  # P(at least low) > alpha >= P(at least high)
    while high - low > 1:
        middle = (low + high) // 2
        if _exact_sf(n, m, middle * unit) > alpha:
            low = middle
        else:
            high = middle
    return low * unit / (n * m)
