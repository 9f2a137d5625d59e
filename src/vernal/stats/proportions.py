"""Exact confidence sequences for rates of rare events, one arm or the difference of two."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, check_level

_PRIOR = 0.5  # Jeffreys' prior, Beta(1/2, 1/2)
_WIDEST = 500.0  # in logs of the slope, at which rates differ from their extremes by nothing that a float can hold
_TOLERANCE = 1e-12


class ExactSequence(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, or a difference of rates, and bounds that hold at every look at once.

    The truth is ever outside of ``lower`` to ``upper`` with probability at most ``alpha``, both sides together. The
    bounds always exist; ``estimate`` is ``None`` while an arm has no trials. ``trials`` counts all arms.
    """

    estimate: float | None
    lower: float
    upper: float
    alpha: float
    trials: int


def proportion_sequence(successes: int, trials: int, *, alpha: float = 0.05) -> ExactSequence:
    """Return a rate with bounds that may be looked at after every single trial.

    The bounds enclose the rates whose evidence against them (:func:`log_evidence`) is below ``1 / alpha``. They are
    exact at any number of trials, also for a rate of 0 or 1, and need no minimum count.

    Parameters
    ----------
    successes, trials
        Counts so far, ``0 <= successes <= trials``.
    alpha
        Probability that the true rate is ever outside, over all looks together.

    Raises
    ------
    SampleError
        If the counts are impossible or the level is not inside (0, 1).

    References
    ----------
    H. Robbins (1970). Statistical methods related to the law of the iterated logarithm. Ann. Math. Stat. 41.
    S. R. Howard et al. (2021). Time-uniform, nonparametric, nonasymptotic confidence sequences. Ann. Stat. 49.

    Examples
    --------
    >>> result = proportion_sequence(0, 1000)
    >>> result.lower, round(result.upper, 4)
    (0.0, 0.007)
    """
    check_level("alpha", alpha)
    arm = _arm("successes", successes, trials)
    budget = -math.log(alpha)
    return ExactSequence(
        estimate=successes / trials if trials else None,
        lower=_least((arm,), budget),
        upper=1.0 - _least((arm.turned(),), budget),
        alpha=alpha,
        trials=trials,
    )


def proportion_difference_sequence(
    champion_failures: int,
    champion_trials: int,
    challenger_failures: int,
    challenger_trials: int,
    *,
    alpha: float = 0.05,
) -> ExactSequence:
    """Return by how much the challenger fails less often than the champion, with bounds that hold at every look.

    The arms answer different requests. The evidence against a pair of rates is the product of the evidence against
    each; the bounds are the extremes of the difference among the pairs whose evidence is below ``1 / alpha``. They are
    exact whatever the share of traffic of either arm and however it changes, as long as each arm's own rate stays.

    Parameters
    ----------
    champion_failures, champion_trials, challenger_failures, challenger_trials
        Counts so far of each arm, ``0 <= failures <= trials``; an arm without trials is allowed.
    alpha
        Probability that the true difference is ever outside, over all looks together.

    Returns
    -------
    ExactSequence
        Rate of failures of the champion minus that of the challenger, so positive when the challenger is better.

    Raises
    ------
    SampleError
        If the counts are impossible or the level is not inside (0, 1).

    References
    ----------
    H. Robbins (1970). Statistical methods related to the law of the iterated logarithm. Ann. Math. Stat. 41.
    R. J. Turner, P. D. Grünwald (2023). Exact anytime-valid confidence intervals for contingency tables and beyond.
    Statistics & Probability Letters 198.

    Examples
    --------
    >>> result = proportion_difference_sequence(10, 1000, 30, 100)
    >>> round(result.estimate, 2), result.upper < 0
    (-0.29, True)
    """
    check_level("alpha", alpha)
    champion = _arm("champion failures", champion_failures, champion_trials)
    challenger = _arm("challenger failures", challenger_failures, challenger_trials)
    budget = -math.log(alpha)
    # A difference of rates is a sum of two rates less 1 once one arm counts what did not fail.
    known = champion_trials and challenger_trials
    return ExactSequence(
        estimate=champion_failures / champion_trials - challenger_failures / challenger_trials if known else None,
        lower=_least((champion, challenger.turned()), budget) - 1.0,
        upper=1.0 - _least((champion.turned(), challenger), budget),
        alpha=alpha,
        trials=champion_trials + challenger_trials,
    )


def log_evidence(successes: npt.ArrayLike, trials: npt.ArrayLike, rate: npt.ArrayLike) -> Floats:
    """Return the natural log of the evidence against a rate.

    It is the likelihood of all rates, weighted by Jeffreys' prior, over that of the rate in question. If that is the
    true rate its exponential is a martingale that begins at 1, so by Ville's inequality it ever reaches ``1 / alpha``
    with probability at most ``alpha``. Jeffreys' prior costs half a logarithm of the trials wherever the rate lies; the
    uniform prior costs twice that near 0 and 1, where rare events live.

    Parameters
    ----------
    successes, trials, rate
        Counts and rates of any shapes that broadcast, ``0 <= successes <= trials``, rates in 0..1.

    Returns
    -------
    Floats
        Infinite where the rate is impossible: 0 after a success, 1 after a failure.

    References
    ----------
    R. E. Krichevsky, V. K. Trofimov (1981). The performance of universal encoding. IEEE Trans. Information Theory 27.

    Examples
    --------
    >>> log_evidence([1, 2], [1, 2], 0.05).round(2).tolist()
    [2.3, 5.01]
    """
    from scipy.special import xlog1py, xlogy

    s = np.asarray(successes, dtype=np.float64)
    f = np.asarray(trials, dtype=np.float64) - s
    p = np.asarray(rate, dtype=np.float64)
    return np.asarray(_log_mixture(s, f) - xlogy(s, p) - xlog1py(f, -p), dtype=np.float64)


def _log_mixture(successes: Floats, failures: Floats) -> Floats:
    """Return the log likelihood averaged over the prior."""
    from scipy.special import betaln

    return np.asarray(betaln(_PRIOR + successes, _PRIOR + failures) - betaln(_PRIOR, _PRIOR), dtype=np.float64)


class _Arm(NamedTuple):
    successes: int
    failures: int

    def turned(self) -> _Arm:
        return _Arm(self.failures, self.successes)


def _arm(subject: str, successes: int, trials: int) -> _Arm:
    if not 0 <= successes <= trials:
        raise SampleError(f"{subject}: found {successes} in {trials} trials, expected 0 <= {subject} <= trials")
    return _Arm(successes, trials - successes)


def _least(arms: tuple[_Arm, ...], budget: float) -> float:
    """Return the least sum of rates, one per arm, whose log evidence adds up to at most ``budget``.

    The set is convex. Where the sum is least every arm's log evidence falls at one slope, and given the slope the rate
    of an arm is the root of a quadratic; so only the slope has to be searched for. Along it the evidence rises.
    """
    counts = np.array(arms, dtype=np.float64)
    mixture = float(_log_mixture(counts[:, 0], counts[:, 1]).sum())
    low, high = -_WIDEST, _WIDEST
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        spent = mixture + sum(_surprise(arm, math.exp(middle)) for arm in arms)
        low, high = (middle, high) if spent <= budget else (low, middle)
    return sum(_rates(arm, math.exp(high))[0] for arm in arms)


def _surprise(arm: _Arm, slope: float) -> float:
    """Return minus the log likelihood of the rate at which the log evidence falls at ``slope``."""
    rate, rest = _rates(arm, slope)
    of_successes = -arm.successes * math.log(rate) if arm.successes else 0.0
    return of_successes - arm.failures * math.log(rest) if arm.failures else of_successes


def _rates(arm: _Arm, slope: float) -> tuple[float, float]:
    """Return that rate and 1 minus it, each without cancellation."""
    trials = arm.successes + arm.failures
    root = math.hypot(trials - slope, 2 * math.sqrt(slope) * math.sqrt(arm.failures))
    rate = 2 * arm.successes / (trials + slope + root)
    if slope < trials:
        return rate, 2 * arm.failures / (trials - slope + root)
    return rate, (slope - trials + root) / (2 * slope)
