"""Distances between two histograms, each with what chance alone would give."""

from __future__ import annotations

import functools
import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Floats, Ints, check_level, paired_counts
from vernal.stats.null import WELL_FILLED, CellTerm, Null, classical, least_expected, permutation_moments

_SMOOTHING = 0.5


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """A distance between two histograms and its law without drift.

    ``critical`` is the score that chance exceeds with probability ``alpha``; ``p_value`` is the probability of at
    least ``score``. ``cells`` counts the cells that hold anything on either side. ``method`` is ``chi2`` (classical
    limit), ``moments`` (sparse cells) or ``one cell`` (nothing to compare: score 0, p-value 1).
    """

    score: float
    critical: float
    p_value: float
    alpha: float
    cells: int
    reference_rows: int
    rows: int
    method: str
    null: Null
    root_unit: float | None = None

    def critical_at(self, alpha: float) -> float:
        """Return the score that chance exceeds with probability ``alpha``."""
        return _as_score(self.null.quantile(alpha), self.root_unit)


def psi(reference: npt.ArrayLike, current: npt.ArrayLike, *, alpha: float = 0.05) -> Divergence:
    """Return the population stability index of two histograms, in nats.

    Cells that are empty on both sides are dropped; then 0.5 is added to every count, so that a category that is new
    has a finite score which does not hang on an arbitrary epsilon.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells; nulls are a cell like any other.
    alpha
        Level of the critical value.

    Returns
    -------
    Divergence
        Without drift its score is about ``(1/n + 1/m) * chi2(cells - 1)``, so read it next to the sample sizes.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    B. Yurdakul, J. Naranjo (2020). Statistical properties of the population stability index. Journal of Risk Model
    Validation 14.

    Examples
    --------
    >>> result = psi([500, 300, 200], [460, 300, 240])
    >>> round(result.score, 4), round(result.critical, 4), round(result.p_value, 3)
    (0.0106, 0.012, 0.071)
    """
    r, c = _occupied(reference, current)
    n, m, cells = int(r.sum()), int(c.sum()), r.size
    added = _SMOOTHING * cells

    def term(r: Floats, c: Floats) -> Floats:
        p, q = (r + _SMOOTHING) / (n + added), (c + _SMOOTHING) / (m + added)
        contribution: Floats = (q - p) * np.log(q / p)
        return contribution

    return _divergence(r, c, term, alpha=alpha, unit=1.0, root_unit=None)


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike, *, alpha: float = 0.05) -> Divergence:
    """Return the Jensen-Shannon distance of two histograms, with logarithms of base 2.

    It is the square root of the divergence and lies in 0..1; SciPy's distance in natural logarithms is ours times
    ``sqrt(ln 2)``. No smoothing is needed.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells; nulls are a cell like any other.
    alpha
        Level of the critical value.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    J. Lin (1991). Divergence measures based on the Shannon entropy. IEEE Transactions on Information Theory 37.

    Examples
    --------
    >>> jensen_shannon([10, 0], [0, 10]).score
    1.0
    """
    r, c = _occupied(reference, current)
    n, m = int(r.sum()), int(c.sum())

    def term(r: Floats, c: Floats) -> Floats:
        p, q = r / n, c / m
        middle = (p + q) / 2
        return (_times_log_ratio(p, middle) + _times_log_ratio(q, middle)) / 2

    return _divergence(r, c, term, alpha=alpha, unit=1 / 8, root_unit=math.log(2))


def _occupied(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Ints, Ints]:
    r, c = paired_counts(reference, current)
    some = (r + c) > 0
    return r[some], c[some]


def _times_log_ratio(p: Floats, q: Floats) -> Floats:
    """Return ``p * log(p / q)``, which is 0 where ``p`` is 0."""
    product: Floats = p * np.log(np.where(p > 0, p, 1.0) / np.where(p > 0, q, 1.0))
    return product


def _divergence(r: Ints, c: Ints, term: CellTerm, *, alpha: float, unit: float, root_unit: float | None) -> Divergence:
    check_level("alpha", alpha)
    n, m, cells = int(r.sum()), int(c.sum()), int(r.size)
    value = max(0.0, float(term(r.astype(np.float64), c.astype(np.float64)).sum()))
    if cells == 1:
        method, null = "one cell", Null(shift=0.0, scale=1.0, dof=0.0)
    elif least_expected(r + c, n, m) >= WELL_FILLED:
        method, null = "chi2", classical(cells, n, m, unit=unit)
    else:
        method, null = "moments", permutation_moments(r + c, n, m, term)
    return Divergence(
        score=_as_score(value, root_unit),
        critical=_as_score(null.quantile(alpha), root_unit),
        p_value=null.sf(value),
        alpha=alpha,
        cells=cells,
        reference_rows=n,
        rows=m,
        method=method,
        null=null,
        root_unit=root_unit,
    )


def _as_score(divergence: float, root_unit: float | None) -> float:
    """Return the divergence itself, or its root in units of ``root_unit`` (at most 1, whatever a tail says)."""
    return divergence if root_unit is None else min(1.0, math.sqrt(max(0.0, divergence) / root_unit))


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
        return _ks_critical(self.reference_rows, self.rows, alpha)


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
    r, c = paired_counts(reference, current)
    check_level("alpha", alpha)
    n, m = int(r.sum()), int(c.sum())
    inside = np.ones(r.size, dtype=np.bool_) if points is None else ~np.asarray(points, dtype=np.bool_)
    f, g = r / n, c / m
    # Integers, so that two equal histograms differ by exactly 0 and the exact p-value meets the exact distance.
    gap = np.cumsum(r) * m - np.cumsum(c) * n
    right = gap / (n * m)
    left = np.concatenate(([0.0], right[:-1]))
    hidden = np.maximum(
        np.minimum(left + f * inside, right + g * inside), np.minimum(-left + g * inside, -right + f * inside)
    )
    steps = int(np.abs(gap).max())
    distance = steps / (n * m)
    exact = _is_small(n, m)
    return KolmogorovSmirnov(
        distance=distance,
        upper=min(1.0, max(distance, float(hidden.max()))),
        critical=_ks_critical(n, m, alpha),
        p_value=_exact_sf(n, m, steps) if exact else _asymptotic_sf(n, m, distance),
        alpha=alpha,
        reference_rows=n,
        rows=m,
        resolution=float((f * inside).max()),
        method="exact" if exact else "asymptotic",
    )


_EXACT_PATHS = 40_000


def _is_small(n: int, m: int) -> bool:
    """Tell whether counting lattice paths is cheap; beyond it the asymptotic law is accurate."""
    return n * m <= _EXACT_PATHS


def _asymptotic_sf(n: int, m: int, distance: float) -> float:
    from scipy.special import kolmogorov

    return float(kolmogorov(math.sqrt(n * m / (n + m)) * distance))


def _ks_critical(n: int, m: int, alpha: float) -> float:
    from scipy.special import kolmogi

    check_level("alpha", alpha)
    if _is_small(n, m):
        return _exact_critical(n, m, alpha)
    return min(1.0, float(kolmogi(alpha)) / math.sqrt(n * m / (n + m)))


@functools.lru_cache(maxsize=512)
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
