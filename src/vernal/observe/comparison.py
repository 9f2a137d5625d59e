"""Metrics with their intervals: of one model, and of two models on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vernal.errors import SampleError
from vernal.observe.columns import HOUR
from vernal.records import Measure, PairedMeasure
from vernal.stats.bootstrap import day_block_bootstrap
from vernal.stats.metrics import Metric, metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 24 * HOUR
"""Microseconds in a day; rows of one UTC day are resampled together."""


def measure(
    name: str,
    labels: NDArray[Any],
    predictions: NDArray[Any],
    scores: NDArray[np.float64],
    *,
    certainty: float,
    seed: int,
) -> Measure:
    """Return a metric with its one-sided bounds at ``certainty``; undefined is a result with a note."""
    asked = metric(name)
    outputs = outputs_for(asked, predictions, scores)
    evaluation = asked.evaluate(labels, outputs)
    if evaluation.value is None:
        return Measure(metric=name, value=None, rows=len(labels), note=evaluation.note)
    try:
        interval = asked.measure(labels, outputs, certainty=certainty, rng=np.random.default_rng(seed))
    except SampleError as error:
        return Measure(metric=name, value=evaluation.value, rows=len(labels), note=error.message)
    return Measure(
        metric=name,
        value=evaluation.value,
        rows=len(labels),
        lower=interval.lower,
        upper=interval.upper,
        certainty=certainty,
    )


def compare(
    name: str,
    labels: NDArray[Any],
    *,
    champion: tuple[NDArray[Any], NDArray[np.float64]],
    challenger: tuple[NDArray[Any], NDArray[np.float64]],
    when: NDArray[np.int64],
    certainty: float,
    seed: int,
) -> PairedMeasure:
    """Return the improvement of a challenger over the champion on the same rows, whole days resampled.

    Parameters
    ----------
    champion, challenger
        Predictions and scores, each of shape ``(rows,)``.
    when
        Time of issue in microseconds, shape ``(rows,)``; rows of one day hang together.
    """
    asked = metric(name)
    mine, theirs = outputs_for(asked, *challenger), outputs_for(asked, *champion)
    days = when // DAY
    values = asked.evaluate(labels, theirs), asked.evaluate(labels, mine)
    blocks = len(np.unique(days))
    undefined = next((value.note for value in values if value.value is None), "")
    if not undefined:
        try:
            found = day_block_bootstrap(
                asked, labels, theirs, mine, days, rng=np.random.default_rng(seed), certainty=certainty
            )
        except SampleError as error:
            undefined = error.message
        else:
            return PairedMeasure(
                metric=name,
                champion=found.champion,
                challenger=found.challenger,
                difference=found.difference,
                lower=found.lower,
                certainty=certainty,
                rows=len(labels),
                blocks=found.blocks,
                method=found.method,
            )
    return PairedMeasure(
        metric=name,
        champion=values[0].value,
        challenger=values[1].value,
        difference=None,
        lower=None,
        certainty=certainty,
        rows=len(labels),
        blocks=blocks,
        method="none",
        note=undefined,
    )


def outputs_for(asked: Metric, predictions: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[Any]:
    """Return what a metric is computed from: scores or predictions."""
    return scores if asked.needs == "scores" else predictions
