"""Sums over the cells of two histograms, judged by what chance gives."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from vernal.stats.arrays import Bools, Floats, Ints
from vernal.stats.null import Nulls
from vernal.stats.permutation import CellTerm, Sizes, permutation_moments, two_cell_laws
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
        The method is ``chi2`` (limit law), ``moments`` (sparse cells), ``exact`` (two sparse cells), ``one cell``
        (nothing to compare) or ``no rows``.
    """
    totals = segments.reference + segments.current
    occupied = totals > 0
    cells = segments.sums(occupied)
    sizes = Sizes(segments.n_or_one, segments.m_or_one, np.maximum(cells, 1.0))
    terms = term(segments.reference, segments.current, sizes.at(segments.owner))
    value = segments.where_defined(np.maximum(0.0, segments.sums(np.where(occupied, terms, 0.0))))
    rarest = segments.smallest(np.where(occupied, totals, np.inf))
    several = segments.defined & (cells > 1)
    sparse = several & (rarest * np.minimum(sizes.n, sizes.m) / (sizes.n + sizes.m) < well_filled)
    two = sparse & (cells == _TWO)
    many = sparse & ~two
    nulls = Nulls(shift=segments.where_defined(np.zeros_like(cells)), scale=scale, dof=np.maximum(cells - 1, 0.0))
    if many.any():
        nulls = nulls.replaced(np.flatnonzero(many), _sparse(segments, totals, occupied, many, sizes, term))
    if two.any():
        places = np.flatnonzero(two)
        table = two_cell_laws(places, rarest[places], sizes.at(places), term)
        nulls = msgspec.structs.replace(nulls, table=table)
    method = np.select([~segments.defined, ~several, two, many], [NO_ROWS, "one cell", "exact", "moments"], "chi2")
    return Judged(value, segments.where_defined(nulls.sf(value)), cells.astype(np.int64), tuple(method.tolist()), nulls)


_TWO = 2


def _sparse(segments: Segments, totals: Floats, occupied: Bools, sparse: Bools, sizes: Sizes, term: CellTerm) -> Nulls:
    """Return the laws of the sparse segments, in their order."""
    cells = occupied & sparse[segments.owner]
    renumbered = np.cumsum(sparse) - 1
    return permutation_moments(totals[cells], renumbered[segments.owner[cells]], sizes.at(np.flatnonzero(sparse)), term)
