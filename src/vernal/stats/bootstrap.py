"""Bootstrap of any metric by resampling the weights of rows.

A resample is how often each row was drawn: a weight per row, multinomial. Two models are always weighted alike. What
cannot be said is a result with a note: a metric that is undefined on these rows or in more than half of the resamples,
and the error of a single row. Rows that come in blocks have :mod:`vernal.stats.jackknife`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Values, check_level
from vernal.stats.intervals import Interval, PairedInterval, bounds_within, largest_unseen
from vernal.stats.metrics import Metric
from vernal.stats.paired import mcnemar
from vernal.stats.weighted import AT_ONCE, ROUNDING, weighted

RESAMPLES = 2000
"""Enough for a standard error that is itself within 3 % of what endless resampling would give."""

_EVEN = 0.5
"""Certainty at which a bound is the estimate."""

_DRAWN_ROWS = 2_000
"""Most rows that are drawn one by one where sums suffice; sums over more are normal for every purpose here."""


def bootstrap_interval(
    metric: Metric,
    labels: npt.ArrayLike,
    outputs: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return a metric with bounds from the bootstrap's standard error.

    The standard error is the spread of the resamples times ``sqrt(n / (n - 1))`` for ``n`` rows, and is multiplied by
    Student's quantile with ``n - 1`` degrees of freedom. The bounds are taken on the scale that suits the metric's
    range: logit within 0..1, logarithm for a loss, plain for a function. The upper bound of a loss is at least the
    studentised bootstrap's, because a few rows can make up most of a loss. Where a metric within 0..1 is at its limit
    resamples do not vary, and the far bound is that of a proportion which was never missed.

    Parameters
    ----------
    metric
        Any metric, also :func:`vernal.stats.metrics.of_function`.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    rng
        Seeded by the caller.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.
    resamples
        Number of resamples, at least 2.

    Raises
    ------
    SampleError
        If shapes differ, the data cannot carry the metric, or an option is out of its range.

    References
    ----------
    B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap.
    P. Hall (1988). Theoretical comparison of bootstrap confidence intervals. Annals of Statistics 16.
    N. J. Johnson (1978). Modified t tests and confidence intervals for asymmetrical populations. JASA 73.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> labels, scores = [0, 1, 0, 1, 1, 0] * 20, [0.2, 0.9, 0.4, 0.6, 0.7, 0.1] * 20
    >>> interval = bootstrap_interval(METRICS["brier"], labels, scores, rng=np.random.default_rng(0))
    >>> round(interval.value, 3), 0.06 < interval.lower < interval.value < interval.upper < 0.09
    (0.078, True)
    """
    from scipy.special import stdtrit

    truth = _checked(labels, certainty, resamples)
    found = Interval(
        value=metric.value(truth, outputs),
        lower=None,
        upper=None,
        certainty=certainty,
        rows=truth.size,
        method="bootstrap",
    )
    if found.value is None:
        return replace(found, method="none", note=metric.why_undefined(truth.size))
    error, note = _standard_error(metric, truth, (outputs,), rng, resamples)
    if error is None:
        return replace(found, method="none", note=note)
    t = float(stdtrit(truth.size - 1, certainty))
    if metric.limits == (0.0, 1.0) and found.value in metric.limits:
        missed = _largest_missed(metric, truth, outputs, certainty)
        lower, upper = found.value * (1 - missed), found.value + (1 - found.value) * missed
    else:
        lower, upper = bounds_within(metric.limits, found.value, t * error)
        if metric.terms is not None and not metric.greater_is_better and certainty > _EVEN:
            terms = metric.terms(truth, outputs)
            upper = min(metric.limits[1], max(upper, _upper_of_loss(metric, terms, certainty, t, rng, resamples)))
    return replace(found, lower=lower, upper=upper)


def paired_bootstrap(
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
    resamples: int = RESAMPLES,
) -> PairedInterval:
    """Return the paired difference of a metric; in every resample both models answer the same rows.

    The bounds are the difference and its bootstrap standard error, with the small-sample factor ``sqrt(n / (n - 1))``
    for ``n`` rows, times Student's quantile with ``n - 1`` degrees of freedom.

    Parameters
    ----------
    metric
        Any metric, also :func:`vernal.stats.metrics.of_function`.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    rng
        Seeded by the caller.
    certainty
        One-sided certainty of each bound.
    resamples
        Number of resamples, at least 2.

    Returns
    -------
    PairedInterval
        Where every row shows the same difference the bounds are that difference, and the p-value is that of a sign
        test of the rows; with so few rows that this test could not be as certain as asked (4 at 0.95) there is no
        difference at all.

    Raises
    ------
    SampleError
        If shapes differ, the data cannot carry the metric, or an option is out of its range.

    References
    ----------
    B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> labels = np.tile([0, 1], 100)
    >>> champion, challenger = np.where(np.arange(200) % 7, 0.5, labels), np.where(np.arange(200) % 5, labels, 0.5)
    >>> found = paired_bootstrap(METRICS["brier"], labels, champion, challenger, rng=np.random.default_rng(0))
    >>> round(found.difference, 3), found.lower > 0, found.blocks
    (0.164, True, 200)
    """
    from scipy.special import stdtr, stdtrit

    truth = _checked(labels, certainty, resamples)
    values = metric.value(truth, champion), metric.value(truth, challenger)
    found = PairedInterval(
        champion=values[0],
        challenger=values[1],
        difference=None,
        lower=None,
        upper=None,
        p_value=None,
        certainty=certainty,
        rows=truth.size,
        blocks=truth.size,
        method="paired bootstrap",
    )
    if values[0] is None or values[1] is None:
        return replace(found, method="none", note=metric.why_undefined(truth.size))
    error, note = _standard_error(metric, truth, (champion, challenger), rng, resamples)
    if error is None:
        return replace(found, method="none", note=note)
    difference = metric.improvement(values[0], values[1])
    if error <= ROUNDING * max(abs(values[0]), abs(values[1])):
        error = 0.0
    if error == 0.0 and difference and 0.5**truth.size > min(certainty, 1 - certainty):
        return replace(found, method="none", note=f"all {truth.size} rows differ alike, too few to tell their error")
    reach, widest = float(stdtrit(truth.size - 1, certainty)) * error, metric.limits[1] - metric.limits[0]
    if error > 0:
        p_value = 2 * float(stdtr(truth.size - 1, -abs(difference) / error))
    else:
        p_value = mcnemar(truth.size, 0) if difference else 1.0
    return replace(
        found,
        difference=difference,
        lower=max(-widest, difference - reach),
        upper=min(widest, difference + reach),
        p_value=p_value,
    )


def _checked(labels: npt.ArrayLike, certainty: float, resamples: int) -> Values:
    check_level("certainty", certainty)
    if resamples < 2:  # noqa: PLR2004 - one resample has no spread
        raise SampleError(f"resamples: found {resamples}, expected at least 2")
    return np.asarray(labels)


def _standard_error(
    metric: Metric,
    labels: Values,
    outputs: tuple[npt.ArrayLike, ...],
    rng: np.random.Generator,
    resamples: int,
) -> tuple[float | None, str]:
    """Return the standard error of the metric, or of the difference of two outputs, or ``None`` and the reason.

    Resamples in which the metric is undefined are left out.
    """
    if labels.size == 1:
        return None, "one row only: it says nothing about another"
    values = _resampled(metric, labels, outputs, rng, resamples)
    draws = values[-1] - values[0] if len(outputs) > 1 else values[0]
    kept = draws[np.isfinite(draws)]
    if kept.size < max(2, draws.size / 2):  # one resample has no spread
        return None, f"{metric.name} is undefined in {draws.size - kept.size} of {draws.size} resamples"
    return float(kept.std(ddof=1)) * math.sqrt(labels.size / (labels.size - 1)), ""


def _resampled(
    metric: Metric,
    labels: Values,
    outputs: tuple[npt.ArrayLike, ...],
    rng: np.random.Generator,
    resamples: int,
) -> Floats:
    """Return the metric of each output in each resample, shape ``(len(outputs), resamples)``."""
    if metric.terms is not None and labels.size > _DRAWN_ROWS:
        terms = [metric.terms(labels, one) for one in outputs]
        sums = _drawn_sums(np.concatenate(terms, axis=1), rng, resamples)
        return np.stack([metric.of_sums(part) for part in np.split(sums, len(terms), axis=1)])
    functions = [weighted(metric, labels, one, np.arange(labels.size), labels.size) for one in outputs]
    at_once = max(1, AT_ONCE // labels.size)
    parts = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        weights = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), size=size).astype(np.float64)
        parts.append(np.stack([of_weights(weights) for of_weights in functions]))
    return np.concatenate(parts, axis=1)


def _drawn_sums(terms: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Return the sums of many rows' terms in resamples, shape ``(n, s)`` to ``(resamples, s)``.

    They are drawn from the normal law with the mean and the covariance that resampled sums have.
    """
    covariance = len(terms) * np.cov(terms, rowvar=False, bias=True)
    drawn: Floats = rng.multivariate_normal(terms.sum(axis=0), covariance, size=resamples, method="eigh")
    return drawn


def _upper_of_loss(
    metric: Metric, terms: Floats, certainty: float, t: float, rng: np.random.Generator, resamples: int
) -> float:
    """Return the upper bound of a mean of skewed rows, or of its root: how far resampled means fall short of it.

    What resamples fall short by is measured in their own standard errors, which are small just where they lack the
    large rows. Over many rows that quantile is the first term of its expansion (Johnson's), which agrees with it there.
    """
    a, b = terms @ np.array(metric.numerator), terms @ np.array(metric.denominator)
    mean = float(a.sum() / b.sum())
    off = a - mean * b
    n, squares = off.size, float(off @ off)
    if squares == 0.0:
        return 0.0
    if n > _DRAWN_ROWS:
        quantile = t + float((off**3).sum()) / squares**1.5 * (1 + 2 * t * t) / 6
    else:
        quantile = -float(np.quantile(_studentised(a, b, mean, rng, resamples), 1 - certainty))
    bound = mean + quantile * math.sqrt(n / (n - 1) * squares) / float(b.sum())
    return math.sqrt(max(bound, 0.0)) if metric.root else bound


def _studentised(a: Floats, b: Floats, mean: float, rng: np.random.Generator, resamples: int) -> Floats:
    """Return how far resampled means are from the mean, in standard errors of their own; those without are left out."""
    n, columns, parts = a.size, np.column_stack((a, b, a * a, a * b, b * b)), []
    at_once = max(1, AT_ONCE // n)
    for start in range(0, resamples, at_once):
        weights = rng.multinomial(n, np.full(n, 1 / n), size=min(at_once, resamples - start)).astype(np.float64)
        above, below, aa, ab, bb = (weights @ columns).T
        ratio = above / below
        squares = aa - 2 * ratio * ab + ratio**2 * bb
        varied = squares > ROUNDING * aa
        parts.append((ratio - mean)[varied] * below[varied] / np.sqrt(n / (n - 1) * squares[varied]))
    drawn = np.concatenate(parts)
    return drawn if drawn.size else np.zeros(1)


def _largest_missed(metric: Metric, labels: Values, outputs: npt.ArrayLike, certainty: float) -> float:
    """Return how far from a limit that all rows attain the metric can be.

    The rows are those in the denominator, for an area those of the smaller class. F1 is ``2 j / (1 + j)`` of the share
    ``j = TP / (TP + FP + FN)``.
    """
    if metric.terms is None:
        positives = int((labels == 1).sum())
        return largest_unseen(min(positives, labels.size - positives), certainty)
    terms = metric.terms(labels, outputs)
    share = largest_unseen(float(((terms @ np.array(metric.denominator)) > 0).sum()), certainty)
    if max(metric.denominator) == 1:
        return share
    attained = bool((terms @ np.array(metric.numerator)).any())
    return share / (2 - share) if attained else 2 * share / (1 + share)
