"""What the candidate and the champion are worth on the same held-out rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.errors import TrainingError
from vernal.observe.columns import first_match, floats, micros, values
from vernal.observe.comparison import compare, measure
from vernal.observe.dataset import WEIGHT
from vernal.records import Predictions
from vernal.stats.weighting import RowWeights

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from vernal.ports import Datasets
    from vernal.records import Measure, PairedMeasure, Run, TrainingSet
    from vernal.spec import ModelSpec


class Evaluation(NamedTuple):
    """The candidate's own measure, its comparison with the champion, and numbers for the registry."""

    measure: Measure
    comparison: PairedMeasure | None
    metrics: dict[str, float]


def evaluate(datasets: Datasets, spec: ModelSpec, run: Run) -> Evaluation:
    """Measure a trained candidate from the scores its job left behind.

    Raises
    ------
    TrainingError
        If the scores do not cover the holdout.
    """
    result, training_set = run.facts.training, run.facts.training_set
    if result is None or training_set is None:
        raise TrainingError(f"{run.id}: there is no finished training job to evaluate")
    rows = datasets.read(Path(result.scores_path))
    if rows.num_rows != training_set.holdout_rows:
        found = f"{run.id}: the training job scored {rows.num_rows} rows"
        raise TrainingError(f"{found}, expected the {training_set.holdout_rows} rows of the holdout")
    labels, when = values(rows["label"]), micros(rows["event_time"])
    weights = _weights(datasets, training_set, rows) if training_set.weighted else None
    mine = measure(
        spec.metric,
        labels,
        values(rows["prediction"]),
        floats(rows["score"]),
        certainty=spec.gates.certainty,
        seed=run.number,
        weights=None if weights is None else RowWeights(weights, np.ones(len(weights))),
    )
    metrics = {} if mine.value is None else {f"holdout_{spec.metric}": mine.value}
    if run.facts.champion is None:
        return Evaluation(mine, None, metrics)
    comparison = compare(
        spec.metric,
        labels,
        champion=(values(rows["champion_prediction"]), floats(rows["champion_score"])),
        challenger=(values(rows["prediction"]), floats(rows["score"])),
        when=when,
        certainty=spec.gates.certainty,
        seed=run.number,
        weights=weights,
    )
    if comparison.difference is not None:
        metrics["holdout_improvement"] = comparison.difference
    return Evaluation(mine, comparison, metrics)


def _weights(datasets: Datasets, training_set: TrainingSet, rows: pa.Table) -> NDArray[np.float64]:
    """Return how many predictions each scored row stands for."""
    holdout = datasets.read(Path(training_set.holdout_path), columns=(Predictions.ID, WEIGHT))
    return floats(holdout[WEIGHT])[first_match(rows[Predictions.ID], holdout[Predictions.ID])]
