"""The metrics of the product, each declared once: what it needs, which direction is better, how it is summed.

Every metric but the area under the ROC curve is a ratio of sums over rows, or the root of one. That one description
gives its value, its interval as a proportion, its bootstrap over rows and its bootstrap over days. A function of the
user's is a metric too, see :func:`of_function`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats import rowterms
from vernal.stats.areas import area_under_curve
from vernal.stats.arrays import Floats, Values
from vernal.stats.labels import binary_labels, finite_scores


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

    EXACT = "exact"
    DELONG = "delong"
    BOOTSTRAP = "bootstrap"


RowTerms = Callable[[npt.ArrayLike, npt.ArrayLike], Floats]
"""Labels and outputs, shape ``(n,)`` each, to what is summed over rows, shape ``(n, s)``."""


class WeightedFunction(Protocol):
    """A metric in scikit-learn's style: labels, outputs and a weight per row to one number, NaN where undefined."""

    def __call__(self, labels: Values, outputs: Values, /, *, sample_weight: Floats) -> float:
        """Return the metric of the weighted rows; a row of weight 2 counts like two rows."""
        ...


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric.

    The metric is ``sums @ numerator / sums @ denominator`` with ``sums`` the row terms added up, or its root, or what
    ``function`` returns; without ``terms`` and ``function`` it is the area under the ROC curve, which compares pairs of
    rows. ``row_score`` names the metric whose per-row value stands in where rows are judged one by one; for a mean over
    rows it is the metric itself. ``row_range`` is how far apart two values of one row can be, ``None`` where nothing
    bounds them; ``limits`` are the lowest and highest value of the metric.
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
    function: WeightedFunction | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)

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
            Predictions or scores, as :attr:`needs` says, shape ``(n,)``; what a function takes, shape ``(n, ...)``.

        Raises
        ------
        SampleError
            If the shapes differ, a number is NaN or infinite, labels of a binary metric are not 0 or 1, or a function
            refuses the rows.
        """
        truth = np.asarray(labels)
        if not truth.size:
            return None
        if self.function is not None:
            return self._call(self.function, truth, np.asarray(outputs))
        if self.terms is None:
            positive = binary_labels(truth)
            return area_under_curve(positive, finite_scores(outputs, positive.size))
        value = float(self.of_sums(self.terms(truth, outputs).sum(axis=0)))
        return None if np.isnan(value) else value

    def why_undefined(self, rows: int) -> str:
        """Return the note that stands beside a value of ``None`` on so many rows."""
        return self.undefined if rows else "no rows"

    def of_sums(self, sums: Floats) -> Floats:
        """Return the metric of summed row terms, shape ``(..., s)`` to ``(...)``; NaN where it is undefined."""
        above, below = sums @ np.array(self.numerator), sums @ np.array(self.denominator)
        some = below > 0
        # Sums drawn from a normal law may fall a hair below 0, where a root would not be a number.
        ratio = np.where(some, np.maximum(above, 0.0) / np.where(some, below, 1.0), np.nan)
        value: Floats = np.sqrt(ratio) if self.root else ratio
        return value

    def _call(self, function: WeightedFunction, labels: Values, outputs: Values) -> float | None:
        if labels.ndim != 1 or outputs.shape[:1] != labels.shape:
            raise SampleError(
                f"metric {self.name}: found labels of shape {labels.shape} and outputs of shape {outputs.shape}, "
                "expected one row of each"
            )
        try:
            value = float(function(labels, outputs, sample_weight=np.ones(labels.size)))
        except ValueError as refused:
            raise SampleError(f"metric {self.name}: its function refuses these rows: {refused}") from refused
        return value if math.isfinite(value) else None


def of_function(function: WeightedFunction, *, greater_is_better: bool, name: str | None = None) -> Metric:
    """Return a function in scikit-learn's style as a metric, to be measured and compared like Vernal's own.

    Parameters
    ----------
    function
        Called as ``function(labels, outputs, sample_weight=weights)``, all of equal length. A weight counts how often a
        row was drawn; rows that were not drawn are left out. NaN says that the metric is undefined, and so, in a
        resample, does a ``ValueError``.
    greater_is_better
        Direction of the metric.
    name
        What messages call it; the function's own name when left out.

    Examples
    --------
    >>> def bias(labels, outputs, *, sample_weight):
    ...     return float(abs(np.average(outputs - labels, weights=sample_weight)))
    >>> of_function(bias, greater_is_better=False).value(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    0.25
    """
    return Metric(
        name=name or str(getattr(function, "__name__", "function")),
        tasks=tuple(Task),
        greater_is_better=greater_is_better,
        needs=Needs.PREDICTIONS,
        method=Method.BOOTSTRAP,
        row_score="",
        undefined="its function gives no finite number",
        function=function,
    )


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


_BINARY, _CLASSES, _REGRESSION = (Task.BINARY,), (Task.BINARY, Task.MULTICLASS), (Task.REGRESSION,)

_SHARE, _LOSS = (0.0, 1.0), (0.0, math.inf)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            Metric(
                name="accuracy",
                tasks=_CLASSES,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.EXACT,
                row_score="accuracy",
                undefined="no rows",
                terms=rowterms.accuracy,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                row_range=1.0,
                limits=_SHARE,
            ),
            Metric(
                name="roc_auc",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.SCORES,
                method=Method.DELONG,
                row_score="brier",
                undefined="one class only",
                limits=_SHARE,
            ),
            Metric(
                name="f1",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="brier",
                undefined="no row of class 1, neither predicted nor true",
                terms=rowterms.confusion,
                numerator=(2.0, 0.0, 0.0),
                denominator=(2.0, 1.0, 1.0),
                limits=_SHARE,
            ),
            Metric(
                name="precision",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.EXACT,
                row_score="brier",
                undefined="no row predicted to be of class 1",
                terms=rowterms.confusion,
                numerator=(1.0, 0.0, 0.0),
                denominator=(1.0, 1.0, 0.0),
                limits=_SHARE,
            ),
            Metric(
                name="recall",
                tasks=_BINARY,
                greater_is_better=True,
                needs=Needs.PREDICTIONS,
                method=Method.EXACT,
                row_score="brier",
                undefined="no row of class 1",
                terms=rowterms.confusion,
                numerator=(1.0, 0.0, 0.0),
                denominator=(1.0, 0.0, 1.0),
                limits=_SHARE,
            ),
            Metric(
                name="log_loss",
                tasks=_BINARY,
                greater_is_better=False,
                needs=Needs.SCORES,
                method=Method.BOOTSTRAP,
                row_score="log_loss",
                undefined="no rows",
                terms=rowterms.log_loss,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                limits=_LOSS,
            ),
            Metric(
                name="brier",
                tasks=_BINARY,
                greater_is_better=False,
                needs=Needs.SCORES,
                method=Method.BOOTSTRAP,
                row_score="brier",
                undefined="no rows",
                terms=rowterms.brier,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                row_range=1.0,
                limits=_SHARE,
            ),
            Metric(
                name="mae",
                tasks=_REGRESSION,
                greater_is_better=False,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="mae",
                undefined="no rows",
                terms=rowterms.absolute,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                limits=_LOSS,
            ),
            Metric(
                name="rmse",
                tasks=_REGRESSION,
                greater_is_better=False,
                needs=Needs.PREDICTIONS,
                method=Method.BOOTSTRAP,
                row_score="rmse",
                undefined="no rows",
                terms=rowterms.squared,
                numerator=(1.0, 0.0),
                denominator=(0.0, 1.0),
                root=True,
                limits=_LOSS,
            ),
        )
    }
)
"""Every metric by its name."""
