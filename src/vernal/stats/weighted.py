"""A metric as a function of how often each unit was drawn: what resampling evaluates, however the metric is made."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Bools, Floats, Ints, Values
from vernal.stats.labels import binary_labels, finite_scores
from vernal.stats.metrics import Metric, WeightedFunction

Weighted = Callable[[Floats], Floats]
"""Weights of units, shape ``(b, k)``, to the metric in each resample, shape ``(b,)``; NaN where undefined."""

AT_ONCE = 1_000_000
"""Weights of rows held together, which bounds the memory."""

ROUNDING = 1e-12
"""Standard errors relative to the metric up to which units do not differ at all."""

_PAIRED_UNITS = 400
"""Most units between which pairs are counted beforehand; their table grows with the square."""


def weighted(
    metric: Metric, labels: Values, outputs: npt.ArrayLike, codes: Ints, k: int, rows: Floats | None = None
) -> Weighted:
    """Return the metric as a function of the weights of ``k`` units.

    Parameters
    ----------
    metric
        Any metric.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    codes
        The unit of each row, ``0`` to ``k - 1``, shape ``(n,)``.
    k
        Number of units, rows or blocks of rows.
    rows
        How much each row counts within its unit, shape ``(n,)``; one each when left out.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> labels, answers = np.array([1, 0, 1]), np.array([1, 1, 1])
    >>> weighted(METRICS["accuracy"], labels, answers, np.arange(3), 3)(np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0]]))
    array([0.66666667, 1.        ])
    """
    count = np.ones(len(codes)) if rows is None else rows
    if metric.function is not None:
        return _of_function(metric.function, labels, np.asarray(outputs), codes, count)
    if metric.terms is None:
        positive = binary_labels(labels)
        scores = finite_scores(outputs, positive.size)
        if k <= _PAIRED_UNITS:
            return _area_of_blocks(positive, scores, codes, k, count)
        return _area_of_rows(positive, scores, codes, count)
    sums = unit_sums(metric.terms(labels, outputs) * count[:, None], codes, k)
    return lambda weights: metric.of_sums(weights @ sums)


def value_of_rows(metric: Metric, labels: Values, outputs: npt.ArrayLike, counts: Floats | None) -> float | None:
    """Return the metric of rows of which each counts so much, one each for ``None``; ``None`` where it is undefined."""
    if counts is None or not labels.size:
        return metric.value(labels, outputs)
    whole = weighted(metric, labels, outputs, np.zeros(labels.size, dtype=np.int64), 1, counts)
    value = float(whole(np.ones((1, 1)))[0])
    return None if math.isnan(value) else value


def unit_sums(terms: Floats, codes: Ints, k: int) -> Floats:
    """Return row terms summed per unit, shape ``(n, s)`` to ``(k, s)``."""
    return np.column_stack([np.bincount(codes, weights=column, minlength=k) for column in terms.T])


def _of_function(function: WeightedFunction, labels: Values, outputs: Values, codes: Ints, count: Floats) -> Weighted:
    def one(drawn: Floats) -> float:
        kept = drawn > 0
        try:
            return float(function(labels[kept], outputs[kept], sample_weight=drawn[kept]))
        except ValueError:
            return math.nan  # how scikit-learn says that a metric needs both classes, and a resample may lack one

    return lambda weights: np.array([one(drawn) for drawn in weights[:, codes] * count])


def _area_of_blocks(positive: Bools, scores: Floats, codes: Ints, k: int, count: Floats) -> Weighted:
    """Return the weighted area: ``w U w / (w p)(w q)``, where U counts ordered pairs between two blocks.

    ``U[a, b]`` is the Mann-Whitney count of positives in block a over negatives in block b, ties at one half, so the
    quadratic form is exactly the area of the resampled rows.
    """
    order = np.argsort(scores[positive])  # sorted queries stay in the cache
    x, x_codes, x_count = scores[positive][order], codes[positive][order], count[positive][order]
    y, y_codes, y_count = scores[~positive], codes[~positive], count[~positive]
    pairs = np.empty((k, k))
    for block in range(k):
        mine = y_codes == block
        ranked = np.argsort(y[mine])
        own, reached = y[mine][ranked], np.concatenate(([0.0], np.cumsum(y_count[mine][ranked])))
        over = reached[own.searchsorted(x, "left")] + reached[own.searchsorted(x, "right")]
        pairs[:, block] = np.bincount(x_codes, weights=x_count * over / 2.0, minlength=k)
    p = np.bincount(x_codes, weights=x_count, minlength=k)
    q = np.bincount(y_codes, weights=y_count, minlength=k)
    return lambda weights: _ratio(((weights @ pairs) * weights).sum(axis=1), (weights @ p) * (weights @ q))


def _area_of_rows(positive: Bools, scores: Floats, codes: Ints, count: Floats) -> Weighted:
    """Return the weighted area from one sort: every positive weighs against the negatives that come before it."""
    order = np.argsort(scores)
    ordered, mine, units, counted = scores[order], positive[order], codes[order], count[order]
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))

    def area(weights: Floats) -> Floats:
        drawn = weights[:, units] * counted
        p = np.add.reduceat(drawn * mine, starts, axis=1)
        q = np.add.reduceat(drawn * ~mine, starts, axis=1)
        before = np.cumsum(q, axis=1) - q / 2.0
        return _ratio((p * before).sum(axis=1), p.sum(axis=1) * q.sum(axis=1))

    return area


def _ratio(counted: Floats, compared: Floats) -> Floats:
    ratio: Floats = np.where(compared > 0, counted / np.where(compared > 0, compared, 1.0), np.nan)
    return ratio
