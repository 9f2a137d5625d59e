"""Moments of sums over cells when it is arbitrary which rows belong to which sample.

Given each cell's total over both samples the counts are hypergeometric, however sparse the cells are. The classical
limit of PSI, Jensen-Shannon and chi-square is wrong by multiples there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vernal.stats.arrays import Floats, Ints
from vernal.stats.null import ROUNDING, Nulls
from vernal.stats.special import log_gamma


class Sizes(NamedTuple):
    """Rows of the reference, rows of the current sample and occupied cells, shaped to go with arrays of counts."""

    n: Floats
    m: Floats
    cells: Floats

    def at(self, index: Ints) -> Sizes:
        """Return the sizes of the segments ``index``."""
        return Sizes(self.n[index], self.m[index], self.cells[index])

    def column(self) -> Sizes:
        """Return the sizes as columns, to go with one row of counts per cell."""
        return Sizes(self.n[:, None], self.m[:, None], self.cells[:, None])


CellTerm = Callable[[Floats, Floats, Sizes], Floats]
"""A cell's contribution to the score from its reference and current counts and its segment's sizes."""


_ENUMERATED = 20.0
"""Cells expected to hold fewer are summed over every possible count, fuller ones by quadrature."""

_BLOCK = 4096
"""Cells whose counts are laid out at once: memory stays at a few megabytes whatever the number of features."""


def permutation_moments(totals: Floats, owner: Ints, sizes: Sizes, term: CellTerm) -> Nulls:
    """Return the laws whose first three moments are those of ``sum(term)`` under permutation of the rows.

    Given the totals, each cell's share of the smaller sample is hypergeometric, so the moments of its term are sums
    over its possible counts. The counts of all cells add up to the sample's size: that takes away the part of the
    variance that the terms share with the counts (Holst 1972).

    Parameters
    ----------
    totals
        Rows per cell over both samples, each at least 1, shape ``(cells,)``.
    owner
        Segment of each cell, shape ``(cells,)``.
    sizes
        Of each segment, arrays of shape ``(f,)``: ``n + m`` is the sum of its ``totals``, ``cells`` their number, at
        least 2.
    term
        Contribution of a cell, vectorised.

    References
    ----------
    L. Holst (1972). Asymptotic normality and efficiency for certain goodness-of-fit tests. Biometrika 59.
    """
    t, segment, repeats = _distinct(totals, owner)
    rows, smaller = sizes.n + sizes.m, np.minimum(sizes.n, sizes.m)
    sums = np.zeros((4, rows.size))
    for some, points, weights in _layouts(t, smaller[segment], rows[segment]):
        here = segment[some]
        moments = _cell_moments(t[some], points, weights, sizes.at(here), term)
        for row, moment in enumerate(moments):
            sums[row] += np.bincount(here, weights=repeats[some] * moment, minlength=rows.size)
    mean, variance, shared, third = sums
    share = smaller / rows
    return _pearson_iii(mean, variance - shared**2 / (rows * share * (1 - share)), third)


def term_at(larger: Floats, smaller: Floats, sizes: Sizes, term: CellTerm) -> Floats:
    """Return the terms of cells with these counts in the larger and in the smaller sample, one row per cell."""
    current_is_smaller = (sizes.m <= sizes.n)[:, None]
    r, c = np.where(current_is_smaller, larger, smaller), np.where(current_is_smaller, smaller, larger)
    return term(r, c, sizes.column())


def _distinct(totals: Floats, owner: Ints) -> tuple[Floats, Ints, Floats]:
    """Return each segment's distinct totals, the segment, and how many cells share the total.

    A thousand rare categories have few different totals, so this is where the work is saved.
    """
    order = np.lexsort((totals, owner))
    t, segment = totals[order], owner[order]
    first = np.flatnonzero(np.concatenate(([True], (t[1:] != t[:-1]) | (segment[1:] != segment[:-1]))))
    return t[first], segment[first], np.diff(first, append=t.size).astype(np.float64)


def _layouts(t: Floats, smaller: Floats, rows: Floats) -> Iterator[tuple[Ints, Floats, Floats]]:
    """Yield blocks of cells with the counts to sum over and their weights, one row per cell."""
    expected = t * smaller / rows
    for chosen, layout in ((expected < _ENUMERATED, enumeration), (expected >= _ENUMERATED, quadrature)):
        cells = np.flatnonzero(chosen)
        cells = cells[np.argsort(expected[cells])]  # alike in width, so that few cells pay for the widest of a block
        for begin in range(0, cells.size, _BLOCK):
            block = cells[begin : begin + _BLOCK]
            yield block, *layout(t[block], smaller[block], rows[block])


def _cell_moments(
    t: Floats, points: Floats, weights: Floats, sizes: Sizes, term: CellTerm
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return each cell's mean, variance, covariance with the count, and third moment of the term."""
    rows = sizes.n + sizes.m
    g = term_at(t[:, None] - points, points, sizes, term)
    mean = (weights * g).sum(axis=1)
    off = g - mean[:, None]
    centre = points - (weights * points).sum(axis=1, keepdims=True)
    weighted = weights * off
    # A hypergeometric count varies less than a binomial one by the factor 1 - t/N. Undoing it cell by cell makes the
    # sums come out as those of chi2(k - 1) in the limit, which the negative covariances between large cells would do.
    slack = np.maximum(1 - t / rows, 1 / rows)
    squared = weighted * off
    return (
        mean,
        squared.sum(axis=1) / slack,
        (weighted * centre).sum(axis=1),
        (squared * off).sum(axis=1) / slack**2,
    )


def enumeration(t: Floats, smaller: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return every count that matters of sparse cells, and its hypergeometric probability."""
    least, most = np.maximum(0.0, smaller - (rows - t)), np.minimum(t, smaller)
    expected = t * smaller / rows
    width = np.minimum(most, np.ceil(expected + 9 * np.sqrt(expected) + 12)) - least
    steps = np.arange(max(0.0, width.max()) + 1)
    x = least[:, None] + steps
    t, smaller, rows, most = t[:, None], smaller[:, None], rows[:, None], most[:, None]
    up = np.maximum(0.0, t - x) * np.maximum(0.0, smaller - x)
    with np.errstate(divide="ignore"):  # no step leads beyond the largest possible count
        log_step = np.log(up / ((x + 1) * (rows - t - smaller + x + 1)))
    log = np.zeros_like(x)
    np.cumsum(log_step[:, :-1], axis=1, out=log[:, 1:])
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    return np.minimum(x, most), weights / weights.sum(axis=1, keepdims=True)


_NODES = np.arange(-7.0, 8.0)
"""Counts that are summed over for fuller cells, in standard deviations from the mean. The sum of a smooth bell over an
even grid is its integral up to about exp(-2 pi^2), 3e-9, so that one per standard deviation is enough."""


def quadrature(t: Floats, smaller: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return evenly spaced counts of well-filled cells, whole or not, and their hypergeometric weights.

    The skewness of a count matters: with a normal law in its place, and twenty rows expected per cell, PSI's variance
    comes out a fifth too large and a test at 0.05 fires at 0.04.
    """
    share = smaller / rows
    spread = np.sqrt(t * share * (1 - share) * (rows - t) / (rows - 1))
    x = (t * share)[:, None] + spread[:, None] * _NODES
    t, smaller, rows = t[:, None], smaller[:, None], rows[:, None]
    least, most = np.maximum(0.0, smaller - (rows - t)), np.minimum(t, smaller)
    possible = (x >= least) & (x <= most)
    x = np.clip(x, least, most)
    log = -log_gamma(x + 1) - log_gamma(t - x + 1) - log_gamma(smaller - x + 1) - log_gamma(rows - t - smaller + x + 1)
    weights = np.where(possible, np.exp(log - log.max(axis=1, keepdims=True)), 0.0)
    return x, weights / weights.sum(axis=1, keepdims=True)


def _pearson_iii(mean: Floats, variance: Floats, third: Floats) -> Nulls:
    """Return the shifted, scaled chi-squared laws of given means, variances and third central moments."""
    certain = variance <= ROUNDING * mean**2
    value = mean * (1 + ROUNDING)  # so that a score that is certain does not seem to exceed it
    mean, variance = np.where(certain, 1.0, mean), np.where(certain, 1.0, variance)
    ratio = third / variance
    # The third moment over the variance that a law without shift has is 2 variance / mean. Where the score is hardly
    # skewed, or rounding hides it, the lower end stays at 0.
    plain = ratio < variance / (2 * mean)
    scale = np.where(plain, variance / (2 * mean), ratio / 4)
    dof = np.where(plain, 2 * mean**2 / variance, variance / (2 * scale**2))
    shift = np.where(plain, 0.0, mean - scale * dof)
    return Nulls(
        shift=np.where(certain, value, shift),
        scale=np.where(certain, 1.0, scale),
        dof=np.where(certain, 0.0, dof),
    )
