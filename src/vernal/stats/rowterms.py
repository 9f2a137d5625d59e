"""What each metric sums over rows: labels and outputs in, one column per summed term out, shape ``(n, s)``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats
from vernal.stats.labels import binary_labels, finite_scores


def accuracy(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return whether each row is right, and 1."""
    right = _right(labels, predictions)
    return np.column_stack((right, np.ones_like(right)))


def confusion(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return true positives, false positives and false negatives."""
    truth = binary_labels(labels)
    answer = np.asarray(predictions)
    if answer.shape != truth.shape:
        raise SampleError(f"predictions: found shape {answer.shape}, expected {truth.shape}, one per label")
    positive = binary_labels(answer)
    return np.column_stack((truth & positive, ~truth & positive, truth & ~positive)).astype(np.float64)


def brier(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """Return the squared distance of the probability from the label, and 1."""
    truth, p = _probabilities(labels, scores)
    return np.column_stack(((p - truth) ** 2, np.ones_like(p)))


def log_loss(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """Return the negative logarithm of the probability of the true class, and 1."""
    truth, p = _probabilities(labels, scores)
    least = np.finfo(np.float64).eps  # a sure and wrong answer costs 36 nats instead of infinitely many
    p = np.clip(np.where(truth == 1.0, p, 1 - p), least, 1.0)
    return np.column_stack((-np.log(p), np.ones_like(p)))


def absolute(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return the absolute error, and 1."""
    error = _errors(labels, predictions)
    return np.column_stack((np.abs(error), np.ones_like(error)))


def squared(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return the squared error, and 1."""
    error = _errors(labels, predictions)
    return np.column_stack((error**2, np.ones_like(error)))


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


def _probabilities(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth = binary_labels(labels).astype(np.float64)
    p = finite_scores(scores, truth.size)
    if p.min() < 0 or p.max() > 1:
        raise SampleError(f"scores: found {p.min()} to {p.max()}, expected probabilities from 0 to 1")
    return truth, p


def _errors(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    truth, answer = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != answer.shape:
        raise SampleError(f"predictions: found shape {answer.shape}, expected {truth.shape}, one per label")
    error: Floats = answer - truth
    bad = error.size - int(np.isfinite(error).sum())
    if bad:
        raise SampleError(f"errors: found {bad} of {error.size} rows that are NaN or infinite, expected finite numbers")
    return error
