"""Bootstrap of metrics by resampling weights, over rows or over blocks of rows that belong together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, Ints, check_level, normal_quantile
from vernal.stats.intervals import Interval, PairedInterval, binary_labels, finite_scores
from vernal.stats.metrics import Metric

_AT_ONCE = 1_000_000
"""Row indices drawn together, which bounds the memory of a bootstrap over rows."""

_RESAMPLED_ROWS = 20_000
"""Most rows that are drawn one by one; sums over more are normal for every purpose here."""

_Weighted = Callable[[Floats], Floats]
"""Weights of blocks, shape ``(b, k)``, to the metric in each resample, shape ``(b,)``; NaN where undefined."""


def bootstrap_interval(
    metric: Metric,
    labels: npt.ArrayLike,
    outputs: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """Return a metric with normal bounds from the bootstrap's standard error, rows being independent.

    Parameters
    ----------
    metric
        Any metric that is a function of sums over rows.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    rng
        Seeded by the caller.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.
    resamples
        Number of resamples.

    Raises
    ------
    SampleError
        If the metric compares pairs of rows, is undefined here, or the data cannot carry it.
    """
    check_level("certainty", certainty)
    if metric.terms is None:
        raise SampleError(f"metric {metric.name}: compares pairs of rows, expected a metric summed over rows")
    value = _defined(metric, metric.value(labels, outputs))
    terms = metric.terms(labels, outputs)
    draws = metric.of_sums(_resampled_sums(terms, rng, resamples))
    reach = normal_quantile(certainty) * _standard_error(draws, metric.name)
    return Interval(
        value=value,
        lower=value - reach,
        upper=value + reach,
        certainty=certainty,
        rows=len(terms),
        method="bootstrap",
    )


def paired_bootstrap(
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
    resamples: int = 1000,
) -> PairedInterval:
    """Return the paired difference of a metric, rows being independent; both models are weighted alike.

    Parameters
    ----------
    metric
        Any metric that is a function of sums over rows.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    rng
        Seeded by the caller.
    certainty
        One-sided certainty of each bound.
    resamples
        Number of resamples.

    Raises
    ------
    SampleError
        If the metric compares pairs of rows, is undefined here, or the data cannot carry it.
    """
    check_level("certainty", certainty)
    if metric.terms is None:
        raise SampleError(f"metric {metric.name}: compares pairs of rows, expected a metric summed over rows")
    values = (
        _defined(metric, metric.value(labels, champion)),
        _defined(metric, metric.value(labels, challenger)),
    )
    a, b = metric.terms(labels, champion), metric.terms(labels, challenger)
    sums = _resampled_sums(np.concatenate((a, b), axis=1), rng, resamples)
    width = a.shape[1]
    draws = metric.of_sums(sums[:, width:]) - metric.of_sums(sums[:, :width])
    error = _standard_error(draws, metric.name)
    z = normal_quantile(certainty)
    return _paired(metric, values, error, z, len(a), len(a), certainty, "paired bootstrap")


def day_block_bootstrap(
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    blocks: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
    resamples: int = 2000,
) -> PairedInterval:
    """Return the paired difference of a metric when rows of one block (a day) rise and fall together.

    Whole blocks are resampled: a resample is a weight per block, so a metric of sums is a function of weighted block
    sums, and the area under the ROC curve a ratio of quadratic forms in the weights. The bounds are the bootstrap's
    standard error times Student's quantile with ``blocks - 1`` degrees of freedom, with the small-sample factor
    ``sqrt(blocks / (blocks - 1))``.

    Parameters
    ----------
    metric
        Any metric.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    blocks
        The block of each row, any integers (days since an epoch), shape ``(n,)``, at least 2 different.
    rng
        Seeded by the caller.
    certainty
        One-sided certainty of each bound.
    resamples
        Number of resamples.

    Returns
    -------
    PairedInterval
        With few blocks the interval is wide, and rightly so: two days tell little about a third.

    Raises
    ------
    SampleError
        If there are fewer than 2 blocks, the metric is undefined here, or the data cannot carry it.

    References
    ----------
    A. C. Cameron, J. B. Gelbach, D. L. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
    Review of Economics and Statistics 90.
    """
    from scipy.special import stdtrit

    check_level("certainty", certainty)
    truth = np.asarray(labels)
    found, codes = np.unique(np.asarray(blocks), return_inverse=True)
    if codes.shape != truth.shape:
        raise SampleError(f"blocks: found shape {codes.shape}, expected {truth.shape}, one per label")
    k = int(found.size)
    if k < 2:  # noqa: PLR2004 - one block has no spread
        raise SampleError(f"blocks: found {k}, expected at least 2; rows of one block say nothing about another")
    values = (
        _defined(metric, metric.value(truth, champion)),
        _defined(metric, metric.value(truth, challenger)),
    )
    weights = rng.multinomial(k, np.full(k, 1 / k), size=resamples).astype(np.float64)
    a, b = (_by_block(metric, truth, outputs, codes, k)(weights) for outputs in (champion, challenger))
    error = _standard_error(b - a, metric.name) * math.sqrt(k / (k - 1))
    t = float(stdtrit(k - 1, certainty))
    return _paired(metric, values, error, t, truth.size, k, certainty, "day-block bootstrap")


def _paired(
    metric: Metric,
    values: tuple[float, float],
    error: float,
    reach: float,
    rows: int,
    blocks: int,
    certainty: float,
    method: str,
) -> PairedInterval:
    from scipy.special import stdtr

    difference = metric.improvement(*values)
    p_value = 1.0 if difference == 0 else 0.0
    if error > 0:
        p_value = 2 * float(stdtr(blocks - 1, -abs(difference) / error))
    return PairedInterval(
        champion=values[0],
        challenger=values[1],
        difference=difference,
        lower=difference - reach * error,
        upper=difference + reach * error,
        p_value=p_value,
        certainty=certainty,
        rows=rows,
        blocks=blocks,
        method=method,
    )


def _defined(metric: Metric, value: float | None) -> float:
    if value is None:
        raise SampleError(f"metric {metric.name}: is undefined here ({metric.undefined})")
    return value


def _standard_error(draws: Floats, name: str) -> float:
    """Return the spread of the resamples, leaving out those in which the metric is undefined."""
    kept = draws[np.isfinite(draws)]
    if kept.size < draws.size / 2:
        raise SampleError(f"metric {name}: is undefined in {draws.size - kept.size} of {draws.size} resamples")
    return float(kept.std(ddof=1))


def _resampled_sums(terms: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Return the sums of the row terms in resamples of as many rows, shape ``(resamples, s)``."""
    n = len(terms)
    if n > _RESAMPLED_ROWS:
        normal: Floats = rng.multivariate_normal(
            terms.sum(axis=0), n * np.atleast_2d(np.cov(terms, rowvar=False)), size=resamples, method="eigh"
        )
        return normal
    sums = np.empty((resamples, terms.shape[1]))
    chunk = max(1, _AT_ONCE // n)
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        sums[start : start + count] = terms[rng.integers(0, n, size=(count, n))].sum(axis=1)
    return sums


def _by_block(metric: Metric, labels: npt.ArrayLike, outputs: npt.ArrayLike, codes: Ints, k: int) -> _Weighted:
    """Return the metric as a function of the weights of ``k`` blocks."""
    if metric.terms is None:
        positive = binary_labels(labels)
        return _area_by_block(positive, finite_scores(outputs, positive.size), codes, k)
    terms = metric.terms(labels, outputs)
    sums = np.column_stack([np.bincount(codes, weights=column, minlength=k) for column in terms.T])
    return lambda weights: metric.of_sums(weights @ sums)


def _area_by_block(positive: Bools, scores: Floats, codes: Ints, k: int) -> _Weighted:
    """Return the weighted area: ``w U w / (w p)(w q)``, where U counts ordered pairs between two blocks.

    ``U[a, b]`` is the Mann-Whitney count of positives in block a over negatives in block b, ties at one half, so the
    quadratic form is exactly the area of the resampled rows.
    """
    order = np.argsort(scores[positive])  # sorted queries stay in the cache
    x, x_codes = scores[positive][order], codes[positive][order]
    y, y_codes = scores[~positive], codes[~positive]
    pairs = np.empty((k, k))
    for block in range(k):
        own = np.sort(y[y_codes == block])
        over = own.searchsorted(x, "left") + own.searchsorted(x, "right")
        pairs[:, block] = np.bincount(x_codes, weights=over / 2.0, minlength=k)
    p = np.bincount(x_codes, minlength=k).astype(np.float64)
    q = np.bincount(y_codes, minlength=k).astype(np.float64)

    def area(weights: Floats) -> Floats:
        compared = (weights @ p) * (weights @ q)
        counted = ((weights @ pairs) * weights).sum(axis=1)
        ratio: Floats = np.where(compared > 0, counted / np.where(compared > 0, compared, 1.0), np.nan)
        return ratio

    return area
