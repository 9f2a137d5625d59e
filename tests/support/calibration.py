"""What a calibration test is judged by: the binomial bound of its own number of simulations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

from vernal.stats.intervals import Interval, PairedInterval

CHANCE = 1e-3
"""Probability with which a simulation whose true rate is exactly at the claimed limit would still fail."""


def assert_rate(hits: int, simulations: int, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Assert that a simulated rate agrees with a claim, as far as so many simulations can tell.

    Parameters
    ----------
    hits, simulations
        How often it happened, in how many independent simulations.
    at_most, at_least
        The claimed limits of the true rate. ``at_most`` is refused when the hits exceed the binomial quantile of
        ``1 - CHANCE`` at that rate, ``at_least`` when they fall below the quantile of ``CHANCE``.
    """
    assert simulations > 0
    assert at_most is not None or at_least is not None
    rate = hits / simulations
    if at_most is not None:
        most = int(stats.binom.ppf(1 - CHANCE, simulations, at_most))
        assert hits <= most, f"{hits} of {simulations} ({rate:.4f}): above {most}, the bound of a rate of {at_most}"
    if at_least is not None:
        least = int(stats.binom.ppf(CHANCE, simulations, at_least))
        assert least > 0, f"{simulations} simulations cannot refuse a rate of at least {at_least}: more are needed"
        assert hits >= least, f"{hits} of {simulations} ({rate:.4f}): below {least}, the bound of a rate of {at_least}"


class Coverage(NamedTuple):
    """How often the lower bound was at most the truth, and the upper bound at least."""

    lower: int
    upper: int
    simulations: int

    def claim(self, at_least: float) -> None:
        assert_rate(self.lower, self.simulations, at_least=at_least)
        assert_rate(self.upper, self.simulations, at_least=at_least)


def coverage(found: Iterable[Interval | PairedInterval], truth: float) -> Coverage:
    bounds = np.array([(one.lower, one.upper) for one in found], dtype=np.float64)
    return Coverage(int((bounds[:, 0] <= truth).sum()), int((bounds[:, 1] >= truth).sum()), len(bounds))
