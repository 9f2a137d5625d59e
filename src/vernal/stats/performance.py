"""A metric with its interval, alone and paired, by the method that fits the metric and the data.

Here an undefined metric is a result with a reason, not an error.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.stats.bootstrap import bootstrap_interval, day_block_bootstrap, paired_bootstrap
from vernal.stats.intervals import Interval, PairedInterval, delong, paired_accuracy, paired_delong, wilson
from vernal.stats.metrics import Method, Metric


def measure(
    metric: Metric,
    labels: npt.ArrayLike,
    outputs: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    certainty: float = 0.95,
) -> Interval:
    """Return a metric with its interval: Wilson for proportions, DeLong for the area, bootstrap otherwise.

    Parameters
    ----------
    metric
        See :data:`vernal.stats.metrics.METRICS`.
    labels, outputs
        Shape ``(n,)``; outputs are what the metric needs.
    rng
        Seeded by the caller; only metrics with a bootstrap interval draw from it.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.

    Returns
    -------
    Interval
        Value and bounds are ``None``, with a note, where the metric is undefined.

    Raises
    ------
    SampleError
        If shapes differ, a number is not finite, or labels of a binary metric are not 0 or 1.

    Examples
    --------
    >>> from vernal.stats.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> measure(METRICS["accuracy"], [1, 0, 1, 1], [1, 0, 0, 1], rng=rng).value
    0.75
    >>> measure(METRICS["roc_auc"], [1, 1], [0.4, 0.6], rng=rng).note
    'one class only'
    """
    value = metric.value(labels, outputs)
    rows = np.asarray(labels).size
    if value is None:
        return Interval(
            value=None,
            lower=None,
            upper=None,
            certainty=certainty,
            rows=rows,
            method=metric.method.value,
            note=_why_undefined(metric, rows),
        )
    if metric.method is Method.DELONG:
        return delong(labels, outputs, certainty=certainty)
    if metric.method is Method.WILSON and metric.terms is not None:
        sums = metric.terms(labels, outputs).sum(axis=0)
        return msgspec.structs.replace(
            wilson(
                int(sums @ np.array(metric.numerator)), int(sums @ np.array(metric.denominator)), certainty=certainty
            ),
            rows=rows,
        )
    return bootstrap_interval(metric, labels, outputs, rng=rng, certainty=certainty)


def measure_paired(
    metric: Metric,
    labels: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    blocks: npt.ArrayLike | None = None,
    certainty: float = 0.95,
) -> PairedInterval:
    """Return the paired difference of a metric by the method that fits.

    With ``blocks``, a bootstrap over blocks, since rows cluster in time. Without, rows are taken as independent:
    Tango's interval for accuracy, paired DeLong for the area, paired bootstrap otherwise.

    Parameters
    ----------
    metric
        See :data:`vernal.stats.metrics.METRICS`.
    labels, champion, challenger
        Shape ``(n,)``; the models' outputs are what the metric needs.
    rng
        Seeded by the caller; only the bootstraps draw from it.
    blocks
        The block of each row (days since an epoch), shape ``(n,)``.
    certainty
        One-sided certainty of each bound.

    Returns
    -------
    PairedInterval
        Difference and bounds are ``None``, with a note, where the metric is undefined for either model, or there is
        only one block.

    Raises
    ------
    SampleError
        If shapes differ, a number is not finite, or labels of a binary metric are not 0 or 1.
    """
    values = metric.value(labels, champion), metric.value(labels, challenger)
    days = None if blocks is None else np.unique(np.asarray(blocks)).size
    rows = np.asarray(labels).size
    if None in values:
        return _nothing(values, certainty, rows, days, _why_undefined(metric, rows))
    if blocks is not None:
        if days == 1:
            return _nothing(values, certainty, rows, days, "one block only: its rows say nothing about another")
        return day_block_bootstrap(metric, labels, champion, challenger, blocks, rng=rng, certainty=certainty)
    if metric.method is Method.DELONG:
        return paired_delong(labels, champion, challenger, certainty=certainty)
    if metric.name == "accuracy" and metric.terms is not None:
        return paired_accuracy(
            metric.terms(labels, champion)[:, 0], metric.terms(labels, challenger)[:, 0], certainty=certainty
        )
    return paired_bootstrap(metric, labels, champion, challenger, rng=rng, certainty=certainty)


def _why_undefined(metric: Metric, rows: int) -> str:
    return metric.undefined if rows else "no rows"


def _nothing(
    values: tuple[float | None, float | None], certainty: float, rows: int, blocks: int | None, note: str
) -> PairedInterval:
    champion, challenger = values
    return PairedInterval(
        champion=champion,
        challenger=challenger,
        difference=None,
        lower=None,
        upper=None,
        p_value=None,
        certainty=certainty,
        rows=rows,
        blocks=rows if blocks is None else blocks,
        method="none",
        note=note,
    )
