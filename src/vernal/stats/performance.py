"""A metric with its interval, alone and paired, by the method that fits the metric and the data.

Here an undefined metric is a result with a reason, not an error.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from vernal.errors import SampleError
from vernal.stats.areas import delong, paired_delong
from vernal.stats.bootstrap import RESAMPLES, bootstrap_interval, paired_bootstrap
from vernal.stats.intervals import Interval, PairedInterval, clopper_pearson
from vernal.stats.jackknife import jackknife_interval, paired_jackknife
from vernal.stats.labels import binary_labels
from vernal.stats.metrics import Method, Metric
from vernal.stats.paired import paired_accuracy
from vernal.stats.weighting import RowWeights, weighted_measure


def measure(
    metric: Metric,
    labels: npt.ArrayLike,
    outputs: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    blocks: npt.ArrayLike | None = None,
    weights: RowWeights | None = None,
    certainty: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return a metric with its interval: exact for proportions, DeLong for the area, bootstrap otherwise.

    With ``blocks``, the jackknife over blocks for every metric, since rows cluster in time. With ``weights`` that
    differ, :func:`vernal.stats.weighting.weighted_measure`.

    Parameters
    ----------
    metric
        One of :data:`vernal.stats.metrics.METRICS`, or :func:`vernal.stats.metrics.of_function`.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    rng
        Seeded by the caller; only the bootstraps draw from it.
    blocks
        The block of each row (days since an epoch), shape ``(n,)``.
    weights
        How much each row counts; not together with ``blocks``. Left out, or all the same, every row counts alike.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.
    resamples
        Number of resamples of the bootstraps, at least 2.

    Returns
    -------
    Interval
        Value and bounds are ``None``, with a note, where the metric is undefined; the bounds alone where nothing can be
        said of its error.

    Raises
    ------
    SampleError
        If shapes differ, a number is not finite, labels of a binary metric are not 0 or 1, an option is out of its
        range, or there are both weights and blocks.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> measure(METRICS["accuracy"], [1, 0, 1, 1], [1, 0, 0, 1], rng=rng).value
    0.75
    >>> measure(METRICS["roc_auc"], [1, 1], [0.4, 0.6], rng=rng).note
    'one class only'
    """
    if weights is not None and not weights.even:
        if blocks is not None:
            raise SampleError("weights: found both weights and blocks, expected only one of them")
        return weighted_measure(metric, labels, outputs, weights, certainty=certainty)
    if blocks is not None:
        return jackknife_interval(metric, labels, outputs, blocks=blocks, certainty=certainty)
    if np.asarray(labels).size:
        if metric.method is Method.DELONG and _both_classes(labels):
            return delong(labels, outputs, certainty=certainty)
        if metric.method is Method.EXACT and metric.terms is not None:
            terms = metric.terms(labels, outputs)
            sums = terms.sum(axis=0)
            successes, tried = int(sums @ np.array(metric.numerator)), int(sums @ np.array(metric.denominator))
            if tried:
                return replace(clopper_pearson(successes, tried, certainty=certainty), rows=len(terms))
    return bootstrap_interval(metric, labels, outputs, rng=rng, certainty=certainty, resamples=resamples)


def measure_paired(  # noqa: PLR0913 - what is drawn and how, beside what is measured
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    blocks: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    certainty: float = 0.95,
    resamples: int = RESAMPLES,
) -> PairedInterval:
    """Return the paired difference of a metric by the method that fits.

    With ``blocks``, the jackknife over blocks, since rows cluster in time. Without, rows are taken as independent:
    Tango's interval for accuracy, paired DeLong for the area, paired bootstrap otherwise.

    Parameters
    ----------
    metric
        One of :data:`vernal.stats.metrics.METRICS`, or :func:`vernal.stats.metrics.of_function`.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    rng
        Seeded by the caller; only the bootstraps draw from it.
    blocks
        The block of each row (days since an epoch), shape ``(n,)``.
    weights
        How much each row counts, above 0, shape ``(n,)``; only with ``blocks``. One each when left out.
    certainty
        One-sided certainty of each bound.
    resamples
        Number of resamples of the bootstraps, at least 2.

    Returns
    -------
    PairedInterval
        Difference and bounds are ``None``, with a note, where the metric is undefined for either model, there is only
        one block, or the metric is undefined without one of them.

    Raises
    ------
    SampleError
        If shapes differ, a number is not finite, labels of a binary metric are not 0 or 1, an option is out of its
        range, or there are weights without blocks.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> measure_paired(METRICS["rmse"], [1.0, 2.0, 3.0], [1.5, 2.5, 3.5], [1.0, 2.0, 2.0], rng=rng).method
    'paired bootstrap'
    """
    if blocks is not None:
        return paired_jackknife(
            metric, labels, champion, challenger, blocks=blocks, weights=weights, certainty=certainty
        )
    if weights is not None:
        raise SampleError("weights: found no blocks, expected the block of each row beside its weight")
    if np.asarray(labels).size:
        if metric.method is Method.DELONG and _both_classes(labels):
            return paired_delong(labels, champion, challenger, certainty=certainty)
        if metric.name == "accuracy" and metric.terms is not None:
            right = (metric.terms(labels, outputs)[:, 0] for outputs in (champion, challenger))
            return paired_accuracy(*right, certainty=certainty)
    return paired_bootstrap(metric, labels, champion, challenger, rng=rng, certainty=certainty, resamples=resamples)


def _both_classes(labels: npt.ArrayLike) -> bool:
    positive = binary_labels(labels)
    return bool(positive.any()) and not positive.all()
