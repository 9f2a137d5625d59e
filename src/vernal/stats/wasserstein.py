"""The area between two distribution functions: how far rows have to move, in the unit of the values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, paired_counts
from vernal.stats.segments import Segments, cells_of, segments_of


def wasserstein(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, lefts: npt.ArrayLike, rights: npt.ArrayLike
) -> float:
    """Return the area between two distribution functions that are given as counts on the cells of one grid.

    It is the mean distance by which rows have to move, in the unit of the values. Divided by the reference's standard
    deviation it can be compared between features.

    Parameters
    ----------
    reference, current
        Counts per cell in order of value, shape ``(k,)``.
    lefts, rights
        Limits of each cell, shape ``(k,)``. A cell of one value has equal limits; rows of any other are taken as
        spread evenly over it. Outer cells are closed by the smallest and the largest value.

    Returns
    -------
    float
        At least 0. Exact when every cell is one value.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or the limits are not finite and in order.

    References
    ----------
    S. S. Vallender (1974). Calculation of the Wasserstein distance between probability distributions on the line.
    Theory of Probability and its Applications 18.

    Examples
    --------
    >>> wasserstein([10, 0], [0, 10], lefts=[0.0, 3.0], rights=[0.0, 3.0])
    3.0
    """
    return float(wasserstein_many(*paired_counts(reference, current), [0], lefts=lefts, rights=rights)[0])


def wasserstein_many(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    starts: npt.ArrayLike,
    *,
    lefts: npt.ArrayLike,
    rights: npt.ArrayLike,
) -> Floats:
    """Return the areas between the distribution functions of many features; see :func:`wasserstein`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, each in order of value, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.
    lefts, rights
        Limits of each cell, shape ``(cells,)``; any value for a feature without rows on a side.

    Returns
    -------
    Floats
        Shape ``(f,)``, each in the unit of its feature; NaN for a feature without rows on a side.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, ``starts`` does not cut the cells into features, or the limits are
        not finite and in order.

    Examples
    --------
    >>> wasserstein_many([10, 0, 4], [0, 10, 4], [0, 2], lefts=[0, 3, 1], rights=[0, 3, 2]).tolist()
    [3.0, 0.0]
    """
    segments = segments_of(reference, current, starts)
    left, right = _limits(segments, lefts, rights)
    p, q = segments.shares()
    change = p - q
    after = np.cumsum(change)
    before = after - change
    after[segments.lasts] = 0.0  # both functions end at 1
    gap = np.append(left[1:], 0.0) - right
    gap[segments.lasts] = 0.0
    return segments.where_defined(segments.sums(_area(before, after, right - left) + np.abs(after) * gap))


def _limits(segments: Segments, lefts: npt.ArrayLike, rights: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the limits of the cells, 0 in features without rows on a side."""
    needed = segments.defined[segments.owner]
    left = np.where(needed, cells_of("lefts", lefts, segments), 0.0)
    right = np.where(needed, cells_of("rights", rights, segments), 0.0)
    next_left = np.append(left[1:], np.inf)
    next_left[segments.lasts] = np.inf
    wrong = np.flatnonzero(~(np.isfinite(left) & np.isfinite(right) & (left <= right) & (right <= next_left)))
    if wrong.size:
        cell = wrong[0]
        raise SampleError(
            f"limits: found {left[cell]} to {right[cell]} for cell {cell}, expected finite limits in rising order"
        )
    return left, right


def _area(before: Floats, after: Floats, width: Floats) -> Floats:
    """Return the area under a straight line's absolute value: a triangle on either side where it changes its sign."""
    size = np.abs(before) + np.abs(after)
    crossing = before * after < 0
    mean: Floats = np.where(crossing, (before**2 + after**2) / np.where(crossing, size, 1.0), size) / 2
    return mean * width
