"""The shape of a feature then and now, for people to look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.profile.baseline import Baseline
from vernal.profile.binning import Binning
from vernal.profile.columns import indices
from vernal.profile.counts import Profile, joint_moments
from vernal.profile.grid import CategoryGrid, NumericalGrid

Floats = npt.NDArray[np.float64]

_TAIL = 0.005
"""Share of either side that may lie beyond the drawn range, on either end."""


class SpecialBar(StrEnum):
    """What a bar stands for that is neither a category nor a range."""

    NOT_FINITE = "not finite"
    RARER = "rarer"
    NEW = "new"
    NULL = "null"


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the rows that a bar stands for; ``low`` and ``high`` are the limits of a range of numbers.

    ``label`` is the category. A range that is open on one side has ``None`` there; one of a single value has the same
    limit twice.
    """

    reference: float
    current: float
    label: str = ""
    special: SpecialBar | None = None
    low: float | None = None
    high: float | None = None


def distribution(
    baseline: Baseline, binning: Binning, reference: Profile, current: Profile, feature: str, *, bars: int = 24
) -> tuple[Bar, ...]:
    """Return a feature's distribution in two sets of rows, in at most about ``bars`` bars that cover all rows.

    Numbers are drawn over equal ranges between the outer half percent of either side, the rest in a bar at each end;
    a feature of few different values has a bar for each. Inside a cell of the grid rows count as evenly spread.
    Categories come in order of their larger share, the rarest together.

    Raises
    ------
    ProfileError
        If a profile is on another grid or there is no such feature.
    """
    r, c = baseline.cells(reference, feature), baseline.cells(current, feature)
    grid = baseline.grids[baseline.features.index(feature)]
    r, c = r / max(r.sum(), 1), c / max(c.sum(), 1)
    if isinstance(grid, CategoryGrid):
        return tuple(_categories(grid, r, c, bars))
    place = sum(isinstance(one, NumericalGrid) for one in baseline.grids[: baseline.features.index(feature)])
    lefts, rights = binning.limits(joint_moments(reference, current))
    first = binning.interval_starts[place]
    limits = lefts[first : first + grid.intervals], rights[first : first + grid.intervals]
    return (*_numbers(limits, r[: grid.intervals], c[: grid.intervals], bars), *_special(r, c))


def _categories(grid: CategoryGrid, r: Floats, c: Floats, bars: int) -> Iterator[Bar]:
    larger = np.maximum(r, c)[: grid.top]
    shown = np.argsort(-larger, kind="stable")[:bars]
    for place, label in zip(shown.tolist(), grid.vocabulary.take(indices(shown)).to_pylist(), strict=True):
        if larger[place]:
            yield Bar(label=label, reference=float(r[place]), current=float(c[place]))
    rest = np.ones(grid.width, dtype=np.bool_)
    rest[[*shown.tolist(), grid.new, grid.width - 1]] = False
    yield from _occurring(SpecialBar.RARER, float(r[rest].sum()), float(c[rest].sum()))
    yield from _occurring(SpecialBar.NEW, float(r[grid.new]), float(c[grid.new]))
    yield from _occurring(SpecialBar.NULL, float(r[-1]), float(c[-1]))


def _special(r: Floats, c: Floats) -> Iterator[Bar]:
    yield from _occurring(SpecialBar.NOT_FINITE, float(r[-2]), float(c[-2]))
    yield from _occurring(SpecialBar.NULL, float(r[-1]), float(c[-1]))


def _occurring(special: SpecialBar, reference: float, current: float) -> Iterator[Bar]:
    if reference or current:
        yield Bar(special=special, reference=reference, current=current)


def _numbers(limits: tuple[Floats, Floats], r: Floats, c: Floats, bars: int) -> Iterator[Bar]:
    # In quarters, as the distance between the largest floats has no float.
    lefts, rights = (side[(r > 0) | (c > 0)] / 4 for side in limits)
    r, c = r[(r > 0) | (c > 0)], c[(r > 0) | (c > 0)]
    if not r.size:
        return
    if (lefts == rights).all() and r.size <= 2 * bars:
        for value, then, now in zip(rights.tolist(), r.tolist(), c.tolist(), strict=True):
            yield Bar(low=4 * value, high=4 * value, reference=then, current=now)
        return
    at = np.column_stack((lefts, rights)).ravel()
    below = [np.column_stack((np.cumsum(side) - side, np.cumsum(side))).ravel() for side in (r, c)]
    ends = [np.interp((_TAIL * cumulated[-1], (1 - _TAIL) * cumulated[-1]), cumulated, at) for cumulated in below]
    low = min(end[0] for end, cumulated in zip(ends, below, strict=True) if cumulated[-1])
    high = max(end[1] for end, cumulated in zip(ends, below, strict=True) if cumulated[-1])
    if not low < high:
        low, high = float(lefts[0]), float(rights[-1])
    edges = np.linspace(low, high, bars + 1)
    then, now = (np.diff(np.interp(edges, at, side), prepend=0, append=side[-1]).tolist() for side in below)
    for place, (start, end) in enumerate(itertools.pairwise([None, *(4 * edges).tolist(), None])):
        inside = 0 < place <= bars
        if inside or then[place] or now[place]:
            yield Bar(low=start, high=end, reference=then[place], current=now[place])
