"""A smooth first idea of what scores say about the class: a logistic model of few parameters."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from vernal.stats.arrays import Bools, Floats, Ints

_NEAREST = 1e-12
"""No probability comes nearer to 0 or 1 than this."""

_RARE = 0.01
"""Share of the scores at either side that may count as equal; a row far out would rule the fit."""

_LOOSE = 0.01
"""Weight of the prior on the offsets: a standard deviation of 10."""

_FAR = 10.0
"""Interquartile ranges from the median beyond which scores that are no probabilities count as equal."""

_STEPS = 60
_CONVERGED = 1e-7


class ScoreModel(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities proportional to ``exp(slopes . features + offset of the class)``, the slopes shared by the classes.

    The features of a probability ``s`` are ``ln s`` and ``-ln(1 - s)``; that of any other score is ``s / spread``, and
    ``logs`` is false. All are taken from their ``centres``. Scores beyond ``least`` and ``most`` count as these. A
    single column is the score of class 1, and class 0 has the features 0.

    ``covariance`` is that of the ``f`` slopes, shape ``(f, f)``, and ``follow`` how the offsets follow the slopes,
    shape ``(classes, f)``. What is uncertain in the offsets alone is left out: maps through bins undo it.
    """

    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    follow: tuple[tuple[float, ...], ...]
    logs: bool
    least: float
    most: float
    centres: tuple[float, ...]
    spread: float

    def apply(self, columns: Floats) -> Floats:
        """Return the probabilities for scores of shape ``(n, k)``, in the same shape."""
        chances = _chances(self.features(columns), np.array(self.slopes), np.array(self.offsets))
        return chances[-columns.shape[1] :].T

    def by_slope(self, columns: Floats) -> Floats:
        """Return the derivatives of the probabilities by the slopes, shape ``(f, k, n)``; the offsets follow."""
        features = self.features(columns)
        chances = _chances(features, np.array(self.slopes), np.array(self.offsets))
        return _derivatives(features + np.array(self.follow).T[:, :, None], chances)[:, -columns.shape[1] :]

    def features(self, columns: Floats) -> Floats:
        """Return the features of each class, shape ``(f, max(k, 2), n)``: sums over classes are fast that way round."""
        inner = np.clip(columns.T, self.least, self.most)
        raw = np.stack((np.log(inner), -np.log1p(-inner))) if self.logs else (inner / self.spread)[None]
        found = raw - np.array(self.centres)[:, None, None]
        return found if columns.shape[1] > 1 else np.concatenate((np.zeros_like(found), found), axis=1)


def fit_score_model(columns: Floats, codes: Ints) -> ScoreModel:
    """Fit the model by penalised maximum likelihood, so that probabilities rise with the scores or fall with them.

    Parameters
    ----------
    columns
        Finite scores, shape ``(n, k)`` with at least one row; a single column is that of class 1.
    codes
        The class of each row, shape ``(n,)``.

    Returns
    -------
    ScoreModel
        Slopes have a normal prior of standard deviation 1 around those of honest probabilities, so that few rows, or
        classes that the scores separate perfectly, still give a finite fit. They are at least 0; if all would be 0
        the scores may be the wrong way round, and the slopes are at most 0.

    Notes
    -----
    For one column of probabilities this is beta calibration, for one of other scores Platt's; for several it is
    temperature scaling with an offset per class, and with a second slope for columns that do not add up to 1.

    References
    ----------
    J. Platt (1999). Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers.
    M. Kull, T. Silva Filho, P. Flach (2017). Beyond sigmoids: how to obtain well-calibrated probabilities from binary
    classifiers with beta calibration. Electronic Journal of Statistics 11.
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural networks. ICML.
    """
    unfitted, honest = _scaled(columns)
    features, count, classes = unfitted.features(columns), honest.size, len(unfitted.offsets)
    slopes, offsets, _ = _rising(features, codes, honest, np.ones(count, dtype=np.bool_))
    if not slopes.any():
        slopes, offsets, _ = _rising(-features, codes, np.zeros(count), np.ones(count, dtype=np.bool_))
        slopes = 0.0 - slopes
    free = np.append(slopes != 0.0, np.ones(classes, dtype=np.bool_))
    curvature = _curvature(features, _chances(features, slopes, offsets), _weights(count, classes))
    covariance = np.zeros((count, count))
    inverse, moving = np.linalg.inv(curvature[np.ix_(free, free)]), free[:count]
    covariance[np.ix_(moving, moving)] = inverse[: moving.sum(), : moving.sum()]
    follow = -np.linalg.solve(curvature[count:, count:], curvature[count:, :count])
    return msgspec.structs.replace(
        unfitted,
        slopes=tuple(slopes.tolist()),
        offsets=tuple(offsets.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        follow=tuple(tuple(row) for row in follow.tolist()),
    )


def _scaled(columns: Floats) -> tuple[ScoreModel, Floats]:
    """Return a model that knows its features but not yet their slopes, and the slopes of honest probabilities."""
    low, high = float(columns.min()), float(columns.max())
    logs, spread = low >= 0.0 and high <= 1.0, 1.0
    if logs:
        inside = columns[(columns > 0.0) & (columns < 1.0)]
        sides = inside if inside.size else np.array([0.5])
        least = max(float(np.quantile(sides, _RARE)) / 2, math.nextafter(0.0, 1.0))
        most = min(1.0 - float(np.quantile(1.0 - sides, _RARE)) / 2, math.nextafter(1.0, 0.0))
        honest = np.array([1.0, float(columns.shape[1] == 1)])
    else:
        size = max(abs(low), abs(high))  # divided by first, so that no difference of scores overflows
        first, middle, third = (float(q) for q in np.quantile(columns / size, (0.25, 0.5, 0.75)))
        reach = (third - first) or float((columns / size).std()) or 1.0
        least, most = max(low / size, middle - _FAR * reach) * size, min(high / size, middle + _FAR * reach) * size
        spread, honest = reach * size, np.ones(1)
    count, classes = honest.size, max(columns.shape[1], 2)
    nothing = (0.0,) * count
    model = ScoreModel(
        slopes=nothing,
        offsets=(0.0,) * classes,
        covariance=(nothing,) * count,
        follow=(nothing,) * classes,
        logs=logs,
        least=least,
        most=most,
        centres=nothing,
        spread=spread,
    )
    centres = model.features(columns)[:, -columns.shape[1] :].mean(axis=(1, 2))
    return msgspec.structs.replace(model, centres=tuple(centres.tolist())), honest


def _chances(features: Floats, slopes: Floats, offsets: Floats) -> Floats:
    """Return the probabilities of the classes, shape ``(classes, n)``."""
    powers = np.tensordot(slopes, features, 1) + offsets[:, None]
    shares = np.exp(powers - powers.max(axis=0))
    found: Floats = np.clip(shares / shares.sum(axis=0), _NEAREST, 1.0 - _NEAREST)
    return found


def _derivatives(features: Floats, chances: Floats) -> Floats:
    found: Floats = chances * (features - (chances * features).sum(axis=1, keepdims=True))
    return found


def _weights(slopes: int, classes: int) -> Floats:
    """Return the weights of the prior: 1 over its variances."""
    return np.concatenate((np.ones(slopes), np.full(classes, _LOOSE)))


def _curvature(features: Floats, chances: Floats, weights: Floats) -> Floats:
    """Return minus the second derivatives of the penalised likelihood, slopes first, then offsets."""
    count = len(features)
    moves = _derivatives(features, chances)
    found = np.diag(weights)
    found[:count, :count] += np.tensordot(moves, features, ((1, 2), (1, 2)))
    found[:count, count:] += moves.sum(axis=2)
    found[count:, :count] += moves.sum(axis=2).T
    found[count:, count:] += np.diag(chances.sum(axis=1)) - chances @ chances.T
    return found


def _rising(features: Floats, codes: Ints, honest: Floats, free: Bools) -> tuple[Floats, Floats, float]:
    """Return slopes of at least 0, offsets and their penalised likelihood, the best of its kind.

    The likelihood has a single peak. Where a slope would be negative at it, the best lies where some slope is 0.
    """
    fit = _newton(features, codes, honest, free)
    if (fit[0] >= 0.0).all():
        return fit
    fewer = [free & (np.arange(free.size) != j) for j in np.flatnonzero(free)]
    return max((_rising(features, codes, honest, some) for some in fewer), key=lambda found: found[2])


def _newton(features: Floats, codes: Ints, honest: Floats, free: Bools) -> tuple[Floats, Floats, float]:
    """Maximise the penalised likelihood over the free slopes, those not free being 0, and the offsets.

    It is strictly concave, so that Newton steps, halved until they gain, lead to its peak.
    """
    kept = features[free]
    count, classes, rows = kept.shape
    hits = np.zeros((classes, rows))
    hits[codes, np.arange(rows)] = 1.0
    prior, weights = np.concatenate((honest[free], np.zeros(classes))), _weights(count, classes)

    def at(point: Floats) -> tuple[Floats, float]:
        chances = _chances(kept, point[:count], point[count:])
        fit = float(np.log(chances[codes, np.arange(rows)]).sum())
        return chances, fit - float(weights @ (point - prior) ** 2) / 2

    point = prior
    chances, best = at(point)
    for _ in range(_STEPS):
        missing = hits - chances
        gradient = np.concatenate((np.tensordot(kept, missing, 2), missing.sum(axis=1)))
        step = np.linalg.solve(_curvature(kept, chances, weights), gradient - weights * (point - prior))
        tried, found = at(point + step)
        while found < best and float(np.abs(step).max()) > _CONVERGED:
            step /= 2
            tried, found = at(point + step)
        if found < best + _CONVERGED:
            break
        point, chances, best = point + step, tried, found
    slopes = np.zeros(free.size)
    slopes[free] = point[:count]
    return slopes, point[count:], best
