"""Intervals for proportions and areas under the ROC curve, alone and paired.

``certainty`` is one-sided for each bound: at 0.95 the upper bound alone is exceeded by the truth in 5 % of samples, and
so is the lower bound from below. At 0.5 both bounds are the point estimate.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats, check_level, normal_quantile


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with a lower and an upper bound, each at the one-sided ``certainty``.

    ``value`` and the bounds are ``None`` when the quantity is undefined on these rows; ``note`` then says why.
    """

    value: float | None
    lower: float | None
    upper: float | None
    certainty: float
    rows: int
    method: str
    note: str = ""


class PairedInterval(msgspec.Struct, frozen=True, kw_only=True):
    """Challenger against champion on the same rows; a positive difference favours the challenger.

    ``p_value`` is two-sided for "no difference". ``blocks`` counts the units taken as independent (rows, or days).
    Everything is ``None`` when the quantity is undefined on these rows; ``note`` then says why.
    """

    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    certainty: float
    rows: int
    blocks: int
    method: str
    note: str = ""


def wilson(successes: int, rows: int, *, certainty: float = 0.95) -> Interval:
    """Return the Wilson score interval of a proportion.

    Parameters
    ----------
    successes, rows
        Counts; ``0 <= successes <= rows`` and ``rows >= 1``.
    certainty
        One-sided certainty of each bound.

    Raises
    ------
    SampleError
        If the counts contradict each other, there are no rows, or ``certainty`` is not between 0 and 1.

    References
    ----------
    E. B. Wilson (1927). Probable inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> interval = wilson(90, 100)
    >>> round(interval.lower, 4), round(interval.upper, 4)
    (0.8396, 0.9393)
    """
    check_level("certainty", certainty)
    if rows < 1 or not 0 <= successes <= rows:
        raise SampleError(f"proportion: found {successes} of {rows}, expected at least 1 row and no more successes")
    share = successes / rows
    lower, upper = _wilson_bounds(share, rows, normal_quantile(certainty))
    return Interval(value=share, lower=lower, upper=upper, certainty=certainty, rows=rows, method="wilson")


def delong(labels: npt.ArrayLike, scores: npt.ArrayLike, *, certainty: float = 0.95) -> Interval:
    """Return the area under the ROC curve with DeLong's variance, bounded on the logit scale.

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

    Examples
    --------
    >>> round(delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value, 3)
    0.75
    """
    check_level("certainty", certainty)
    positive = binary_labels(labels)
    area, of_positives, of_negatives = _components(positive, finite_scores(scores, positive.size))
    variance = _mean_variance(of_positives) + _mean_variance(of_negatives)
    lower, upper = _area_bounds(area, variance, min(of_positives.size, of_negatives.size), normal_quantile(certainty))
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

    Raises
    ------
    SampleError
        If a class is missing, shapes differ, labels are not 0 or 1, or a score is not finite.

    References
    ----------
    E. R. DeLong et al. (1988). Comparing the areas under two or more correlated ROC curves. Biometrics 44.

    Examples
    --------
    >>> result = paired_delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.1, 0.2, 0.6, 0.9])
    >>> round(result.difference, 3)
    0.25
    """
    check_level("certainty", certainty)
    positive = binary_labels(labels)
    champion = finite_scores(champion_scores, positive.size)
    challenger = finite_scores(challenger_scores, positive.size)
    area_a, positives_a, negatives_a = _components(positive, champion)
    area_b, positives_b, negatives_b = _components(positive, challenger)
    difference = area_b - area_a
    positives, negatives = positives_b - positives_a, negatives_b - negatives_a
    variance = _mean_variance(positives) + _mean_variance(negatives)
    z = normal_quantile(certainty)
    if np.array_equal(champion, challenger):
        lower, upper, p_value = 0.0, 0.0, 1.0
    elif math.isnan(variance) or variance == 0.0:
        lower, upper = _summed_bounds((area_a, area_b), min(positives.size, negatives.size), z)
        p_value = 1.0
    else:
        error = math.sqrt(variance)
        lower, upper = max(-1.0, difference - z * error), min(1.0, difference + z * error)
        p_value = math.erfc(abs(difference) / error / math.sqrt(2))
    return PairedInterval(
        champion=area_a,
        challenger=area_b,
        difference=difference,
        lower=lower,
        upper=upper,
        p_value=p_value,
        certainty=certainty,
        rows=positive.size,
        blocks=positive.size,
        method="paired delong",
    )


def paired_accuracy(
    champion_right: npt.ArrayLike, challenger_right: npt.ArrayLike, *, certainty: float = 0.95
) -> PairedInterval:
    """Return the difference of two accuracies on the same rows, from the 2 x 2 table of correctness.

    The bounds are Tango's score interval; the p-value is McNemar's exact test. Only the discordant rows carry
    information on the difference.

    Parameters
    ----------
    champion_right, challenger_right
        Whether each model was right, shape ``(n,)``.
    certainty
        One-sided certainty of each bound.

    Raises
    ------
    SampleError
        If there are no rows, the shapes differ, or ``certainty`` is not between 0 and 1.

    References
    ----------
    T. Tango (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17.
    Q. McNemar (1947). Note on the sampling error of the difference between correlated proportions. Psychometrika 12.

    Examples
    --------
    >>> result = paired_accuracy([True] * 80 + [False] * 20, [True] * 78 + [False] * 2 + [True] * 12 + [False] * 8)
    >>> round(result.difference, 3), round(result.p_value, 4)
    (0.1, 0.0129)
    """
    from scipy.special import bdtr

    check_level("certainty", certainty)
    a, b = np.asarray(champion_right, dtype=np.bool_), np.asarray(challenger_right, dtype=np.bool_)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise SampleError(f"correctness: found shapes {a.shape} and {b.shape}, expected two equal rows of at least 1")
    rows, lost, won = a.size, int((a & ~b).sum()), int((b & ~a).sum())
    z = normal_quantile(certainty)
    lower, upper = sorted(_tango_bound(won, lost, rows, side * z) for side in (1.0, -1.0))
    p_value = min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0
    return PairedInterval(
        champion=float(a.mean()),
        challenger=float(b.mean()),
        difference=(won - lost) / rows,
        lower=lower,
        upper=upper,
        p_value=p_value,
        certainty=certainty,
        rows=rows,
        blocks=rows,
        method="tango",
    )


def binary_labels(labels: npt.ArrayLike) -> Bools:
    """Return labels of 0 and 1 as booleans.

    Raises
    ------
    SampleError
        If there is any other value, or no row.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or not values.size:
        raise SampleError(f"labels: found shape {values.shape}, expected one row of at least 1")
    if values.dtype == np.bool_:
        return values
    positive: Bools = np.asarray(values == 1, dtype=np.bool_)
    other = values[~(positive | np.asarray(values == 0, dtype=np.bool_))]
    if other.size:
        raise SampleError(f"labels: found {other[0]!s} in {other.size} of {values.size} rows, expected 0 or 1")
    return positive


def finite_scores(scores: npt.ArrayLike, rows: int) -> Floats:
    """Return scores as finite numbers, one per row.

    Raises
    ------
    SampleError
        If the number of rows differs or a score is NaN or infinite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (rows,):
        raise SampleError(f"scores: found shape {values.shape}, expected ({rows},), one per label")
    bad = rows - int(np.isfinite(values).sum())
    if bad:
        raise SampleError(f"scores: found {bad} of {rows} that are NaN or infinite, expected finite numbers")
    return values


def _wilson_bounds(share: float, rows: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return max(0.0, centre - half), min(1.0, centre + half)


def _components(positive: Bools, scores: Floats) -> tuple[float, Floats, Floats]:
    """Return the area and, for every positive and negative row, its share of the other class on the right side."""
    x, y = scores[positive], scores[~positive]
    if not x.size or not y.size:
        raise SampleError(f"labels: found {x.size} of class 1 and {y.size} of class 0, expected both")
    by_x, by_y = np.sort(x), np.sort(y)
    of_positives: Floats = (by_y.searchsorted(x, "left") + by_y.searchsorted(x, "right")) / (2.0 * y.size)
    of_negatives: Floats = 1.0 - (by_x.searchsorted(y, "left") + by_x.searchsorted(y, "right")) / (2.0 * x.size)
    return float(of_positives.mean()), of_positives, of_negatives


def _mean_variance(a: Floats) -> float:
    """Return the variance of a mean; NaN for a single row."""
    return float(a.var(ddof=1)) / a.size if a.size > 1 else math.nan


def _area_bounds(area: float, variance: float, fewest: int, z: float) -> tuple[float, float]:
    if math.isnan(variance) or variance == 0.0 or area in {0.0, 1.0}:
        return _wilson_bounds(area, fewest, z)
    logit = math.log(area / (1 - area))
    reach = z * math.sqrt(variance) / (area * (1 - area))
    return _expit(logit - reach), _expit(logit + reach)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _summed_bounds(areas: tuple[float, float], fewest: int, z: float) -> tuple[float, float]:
    """Return bounds of a difference of areas from each one's widest interval, as if they were independent."""
    (low_a, high_a), (low_b, high_b) = (_wilson_bounds(area, fewest, z) for area in areas)
    a, b = areas
    down, up = math.hypot(b - low_b, high_a - a), math.hypot(high_b - b, a - low_a)
    return max(-1.0, b - a - math.copysign(down, z)), min(1.0, b - a + math.copysign(up, z))


def _tango_bound(won: int, lost: int, rows: int, z: float) -> float:
    """Return the difference at which the score statistic equals ``z``; the statistic falls with the difference."""
    estimate = (won - lost) / rows
    low, high = (-1.0, estimate) if z > 0 else (estimate, 1.0)
    if z == 0:
        return estimate
    for _ in range(60):
        middle = (low + high) / 2
        if _tango_score(won, lost, rows, middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tango_score(won: int, lost: int, rows: int, difference: float) -> float:
    """Return (estimate - difference) in standard errors, with the nuisance parameter at its restricted maximum."""
    a = 2.0 * rows
    b = -won - lost + (2 * rows - won + lost) * difference
    c = -lost * difference * (1 - difference)
    share_lost = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * share_lost + difference * (1 - difference))
    distance = won - lost - rows * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)
