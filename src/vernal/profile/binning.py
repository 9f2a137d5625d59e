"""The cells of all features laid out for comparing: bins for PSI and its kin, intervals for distribution functions."""

from __future__ import annotations

import itertools
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.profile.baseline import Baseline
from vernal.profile.columns import Counts
from vernal.profile.counts import MAXIMUM, MINIMUM, Moments, Profile
from vernal.profile.grid import NumericalGrid
from vernal.stats.binning import merge_cells

_LEAST_ROWS = 5
"""Reference rows that a bin of numbers holds on average at the least."""

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Binning(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where the bins of a baseline's features start, worked out once and used for every window.

    ``bins`` holds the first cell of every bin of all features, one after another, and ``bin_starts`` the first bin of
    each feature, shape ``(features,)``. A numerical feature has bins of about equal reference mass, then one of
    non-finite values and one of nulls; a categorical one has its cells.
    ``intervals`` holds the cells of the numerical features that lie on a line, ``interval_starts`` the first of each
    numerical feature, ``points`` which of them hold a single value, and ``lefts`` and ``rights`` their limits, infinite
    at the ends.
    """

    grid_id: str
    bins: Places
    bin_starts: Places
    intervals: Places
    interval_starts: Places
    points: npt.NDArray[np.bool_]
    lefts: Floats
    rights: Floats

    @classmethod
    def of(cls, baseline: Baseline, *, bins: int = 10) -> Self:
        """Lay out a baseline with ``bins`` bins to a numerical feature.

        Raises
        ------
        SampleError
            If ``bins`` is below 2.
        """
        starts: list[Places] = []
        sizes: list[int] = []
        intervals: list[Places] = []
        points: list[npt.NDArray[np.bool_]] = []
        lefts, rights = [np.empty(0)], [np.empty(0)]
        for grid, offset in zip(baseline.grids, baseline.offsets, strict=True):
            if isinstance(grid, NumericalGrid):
                reference, single = baseline.reference.counts[offset : offset + grid.intervals], grid.points
                firsts = _bin_starts(reference, single, bins)
                starts += [offset + firsts, np.array([offset + grid.intervals, offset + grid.intervals + 1])]
                sizes.append(firsts.size + 2)
                intervals.append(np.arange(offset, offset + grid.intervals))
                points.append(single)
                rights.append(np.append(grid.edges, np.inf))
                lefts.append(np.where(single, rights[-1], np.append(-np.inf, grid.edges)))
            else:
                starts.append(np.arange(offset, offset + grid.width))
                sizes.append(grid.width)
        return cls(
            grid_id=baseline.grid_id,
            bins=_joined(starts),
            bin_starts=_firsts(sizes),
            intervals=_joined(intervals),
            interval_starts=_firsts([part.size for part in intervals]),
            points=np.concatenate(points) if points else np.empty(0, np.bool_),
            lefts=np.concatenate(lefts),
            rights=np.concatenate(rights),
        )

    def binned(self, profile: Profile) -> Counts:
        """Return a profile's rows per bin, shape ``(bins,)``."""
        merged: Counts = np.add.reduceat(profile.counts, self.bins)
        return merged

    def limits(self, moments: Moments | None) -> tuple[Floats, Floats]:
        """Return the limits of the intervals, the open ends closed at the extremes that moments tell of.

        Without moments a row beyond the reference's range lies at its end, as near as it can be.
        """
        if not self.intervals.size:
            return self.lefts, self.rights
        lefts, rights = self.lefts.copy(), self.rights.copy()
        firsts, lasts = self.interval_starts, np.r_[self.interval_starts[1:], self.intervals.size] - 1
        nearest = self.rights[firsts], self.lefts[lasts]
        if moments is None:
            lefts[firsts], rights[lasts] = nearest
        else:
            lefts[firsts] = np.minimum(nearest[0], moments[:, MINIMUM])
            rights[lasts] = np.maximum(nearest[1], moments[:, MAXIMUM])
        nowhere = lefts > rights  # the one interval of a reference without values, when no extremes are known
        lefts[nowhere] = rights[nowhere] = 0.0
        largest = np.finfo(np.float64).max
        return lefts.clip(-largest, largest), rights.clip(-largest, largest)


def _joined(places: list[Places]) -> Places:
    return np.concatenate(places) if places else np.empty(0, np.int64)


def _firsts(sizes: list[int]) -> Places:
    return np.array([0, *itertools.accumulate(sizes)], dtype=np.int64)[:-1]


def _bin_starts(reference: Counts, points: npt.NDArray[np.bool_], bins: int) -> Places:
    """Return the first interval of every bin."""
    if not reference.any():
        return np.zeros(1, dtype=np.int64)  # a reference without values: any value at all is the news
    merged = merge_cells(reference, bins=bins, points=points, least_rows=_LEAST_ROWS)
    return np.flatnonzero(np.append(True, merged[1:] != merged[:-1]))
