"""Areas under the ROC curve, alone and paired, with DeLong's variance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, Ints, check_level, normal_quantile
from vernal.stats.intervals import Interval, PairedInterval, bounds_within, wilson_bounds
from vernal.stats.labels import binary_labels, finite_scores

_MORE_ROWS = 2.0
"""Rows of the largest variance by which each class is counted larger; in simulations one is too few."""


def delong(labels: npt.ArrayLike, scores: npt.ArrayLike, *, certainty: float = 0.95) -> Interval:
    """Return the area under the ROC curve with DeLong's variance, bounded on the logit scale.

    Close to 1 most rows of a class are placed alike, so that a small class rarely shows the spread it has: with 20
    positives and an area of 0.95 plain DeLong bounds, meant for 95 %, lie below the area in only 88 % of samples.
    Therefore each class is counted as if it had two more rows with the largest variance a placement can have,
    ``A (1 - A)``, and the quantile is Student's with Satterthwaite's degrees of freedom. Both vanish in large samples.

    Parameters
    ----------
    labels
        0 or 1, shape ``(n,)``, both classes present.
    scores
        Higher for class 1, shape ``(n,)``; ties count one half.
    certainty
        One-sided certainty of each bound.

    Returns
    -------
    Interval
        Within 0..1. When the scores separate the classes fully, or a class has one row, DeLong's variance is 0 or
        undefined; the bounds then come from the largest variance an area can have,
        ``A (1 - A) / min(positives, negatives)``.

    Raises
    ------
    SampleError
        If a class is missing, shapes differ, labels are not 0 or 1, or a score is not finite.

    References
    ----------
    E. R. DeLong et al. (1988). Comparing the areas under two or more correlated ROC curves. Biometrics 44.
    X. Sun, W. Xu (2014). Fast implementation of DeLong's algorithm. IEEE Signal Processing Letters 21.
    Z. W. Birnbaum, O. M. Klose (1957). Bounds for the variance of the Mann-Whitney statistic. Ann. Math. Stat. 28.
    F. E. Satterthwaite (1946). An approximate distribution of estimates of variance components. Biometrics 2.

    Examples
    --------
    >>> round(delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value, 3)
    0.75
    """
    from scipy.special import stdtrit

    check_level("certainty", certainty)
    positive = _both_classes(labels)
    placed = _placements(positive, finite_scores(scores, positive.size))
    area, parts, sizes = _area(placed, positive), _variances(placed, positive), _sizes(positive)
    if min(sizes) == 1 or sum(parts) == 0.0:
        lower, upper = wilson_bounds(area, min(sizes), normal_quantile(certainty))
    else:
        widened = [v + _MORE_ROWS * area * (1 - area) / (n * (n - 1)) for v, n in zip(parts, sizes, strict=True)]
        freedom = sum(widened) ** 2 / sum(v * v / (n - 1) for v, n in zip(widened, sizes, strict=True))
        t = float(stdtrit(freedom, certainty))
        lower, upper = bounds_within((0.0, 1.0), area, t * math.sqrt(sum(widened)))
    return Interval(value=area, lower=lower, upper=upper, certainty=certainty, rows=positive.size, method="delong")


def paired_delong(
    labels: npt.ArrayLike,
    champion_scores: npt.ArrayLike,
    challenger_scores: npt.ArrayLike,
    *,
    certainty: float = 0.95,
) -> PairedInterval:
    """Return the difference of two areas under the ROC curve on the same rows, by DeLong's covariance.

    Parameters
    ----------
    labels
        0 or 1, shape ``(n,)``, both classes present.
    champion_scores, challenger_scores
        Higher for class 1, shape ``(n,)``; ties count one half.
    certainty
        One-sided certainty of each bound.

    Returns
    -------
    PairedInterval
        Within -1..1. Where the variance of the difference is 0 or undefined, bounds and p-value come from the widest
        interval of each area, taken as independent.

    Raises
    ------
    SampleError
        If a class is missing, shapes differ, labels are not 0 or 1, or a score is not finite.

    References
    ----------
    E. R. DeLong et al. (1988). Comparing the areas under two or more correlated ROC curves. Biometrics 44.
    R. G. Newcombe (1998). Interval estimation for the difference between independent proportions. Statistics in
    Medicine 17, on adding the squares of two distances to a bound.

    Examples
    --------
    >>> result = paired_delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.1, 0.2, 0.6, 0.9])
    >>> round(result.difference, 3)
    0.25
    """
    check_level("certainty", certainty)
    positive = _both_classes(labels)
    champion = finite_scores(champion_scores, positive.size)
    challenger = finite_scores(challenger_scores, positive.size)
    placed_a, placed_b = _placements(positive, champion), _placements(positive, challenger)
    areas = _area(placed_a, positive), _area(placed_b, positive)
    difference, variance = areas[1] - areas[0], sum(_variances(placed_b - placed_a, positive))
    z = normal_quantile(certainty)
    if np.array_equal(champion, challenger):
        lower, upper, p_value = 0.0, 0.0, 1.0
    elif math.isnan(variance) or variance == 0.0:
        fewest = min(_sizes(positive))
        lower, upper = _summed_bounds(areas, fewest, z)
        p_value = _summed_p_value(areas, fewest)
    else:
        error = math.sqrt(variance)
        lower, upper = max(-1.0, difference - z * error), min(1.0, difference + z * error)
        p_value = math.erfc(abs(difference) / error / math.sqrt(2))
    return PairedInterval(
        champion=areas[0],
        challenger=areas[1],
        difference=difference,
        lower=lower,
        upper=upper,
        p_value=p_value,
        certainty=certainty,
        rows=positive.size,
        blocks=positive.size,
        method="paired delong",
    )


def area_under_curve(positive: Bools, scores: Floats) -> float | None:
    """Return the share of pairs of one row of each class that the scores order rightly; ``None`` for one class only.

    Examples
    --------
    >>> area_under_curve(np.array([False, True, True]), np.array([0.5, 0.5, 0.9]))
    0.75
    """
    return _area(_placements(positive, scores), positive) if min(_sizes(positive)) else None


def _placements(positive: Bools, scores: Floats) -> Ints:
    """Return, per row, twice the number of rows of the other class on the right side of it, a tie counting one half.

    Whole numbers keep equal shares equal, so that a variance of 0 is found as 0. One sort serves both classes.
    """
    order = np.argsort(scores)
    ordered, mine = scores[order], positive[order]
    edges = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [ordered.size]))
    positives = np.concatenate(([0], np.cumsum(mine)))[edges]
    negatives = edges - positives
    below, above = negatives[:-1] + negatives[1:], 2 * positives[-1] - positives[:-1] - positives[1:]
    tied = np.repeat(np.arange(edges.size - 1), np.diff(edges))
    placed = np.empty(ordered.size, dtype=np.int64)
    placed[order] = np.where(mine, below[tied], above[tied])
    return placed


def _area(placed: Ints, positive: Bools) -> float:
    p, n = _sizes(positive)
    return int(placed[positive].sum()) / (2 * p * n)


def _variances(placed: Ints, positive: Bools) -> tuple[float, float]:
    """Return each class's part of DeLong's variance, of an area, or from differences of placements of a difference."""
    p, n = _sizes(positive)
    return _mean_variance(placed[positive]) / (2 * n) ** 2, _mean_variance(placed[~positive]) / (2 * p) ** 2


def _mean_variance(a: Ints) -> float:
    """Return the variance of a mean; NaN for a single row."""
    return float(a.var(ddof=1)) / a.size if a.size > 1 else math.nan


def _both_classes(labels: npt.ArrayLike) -> Bools:
    positive = binary_labels(labels)
    p, n = _sizes(positive)
    if not p or not n:
        raise SampleError(f"labels: found {p} of class 1 and {n} of class 0, expected both")
    return positive


def _sizes(positive: Bools) -> tuple[int, int]:
    """Return the number of rows of class 1 and of class 0."""
    p = int(positive.sum())
    return p, positive.size - p


def _summed_bounds(areas: tuple[float, float], fewest: int, z: float) -> tuple[float, float]:
    """Return bounds of a difference of areas from each one's widest interval, as if they were independent."""
    (low_a, high_a), (low_b, high_b) = (wilson_bounds(area, fewest, z) for area in areas)
    a, b = areas
    down, up = math.hypot(b - low_b, high_a - a), math.hypot(high_b - b, a - low_a)
    return max(-1.0, b - a - math.copysign(down, z)), min(1.0, b - a + math.copysign(up, z))


def _summed_p_value(areas: tuple[float, float], fewest: int) -> float:
    """Return the two-sided p-value at which these bounds just reach 0."""
    inside, outside = 0.0, 40.0  # at 40 standard errors a p-value is 0 in floating point
    for _ in range(60):
        z = (inside + outside) / 2
        lower, upper = _summed_bounds(areas, fewest, z)
        inside, outside = (inside, z) if lower <= 0.0 <= upper else (z, outside)
    return math.erfc(inside / math.sqrt(2))
