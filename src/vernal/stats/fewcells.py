"""Laws of sums over two or three sparse cells when it is arbitrary which rows belong to which sample.

Few cells have few tables, and three moments cannot tell which scores those give: the largest may be the *absence* of a
rare category, which is not rare at all.
"""

from __future__ import annotations

import numpy as np

from vernal.stats.arrays import Floats, Ints
from vernal.stats.null import Mixture, Table
from vernal.stats.permutation import CellTerm, Sizes, enumeration, quadrature, term_at

FEW_EXPECTED = 12.0
"""Rows that the middle one of three cells is expected to hold in the smaller sample, below which tables are counted."""

_NEGLIGIBLE = 1e-16
"""Probability of a table below which it is left out."""

_BLOCK = 64
"""Scores whose tables are laid out at once, which bounds the memory."""


def two_cell_laws(places: Ints, totals: Floats, sizes: Sizes, term: CellTerm) -> Table:
    """Return the exact laws of ``sum(term)`` over two cells; the count of the one decides that of the other.

    Parameters
    ----------
    places
        Of the segments among all scores, shape ``(e,)``.
    totals
        Rows of the rarer cell over both samples, shape ``(e,)``.
    sizes
        Of the segments, arrays of shape ``(e,)``.
    term
        Contribution of a cell, vectorised.
    """
    rows, smaller = sizes.n + sizes.m, np.minimum(sizes.n, sizes.m)
    x, weights = enumeration(totals, smaller, rows)
    scores = _pair(totals, x, rows, smaller, sizes, term)
    return _table(places, scores, weights)


def three_cell_laws(places: Ints, rarest: Floats, middle: Floats, sizes: Sizes, term: CellTerm) -> Table:
    """Return the exact laws of ``sum(term)`` over three cells, of which two hold few rows.

    Given the count of the rarest cell that of the middle one is hypergeometric among the other rows, and both decide
    the third.

    Parameters
    ----------
    places
        Of the segments among all scores, shape ``(e,)``.
    rarest, middle
        Rows of the rarest and of the second rarest cell over both samples, shape ``(e,)``.
    sizes
        Of the segments, arrays of shape ``(e,)``.
    term
        Contribution of a cell, vectorised.
    """
    tables = [
        _three_cells(rarest[some], middle[some], sizes.at(some), term)
        for some in np.array_split(np.arange(places.size), -(-places.size // _BLOCK))
    ]
    widest = max(scores.shape[1] for scores, _ in tables)
    padded = [np.pad(part, ((0, 0), (0, widest - part.shape[1]))) for pair in tables for part in pair]
    return _table(places, np.concatenate(padded[::2]), np.concatenate(padded[1::2]))


def conditional_laws(places: Ints, rarest: Floats, middle: Floats, sizes: Sizes, term: CellTerm) -> Mixture:
    """Return the laws of ``sum(term)`` over three cells of which only the rarest holds few rows.

    Given its count the score is what it is with the other rows split in proportion, and beyond that a multiple of
    chi-squared with one degree of freedom that has the right mean.

    Parameters
    ----------
    places
        Of the segments among all scores, shape ``(e,)``.
    rarest, middle
        Rows of the rarest and of the second rarest cell over both samples, shape ``(e,)``.
    sizes
        Of the segments, arrays of shape ``(e,)``.
    term
        Contribution of a cell, vectorised.
    """
    rows, smaller = sizes.n + sizes.m, np.minimum(sizes.n, sizes.m)
    x, weights = enumeration(rarest, smaller, rows)
    own = term_at(rarest[:, None] - x, x, sizes, term)
    each = np.repeat(np.arange(places.size), x.shape[1])
    left, others, t, several = smaller[each] - x.ravel(), (rows - rarest)[each], middle[each], sizes.at(each)
    counts, chances = quadrature(t, left, others)
    mean = (chances * _pair(t, counts, others, left, several, term)).sum(axis=1)
    least = _pair(t, (left * t / others)[:, None], others, left, several, term)[:, 0]
    shift, scale = own + least.reshape(x.shape), np.maximum(mean - least, 0.0).reshape(x.shape)
    return Mixture(places=places, weights=weights, shift=shift, scale=scale)


def _three_cells(rarest: Floats, middle: Floats, sizes: Sizes, term: CellTerm) -> tuple[Floats, Floats]:
    """Return the scores of all tables that matter and their probabilities, one row per segment."""
    rows, smaller = sizes.n + sizes.m, np.minimum(sizes.n, sizes.m)
    x, first = enumeration(rarest, smaller, rows)
    each = np.repeat(np.arange(rarest.size), x.shape[1])
    y, second = enumeration(middle[each], smaller[each] - x.ravel(), (rows - rarest)[each])
    weights = (first.ravel()[:, None] * second).reshape(rarest.size, -1)
    most = int((weights > _NEGLIGIBLE).sum(axis=1).max())
    likely = np.argpartition(-weights, most - 1, axis=1)[:, :most]
    weights = np.take_along_axis(weights, likely, axis=1)
    x = np.take_along_axis(x, likely // y.shape[1], axis=1)
    y = np.take_along_axis(y.reshape(rarest.size, -1), likely, axis=1)
    third = (rows - rarest - middle)[:, None]
    z = np.clip(smaller[:, None] - x - y, 0.0, third)  # of the tables beyond a short row's last, which weigh nothing
    counts = (rarest[:, None], x), (middle[:, None], y), (third, z)
    scores = np.zeros_like(x)
    for totals, own in counts:
        scores += term_at(totals - own, own, sizes, term)
    return scores, weights


def _pair(totals: Floats, x: Floats, rows: Floats, smaller: Floats, sizes: Sizes, term: CellTerm) -> Floats:
    """Return the terms of two cells, one of which has ``x`` of its ``totals`` among the ``smaller`` of the ``rows``."""
    others = smaller[:, None] - x, (rows - totals - smaller)[:, None] + x
    return term_at(totals[:, None] - x, x, sizes, term) + term_at(others[1], others[0], sizes, term)


def _table(places: Ints, scores: Floats, weights: Floats) -> Table:
    order = np.argsort(scores, axis=1)
    weights = np.take_along_axis(weights, order, axis=1)
    tails = np.minimum(1.0, np.cumsum(weights[:, ::-1], axis=1)[:, ::-1])
    return Table(places=places, values=np.take_along_axis(scores, order, axis=1), tails=tails)
