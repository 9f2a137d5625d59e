"""Picking rows to label with known chances, and what the picked rows then stand for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints

EVEN_PART = 0.1
"""Part of a sample that is spread evenly whatever the rule, so that no row weighs more than ten times the average."""


def inclusion_chances(sizes: npt.ArrayLike, picks: int) -> Floats:
    """Return the chance with which each row is picked: in proportion to its size, adding up to ``picks``.

    Parameters
    ----------
    sizes
        How much each row is wanted, at least 0, shape ``(n,)``; NaN stands for the mean of the others. A tenth of the
        sample is spread evenly, so every chance is above 0.
    picks
        Number of rows to pick, at least 1.

    Returns
    -------
    Floats
        Above 0 and at most 1: rows that are wanted so much are picked for certain, the others share what is left. All
        1 where there are no more rows than picks.

    Raises
    ------
    SampleError
        If there are no rows, a size is negative or infinite, or ``picks`` is below 1.

    Examples
    --------
    >>> inclusion_chances([1.0, 1.0, 1.0, 1.0], 2).tolist()
    [0.5, 0.5, 0.5, 0.5]
    >>> inclusion_chances([0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0], 2).round(3).tolist()
    [0.143, 0.143, 1.0, 0.143, 0.143, 0.143, 0.143, 0.143]
    """
    wanted = np.array(sizes, dtype=np.float64)
    if wanted.ndim != 1 or not wanted.size or picks < 1:
        raise SampleError(f"sample: found {picks} picks of shape {wanted.shape}, expected at least 1 of at least 1 row")
    known = ~np.isnan(wanted)
    wanted[~known] = wanted[known].mean() if known.any() else 1.0
    if (wanted < 0).any() or not np.isfinite(wanted).all():
        raise SampleError("sizes: found a negative or infinite one, expected numbers of at least 0")
    if wanted.size <= picks:
        return np.ones(wanted.size)
    if not wanted.any():
        wanted[:] = 1.0
    wanted = EVEN_PART * wanted.mean() + (1 - EVEN_PART) * wanted
    chances = np.ones(wanted.size)
    free = np.ones(wanted.size, dtype=np.bool_)
    while True:
        left = picks - int((~free).sum())
        chances[free] = left * wanted[free] / wanted[free].sum()
        sure = free & (chances >= 1)
        if not sure.any():
            return chances
        chances[sure] = 1.0
        free &= ~sure


def pick(chances: npt.ArrayLike, rng: np.random.Generator, *, groups: npt.ArrayLike | None = None) -> Ints:
    """Pick rows with given chances, always as many as the chances add up to: systematic sampling in random order.

    Parameters
    ----------
    chances
        Above 0 and at most 1, adding up to a whole number, shape ``(n,)``.
    rng
        Seeded by the caller.
    groups
        The stratum of each row, shape ``(n,)``: of each as many are picked as its chances add up to, or one more or
        less.

    Returns
    -------
    Ints
        Positions of the picked rows, rising.

    Raises
    ------
    SampleError
        If the chances do not add up to a whole number.

    References
    ----------
    H. O. Hartley, J. N. K. Rao (1962). Sampling with unequal probabilities and without replacement. Annals of
    Mathematical Statistics 33.

    Examples
    --------
    >>> len(pick([0.5] * 10, np.random.default_rng(0)))
    5
    """
    given = np.asarray(chances, dtype=np.float64)
    whole = round(float(given.sum()))
    if abs(float(given.sum()) - whole) > _ROUNDING * max(1, given.size):
        raise SampleError(f"chances: found a sum of {given.sum()}, expected a whole number")
    order = rng.permutation(given.size)
    if groups is not None:
        order = order[np.argsort(np.asarray(groups)[order], kind="stable")]
    reached = np.concatenate(([0.0], np.cumsum(given[order])))
    reached[-1] = whole
    steps = np.floor(reached + rng.random())
    return np.sort(order[np.diff(steps) > 0]).astype(np.int64)


_ROUNDING = 1e-9


class Draw(NamedTuple):
    """One sample that was drawn from the predictions of ``[start, end)`` which had no label and no earlier draw."""

    start: int
    end: int
    picks: int


def answer_weights(
    draws: tuple[Draw, ...], draw: npt.ArrayLike, when: npt.ArrayLike, chances: npt.ArrayLike, answered: npt.ArrayLike
) -> Floats:
    """Return how many unlabelled predictions each answered row stands for.

    Parameters
    ----------
    draws
        In the order in which they were made.
    draw, when, chances, answered
        Of every drawn row: its draw (position in ``draws``), its time, its chance in that draw, and whether there is an
        answer, each of shape ``(n,)``.

    Returns
    -------
    Floats
        Shape ``(n,)``; 0 where there is no answer.

    Notes
    -----
    Rows of one draw stand for ``1 / chance`` predictions. A later draw leaves out what earlier ones picked, so it
    estimates what is left, to which the earlier picks add themselves (D. Raj, 1956, Journal of the American Statistical
    Association 51). Each draw thus gives an estimate of all, without bias; at every time they are averaged over the
    draws that reach there and have answers, in proportion to their sizes. Answers that are missing are taken to be
    missing by chance within their draw: the others stand for them. Nobody stands for the picks of an earlier draw
    without any answer.

    Examples
    --------
    >>> answer_weights((Draw(0, 9, 2),), [0, 0], [1, 2], [0.1, 0.2], [True, True]).tolist()
    [10.0, 5.0]
    >>> answer_weights((Draw(0, 9, 2),), [0, 0], [1, 2], [0.1, 0.1], [True, False]).tolist()
    [20.0, 0.0]
    """
    own, times = np.asarray(draw, dtype=np.int64), np.asarray(when, dtype=np.int64)
    pi, known = np.asarray(chances, dtype=np.float64), np.asarray(answered, dtype=np.bool_)
    # Share of each draw in the estimate at the time of each row, shape (draws, rows).
    reach = np.array([(times >= one.start) & (times < one.end) for one in draws], dtype=np.float64)
    heard = np.isin(np.arange(len(draws)), own[known])  # a draw without any answer says nothing
    reach *= np.array([[one.picks] for one in draws], dtype=np.float64) * heard[:, None]
    total = reach.sum(axis=0)
    share = reach / np.where(total > 0, total, 1.0)
    rows = np.arange(own.size)
    later = share.sum(axis=0) - np.cumsum(share, axis=0)[own, rows]
    weights = np.where(known, share[own, rows] / pi + later, 0.0)
    for number in range(len(draws)):
        mine = own == number
        asked, got = float((1 / pi[mine]).sum()), float((1 / pi[mine & known]).sum())
        if got:
            weights[mine] *= asked / got
    return weights
