"""Many tests at once: control of the false-discovery rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, check_level


def benjamini_hochberg(p_values: npt.ArrayLike) -> Floats:
    """Return p-values adjusted so that rejecting those at most q keeps the false-discovery rate at most q.

    Parameters
    ----------
    p_values
        One per test, shape ``(f,)``, each in 0..1.

    Returns
    -------
    Floats
        Shape ``(f,)``, in the order given, never below the p-value itself. Empty for no tests.

    Raises
    ------
    SampleError
        If a p-value is outside 0..1 or not a number.

    References
    ----------
    Y. Benjamini, Y. Hochberg (1995). Controlling the false discovery rate. JRSS B 57.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.02, 0.9]).round(3).tolist()
    [0.03, 0.03, 0.9]
    """
    p = _checked(p_values)
    order = np.argsort(p)[::-1]
    ranks = np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(np.minimum(1.0, p[order] * p.size / ranks))
    return adjusted


def rejection_level(p_values: npt.ArrayLike, *, alpha: float) -> float:
    """Return the level at which each single test is held when the family is controlled at ``alpha``.

    A test is rejected by :func:`benjamini_hochberg` exactly when its p-value is at most this level, so critical values
    at this level state the same rule in units of the score.

    Parameters
    ----------
    p_values
        One per test, shape ``(f,)``, each in 0..1.
    alpha
        False-discovery rate of the family.

    Returns
    -------
    float
        ``alpha * k / f`` with ``k`` rejections; ``alpha / f`` (what one test would have to reach) with none.

    Raises
    ------
    SampleError
        If a p-value is outside 0..1 or not a number, or ``alpha`` is not between 0 and 1.

    Examples
    --------
    >>> rejection_level([0.01, 0.02, 0.9, 0.9], alpha=0.05)
    0.025
    """
    check_level("alpha", alpha)
    p = np.sort(_checked(p_values))
    if not p.size:
        return alpha
    rejected = np.flatnonzero(p <= alpha * np.arange(1, p.size + 1) / p.size)
    return alpha * (int(rejected[-1]) + 1 if rejected.size else 1) / p.size


def _checked(p_values: npt.ArrayLike) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise SampleError(f"p-values: found {p.tolist()}, expected one row of numbers from 0 to 1")
    return p
