"""Histograms of many features, one after another in one array: the layout of a profile.

Whatever is computed for one feature is computed for all of them in a few passes over the array, because a project
with a thousand models compares fifty thousand features an hour.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, Ints, counts_of

NO_ROWS = "no rows"
"""The method of a segment that has no rows on a side: nothing can be said, and the other segments go on."""


class Segments(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Two sets of histograms on the same cells.

    ``reference`` and ``current`` hold the counts of all segments, shape ``(cells,)``; segment ``i`` begins at cell
    ``starts[i]``. ``owner`` is the segment of each cell; ``n`` and ``m`` are the segments' rows, shape ``(f,)``.
    """

    reference: Floats
    current: Floats
    starts: Ints
    owner: Ints
    n: Floats
    m: Floats

    @property
    def defined(self) -> Bools:
        """Segments that have rows on both sides, shape ``(f,)``."""
        both: Bools = (self.n > 0) & (self.m > 0)
        return both

    @property
    def n_or_one(self) -> Floats:
        """The reference's rows as a divisor: 1 where there are none."""
        return np.maximum(self.n, 1.0)

    @property
    def m_or_one(self) -> Floats:
        """The current rows as a divisor: 1 where there are none."""
        return np.maximum(self.m, 1.0)

    @property
    def lasts(self) -> Ints:
        """Last cell of each segment, shape ``(f,)``."""
        return np.append(self.starts, self.owner.size)[1:] - 1

    def shares(self) -> tuple[Floats, Floats]:
        """Return the counts as shares of their side's rows; 0 in a segment that has no rows on a side.

        Proportional histograms have equal shares to the last bit, since a quotient is rounded from its exact value.
        What is summed on across segments comes back to 0 at the end of each, also where a side has no rows.
        """
        p, q = (np.where(self.defined, rows, np.inf)[self.owner] for rows in (self.n, self.m))
        np.divide(self.reference, p, out=p)
        np.divide(self.current, q, out=q)
        return p, q

    def sums(self, cells: Floats | Bools) -> Floats:
        """Return the sum over each segment's cells."""
        totals: Floats = np.add.reduceat(cells, self.starts, dtype=np.float64)
        return totals

    def largest(self, cells: Floats) -> Floats:
        """Return the largest value among each segment's cells."""
        top: Floats = np.maximum.reduceat(cells, self.starts)
        return top

    def smallest(self, cells: Floats) -> Floats:
        """Return the smallest value among each segment's cells."""
        least: Floats = np.minimum.reduceat(cells, self.starts)
        return least

    def where_defined(self, values: Floats) -> Floats:
        """Return ``values`` of the segments, NaN where a side has no rows."""
        return np.where(self.defined, values, np.nan)


def segments_of(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> Segments:
    """Return two sets of histograms, checked.

    Parameters
    ----------
    reference, current
        Counts of all segments one after another, shape ``(cells,)``, on the same cells.
    starts
        First cell of each segment, shape ``(f,)``: 0 first, then rising.

    Raises
    ------
    SampleError
        If the cells differ in number, a count is negative or no whole number, or ``starts`` does not cut the cells
        into segments of at least one cell.

    Examples
    --------
    >>> pair = segments_of([5, 5, 1, 2, 3], [4, 6, 0, 0, 9], [0, 2])
    >>> pair.n.tolist(), pair.m.tolist()
    ([10.0, 6.0], [10.0, 9.0])
    """
    r, c = counts_of("reference", reference), counts_of("current", current)
    if r.shape != c.shape:
        raise SampleError(f"histograms: found {r.size} reference and {c.size} current cells, expected the same cells")
    firsts = _checked_starts(starts, r.size)
    lengths = np.diff(firsts, append=r.size)
    if not firsts.size:
        nothing = np.empty(0)
        return Segments(reference=nothing, current=nothing, starts=firsts, owner=firsts, n=nothing, m=nothing)
    return Segments(
        reference=r.astype(np.float64),
        current=c.astype(np.float64),
        starts=firsts,
        owner=np.repeat(np.arange(firsts.size), lengths),
        n=np.add.reduceat(r, firsts).astype(np.float64),
        m=np.add.reduceat(c, firsts).astype(np.float64),
    )


def _checked_starts(starts: npt.ArrayLike, cells: int) -> Ints:
    firsts = counts_of("starts", starts)
    if not (firsts.size or cells):
        return firsts
    if not firsts.size or firsts[0] != 0 or firsts[-1] >= cells or (firsts[1:] <= firsts[:-1]).any():
        raise SampleError(f"starts: found {firsts.tolist()}, expected 0 and then rising numbers below {cells}")
    return firsts


def cells_of(subject: str, values: npt.ArrayLike, segments: Segments) -> Floats:
    """Return one number per cell.

    Raises
    ------
    SampleError
        If the shape is not that of the counts.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != segments.reference.shape:
        raise SampleError(f"{subject}: found shape {array.shape}, expected one per cell: {segments.reference.shape}")
    return array
