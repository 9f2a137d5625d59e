"""What a score says about the label: monotone maps from scores to probabilities, with their own uncertainty.

A map is fitted on labelled rows that the model has not learned from. It keeps the variance of everything it learned, so
that an estimate built on it can say how far the calibration itself may be off.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints, Values

_LEAST_PER_BIN = 10


class CalibrationMap(msgspec.Struct, frozen=True, kw_only=True):
    """A monotone, piecewise linear map from a score to the probability of one class; constant beyond its ends.

    ``scores`` and ``values`` are the knots, shape ``(k,)``. Neighbouring knots that were pooled share one value: knot
    ``i`` belongs to block ``blocks[i]``, and ``variances`` are those of the blocks' values, shape ``(b,)``.
    """

    scores: tuple[float, ...]
    values: tuple[float, ...]
    blocks: tuple[int, ...]
    variances: tuple[float, ...]

    def apply(self, scores: Floats) -> Floats:
        """Return the probability of the class for each score, shape ``(n,)``."""
        probabilities: Floats = np.interp(scores, self.scores, self.values)
        return probabilities

    def pull_back(self, scores: Floats, gradient: Floats) -> Floats:
        """Return the derivatives of ``sum(gradient * apply(scores))`` by the value of each block, shape ``(b,)``."""
        knots, blocks = np.array(self.scores), np.array(self.blocks)
        right = np.clip(np.searchsorted(knots, scores), 1, max(knots.size - 1, 1)) % knots.size
        left = np.maximum(right - 1, 0)
        gap = knots[right] - knots[left]
        share = np.clip((scores - knots[left]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
        size = len(self.variances)
        derivatives = np.zeros(size)
        for side, weights in ((left, gradient * (1 - share)), (right, gradient * share)):
            derivatives += np.bincount(blocks[side], weights=weights, minlength=size)
        return derivatives


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """One map for the scores of class 1, or one per class (each class against the rest).

    ``rows`` is the number of labelled rows behind it. The errors are expected calibration errors, the mean distance
    between stated and observed frequency over bins of equal mass, averaged over the maps: ``error_before`` of the
    scores as they came (``None`` where they are no probabilities), ``error_after`` of the maps on rows that they were
    not fitted on, and ``error_by_chance`` what rows of exactly these probabilities would show in so small a sample.
    The calibration was needed where the first is clearly above the third.
    """

    maps: tuple[CalibrationMap, ...]
    rows: int
    error_before: float | None
    error_after: float
    error_by_chance: float

    def apply(self, scores: npt.ArrayLike) -> Floats:
        """Return calibrated probabilities.

        Parameters
        ----------
        scores
            Shape ``(n,)`` for a single map, else ``(n, k)``, one column per class.

        Returns
        -------
        Floats
            The same shape. With a map per class each row adds up to 1; a row to which every map gives 0 is even.

        Raises
        ------
        SampleError
            If the shape is another or a score is NaN or infinite.
        """
        columns = _score_columns(scores)
        if columns.shape[1] != len(self.maps):
            raise SampleError(f"scores: found {columns.shape[1]} columns, expected {len(self.maps)}, one per map")
        raw = self._raw(columns)
        return raw[:, 0] if len(self.maps) == 1 else _normalised(raw)

    def variance(self, scores: npt.ArrayLike, gradient: Floats) -> float:
        """Return the variance that the calibration rows give to ``sum(gradient * apply(scores))``.

        Parameters
        ----------
        scores, gradient
            Of equal shape, as :meth:`apply` takes and returns them.

        Notes
        -----
        The values of different blocks count as independent. For several classes they are not, since a label that is
        one class is no other; but counts of independent Poisson variables, normalised, vary as multinomial counts do.
        So the maps of a multiclass calibration carry Poisson variances.
        """
        columns = _score_columns(scores)
        if len(self.maps) > 1:
            raw = self._raw(columns)
            total = raw.sum(axis=1, keepdims=True)
            inner = (gradient * _normalised(raw)).sum(axis=1, keepdims=True)
            gradient = np.where(total > 0, (gradient - inner) / np.where(total > 0, total, 1.0), 0.0)
        slopes = gradient.reshape(columns.shape)
        pairs = zip(self.maps, columns.T, slopes.T, strict=True)
        return sum(float(one.pull_back(s, h) ** 2 @ np.array(one.variances)) for one, s, h in pairs)

    def _raw(self, columns: Floats) -> Floats:
        return np.column_stack([one.apply(column) for one, column in zip(self.maps, columns.T, strict=True)])


def fit_calibration(scores: npt.ArrayLike, labels: npt.ArrayLike, *, bins: int | None = None) -> Calibration:
    """Fit monotone maps from scores to probabilities on labelled rows.

    Bins are cut so that each holds the same mass, half of it spread evenly over the rows and half in proportion to the
    variance of the label, as a first fit with equal bins gives it: a class of 2 % gets bins where it occurs. Bins that
    contradict the order of the scores are pooled; between the mean scores of the bins the map is linear.

    Parameters
    ----------
    scores
        Shape ``(n,)``, higher for class 1, or ``(n, k)`` with a column per class. They need not be probabilities.
    labels
        0 or 1, or the column of each row's class, shape ``(n,)``; of rows that the model was not fitted on.
    bins
        Bins before pooling; by default ``2 n^(1/3)``, but at least 10 rows to a bin on average.

    Returns
    -------
    Calibration
        The value of a pooled block is its observed frequency, which keeps the mean right. Its variance is that of
        ``(k + 1/2) / (n + 1)``, so that a block of one class only is not taken for certainty.

    Raises
    ------
    SampleError
        If there are no rows, the shapes differ, a score is not finite, a label names no column, or ``bins`` is below 1.

    References
    ----------
    B. Zadrozny, C. Elkan (2002). Transforming classifier scores into accurate multiclass probability estimates. KDD.
    M. Ayer et al. (1955). An empirical distribution function for sampling with incomplete information. Ann. Math.
    Stat. 26.
    M. P. Naeini, G. Cooper, M. Hauskrecht (2015). Obtaining well calibrated probabilities using Bayesian binning. AAAI.

    Examples
    --------
    >>> calibration = fit_calibration([0.1] * 40 + [0.9] * 40, [0] * 30 + [1] * 10 + [0] * 10 + [1] * 30)
    >>> calibration.apply([0.0, 0.1, 0.5, 0.9]).tolist()
    [0.25, 0.25, 0.5, 0.75]
    >>> round(calibration.error_before, 2)
    0.15
    """
    columns = _score_columns(scores)
    n, k = columns.shape
    if not n:
        raise SampleError("scores: found no rows, expected at least 1")
    if bins is not None and bins < 1:
        raise SampleError(f"bins: found {bins}, expected at least 1")
    codes = class_codes("labels", labels, n, max(k, 2))
    count = bins or max(1, min(math.ceil(2 * n ** (1 / 3)), n // _LEAST_PER_BIN))
    fits = [
        _fit_sorted(column[order], (codes[order] == (1 if k == 1 else j)).astype(np.float64), count, poisson=k > 1)
        for j, column in enumerate(columns.T)
        for order in (np.argsort(column, kind="stable"),)
    ]
    errors = np.array([found for _, found in fits]).mean(axis=0)
    stated = bool(columns.min() >= 0.0 and columns.max() <= 1.0)
    return Calibration(
        maps=tuple(fitted for fitted, _ in fits),
        rows=n,
        error_before=float(errors[0]) if stated else None,
        error_after=float(errors[1]),
        error_by_chance=float(errors[2]),
    )


def class_codes(subject: str, values: npt.ArrayLike, rows: int, classes: int) -> Ints:
    """Return classes as whole numbers below ``classes``, one per row.

    Raises
    ------
    SampleError
        If the number of rows differs, or a value is anything else.
    """
    found: Values = np.asarray(values)
    if found.shape != (rows,):
        raise SampleError(f"{subject}: found shape {found.shape}, expected ({rows},), one per row of scores")
    known = np.isin(found, np.arange(classes))
    if not known.all():
        raise SampleError(f"{subject}: found {found[~known][0]!s}, expected whole numbers from 0 to {classes - 1}")
    return found.astype(np.int64)


def _score_columns(scores: npt.ArrayLike) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim not in {1, 2} or 0 in array.shape[1:]:
        raise SampleError(f"scores: found shape {array.shape}, expected one score, or one per class, for every row")
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise SampleError(f"scores: found {bad} of {array.size} that are NaN or infinite, expected finite numbers")
    return array.reshape(len(array), -1) if array.size else array.reshape(0, *(array.shape[1:] or (1,)))


def _normalised(raw: Floats) -> Floats:
    total = raw.sum(axis=1, keepdims=True)
    shares: Floats = np.where(total > 0, raw / np.where(total > 0, total, 1.0), 1 / raw.shape[1])
    return shares


def _fit_sorted(
    scores: Floats, hits: Floats, bins: int, *, poisson: bool
) -> tuple[CalibrationMap, tuple[float, float, float]]:
    """Return the map of one class and its calibration errors, from rows in rising order of the score."""
    fitted = _fit(scores, hits, bins, poisson=poisson)
    held_out = np.empty_like(scores)
    for half in (0, 1):  # every other row, so that both halves span the scores
        part = _fit(scores[half::2], hits[half::2], max(1, bins // 2), poisson=poisson) if scores.size > 1 else fitted
        held_out[1 - half :: 2] = part.apply(scores[1 - half :: 2])
    starts = _starts(scores, np.ones_like(scores), bins)
    before, after = (float(np.abs(np.add.reduceat(p - hits, starts)).sum()) / scores.size for p in (scores, held_out))
    spread = np.sqrt(np.add.reduceat(held_out * (1 - held_out), starts))
    return fitted, (before, after, math.sqrt(2 / math.pi) * float(spread.sum()) / scores.size)


def _fit(scores: Floats, hits: Floats, bins: int, *, poisson: bool) -> CalibrationMap:
    even = np.full_like(scores, 1 / scores.size)
    first = _pooled(scores, hits, _starts(scores, even, bins), poisson=poisson)
    p = first.apply(scores)
    varies = p * (1 - p)
    if not varies.any():
        return first
    return _pooled(scores, hits, _starts(scores, even + varies / varies.sum(), bins), poisson=poisson)


def _starts(scores: Floats, mass: Floats, bins: int) -> Ints:
    """Return where each bin of equal mass begins; equal scores stay together, and many of them make their own bin."""
    reached = np.cumsum(mass)
    cuts = np.minimum(np.searchsorted(reached, reached[-1] * np.arange(1, bins) / bins), scores.size - 1)
    left = np.searchsorted(scores, scores[cuts], "left")
    right = np.searchsorted(scores, scores[cuts], "right")
    atoms = right[(right - left >= scores.size / bins) & (right < scores.size)]
    return np.unique(np.concatenate(([0], left, atoms))).astype(np.int64)


def _pooled(scores: Floats, hits: Floats, starts: Ints, *, poisson: bool) -> CalibrationMap:
    """Return the map through the mean scores of the bins, pooled until the frequencies rise."""
    rows = np.diff(np.append(starts, scores.size)).astype(np.float64)
    centres = np.add.reduceat(scores, starts) / rows
    pools: list[tuple[float, float, int]] = []
    for found, size in zip(np.add.reduceat(hits, starts).tolist(), rows.tolist(), strict=True):
        pool = (found, size, 1)
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            last = pools.pop()
            pool = (pool[0] + last[0], pool[1] + last[1], pool[2] + last[2])
        pools.append(pool)
    k, n, knots = (np.array(part) for part in zip(*pools, strict=True))
    blocks = np.repeat(np.arange(len(pools)), knots)
    smooth = (k + 0.5) / (n + 1)
    variances = (smooth if poisson else smooth * (1 - smooth)) / n
    return CalibrationMap(
        scores=tuple(centres.tolist()),
        values=tuple((k / n)[blocks].tolist()),
        blocks=tuple(blocks.tolist()),
        variances=tuple(variances.tolist()),
    )
