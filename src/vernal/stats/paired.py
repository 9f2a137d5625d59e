"""Two accuracies on the same rows, from the 2 x 2 table of correctness."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import check_level, normal_quantile
from vernal.stats.intervals import PairedInterval


def paired_accuracy(
    champion_right: npt.ArrayLike, challenger_right: npt.ArrayLike, *, certainty: float = 0.95
) -> PairedInterval:
    """Return the difference of two accuracies on the same rows: Tango's score interval and McNemar's exact test.

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

    See Also
    --------
    paired_accuracy_table : The same from the four counts, and the sources.

    Examples
    --------
    >>> result = paired_accuracy([True] * 80 + [False] * 20, [True] * 78 + [False] * 2 + [True] * 12 + [False] * 8)
    >>> round(result.difference, 3), round(result.p_value, 4)
    (0.1, 0.0129)
    """
    a, b = np.asarray(champion_right, dtype=np.bool_), np.asarray(challenger_right, dtype=np.bool_)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise SampleError(f"correctness: found shapes {a.shape} and {b.shape}, expected two equal rows of at least 1")
    both, champion, challenger = int((a & b).sum()), int(a.sum()), int(b.sum())
    return paired_accuracy_table(
        both_right=both,
        only_champion=champion - both,
        only_challenger=challenger - both,
        both_wrong=a.size - champion - challenger + both,
        certainty=certainty,
    )


def paired_accuracy_table(
    *, both_right: int, only_champion: int, only_challenger: int, both_wrong: int, certainty: float = 0.95
) -> PairedInterval:
    """Return the difference of two accuracies from the four counts of rows, at no cost whatever their size.

    The bounds are Tango's score interval; the p-value is McNemar's exact test. Only the discordant rows carry
    information on the difference.

    Parameters
    ----------
    both_right, only_champion, only_challenger, both_wrong
        How many rows both models, one of them or none had right; together at least 1.
    certainty
        One-sided certainty of each bound.

    Raises
    ------
    SampleError
        If a count is negative, there are no rows, or ``certainty`` is not between 0 and 1.

    References
    ----------
    T. Tango (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17.
    Q. McNemar (1947). Note on the sampling error of the difference between correlated proportions. Psychometrika 12.

    Examples
    --------
    >>> result = paired_accuracy_table(both_right=78, only_champion=2, only_challenger=12, both_wrong=8)
    >>> round(result.lower, 3), round(result.upper, 3)
    (0.043, 0.167)
    """
    check_level("certainty", certainty)
    counts = both_right, only_champion, only_challenger, both_wrong
    rows = sum(counts)
    if min(counts) < 0 or not rows:
        raise SampleError(f"correctness: found counts {counts}, expected none below 0 and at least 1 row")
    z = normal_quantile(certainty)
    return PairedInterval(
        champion=(both_right + only_champion) / rows,
        challenger=(both_right + only_challenger) / rows,
        difference=(only_challenger - only_champion) / rows,
        lower=_tango_bound(only_challenger, only_champion, rows, z),
        upper=_tango_bound(only_challenger, only_champion, rows, -z),
        p_value=mcnemar(only_challenger, only_champion),
        certainty=certainty,
        rows=rows,
        blocks=rows,
        method="tango",
    )


def mcnemar(won: int, lost: int) -> float:
    """Return McNemar's exact two-sided p-value for two models being right equally often.

    Without a difference each discordant row is a fair coin, so the number won is binomial.

    Parameters
    ----------
    won, lost
        Rows that only the challenger, and only the champion, had right; at least 0.

    Returns
    -------
    float
        Above 0 and at most 1; 1 without discordant rows.

    Raises
    ------
    SampleError
        If a count is negative.

    References
    ----------
    Q. McNemar (1947). Note on the sampling error of the difference between correlated proportions. Psychometrika 12.

    Examples
    --------
    >>> mcnemar(5, 0)
    0.0625
    """
    from scipy.special import bdtr

    if min(won, lost) < 0:
        raise SampleError(f"discordant rows: found {won} won and {lost} lost, expected none below 0")
    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0


def _tango_bound(won: int, lost: int, rows: int, z: float) -> float:
    """Return the difference at which the score statistic equals ``z``; the statistic falls with the difference."""
    estimate = (won - lost) / rows
    if z == 0:
        return estimate
    low, high = (-1.0, estimate) if z > 0 else (estimate, 1.0)
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
