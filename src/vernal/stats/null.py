"""Distributions of PSI and Jensen-Shannon when nothing has drifted.

Both are sums over cells, so both have a chi-squared-like law whose parameters depend on the sample sizes. With
well-filled cells the classical limit holds. With sparse cells it is wrong by multiples, and the mean, variance and
skewness of the sum are computed instead, given each cell's total over both samples (the permutation distribution).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from vernal.stats.arrays import Floats, Ints, check_level

WELL_FILLED = 50.0
"""Smallest expected count, in the smaller sample, of cells for which the classical limit is used."""

_ENUMERATED = 20.0
"""Cells expected to hold fewer are summed over every possible count, fuller ones by quadrature."""

CellTerm = Callable[[Floats, Floats], Floats]
"""A cell's contribution to the score from its reference and current counts."""


class Null(msgspec.Struct, frozen=True, kw_only=True):
    """The law ``shift + scale * chi2(dof)`` of a score without drift.

    ``dof`` of 0 is a score that cannot be other than ``shift``.
    """

    shift: float
    scale: float
    dof: float

    def sf(self, score: float) -> float:
        """Return the probability of at least ``score`` without drift."""
        from scipy.special import gammaincc

        if self.dof == 0:
            return 1.0
        return float(gammaincc(self.dof / 2, max(0.0, (score - self.shift) / self.scale / 2)))

    def quantile(self, alpha: float) -> float:
        """Return the score exceeded with probability ``alpha`` without drift.

        Raises
        ------
        SampleError
            If ``alpha`` is not between 0 and 1.
        """
        from scipy.special import gammainccinv

        check_level("alpha", alpha)
        if self.dof == 0:
            return self.shift
        return max(0.0, self.shift + self.scale * 2 * float(gammainccinv(self.dof / 2, alpha)))


def classical(cells: int, n: int, m: int, *, unit: float) -> Null:
    """Return the limit law ``unit * (1/n + 1/m) * chi2(cells - 1)``.

    Parameters
    ----------
    cells
        Number of cells that hold anything on either side.
    n, m
        Rows of the reference and of the current sample.
    unit
        1 for PSI, 1/8 for the Jensen-Shannon divergence in nats.
    """
    return Null(shift=0.0, scale=unit * (1 / n + 1 / m), dof=float(cells - 1))


def least_expected(totals: Ints, n: int, m: int) -> float:
    """Return the smallest count that any cell is expected to hold in the smaller sample."""
    return float(totals.min()) * min(n, m) / (n + m)


def permutation_moments(totals: Ints, n: int, m: int, term: CellTerm) -> Null:
    """Return the law whose first three moments are those of ``sum(term)`` under permutation of the rows.

    Given the totals, each cell's share of the smaller sample is hypergeometric, so the moments of its term are sums
    over its possible counts. The counts of all cells add up to the sample's size: that takes away the part of the
    variance that the terms share with the counts (Holst 1972).

    Parameters
    ----------
    totals
        Rows per cell over both samples, each at least 1, shape ``(k,)`` with ``k >= 2``.
    n, m
        Rows of the reference and of the current sample; ``n + m`` is the sum of ``totals``.
    term
        Contribution of a cell, vectorised.

    References
    ----------
    L. Holst (1972). Asymptotic normality and efficiency for certain goodness-of-fit tests. Biometrika 59.
    """
    smaller, rows = min(n, m), n + m
    values, repeats = np.unique(totals, return_counts=True)
    t, w = values.astype(np.float64), repeats.astype(np.float64)
    full = t * smaller / rows >= _ENUMERATED
    parts = [
        _cell_moments(t[some], points, weights, w[some], (n, m), term)
        for some, (points, weights) in (
            (~full, _enumeration(t[~full], smaller, rows)),
            (full, _quadrature(t[full], smaller, rows)),
        )
        if some.any()
    ]
    mean, variance, shared, third = (sum(column) for column in zip(*parts, strict=True))
    share = smaller / rows
    variance -= shared**2 / (rows * share * (1 - share))
    return _pearson_iii(mean, variance, third)


def _cell_moments(
    t: Floats, points: Floats, weights: Floats, repeats: Floats, sizes: tuple[int, int], term: CellTerm
) -> tuple[float, float, float, float]:
    """Return the summed mean, variance, covariance with the count, and third moment of the cells' terms."""
    n, m = sizes
    rest = t[:, None] - points
    g = term(rest, points) if m <= n else term(points, rest)
    mean = (weights * g).sum(axis=1)
    off = g - mean[:, None]
    centre = points - (weights * points).sum(axis=1, keepdims=True)
    # A hypergeometric count varies less than a binomial one by the factor 1 - t/N. Undoing it cell by cell makes the
    # sums come out as those of chi2(k - 1) in the limit, which the negative covariances between large cells would do.
    slack = np.maximum(1 - t / (n + m), 1 / (n + m))
    return (
        float(repeats @ mean),
        float(repeats @ ((weights * off**2).sum(axis=1) / slack)),
        float(repeats @ (weights * off * centre).sum(axis=1)),
        float(repeats @ ((weights * off**3).sum(axis=1) / slack**2)),
    )


def _enumeration(t: Floats, smaller: int, rows: int) -> tuple[Floats, Floats]:
    """Return every count that matters of sparse cells, and its hypergeometric probability."""
    from scipy.special import gammaln

    if not t.size:
        return np.empty((0, 0)), np.empty((0, 0))
    expected = float(t.max()) * smaller / rows
    top = min(float(t.max()), float(smaller), np.ceil(expected + 9 * np.sqrt(expected) + 12))
    x = np.arange(top + 1)[None, :]
    t = t[:, None]
    possible = (x <= t) & (smaller - x <= rows - t)
    x = np.where(possible, x, np.maximum(0, smaller - (rows - t)))
    log = (
        -gammaln(x + 1)
        - gammaln(t - x + 1)
        - gammaln(smaller - x + 1)
        - gammaln(np.maximum(rows - t - smaller + x, 0) + 1)
    )
    weights = np.where(possible, np.exp(log - log.max(axis=1, keepdims=True)), 0.0)
    return x, weights / weights.sum(axis=1, keepdims=True)


def _quadrature(t: Floats, smaller: int, rows: int) -> tuple[Floats, Floats]:
    """Return Gauss-Hermite nodes and weights for the counts of well-filled cells."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    share = smaller / rows
    t = t[:, None]
    spread = np.sqrt(t * share * (1 - share) * (rows - t) / max(rows - 1, 1))
    points = np.clip(t * share + spread * nodes, 0.0, np.minimum(t, smaller))
    return points, np.broadcast_to(weights / weights.sum(), points.shape)


def _pearson_iii(mean: float, variance: float, third: float) -> Null:
    """Return the shifted, scaled chi-squared law of a given mean, variance and third central moment."""
    if variance <= 0:
        return Null(shift=mean, scale=1.0, dof=0.0)
    chi_squared = 2 * variance / mean  # the third moment over 2 variances that a law without shift has, times 2
    ratio = third / variance
    if ratio < chi_squared / 4:  # hardly skewed, or rounding: keep the lower end at 0
        return Null(shift=0.0, scale=variance / (2 * mean), dof=2 * mean**2 / variance)
    scale = ratio / 4
    dof = variance / (2 * scale**2)
    return Null(shift=mean - scale * dof, scale=scale, dof=dof)
