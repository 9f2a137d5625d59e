"""Metrics with their intervals: of one model, and of two models on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vernal.observe.columns import HOUR
from vernal.records import Measure, PairedMeasure
from vernal.stats import performance
from vernal.stats.metrics import Metric, metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vernal.stats.weighting import RowWeights

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
    weights: RowWeights | None = None,
) -> Measure:
    """Return a metric with its one-sided bounds at ``certainty``; undefined is a result with a note.

    ``weights`` say how much each row counts, where they do not all count alike.
    """
    asked = metric(name)
    found = performance.measure(
        asked,
        labels,
        outputs_for(asked, predictions, scores),
        weights=weights,
        certainty=certainty,
        rng=np.random.default_rng(seed),
    )
    return Measure(
        metric=name,
        value=found.value,
        rows=found.rows,
        lower=found.lower,
        upper=found.upper,
        certainty=certainty,
        note=found.note,
        effective_rows=found.effective_rows,
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
    weights: NDArray[np.float64] | None = None,
) -> PairedMeasure:
    """Return the improvement of a challenger over the champion on the same rows, whole days resampled.

    Parameters
    ----------
    champion, challenger
        Predictions and scores, each of shape ``(rows,)``.
    when
        Time of issue in microseconds, shape ``(rows,)``; rows of one day hang together.
    weights
        How much each row counts, where they do not all count alike, shape ``(rows,)``.
    """
    asked = metric(name)
    found = performance.measure_paired(
        asked,
        labels,
        outputs_for(asked, *champion),
        outputs_for(asked, *challenger),
        blocks=when // DAY,
        weights=weights,
        certainty=certainty,
        rng=np.random.default_rng(seed),
    )
    return PairedMeasure(
        metric=name,
        champion=found.champion,
        challenger=found.challenger,
        difference=found.difference,
        lower=found.lower,
        certainty=certainty,
        rows=found.rows,
        blocks=found.blocks,
        method=found.method,
        note=found.note,
    )


def outputs_for(asked: Metric, predictions: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[Any]:
    """Return what a metric is computed from: scores or predictions."""
    return scores if asked.needs == "scores" else predictions
