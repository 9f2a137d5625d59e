"""How much of two histograms does not overlap: Hellinger's distance and the total variation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Floats, paired_counts
from vernal.stats.segments import segments_of


def hellinger(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the Hellinger distance of two histograms, normalised to 0..1.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells.

    Returns
    -------
    float
        ``sqrt(1 - sum(sqrt(p * q)))``: 0 for equal shares, 1 for histograms that share no cell.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, or a count is negative.

    References
    ----------
    E. Hellinger (1909). Neue Begruendung der Theorie quadratischer Formen von unendlichvielen Veraenderlichen. Journal
    fuer die reine und angewandte Mathematik 136.

    Examples
    --------
    >>> round(hellinger([50, 50], [100, 0]), 4)
    0.5412
    """
    return float(hellinger_many(*paired_counts(reference, current), [0])[0])


def hellinger_many(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> Floats:
    """Return the Hellinger distances of many features; see :func:`hellinger`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.

    Returns
    -------
    Floats
        Shape ``(f,)``; NaN for a feature without rows on a side.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, or ``starts`` does not cut the cells into features.

    Examples
    --------
    >>> hellinger_many([50, 50, 1], [100, 0, 0], [0, 2]).round(4).tolist()
    [0.5412, nan]
    """
    segments = segments_of(reference, current, starts)
    p, q = segments.shares()
    # Half the squared difference of the roots is the same number, and is 0 for equal shares where 1 - 1 would round.
    return segments.where_defined(np.minimum(1.0, np.sqrt(segments.sums((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)))


def total_variation(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the total variation distance: the share of rows that would have to move to make the histograms equal.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells.

    Returns
    -------
    float
        Half the sum of the absolute differences of the shares, 0..1.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, or a count is negative.

    References
    ----------
    A. L. Gibbs, F. E. Su (2002). On choosing and bounding probability metrics. International Statistical Review 70.

    Examples
    --------
    >>> total_variation([50, 50], [100, 0])
    0.5
    """
    return float(total_variation_many(*paired_counts(reference, current), [0])[0])


def total_variation_many(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> Floats:
    """Return the total variation distances of many features; see :func:`total_variation`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.

    Returns
    -------
    Floats
        Shape ``(f,)``; NaN for a feature without rows on a side.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, or ``starts`` does not cut the cells into features.

    Examples
    --------
    >>> total_variation_many([50, 50, 1], [100, 0, 0], [0, 2]).tolist()
    [0.5, nan]
    """
    segments = segments_of(reference, current, starts)
    p, q = segments.shares()
    return segments.where_defined(np.minimum(1.0, segments.sums(np.abs(p - q)) / 2))
