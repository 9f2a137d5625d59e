"""What is kept of a model version so that its metric can be estimated while labels are missing.

Fitted once, on the holdout that the version was judged by, and small enough to be stored beside its baseline.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Values
from vernal.stats.calibration import Calibration, fit_calibration
from vernal.stats.direct_loss import LOSSES, LossModel, fit_loss_model
from vernal.stats.estimation import ESTIMATED, Estimate, estimate_performance

LEAST_ROWS = 100
"""Labelled rows needed: with fewer the estimate would mostly say how uncertain it is."""

_FOLDS = 5
_MOST_ROWS = 20_000
"""Rows that a model of the errors learns from."""


class Estimator(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted estimator of one metric, from scores or from features.

    ``calibration`` maps scores to the probability of class 1, or for several classes to that of being right; ``loss``
    models a regression's errors. One of them is there.
    """

    metric: str
    rows: int
    calibration: Calibration | None = None
    loss: LossModel | None = None
    of_correctness: bool = False

    @property
    def needs_features(self) -> bool:
        """Whether features are needed; otherwise scores are."""
        return self.loss is not None

    def estimate(
        self, *, scores: Floats, predictions: Values, features: npt.ArrayLike | None, certainty: float
    ) -> Estimate:
        """Estimate the metric on rows without labels.

        Parameters
        ----------
        scores
            Shape ``(n,)``; not looked at for a regression.
        predictions
            Shape ``(n,)``.
        features
            As the estimator was fitted on, shape ``(n, d)``, where :attr:`needs_features`.
        certainty
            One-sided certainty of each bound.

        Raises
        ------
        SampleError
            If a row has no score, or features are missing or of another shape.
        """
        if self.loss is not None:
            if features is None:
                raise SampleError("features: found none, expected those that the estimator was fitted on")
            return self.loss.estimate(features, predictions.astype(np.float64), certainty=certainty)
        assert self.calibration is not None  # noqa: S101 - one of both is there
        answers = np.ones(len(scores)) if self.of_correctness else predictions
        return estimate_performance(self.metric, scores, answers, self.calibration, certainty=certainty)


def fit_estimator(
    metric: str,
    *,
    task: str,
    scores: Floats,
    predictions: Values,
    labels: Values,
    features: npt.ArrayLike | None,
    rng: np.random.Generator,
) -> Estimator | None:
    """Fit an estimator on labelled rows that the model has not learned from.

    Parameters
    ----------
    metric
        What is to be estimated: for two classes one of :data:`vernal.stats.estimation.ESTIMATED`, for several
        ``accuracy``, for a regression one of :data:`vernal.stats.direct_loss.LOSSES`.
    task
        ``binary``, ``multiclass`` (the score is that of the predicted class) or ``regression``.
    scores, predictions, labels
        Shape ``(n,)``; rows without what is needed are left out.
    features
        Shape ``(n, d)``, NaN where a value is missing; for a regression.
    rng
        Deals rows out for the model of the errors.

    Returns
    -------
    Estimator or None
        ``None`` where the metric cannot be estimated, or there are fewer than :data:`LEAST_ROWS` rows with all that it
        takes.
    """
    if task == "regression":
        return _of_errors(metric, predictions, labels, features, rng)
    if metric not in ESTIMATED or (task == "multiclass" and metric != "accuracy"):
        return None
    known = np.isfinite(scores)
    if int(known.sum()) < LEAST_ROWS:
        return None
    right = (predictions[known] == labels[known]) if task == "multiclass" else labels[known]
    calibration = fit_calibration(scores[known], np.asarray(right, dtype=np.float64))
    return Estimator(metric=metric, rows=calibration.rows, calibration=calibration, of_correctness=task == "multiclass")


def _of_errors(
    metric: str, predictions: Values, labels: Values, features: npt.ArrayLike | None, rng: np.random.Generator
) -> Estimator | None:
    if metric not in LOSSES or features is None:
        return None
    table, answers, truth = (np.asarray(values, dtype=np.float64) for values in (features, predictions, labels))
    known = np.flatnonzero(np.isfinite(answers) & np.isfinite(truth))
    if known.size < LEAST_ROWS:
        return None
    known = known[np.linspace(0, known.size - 1, min(known.size, _MOST_ROWS)).round().astype(np.int64)]
    loss = fit_loss_model(table[known], answers[known], truth[known], metric=metric, rng=rng, folds=_FOLDS)
    return Estimator(metric=metric, rows=loss.rows, loss=loss)
