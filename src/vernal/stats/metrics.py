"""The metrics of the product, each declared once: what it needs, which direction is better, how it is summed.

Every metric but the area under the ROC curve is a ratio of sums over rows, or the root of one. That one description
gives its value, its interval as a proportion, its bootstrap over rows and its bootstrap over days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Values
from vernal.stats.intervals import binary_labels, finite_scores


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Needs(StrEnum):
    """What a metric compares with the labels."""

    PREDICTIONS = "predictions"
    SCORES = "scores"


class Method(StrEnum):
    """How a metric's interval is computed."""

    WILSON = "wilson"
    DELONG = "delong"
    BOOTSTRAP = "bootstrap"


RowTerms = Callable[[npt.ArrayLike, npt.ArrayLike], Floats]
"""Labels and outputs, shape ``(n,)`` each, to what is summed over rows, shape ``(n, s)``."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric.

    The metric is ``sums @ numerator / sums @ denominator`` with ``sums`` the row terms added up, or its root.
    ``terms`` is ``None`` for the area under the ROC curve, which compares pairs of rows. ``row_score`` names the metric
    whose per-row value stands in where rows are judged one by one; for a mean over rows it is the metric itself.
    ``row_range`` is how far apart two values of one row can be, ``None`` where nothing bounds them.
    """

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    needs: Needs
    method: Method
    row_score: str
    undefined: str
    terms: RowTerms | None = None
    numerator: tuple[float, ...] = ()
    denominator: tuple[float, ...] = ()
    root: bool = False
    row_range: float | None = None

    def improvement(self, champion: float, challenger: float) -> float:
        """Return by how much the challenger is better, in points of the metric; negative when it is worse.

        Examples
        --------
        >>> metric("rmse").improvement(2.0, 1.5), metric("accuracy").improvement(0.75, 1.0)
        (0.5, 0.25)
        """
        return challenger - champion if self.greater_is_better else champion - challenger

    def value(self, labels: npt.ArrayLike, outputs: npt.ArrayLike) -> float | None:
        """Return the metric on these rows, or ``None`` where it is undefined; :attr:`undefined` says when that is.

        Parameters
        ----------
        labels
            The truth, shape ``(n,)``.
        outputs
            Predictions or scores, as :attr:`needs` says, shape ``(n,)``.

        Raises
        ------
        SampleError
            If the shapes differ, a number is NaN or infinite, or labels of a binary metric are not 0 or 1.
        """
        truth = np.asarray(labels)
        if not truth.size:
            return None
        if self.terms is None:
            return _area(truth, outputs)
        value = float(self.of_sums(self.terms(truth, outputs).sum(axis=0)))
        return None if np.isnan(value) else value

    def of_sums(self, sums: Floats) -> Floats:
        """Return the metric of summed row terms, shape ``(..., s)`` to ``(...)``; NaN where it is undefined."""
        above, below = sums @ np.array(self.numerator), sums @ np.array(self.denominator)
        some = below > 0
        # Sums drawn from a normal law may fall a hair below 0, where a root would not be a number.
        ratio = np.where(some, np.maximum(above, 0.0) / np.where(some, below, 1.0), np.nan)
        value: Floats = np.sqrt(ratio) if self.root else ratio
        return value


def metric(name: str) -> Metric:
    """Return the metric of this name.

    Raises
    ------
    SampleError
        If there is none; the message lists those there are.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise SampleError(f"metric: found {name!r}, expected one of {', '.join(METRICS)}") from None


def row_scores(name: str, labels: npt.ArrayLike, outputs: npt.ArrayLike) -> Floats:
    """Return each row's score, higher is better, for judging rows one by one.

    Parameters
    ----------
    name
        A metric whose ``row_score`` is itself (``accuracy``, ``brier``, ``log_loss``, ``mae``) or ``rmse``, whose rows
        are squared errors.
    labels, outputs
        Shape ``(n,)``; outputs are what that metric needs.

    Returns
    -------
    Floats
        Shape ``(n,)``: 1 or 0 for accuracy, the negative loss otherwise.

    Raises
    ------
    SampleError
        If the metric has no value for a single row, or the data cannot carry it.

    Examples
    --------
    >>> row_scores("brier", [1, 0], [0.5, 0.0]).tolist()
    [-0.25, -0.0]
    """
    found = metric(name)
    if found.terms is None or found.row_score != name:
        raise SampleError(f"metric {name}: has no value for a single row, expected its row score {found.row_score}")
    values = found.terms(labels, outputs)[:, 0]
    return values if found.greater_is_better else -values


def _area(labels: Values, outputs: npt.ArrayLike) -> float | None:
    positive = binary_labels(labels)
    scores = finite_scores(outputs, positive.size)
    x, y = scores[positive], np.sort(scores[~positive])
    if not x.size or not y.size:
        return None
    below = y.searchsorted(x, "left") + y.searchsorted(x, "right")
    return float(below.sum(dtype=np.int64)) / (2.0 * x.size * y.size)


def _right(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    truth, answer = np.asarray(labels), np.asarray(predictions)
    if truth.ndim != 1 or truth.shape != answer.shape:
        raise SampleError(f"predictions: found shape {answer.shape}, expected {truth.shape}, one per label")
    for subject, values in (("labels", truth), ("predictions", answer)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise SampleError(f"{subject}: found NaN or infinite values, expected classes")
    textual = {truth.dtype.kind in "US", answer.dtype.kind in "US"}
    if truth.size and len(textual) == 2 and "O" not in {truth.dtype.kind, answer.dtype.kind}:  # noqa: PLR2004 - differ
        raise SampleError(f"predictions: found {answer.dtype}, expected classes like the labels' ({truth.dtype})")
    right: Floats = np.asarray(truth == answer, dtype=np.float64)
    return right


def _accuracy_terms(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    right = _right(labels, predictions)
    return np.column_stack((right, np.ones_like(right)))


def _confusion_terms(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return true positives, false positives and false negatives per row."""
    truth = binary_labels(labels)
    answer = np.asarray(predictions)
    if answer.shape != truth.shape:
        raise SampleError(f"predictions: found shape {answer.shape}, expected {truth.shape}, one per label")
    positive = binary_labels(answer)
    return np.column_stack((truth & positive, ~truth & positive, truth & ~positive)).astype(np.float64)


def _probabilities(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth = binary_labels(labels).astype(np.float64)
    p = finite_scores(scores, truth.size)
    if p.min() < 0 or p.max() > 1:
        raise SampleError(f"scores: found {p.min()} to {p.max()}, expected probabilities from 0 to 1")
    return truth, p


def _brier_terms(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    truth, p = _probabilities(labels, scores)
    return np.column_stack(((p - truth) ** 2, np.ones_like(p)))


def _log_loss_terms(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    truth, p = _probabilities(labels, scores)
    least = np.finfo(np.float64).eps  # a sure and wrong answer costs 36 nats instead of infinitely many
    p = np.clip(np.where(truth == 1.0, p, 1 - p), least, 1.0)
    return np.column_stack((-np.log(p), np.ones_like(p)))


def _errors(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    truth, answer = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != answer.shape:
        raise SampleError(f"predictions: found shape {answer.shape}, expected {truth.shape}, one per label")
    error: Floats = answer - truth
    bad = error.size - int(np.isfinite(error).sum())
    if bad:
        raise SampleError(f"errors: found {bad} of {error.size} rows that are NaN or infinite, expected finite numbers")
    return error


def _absolute_terms(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    error = _errors(labels, predictions)
    return np.column_stack((np.abs(error), np.ones_like(error)))


def _squared_terms(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    error = _errors(labels, predictions)
    return np.column_stack((error**2, np.ones_like(error)))


_BINARY, _CLASSES, _REGRESSION = (Task.BINARY,), (Task.BINARY, Task.MULTICLASS), (Task.REGRESSION,)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            Metric(
                name="accuracy",
                tasks=_CLASSES,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.WILSON,
                row_score="accuracy",
                undefined="no rows",
                terms=_accuracy_terms,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                row_range=1.0,
            ),
            Metric(
                name="roc_auc",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.SCORES,
                method=Method.DELONG,
                row_score="brier",
                undefined="one class only",
            ),
            Metric(
                name="f1",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="brier",
                undefined="no row of class 1, neither predicted nor true",
                terms=_confusion_terms,
                numerator=(2.0, 0.0, 0.0),
                denominator=(2.0, 1.0, 1.0),
            ),
            Metric(
                name="precision",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.WILSON,
                row_score="brier",
                undefined="no row predicted to be of class 1",
                terms=_confusion_terms,
                numerator=(1.0, 0.0, 0.0),
                denominator=(1.0, 1.0, 0.0),
            ),
            Metric(
                name="recall",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.WILSON,
                row_score="brier",
                undefined="no row of class 1",
                terms=_confusion_terms,
                numerator=(1.0, 0.0, 0.0),
                denominator=(1.0, 0.0, 1.0),
            ),
            Metric(
                name="log_loss",
                tasks=_BINARY,
                greater_is_better=False,
                needs=Needs.SCORES,
                method=Method.BOOTSTRAP,
                row_score="log_loss",
                undefined="no rows",
                terms=_log_loss_terms,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
            ),
            Metric(
                name="brier",
                tasks=_BINARY,
                greater_is_better=False,
                needs=Needs.SCORES,
                method=Method.BOOTSTRAP,
                row_score="brier",
                undefined="no rows",
                terms=_brier_terms,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                row_range=1.0,
            ),
            Metric(
                name="mae",
                tasks=_REGRESSION,
                greater_is_better=False,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="mae",
                undefined="no rows",
                terms=_absolute_terms,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
            ),
            Metric(
                name="rmse",
                tasks=_REGRESSION,
                greater_is_better=False,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="rmse",
                undefined="no rows",
                terms=_squared_terms,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                root=True,
            ),
        )
    }
)
