"""Sums over the cells of two histograms, judged by what chance gives."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from vernal.stats.arrays import Bools, Floats, Ints
from vernal.stats.fewcells import FEW_EXPECTED, conditional_laws, three_cell_laws, two_cell_laws
from vernal.stats.null import Nulls, Table
from vernal.stats.permutation import CellTerm, Sizes, permutation_moments
from vernal.stats.segments import NO_ROWS, Segments


class Judged(NamedTuple):
    """Sums over cells with their laws and p-values, arrays of shape ``(f,)``; NaN where a side has no rows."""

    value: Floats
    p_value: Floats
    cells: Ints
    method: tuple[str, ...]
    nulls: Nulls


def judged_sum(segments: Segments, term: CellTerm, *, scale: Floats, well_filled: float) -> Judged:
    """Return the sum of ``term`` over the cells of each segment, and what chance gives.

    Parameters
    ----------
    segments
        Counts; cells that are empty on both sides are left out.
    term
        Contribution of a cell, vectorised.
    scale
        Of the limit law ``scale * chi2(cells - 1)``, shape ``(f,)``.
    well_filled
        Smallest expected count, in the smaller sample, of cells for which the limit law is used.

    Returns
    -------
    Judged
        The method is ``chi2`` (limit law), ``moments`` (sparse cells), ``exact`` (two cells, or three of which two are
        sparse), ``conditional`` (three cells of which one is sparse), ``one cell`` (nothing to compare) or ``no rows``.
    """
    totals = segments.reference + segments.current
    occupied = totals > 0
    cells = segments.sums(occupied)
    sizes = Sizes(segments.n_or_one, segments.m_or_one, np.maximum(cells, 1.0))
    terms = term(segments.reference, segments.current, sizes.at(segments.owner))
    value = segments.where_defined(np.maximum(0.0, segments.sums(np.where(occupied, terms, 0.0))))
    rarest = segments.smallest(np.where(occupied, totals, np.inf))
    several = segments.defined & (cells > 1)
    share = np.minimum(sizes.n, sizes.m) / (sizes.n + sizes.m)
    sparse = several & (rarest * share < well_filled)
    two, three = sparse & (cells == _TWO), sparse & (cells == _THREE)
    middle = _middle(segments, totals, three)
    exact, conditional = three & (middle * share < FEW_EXPECTED), three & (middle * share >= FEW_EXPECTED)
    many = sparse & ~two & ~three
    nulls = Nulls(shift=segments.where_defined(np.zeros_like(cells)), scale=scale, dof=np.maximum(cells - 1, 0.0))
    if many.any():
        nulls = nulls.replaced(np.flatnonzero(many), _sparse(segments, totals, occupied, many, sizes, term))
    tables = []
    if two.any():
        places = np.flatnonzero(two)
        tables.append(two_cell_laws(places, rarest[places], sizes.at(places), term))
    if exact.any():
        places = np.flatnonzero(exact)
        tables.append(three_cell_laws(places, rarest[places], middle[places], sizes.at(places), term))
    if tables:
        nulls = msgspec.structs.replace(nulls, table=Table.joined(tables))
    if conditional.any():
        places = np.flatnonzero(conditional)
        laws = conditional_laws(places, rarest[places], middle[places], sizes.at(places), term)
        nulls = msgspec.structs.replace(nulls, mixture=laws)
    method = np.select(
        [~segments.defined, ~several, two | exact, conditional, many],
        [NO_ROWS, "one cell", "exact", "conditional", "moments"],
        "chi2",
    )
    return Judged(value, segments.where_defined(nulls.sf(value)), cells.astype(np.int64), tuple(method.tolist()), nulls)


_TWO = 2
_THREE = 3


def _middle(segments: Segments, totals: Floats, three: Bools) -> Floats:
    """Return the middle one of the three occupied cells of the segments that have three; 0 for the others."""
    middle = np.zeros(three.size)
    held = three[segments.owner] & (totals > 0)
    middle[three] = np.sort(totals[held].reshape(-1, _THREE), axis=1)[:, 1]
    return middle


def _sparse(segments: Segments, totals: Floats, occupied: Bools, sparse: Bools, sizes: Sizes, term: CellTerm) -> Nulls:
    """Return the laws of the sparse segments, in their order."""
    cells = occupied & sparse[segments.owner]
    renumbered = np.cumsum(sparse) - 1
    return permutation_moments(totals[cells], renumbered[segments.owner[cells]], sizes.at(np.flatnonzero(sparse)), term)
