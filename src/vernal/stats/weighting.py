"""A metric of rows that count unequally, with an interval that knows it.

Rows count unequally when they were picked with unequal chances, or when their label is only a stand-in for the truth.
The value is the metric of the weighted rows; its variance is that of a ratio of weighted sums, to first order, with
every row's own deviation in it. So it holds whether the large weights lie on the rows that vary much or little.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, check_level, normal_quantile
from vernal.stats.intervals import Interval, bounds_within, exact_bounds, wilson_bounds
from vernal.stats.labels import binary_labels, finite_scores
from vernal.stats.metrics import Method, Metric

_EVEN_ROWS = 4.0
"""Rows by which the variance leans to that of rows that vary alike; see the notes of :func:`weighted_measure`."""


class RowWeights(NamedTuple):
    """How much each row counts.

    ``weights`` say how many rows of the population a row stands for (1 over its chance of being in the sample, times
    what its label is trusted). ``information`` is that trust, above 0 and at most 1: a row of 0.5 says as much as half
    a row, whatever its weight. Both of shape ``(n,)``.
    """

    weights: Floats
    information: Floats

    @property
    def even(self) -> bool:
        """Whether all rows count alike, so that nothing needs weighing."""
        w = self.weights
        return not w.size or bool((w == w[0]).all() and (self.information == 1.0).all())

    def kept(self, rows: Bools) -> RowWeights:
        """Return the weights of some of the rows."""
        return RowWeights(self.weights[rows], self.information[rows])

    @classmethod
    def ones(cls, rows: int) -> RowWeights:
        """Return the weights of rows that count one each."""
        return cls(np.ones(rows), np.ones(rows))


def effective_rows(rows: RowWeights) -> float:
    """Return how many rows of equal weight would say as much: Kish's effective sample size.

    Examples
    --------
    >>> effective_rows(RowWeights(np.array([1.0, 1.0, 1.0, 9.0]), np.ones(4))).__round__(2)
    1.71
    >>> effective_rows(RowWeights(np.full(10, 0.5), np.full(10, 0.5)))
    5.0
    """
    if not rows.weights.size:
        return 0.0
    return float(rows.weights.sum() ** 2 / (rows.weights**2 / rows.information).sum())


def weighted_measure(
    metric: Metric, labels: npt.ArrayLike, outputs: npt.ArrayLike, rows: RowWeights, *, certainty: float = 0.95
) -> Interval:
    """Return a metric of weighted rows (Hajek's estimator) with its interval.

    Parameters
    ----------
    metric
        One of :data:`vernal.stats.metrics.METRICS`.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    rows
        How much each row counts; every weight above 0 and finite.
    certainty
        One-sided certainty of each bound.

    Returns
    -------
    Interval
        ``rows`` is ``n``, ``effective_rows`` what they amount to. Value and bounds are ``None``, with a note, where the
        metric is undefined; the bounds alone where there is a single row.

    Raises
    ------
    SampleError
        If shapes differ, a weight is not above 0, an information is not within 0 and 1, the data cannot carry the
        metric, or the metric is a function of the user's.

    Notes
    -----
    The variance of a ratio ``sum(w a) / sum(w b)`` is ``sum(w^2 e^2 / information) / sum(w b)^2`` with ``e = a - R b``.
    It holds for rows picked independently, and is too large rather than too small for a fixed number of picks. A few
    rows can miss what the heavy ones hide (all of 200 sampled answers may be right but for some of little weight), so
    the variance is averaged with that of rows which all vary alike, which counts as much as 4 rows: rows of the rarer
    outcome for a proportion, any rows otherwise. A proportion then gets the exact bounds of as many rows as give this
    variance, fewer by the square of the normal over Student's quantile; the others have Student's quantile itself, with
    the effective number of rows.

    References
    ----------
    L. Kish (1965). Survey sampling.
    J. Hajek (1971). Comment on an essay by D. Basu, in Foundations of statistical inference.
    E. L. Korn, B. I. Graubard (1998). Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data. Survey Methodology 24.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> right, wrong = np.ones(300), np.zeros(100)
    >>> answers, weights = np.concatenate((right, wrong)), np.repeat([3.0, 1.0], [300, 100])
    >>> found = weighted_measure(METRICS["accuracy"], np.ones(400), answers, RowWeights(weights, np.ones(400)))
    >>> found.value, round(found.effective_rows, 1)
    (0.9, 357.1)
    >>> found.lower < 0.9 < found.upper
    True
    """
    check_level("certainty", certainty)
    truth = np.asarray(labels)
    _check(metric, rows, truth.size)
    blank = Interval(
        value=None,
        lower=None,
        upper=None,
        certainty=certainty,
        rows=truth.size,
        method="none",
        effective_rows=effective_rows(rows),
    )
    if not truth.size:
        return replace(blank, note=metric.why_undefined(0))
    if metric.terms is None:
        positive = binary_labels(truth)
        return _area(positive, finite_scores(outputs, positive.size), rows, blank, metric)
    return _ratio(metric, metric.terms(truth, outputs), rows, blank)


def _check(metric: Metric, rows: RowWeights, size: int) -> None:
    for subject, values in (("weights", rows.weights), ("information", rows.information)):
        if values.shape != (size,):
            raise SampleError(f"{subject}: found shape {values.shape}, expected ({size},), one per label")
        if not (np.isfinite(values) & (values > 0)).all():
            raise SampleError(f"{subject}: found a number that is not above 0, expected one in every row")
    if size and rows.information.max() > 1:
        raise SampleError(f"information: found {rows.information.max()}, expected at most 1, a whole row")
    if metric.function is not None:
        raise SampleError(f"metric {metric.name}: is a function, expected one of Vernal's metrics for weighted rows")


def _ratio(metric: Metric, terms: Floats, rows: RowWeights, blank: Interval) -> Interval:
    """Return a ratio of weighted sums."""
    a, b = terms @ np.array(metric.numerator), terms @ np.array(metric.denominator)
    counted = (a != 0) | (b != 0)
    a, b, rows = a[counted], b[counted], rows.kept(counted)
    w, n = rows.weights, int(counted.sum())
    below = float(w @ b)
    if below <= 0:
        return replace(blank, note=metric.undefined)
    ratio = float(w @ a) / below
    value = math.sqrt(ratio) if metric.root else ratio
    found = replace(blank, value=value, method="weighted")
    effective = below**2 / float((w**2 * b**2 / rows.information).sum())
    if n == 1 or effective <= 1:
        return replace(found, note="one row only: it says nothing about another")
    proportion = metric.method is Method.EXACT
    deviations = a - ratio * b
    own = n / (n - 1) * float((w**2 * deviations**2 / rows.information).sum()) / below**2
    alike = float(w @ deviations**2) / float(w @ b) / effective
    told = min(int((a > 0).sum()), int((a == 0).sum())) if proportion else n
    variance = (told * own + _EVEN_ROWS * alike) / (told + _EVEN_ROWS)
    t = _student(effective - 1, found.certainty)
    if proportion:
        worth = (effective if ratio in metric.limits else ratio * (1 - ratio) / variance) * _shrinkage(found, t)
        lower, upper = exact_bounds(ratio * worth, worth, found.certainty)
    elif metric.limits == (0.0, 1.0) and ratio in metric.limits:
        lower, upper = wilson_bounds(ratio, effective / max(metric.denominator), t)
    else:
        error = math.sqrt(variance) / (2 * value if metric.root and value else 1.0)
        lower, upper = bounds_within(metric.limits, value, t * error)
    return replace(found, lower=lower, upper=upper)


def _shrinkage(found: Interval, t: float) -> float:
    """Return the part of the rows that is left when Student's quantile takes the place of the normal one."""
    return (normal_quantile(found.certainty) / t) ** 2 if t else 1.0


def _area(positive: Bools, scores: Floats, rows: RowWeights, blank: Interval, metric: Metric) -> Interval:
    """Return the weighted area under the ROC curve, with DeLong's variance of weighted rows."""
    if positive.all() or not positive.any():
        return replace(blank, note=metric.undefined)
    sides = rows.kept(positive), rows.kept(~positive)
    sizes = [effective_rows(side) for side in sides]
    placed = _share_below(scores[positive], scores[~positive], sides[1].weights)
    beaten = 1 - _share_below(scores[~positive], scores[positive], sides[0].weights)
    area = float(np.average(placed, weights=sides[0].weights))
    found = replace(blank, value=area, method="weighted")
    variances = [_of_side(*side, area) for side in zip((placed, beaten), sides, strict=True)]
    if min(sizes) <= 1 or sum(variances) == 0.0:
        lower, upper = wilson_bounds(area, min(sizes), _student(max(min(sizes) - 1, 1.0), found.certainty))
        return replace(found, lower=lower, upper=upper)
    widened = [
        v + _MORE_ROWS * area * (1 - area) * float(side.weights.max() / side.weights.sum()) ** 2
        for v, side in zip(variances, sides, strict=True)
    ]
    freedom = sum(widened) ** 2 / sum(v * v / (n - 1) for v, n in zip(widened, sizes, strict=True))
    lower, upper = bounds_within((0.0, 1.0), area, _student(freedom, found.certainty) * math.sqrt(sum(widened)))
    return replace(found, lower=lower, upper=upper)


_MORE_ROWS = 2.0
"""As for the area of rows that count alike, see :func:`vernal.stats.areas.delong`; here rows of the largest weight."""


def _of_side(placed: Floats, rows: RowWeights, area: float) -> float:
    n = placed.size
    if n == 1:
        return 0.0
    w = rows.weights
    squares = float((w**2 * (placed - area) ** 2 / rows.information).sum())
    return n / (n - 1) * squares / float(w.sum()) ** 2


def _share_below(scores: Floats, others: Floats, weights: Floats) -> Floats:
    """Return for each score the weighted share of the others that lie below it, ties at one half."""
    order = np.argsort(others)
    ranked, reached = others[order], np.concatenate(([0.0], np.cumsum(weights[order])))
    under = reached[np.searchsorted(ranked, scores, "left")] + reached[np.searchsorted(ranked, scores, "right")]
    share: Floats = under / (2 * reached[-1])
    return share


def _student(freedom: float, certainty: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, certainty))
