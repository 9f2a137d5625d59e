"""Estimated performance of a classifier whose labels are not there yet, from its own calibrated scores.

A metric is a function of which class each row is of. With calibrated probabilities in place of the unknown classes it
gives an estimate; with its derivatives by them it gives both ways in which a later measurement can differ: the labels
fall otherwise than expected, and the calibration is off.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, Ints, check_level, normal_quantile
from vernal.stats.calibration import Calibration, class_codes
from vernal.stats.metrics import metric

BLIND_TO = (
    "concept drift: the estimate takes the relation between inputs and labels as it was in the labelled rows, so it "
    "does not move when only that relation changes"
)
"""What no estimate without labels can see; shown wherever one is."""

ESTIMATED = ("accuracy", "f1", "precision", "recall", "roc_auc")
"""The metrics that calibrated scores can estimate."""

_Linear = tuple[float, Floats]
"""A metric at the expected labels, and its derivatives by the probabilities, shape ``(n,)`` or ``(n, k)``."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric would be on rows whose labels are missing.

    ``lower`` and ``upper`` bound the metric that the labels of these very rows will give, each at the one-sided
    ``certainty``. Two standard errors, in points of the metric, make up the distance: ``sampling_error`` (the labels
    of these rows fall by chance) and ``calibration_error`` (what was learned from the labelled rows is uncertain).
    All are ``None`` where the metric is undefined on these rows; ``note`` then says why. Otherwise a note says what was
    left out. ``blind_to`` belongs to every estimate that a person reads.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    certainty: float
    sampling_error: float | None
    calibration_error: float | None
    rows: int
    method: str
    note: str = ""
    blind_to: str = BLIND_TO


def estimate_performance(
    metric_name: str,
    scores: npt.ArrayLike,
    predictions: npt.ArrayLike | None,
    calibration: Calibration,
    *,
    certainty: float = 0.95,
) -> Estimate:
    """Estimate a classifier's metric on rows without labels (confidence-based performance estimation).

    Parameters
    ----------
    metric_name
        One of :data:`ESTIMATED`. For several classes ``f1``, ``precision``, ``recall`` and ``roc_auc`` (each class
        against the rest) are means over the classes, those left out for which the metric is undefined.
    scores
        What the model gave, as the calibration was fitted on: shape ``(n,)``, or ``(n, k)`` with a column per class.
    predictions
        The predicted classes, 0 or 1 or the column of the class, shape ``(n,)``; ``roc_auc`` does without.
    calibration
        See :func:`vernal.stats.calibration.fit_calibration`.
    certainty
        One-sided certainty of each bound; 0.5 gives the value itself.

    Returns
    -------
    Estimate
        Value and bounds are ``None``, with a note, where the metric is undefined at the expected labels.

    Raises
    ------
    SampleError
        If the metric cannot be estimated, shapes differ, a score is not finite, or a prediction names no class.

    Notes
    -----
    First-order (delta method) errors of the metric at the expected labels. They are rough where a denominator, such as
    the expected number of rows of class 1, is a handful. Rows count as independent given their scores.

    References
    ----------
    J. Kivimäki, J. Białek, J. K. Nurminen, W. Kuberski (2024). Confidence-based estimators for predictive performance
    in model monitoring. arXiv 2407.08649.

    Examples
    --------
    >>> from vernal.stats.calibration import fit_calibration
    >>> calibration = fit_calibration([0.1] * 400 + [0.9] * 400, [0] * 360 + [1] * 40 + [0] * 40 + [1] * 360)
    >>> estimate = estimate_performance("accuracy", [0.1] * 50 + [0.9] * 50, [0] * 50 + [1] * 50, calibration)
    >>> round(estimate.value, 3), round(estimate.sampling_error, 3), round(estimate.calibration_error, 3)
    (0.9, 0.03, 0.011)
    """
    check_level("certainty", certainty)
    if metric_name not in ESTIMATED:
        raise SampleError(f"metric: found {metric_name!r}, expected one of {', '.join(ESTIMATED)}")
    given = np.asarray(scores, dtype=np.float64)
    p = calibration.apply(given)
    rows, classes = len(p), max(len(calibration.maps), 2)
    answers = None
    if metric_name != "roc_auc":
        if predictions is None:
            raise SampleError(f"predictions: found none, expected one per row for {metric_name}")
        answers = class_codes("predictions", predictions, rows, classes)
    found, note = _linear(metric_name, given, answers, p) if rows else (None, "no rows")
    if found is None:
        return Estimate(
            metric=metric_name,
            value=None,
            lower=None,
            upper=None,
            certainty=certainty,
            sampling_error=None,
            calibration_error=None,
            rows=rows,
            method="cbpe",
            note=note,
        )
    value, gradient = found
    sampling, learned = _sampling_variance(gradient, p), calibration.variance(given, gradient)
    reach = normal_quantile(certainty) * math.sqrt(sampling + learned)
    return Estimate(
        metric=metric_name,
        value=value,
        lower=min(1.0, max(0.0, value - reach)),
        upper=min(1.0, max(0.0, value + reach)),
        certainty=certainty,
        sampling_error=math.sqrt(sampling),
        calibration_error=math.sqrt(learned),
        rows=rows,
        method="cbpe",
        note=note,
    )


def _sampling_variance(gradient: Floats, p: Floats) -> float:
    """Return the variance of ``sum(gradient * labels)``, each row being of exactly one class."""
    h, chances = gradient.reshape(len(p), -1), p.reshape(len(p), -1)
    return max(0.0, float((h**2 * chances).sum() - ((h * chances).sum(axis=1) ** 2).sum()))


def _linear(name: str, scores: Floats, answers: Ints | None, p: Floats) -> tuple[_Linear | None, str]:
    """Return the metric and its derivatives by ``p``, or ``None``, with a note on what is undefined."""
    if p.ndim == 1:
        found = _of_class(name, scores, None if answers is None else answers == 1, p)
        return found, "" if found else metric(name).undefined
    if name == "accuracy" and answers is not None:
        chosen = np.zeros_like(p)
        chosen[np.arange(len(p)), answers] = 1 / len(p)
        return (float((chosen * p).sum()), chosen), ""
    classes = range(p.shape[1])
    parts = [_of_class(name, scores[:, j], None if answers is None else answers == j, p[:, j]) for j in classes]
    defined = {j: part for j, part in enumerate(parts) if part is not None}
    without = ", ".join(str(j) for j in classes if j not in defined)
    note = f"left out, being undefined: class {without}" if without else ""
    if not defined:
        return None, note
    gradient = np.zeros_like(p)
    for j, (_, slope) in defined.items():
        gradient[:, j] = slope / len(defined)
    return (sum(value for value, _ in defined.values()) / len(defined), gradient), note


def _of_class(name: str, scores: Floats, chosen: Bools | None, p: Floats) -> _Linear | None:
    """Return the metric of one class against the rest, or ``None`` where it is undefined."""
    if chosen is None:
        return _area(scores, p)
    a, every, none = chosen.astype(np.float64), np.ones_like(p), np.zeros_like(p)
    above, below, plus, floor = {
        "accuracy": (2 * a - 1, none, float((1 - a).sum()), float(p.size)),
        "f1": (2 * a, every, 0.0, float(a.sum())),
        "precision": (a, none, 0.0, float(a.sum())),
        "recall": (a, every, 0.0, 0.0),
    }[name]
    total = floor + float(below @ p)
    if total <= 0:
        return None
    value = (plus + float(above @ p)) / total
    return value, (above - value * below) / total


def _area(scores: Floats, p: Floats) -> _Linear | None:
    """Return the expected share of pairs in order, over pairs of different rows, by ranks and running sums.

    With ``w_ij`` 1 if row i scores higher than row j, 1/2 if equal, the ratio of ``sum p_i (1 - p_j) w_ij`` and
    ``sum p_i (1 - p_j)``. As ``w_ij + w_ji = 1``, the numerator changes with ``p_i`` by ``sum_j w_ij - sum_j p_j``.
    """
    n, q = p.size, 1 - p
    _, codes, ties = np.unique(scores, return_inverse=True, return_counts=True)
    tied = np.bincount(codes, weights=q)
    below = (np.cumsum(tied) - tied / 2)[codes] - q / 2
    beaten = (np.cumsum(ties) - ties / 2)[codes] - 0.5
    expected = float(p.sum())
    others = expected - p
    pairs = float(p @ (n - 1 - others))
    if pairs <= 0:
        return None
    area = float(p @ below) / pairs
    return area, (beaten - others - area * (n - 1 - 2 * others)) / pairs
