"""What a score says about the label: maps from scores to probabilities, with their own uncertainty.

A map is fitted on labelled rows that the model has not learned from: a smooth curve of few parameters first, then
what bins of rows say against it. It keeps the variance of everything it learned, so that an estimate built on it can
say how far the calibration itself may be off.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints, Values
from vernal.stats.logistic import ScoreModel, fit_score_model

_LEAST_PER_BIN = 10


class BinnedMap(msgspec.Struct, frozen=True, kw_only=True):
    """A piecewise linear map of expected onto observed probabilities: from (0, 0) through bins of rows to (1, 1).

    ``expected`` and ``values`` are the mean expected probabilities of the bins and their observed frequencies, with
    ``variances``, shape ``(b,)``; ``slants`` are the derivatives of ``expected`` by the slopes behind it, ``(b, f)``.
    ``ends`` are the values at 0 and 1, which are 0 and 1 unless only one of both labels was seen.
    """

    expected: tuple[float, ...]
    values: tuple[float, ...]
    variances: tuple[float, ...]
    slants: tuple[tuple[float, ...], ...]
    ends: tuple[float, float] = (0.0, 1.0)

    def apply(self, expected: Floats) -> Floats:
        """Return the observed probability for each expected one, shape ``(n,)``."""
        knots, values = self._knots()
        probabilities: Floats = np.interp(expected, knots, values)
        return probabilities

    def pull_back(self, expected: Floats, gradient: Floats, by_slope: Floats) -> tuple[Floats, Floats]:
        """Return the derivatives of ``sum(gradient * apply(expected))``.

        Parameters
        ----------
        expected, gradient
            Shape ``(n,)``.
        by_slope
            The derivatives of ``expected`` by the slopes behind it, shape ``(f, n)``.

        Returns
        -------
        bins, slopes
            The derivatives by the values of the bins, shape ``(b,)``, and by the slopes, shape ``(f,)``. The knots move
            with the slopes, which leaves only what lies between them.
        """
        knots, values = self._knots()
        right = np.clip(np.searchsorted(knots, expected), 1, knots.size - 1)
        gap = knots[right] - knots[right - 1]
        gap = np.where(gap > 0, gap, 1.0)
        share = (expected - knots[right - 1]) / gap
        moved = gradient * (values[right] - values[right - 1]) / gap
        of_values, of_knots = np.zeros(knots.size), np.zeros(knots.size)
        for side, weight in ((right - 1, 1 - share), (right, share)):
            of_values += np.bincount(side, weights=gradient * weight, minlength=knots.size)
            of_knots += np.bincount(side, weights=moved * weight, minlength=knots.size)
        return of_values[1:-1], by_slope @ moved - of_knots[1:-1] @ np.array(self.slants)

    def _knots(self) -> tuple[Floats, Floats]:
        first, last = self.ends
        return np.array((0.0, *self.expected, 1.0)), np.array((first, *self.values, last))


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """One map for the scores of class 1, or one per class (each class against the rest).

    ``rows`` is the number of labelled rows behind it. The errors are expected calibration errors, the mean distance
    between stated and observed frequency over bins of equal mass, averaged over the maps: ``error_before`` of the
    scores as they came (``None`` where they are no probabilities), ``error_after`` of the maps on rows that they were
    not fitted on, and ``error_by_chance`` what rows of exactly these probabilities would show in so small a sample.
    The calibration was needed where the first is clearly above the third; as maps of half of the rows are noisy
    themselves, the second may be 1.4 times the third.
    """

    smooth: ScoreModel
    maps: tuple[BinnedMap, ...]
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
        raw = self._raw(self.smooth.apply(columns))
        return raw[:, 0] if len(self.maps) == 1 else _normalised(raw)

    def variance(self, scores: npt.ArrayLike, gradient: Floats) -> float:
        """Return the variance that the calibration rows give to ``sum(gradient * apply(scores))``.

        Parameters
        ----------
        scores, gradient
            Of equal shape, as :meth:`apply` takes and returns them.

        Notes
        -----
        The delta method for an estimate in two steps (K. M. Murphy, R. H. Topel, 1985, Journal of Business & Economic
        Statistics 3). Bins have independent values, and the slopes of the smooth model rest on the same labels: the
        covariance of a bin's value with them is their own covariance times the bin's slant, as for any score function.

        For several classes values are not independent, since a label that is one class is no other; but counts of
        independent Poisson variables, normalised, vary as multinomial counts do. So the maps of a multiclass
        calibration carry Poisson variances.
        """
        columns = _score_columns(scores)
        expected, by_slope = self.smooth.apply(columns), self.smooth.by_slope(columns)
        if len(self.maps) > 1:
            raw = self._raw(expected)
            total = raw.sum(axis=1, keepdims=True)
            inner = (gradient * _normalised(raw)).sum(axis=1, keepdims=True)
            gradient = np.where(total > 0, (gradient - inner) / np.where(total > 0, total, 1.0), 0.0)
        weights = gradient.reshape(columns.shape)
        own, shared, slopes = 0.0, np.zeros(len(by_slope)), np.zeros(len(by_slope))
        for j, one in enumerate(self.maps):
            by_bin, between = one.pull_back(expected[:, j], weights[:, j], by_slope[:, j])
            own += float(by_bin**2 @ np.array(one.variances))
            shared += by_bin @ np.array(one.slants)
            slopes += between
        return max(0.0, own + float((2 * shared + slopes) @ np.array(self.smooth.covariance) @ slopes))

    def _raw(self, expected: Floats) -> Floats:
        return np.column_stack([one.apply(column) for one, column in zip(self.maps, expected.T, strict=True)])


def fit_calibration(scores: npt.ArrayLike, labels: npt.ArrayLike, *, bins: int | None = None) -> Calibration:
    """Fit maps from scores to probabilities on labelled rows.

    First a smooth model of few parameters, see :func:`vernal.stats.logistic.fit_score_model`. What it expects is then
    corrected through bins, so that the observed frequencies hold in each, and between their means the map is linear in
    what the model expects: it bends as the model does. Bins are cut so that each holds the same mass, half of it spread
    evenly over the rows and half in proportion to the variance of the label: a class of 2 % gets bins where it occurs.
    Neighbouring bins may contradict the order of the scores. Pooling them would take noise for signal, and estimates
    would be too good.

    Parameters
    ----------
    scores
        Shape ``(n,)``, higher for class 1, or ``(n, k)`` with a column per class. They need not be probabilities.
    labels
        0 or 1, or the column of each row's class, shape ``(n,)``; of rows that the model was not fitted on.
    bins
        By default ``2 n^(1/3)``, but at least 10 rows to a bin on average. Equal scores share a bin.

    Returns
    -------
    Calibration
        The value of a bin is its observed frequency, which keeps the mean right. Its variance is that of
        ``(k + 1/2) / (n + 1)``, so that a bin of one class only is not taken for certainty.

    Raises
    ------
    SampleError
        If there are no rows, the shapes differ, a score is not finite, a label names no column, or ``bins`` is below 1.

    References
    ----------
    B. Zadrozny, C. Elkan (2002). Transforming classifier scores into accurate multiclass probability estimates. KDD.
    M. Kull, T. Silva Filho, P. Flach (2017). Beyond sigmoids: how to obtain well-calibrated probabilities from binary
    classifiers with beta calibration. Electronic Journal of Statistics 11.
    A. Kumar, P. Liang, T. Ma (2019). Verified uncertainty calibration. NeurIPS (a smooth fit, then bins).
    M. P. Naeini, G. Cooper, M. Hauskrecht (2015). Obtaining well calibrated probabilities using Bayesian binning. AAAI.

    Examples
    --------
    >>> calibration = fit_calibration([0.1] * 40 + [0.9] * 40, [0] * 30 + [1] * 10 + [0] * 10 + [1] * 30)
    >>> [round(p, 3) for p in calibration.apply([0.1, 0.5, 0.9]).tolist()]
    [0.25, 0.5, 0.75]
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
    smooth, maps = _fit(columns, codes, count)
    hits = np.column_stack([codes == j for j in _classes(k)]).astype(np.float64)
    order = np.lexsort((columns.max(axis=1), columns.argmax(axis=1)))
    halves, few = (order[::2], order[1::2] if n > 1 else order), max(1, count // 2)  # so that both span the scores
    errors = np.array(
        [
            _errors(columns[other], _mapped(*_fit(columns[one], codes[one], few), columns[other]), hits[other], few)
            for one, other in (halves, halves[::-1])
        ]
    )
    after, by_chance = errors.mean(axis=0).tolist()
    return Calibration(
        smooth=smooth,
        maps=maps,
        rows=n,
        error_before=_errors(columns, columns, hits, count)[0] if smooth.logs else None,
        error_after=after,
        error_by_chance=by_chance,
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


def _classes(columns: int) -> range:
    """Return the class of each column."""
    return range(1, 2) if columns == 1 else range(columns)


def _mapped(smooth: ScoreModel, maps: tuple[BinnedMap, ...], columns: Floats) -> Floats:
    """Return the value of each map, shape ``(n, k)``, not yet adding up to 1."""
    expected = smooth.apply(columns)
    return np.column_stack([one.apply(column) for one, column in zip(maps, expected.T, strict=True)])


def _fit(columns: Floats, codes: Ints, bins: int) -> tuple[ScoreModel, tuple[BinnedMap, ...]]:
    smooth, k = fit_score_model(columns, codes), columns.shape[1]
    expected, by_slope = smooth.apply(columns), smooth.by_slope(columns)
    maps = []
    for j, p, slants in zip(_classes(k), expected.T, by_slope.transpose(1, 0, 2), strict=True):
        order = np.argsort(p, kind="stable")
        varies = p[order] * (1 - p[order])
        starts = _starts(p[order], 1 / p.size + varies / varies.sum(), bins)
        hits = (codes[order] == j).astype(np.float64)
        maps.append(_through_bins(p[order], slants[:, order], hits, starts, poisson=k > 1))
    return smooth, tuple(maps)


def _errors(columns: Floats, chances: Floats, hits: Floats, bins: int) -> tuple[float, float]:
    """Return the mean error of the probabilities and that by chance, over bins of the scores, of equal row counts."""
    found = by_chance = 0.0
    for scores, p, y in zip(columns.T, chances.T, hits.T, strict=True):
        order = np.argsort(scores, kind="stable")
        starts = _starts(scores[order], np.ones_like(scores), bins)
        found += float(np.abs(np.add.reduceat((p - y)[order], starts)).sum())
        by_chance += math.sqrt(2 / math.pi) * float(np.sqrt(np.add.reduceat((p * (1 - p))[order], starts)).sum())
    return found / columns.size, by_chance / columns.size


def _starts(scores: Floats, mass: Floats, bins: int) -> Ints:
    """Return where each bin of equal mass begins; equal scores stay together, and many of them make their own bin."""
    reached = np.cumsum(mass)
    cuts = np.minimum(np.searchsorted(reached, reached[-1] * np.arange(1, bins) / bins), scores.size - 1)
    left = np.searchsorted(scores, scores[cuts], "left")
    right = np.searchsorted(scores, scores[cuts], "right")
    atoms = right[(right - left >= scores.size / bins) & (right < scores.size)]
    return np.unique(np.concatenate(([0], left, atoms))).astype(np.int64)


def _through_bins(expected: Floats, slants: Floats, hits: Floats, starts: Ints, *, poisson: bool) -> BinnedMap:
    """Return the map through the bins that begin at ``starts``, from rows in rising order of ``expected``."""
    n = np.diff(np.append(starts, expected.size)).astype(np.float64)
    k = np.add.reduceat(hits, starts)
    smooth = (k + 0.5) / (n + 1)
    variances = (smooth if poisson else smooth * (1 - smooth)) / n
    return BinnedMap(
        expected=tuple((np.add.reduceat(expected, starts) / n).tolist()),
        values=tuple((k / n).tolist()),
        variances=tuple(variances.tolist()),
        ends=(float(k.sum() == n.sum()), float(k.sum() > 0)),
        slants=tuple(tuple(row) for row in (np.add.reduceat(slants, starts, axis=1) / n).T.tolist()),
    )
