"""Bounds from the jackknife over blocks of rows that rise and fall together, such as those of one day.

Each block is left out once, whatever the metric. Blocks of unequal size, and blocks of which a few are far worse than
the others, are where a bootstrap of whole blocks claims too much; see :func:`paired_jackknife` for what is done here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints, Values, check_level
from vernal.stats.intervals import Interval, PairedInterval, bounds_within, largest_unseen
from vernal.stats.metrics import Metric
from vernal.stats.paired import mcnemar
from vernal.stats.weighted import AT_ONCE, ROUNDING, unit_sums, value_of_rows, weighted

METHOD = "day-block jackknife"

_EVEN = 0.5
"""Certainty at which a bound is the estimate."""


def jackknife_interval(
    metric: Metric, labels: npt.ArrayLike, outputs: npt.ArrayLike, *, blocks: npt.ArrayLike, certainty: float = 0.95
) -> Interval:
    """Return a metric with bounds from leaving out each block once.

    The jackknife's standard error is multiplied by Student's quantile at one degree of freedom less than the effective
    number of blocks. The bounds are taken on the scale that suits the metric's range: logit within 0..1, logarithm for
    a loss, plain for a function. Where a metric within 0..1 is at its limit nothing varies, and the far bound is that
    of a proportion which so many blocks never missed.

    Parameters
    ----------
    metric
        Any metric, also :func:`vernal.stats.metrics.of_function`.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    blocks
        The block of each row, any integers (days since an epoch), shape ``(n,)``.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.

    Raises
    ------
    SampleError
        If shapes differ, the data cannot carry the metric, or ``certainty`` is not between 0 and 1.

    See Also
    --------
    paired_jackknife : The sources, and what the effective number of blocks is.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> days, labels = np.repeat(np.arange(10), 20), np.tile([0, 1], 100)
    >>> scores = np.where(np.arange(200) % 7, 0.5, labels)
    >>> interval = jackknife_interval(METRICS["brier"], labels, scores, blocks=days)
    >>> round(interval.value, 3), interval.lower < interval.value < interval.upper
    (0.214, True)
    """
    truth, codes, k = _checked(labels, blocks, certainty)
    found = Interval(
        value=metric.value(truth, outputs),
        lower=None,
        upper=None,
        certainty=certainty,
        rows=truth.size,
        method=METHOD,
    )
    if found.value is None:
        return replace(found, method="none", note=metric.why_undefined(truth.size))
    spread, note = _spread(metric, truth, (outputs,), found.value, codes, k)
    if spread is None:
        return replace(found, method="none", note=note)
    if metric.limits == (0.0, 1.0) and found.value in metric.limits:
        missed = largest_unseen(spread.blocks, certainty)
        lower, upper = found.value * (1 - missed), found.value + (1 - found.value) * missed
    else:
        lower, upper = bounds_within(metric.limits, found.value, spread.t(certainty) * spread.error)
    return replace(found, lower=lower, upper=upper)


def paired_jackknife(
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    blocks: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    certainty: float = 0.95,
) -> PairedInterval:
    """Return the paired difference of a metric with bounds from leaving out each block once, for both models.

    The standard error is the jackknife's, which for means is the cluster-robust one of type CR3. It is multiplied by
    Student's quantile at one degree of freedom less than the *effective* number of blocks, one over the sum of their
    squared shares: a day with half of the rows is worth more than another, and tells little about itself. Where the
    blocks are skewed towards a bound (a few days on which the challenger is far worse), that bound is moved further
    out by Johnson's correction; it is never moved in.

    Parameters
    ----------
    metric
        Any metric, also :func:`vernal.stats.metrics.of_function`, which is called twice for each block.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    blocks
        The block of each row, any integers (days since an epoch), shape ``(n,)``.
    weights
        How much each row counts, above 0, shape ``(n,)``; one each when left out. A block's share is that of its
        weights.
    certainty
        One-sided certainty of each bound.

    Returns
    -------
    PairedInterval
        With few blocks the interval is wide, and rightly so: two days tell little about a third. Where every block
        shows the same difference the bounds are that difference, and the p-value is that of a sign test of the blocks;
        with so few blocks that this test could not be as certain as asked (4 at 0.95) there is no difference at all.
        Neither is there one where the metric is undefined without one of the blocks.

    Raises
    ------
    SampleError
        If shapes differ, the data cannot carry the metric, or ``certainty`` is not between 0 and 1.

    Notes
    -----
    No method sees what did not happen. A kind of day that comes once in ten days is absent from a week in half of all
    cases, and such a week looks exactly as if there were no such days.

    References
    ----------
    R. M. Bell, D. F. McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28.
    A. V. Carter, K. T. Schnepel, D. G. Steigerwald (2017). Asymptotic behavior of a t-test robust to cluster
    heterogeneity. Review of Economics and Statistics 99.
    N. J. Johnson (1978). Modified t tests and confidence intervals for asymmetrical populations. JASA 73.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> days, labels = np.repeat(np.arange(10), 20), np.tile([0, 1], 100)
    >>> champion, challenger = np.where(np.arange(200) % 7, 0.5, labels), np.where(np.arange(200) % 5, labels, 0.5)
    >>> found = paired_jackknife(METRICS["brier"], labels, champion, challenger, blocks=days)
    >>> round(found.difference, 3), found.lower > 0, found.blocks
    (0.164, True, 10)
    """
    truth, codes, k = _checked(labels, blocks, certainty)
    counts = _counts(weights, truth.size)
    values = tuple(value_of_rows(metric, truth, outputs, counts) for outputs in (champion, challenger))
    found = PairedInterval(
        champion=values[0],
        challenger=values[1],
        difference=None,
        lower=None,
        upper=None,
        p_value=None,
        certainty=certainty,
        rows=truth.size,
        blocks=k,
        method=METHOD,
    )
    if values[0] is None or values[1] is None:
        return replace(found, method="none", note=metric.why_undefined(truth.size))
    difference = metric.improvement(values[0], values[1])
    spread, note = _spread(metric, truth, (champion, challenger), difference, codes, k, counts)
    if spread is None:
        return replace(found, method="none", note=note)
    if spread.error <= ROUNDING * max(abs(values[0]), abs(values[1])):
        if difference and 0.5**k > min(certainty, 1 - certainty):
            return replace(found, method="none", note=f"all {k} blocks differ alike, too few to tell their error")
        p_value = mcnemar(k, 0) if difference else 1.0
        return replace(found, difference=difference, lower=difference, upper=difference, p_value=p_value)
    widest = metric.limits[1] - metric.limits[0]
    return replace(
        found,
        difference=difference,
        lower=max(-widest, difference - spread.reach(certainty, -spread.skewness)),
        upper=min(widest, difference + spread.reach(certainty, spread.skewness)),
        p_value=spread.p_value(difference),
    )


class _Spread(NamedTuple):
    """What the blocks say of the error: the standard error, its skewness, and the effective number of blocks."""

    error: float
    skewness: float
    blocks: float

    def t(self, certainty: float) -> float:
        """Return Student's quantile, at as many degrees of freedom as the blocks are worth."""
        from scipy.special import stdtrit

        return float(stdtrit(self.blocks - 1, certainty))

    def reach(self, certainty: float, towards: float) -> float:
        """Return how far a bound is from the estimate whose blocks are skewed ``towards`` it."""
        t = self.t(certainty)
        return self.error * (t + max(0.0, towards) * (1 + 2 * t * t) / 6 if certainty > _EVEN else t)

    def p_value(self, difference: float) -> float:
        """Return twice one minus the certainty at which the bound that faces 0 reaches it."""
        from scipy.special import stdtr

        away = abs(difference) / self.error
        towards = max(0.0, -self.skewness if difference > 0 else self.skewness)
        # The positive root of (towards / 3) t^2 + t = away - towards / 6, in the form that towards = 0 does not divide.
        left = away - towards / 6
        t = 2 * left / (1 + math.sqrt(max(0.0, 1 + 4 * towards * left / 3)))
        return min(1.0, 2 * float(stdtr(self.blocks - 1, -max(0.0, t))))


def _checked(labels: npt.ArrayLike, blocks: npt.ArrayLike, certainty: float) -> tuple[Values, Ints, int]:
    """Return the labels, the block of each row counted from 0, and the number of blocks."""
    check_level("certainty", certainty)
    truth = np.asarray(labels)
    found, codes = np.unique(np.asarray(blocks), return_inverse=True)
    if codes.shape != truth.shape:
        raise SampleError(f"blocks: found shape {codes.shape}, expected {truth.shape}, one per label")
    return truth, codes, int(found.size)


def _counts(weights: npt.ArrayLike | None, rows: int) -> Floats | None:
    """Return how much each row counts, ``None`` where all count alike."""
    if weights is None:
        return None
    counts = np.asarray(weights, dtype=np.float64)
    if counts.shape != (rows,) or not (np.isfinite(counts) & (counts > 0)).all():
        raise SampleError(f"weights: found shape {counts.shape}, expected ({rows},) numbers above 0, one per label")
    return counts


def _spread(
    metric: Metric,
    labels: Values,
    outputs: tuple[npt.ArrayLike, ...],
    estimate: float,
    codes: Ints,
    k: int,
    counts: Floats | None = None,
) -> tuple[_Spread | None, str]:
    """Return the spread of a metric, or of the improvement from one output to another, or ``None`` and the reason."""
    if k == 1:
        return None, "one block only: its rows say nothing about another"
    parts = [_left_out(metric, labels, one, codes, k, counts) for one in outputs]
    values, shares = (np.array(part) for part in zip(*parts, strict=True))
    without = values[0]
    if len(values) > 1:
        without = values[1] - values[0] if metric.greater_is_better else values[0] - values[1]
    undefined = int((~np.isfinite(without)).sum())
    if undefined:
        return None, f"{metric.name} rests on single blocks: without {undefined} of {k} it is undefined"
    added, weights = estimate - without, shares.mean(axis=0)
    return (
        _Spread(
            error=math.sqrt((k - 1) / k * float(added @ added)),
            skewness=_skewness(added),
            blocks=1 / float(weights @ weights),
        ),
        "",
    )


def _left_out(
    metric: Metric, labels: Values, outputs: npt.ArrayLike, codes: Ints, k: int, counts: Floats | None
) -> tuple[Floats, Floats]:
    """Return the metric without each block, NaN where it is undefined, and the blocks' shares, shape ``(k,)`` each.

    The shares are of what the metric divides by, for an area of both classes, for a function of the rows.
    """
    count = np.ones(codes.size) if counts is None else counts
    if metric.terms is not None:
        sums = unit_sums(metric.terms(labels, outputs) * count[:, None], codes, k)
        below = sums @ np.array(metric.denominator)
        return metric.of_sums(sums.sum(axis=0) - sums), below / below.sum()
    rows = [labels == 1, labels == 0] if metric.function is None else [np.ones(codes.size, dtype=np.bool_)]
    sizes = np.array([np.bincount(codes[some], weights=count[some], minlength=k) for some in rows])
    shares: Floats = (sizes / sizes.sum(axis=1, keepdims=True)).mean(axis=0)
    of_weights = weighted(metric, labels, outputs, codes, k, counts)
    at_once = max(1, AT_ONCE // max(labels.size, k))
    values = []
    for start in range(0, k, at_once):
        weights = np.ones((min(at_once, k - start), k))
        weights[np.arange(len(weights)), start + np.arange(len(weights))] = 0.0
        values.append(of_weights(weights))
    return np.concatenate(values), shares


def _skewness(added: Floats) -> float:
    """Return the skewness of the estimate, a root of ``k`` smaller than that of the blocks it is the mean of."""
    k, off = added.size, added - added.mean()
    if k == 2 or not off.any():  # noqa: PLR2004 - two numbers lean to no side
        return 0.0
    return float((off**3).sum() / (off @ off) ** 1.5) * math.sqrt(k * (k - 1)) / (k - 2)
