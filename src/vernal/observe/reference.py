"""What production is held against: cut when a version is promoted, from what it was trained and judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vernal.observe.columns import HOUR, booleans, keep, micros, strings_equal
from vernal.profile import FeatureKind, Reference, build_baseline, count_weekly
from vernal.records import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vernal.profile import Baseline
    from vernal.spec import ModelSpec

LABEL = "label"

ANSWERS = (Predictions.PREDICTION, Predictions.SCORE)
"""What a version answers, as far as its distribution can drift."""

ANSWER_COLUMNS = (
    Predictions.VERSION,
    *ANSWERS,
    Predictions.OTHER_VERSION,
    Predictions.OTHER_PREDICTION,
    Predictions.OTHER_SCORE,
)
"""The columns of a prediction that :func:`answers_on` reads."""


def feature_kinds(spec: ModelSpec) -> dict[str, FeatureKind]:
    """Return how each feature of a model is profiled."""
    return {name: FeatureKind(kind) for name, kind in spec.features.kinds.items()}


def build_reference(spec: ModelSpec, training: pa.Table, scored: pa.Table) -> Reference:
    """Return the reference of a version.

    Parameters
    ----------
    training
        The rows it was trained on: the features, ``label`` and ``event_time``.
    scored
        How it answered on its holdout: ``prediction`` and ``score``, of which either may be all null.

    Raises
    ------
    ProfileError
        If there are no training rows, or a column cannot be counted as its kind.
    """
    features = training.select(list(spec.features.names))
    baseline = build_baseline(features, feature_kinds(spec))
    answers = {
        name: canonical(spec, name, scored[name])
        for name in ANSWERS
        if scored.num_rows and scored[name].null_count < scored.num_rows
    }
    labels = {LABEL: canonical(spec, LABEL, training[LABEL])}
    return Reference(
        features=baseline,
        answers=_baseline_of(spec, answers) if answers else None,
        weekly=count_weekly(baseline, features, micros(training[Predictions.EVENT_TIME]) // HOUR),
        labels=_baseline_of(spec, labels),
    )


def answers_on(spec: ModelSpec, rows: pa.Table, version: str) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return what a version answered on the rows that it was asked for, and which rows those are.

    Parameters
    ----------
    rows
        With the :data:`ANSWER_COLUMNS`.

    Returns
    -------
    answers
        ``prediction`` and ``score`` of each row that the version was asked for, null where it gave none.
    asked
        Shape ``(rows,)``.
    """
    served = strings_equal(rows[Predictions.VERSION], version)
    asked = served | strings_equal(rows[Predictions.OTHER_VERSION], version)
    own = booleans(served)
    answers = {
        name: pc.if_else(own, canonical(spec, name, rows[name]), canonical(spec, name, rows[other]))
        for name, other in zip(ANSWERS, (Predictions.OTHER_PREDICTION, Predictions.OTHER_SCORE), strict=True)
    }
    return keep(pa.table(answers), asked), asked


def _baseline_of(spec: ModelSpec, columns: dict[str, pa.ChunkedArray]) -> Baseline:
    return build_baseline(pa.table(columns), {name: answer_kind(spec, name) for name in columns})


def canonical(spec: ModelSpec, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return labels and predictions in the type that the lake keeps them in: classes are texts, the rest numbers."""
    return pc.cast(column, pa.string() if answer_kind(spec, name) is FeatureKind.CATEGORICAL else pa.float64())


def answer_kind(spec: ModelSpec, name: str) -> FeatureKind:
    """Return how the distribution of a prediction, score or label is compared."""
    classes = spec.task == "multiclass" and name != Predictions.SCORE
    return FeatureKind.CATEGORICAL if classes else FeatureKind.NUMERICAL
