"""False-alarm rates of the distances: two samples of one source, and the rule "score beyond its critical value".

Every simulation is one segment, so that thousands of tables are judged in one call, by the code that judges a profile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pytest

from calibration import assert_rate
from vernal.stats.arrays import Floats, Ints
from vernal.stats.distance import chi_square_many, jensen_shannon_many, kolmogorov_smirnov_many, psi_many


class Judged(Protocol):
    def critical_at(self, alpha: float) -> Floats: ...


def psi(r: Ints, c: Ints, starts: Ints) -> tuple[Floats, Judged]:
    result = psi_many(r, c, starts)
    return result.score, result


def jensen_shannon(r: Ints, c: Ints, starts: Ints) -> tuple[Floats, Judged]:
    result = jensen_shannon_many(r, c, starts)
    return result.score, result


def chi_square(r: Ints, c: Ints, starts: Ints) -> tuple[Floats, Judged]:
    result = chi_square_many(r, c, starts)
    return result.statistic, result


Measure = Callable[[Ints, Ints, Ints], tuple[Floats, Judged]]
every = pytest.mark.parametrize("measure", [psi, jensen_shannon, chi_square])


def tables(shares: Floats, n: int, m: int, simulations: int) -> tuple[Ints, Ints, Ints]:
    """Return samples of ``n`` and ``m`` rows of one source, a segment for each simulation."""
    rng = np.random.default_rng([n, m, shares.size])
    r, c = (rng.multinomial(rows, shares / shares.sum(), size=simulations).ravel() for rows in (n, m))
    return r, c, np.arange(simulations) * shares.size


def check(measure: Measure, shares: Floats, n: int, m: int, simulations: int, *, within: tuple[float, float]) -> None:
    """Assert that the rate is between ``within`` times the level, at 0.05 and at 0.01."""
    score, judged = measure(*tables(shares, n, m, simulations))
    for alpha in (0.05, 0.01):
        alarms = int((score > judged.critical_at(alpha)).sum())
        assert_rate(alarms, simulations, at_least=within[0] * alpha, at_most=within[1] * alpha)


ACCURATE = 0.85, 1.15
"""Claimed wherever the score takes many values, as shares of the level."""
COARSE = 0.6, 1.3
"""Claimed where few tables are likely, so that the score jumps over its critical value."""


@every
@pytest.mark.parametrize(
    ("n", "m"),
    [(100, 100), (200, 300), (1000, 1000), (1_000_000, 200), (10_000, 400), (1_000_000, 1000), (10**6, 10**6)],
)
def test_ten_equal_bins_fire_at_the_level(measure: Measure, n: int, m: int) -> None:
    """10,000 simulations; within 15 % of the level."""
    check(measure, np.ones(10), n, m, 10_000, within=ACCURATE)


@every
@pytest.mark.parametrize(("n", "m"), [(50, 50), (1_000_000, 50)])
def test_fifty_rows_in_ten_bins_fire_near_the_level(measure: Measure, n: int, m: int) -> None:
    """10,000 simulations; between 0.6 and 1.3 times the level."""
    check(measure, np.ones(10), n, m, 10_000, within=COARSE)


@every
@pytest.mark.parametrize(("n", "m", "simulations"), [(1000, 1000, 2000), (100_000, 1000, 1500), (1_000_000, 200, 1200)])
def test_a_vocabulary_of_a_thousand_categories_fires_near_the_level(
    measure: Measure, n: int, m: int, simulations: int
) -> None:
    """Zipf shares, so that hundreds of categories hold a row or none; between 0.6 and 1.3 times the level."""
    check(measure, 1 / np.arange(1, 1001), n, m, simulations, within=COARSE)


@every
def test_bins_without_rows_and_a_rare_null_fire_near_the_level(measure: Measure) -> None:
    """Nine bins, two that are always empty, and nulls of which a window holds one or none; 10,000 simulations."""
    check(measure, np.array([*[0.111] * 9, 0.0, 0.0, 0.001]), 100_000, 1000, 10_000, within=ACCURATE)


@every
@pytest.mark.parametrize("null_share", [0.005, 0.0005])
def test_a_null_cell_beside_ten_bins_fires_near_the_level(measure: Measure, null_share: float) -> None:
    """10,000 simulations; within 20 % of the level."""
    check(measure, np.array([*[(1 - null_share) / 10] * 10, null_share]), 100_000, 1000, 10_000, within=(0.8, 1.2))


@every
@pytest.mark.parametrize(("n", "m"), [(300, 300), (1_000_000, 1000), (50, 50)])
def test_a_value_with_sixty_percent_of_the_rows_fires_at_the_level(measure: Measure, n: int, m: int) -> None:
    """10,000 simulations; within 15 % of the level."""
    check(measure, np.array([0.6, *[0.08] * 5]), n, m, 10_000, within=ACCURATE)


@every
@pytest.mark.parametrize(
    ("shares", "n", "m"), [((0.6, 0.3, 0.1), 100_000, 300), ((0.6, 0.3, 0.1), 1000, 300), ((0.4, 0.3, 0.3), 120, 120)]
)
def test_three_cells_fire_near_the_level(measure: Measure, shares: tuple[float, ...], n: int, m: int) -> None:
    """10,000 simulations; within 20 % of the level. The counts of so few cells hang on each other closely."""
    check(measure, np.array(shares), n, m, 10_000, within=(0.8, 1.2))


@every
@pytest.mark.parametrize(
    ("shares", "n", "m"),
    [
        ((0.98, 0.01, 0.01), 10_000, 300),
        ((0.995, 0.004, 0.001), 100_000, 1000),
        ((0.995, 0.004, 0.001), 1000, 1000),
        ((0.97, 0.02, 0.01), 10_000, 500),
        ((0.5, 0.499, 0.001), 100_000, 3000),
        ((0.7, 0.29, 0.01), 10_000, 300),
    ],
)
def test_three_cells_of_which_some_are_rare_fire_at_most_at_the_level(
    measure: Measure, shares: tuple[float, ...], n: int, m: int
) -> None:
    """4,000 simulations; at most 1.1 times the level, and at least 0.7 times 0.05, since few tables are likely.

    By three moments Jensen-Shannon would fire at 1.7 and 1.75 times its level in the first two cases, 1.3 in the last.
    """
    score, judged = measure(*tables(np.array(shares), n, m, 4000))
    for alpha, least in ((0.05, 0.7 * 0.05), (0.01, None)):
        alarms = int((score > judged.critical_at(alpha)).sum())
        assert_rate(alarms, 4000, at_most=1.1 * alpha, at_least=least)


@every
@pytest.mark.parametrize("expected", [0.5, 2, 8])
@pytest.mark.parametrize("n", [100_000, 1000])
def test_two_cells_of_which_one_is_rare_fire_at_most_at_the_level(measure: Measure, expected: float, n: int) -> None:
    """10,000 simulations of a category that a window of 1,000 rows is expected to hold so often."""
    score, judged = measure(*tables(np.array([1 - expected / 1000, expected / 1000]), n, 1000, 10_000))
    for alpha in (0.05, 0.01):
        # Chi-square is held against its limit from five expected rows on, which is near the level, not below it.
        most = 1.15 if measure is chi_square and expected >= 5 else 1.0
        assert_rate(int((score > judged.critical_at(alpha)).sum()), 10_000, at_most=most * alpha)


def test_hundreds_of_equal_sparse_categories_fire_at_the_level() -> None:
    """4,000 simulations; within 15 % of 0.05, and at most 1.15 times 0.01, which the steps of chi-square can miss.

    Here the terms share most with the counts that add up: without Holst's correction the test fires half as often.
    """
    score, judged = chi_square(*tables(np.ones(300), 1_000_000, 400, 4000))
    assert_rate(int((score > judged.critical_at(0.05)).sum()), 4000, at_least=0.05 * 0.85, at_most=0.05 * 1.15)
    assert_rate(int((score > judged.critical_at(0.01)).sum()), 4000, at_most=0.01 * 1.15)


def test_the_classical_limit_would_be_wrong_by_multiples_on_a_sparse_vocabulary() -> None:
    """The same tables as above, held against ``(1/n + 1/m) chi2(cells - 1)``: it never fires, or always."""
    r, c, starts = tables(1 / np.arange(1, 1001), 1000, 1000, 500)
    result = psi_many(r, c, starts)
    limit = (1 / 1000 + 1 / 1000) * (result.cells - 1)
    assert (result.score < 0.7 * limit).all()


@pytest.mark.parametrize("ties", ["ten equal bins", "sixty percent"])
@pytest.mark.parametrize(("n", "m"), [(50, 50), (60, 200), (1000, 1000), (1_000_000, 200), (10**6, 10**6)])
def test_with_ties_kolmogorov_smirnov_fires_at_most_at_the_level(ties: str, n: int, m: int) -> None:
    """10,000 simulations."""
    shares = np.ones(10) if ties == "ten equal bins" else np.array([*[0.04] * 5, 0.6, *[0.04] * 5])
    r, c, starts = tables(shares, n, m, 10_000)
    result = kolmogorov_smirnov_many(r, c, starts)
    for alpha in (0.05, 0.01):
        alarms = int((result.distance > result.critical_at(alpha)).sum())
        assert_rate(alarms, 10_000, at_most=alpha)


@pytest.mark.parametrize(
    ("n", "m", "least"), [(67, 61, 0.85), (150, 149, 0.85), (211, 200, 0.9), (1009, 300, 0.9), (2000, 40, 0.85)]
)
def test_without_ties_kolmogorov_smirnov_fires_at_the_level(n: int, m: int, least: float) -> None:
    """2,000 orders of ``n + m`` distinct values; at most the level, and at least 0.85 or 0.9 times it."""
    simulations = 2000
    rng = np.random.default_rng([n, m])
    current = rng.permuted(np.broadcast_to(np.arange(n + m) < m, (simulations, n + m)), axis=1).ravel()
    result = kolmogorov_smirnov_many(~current, current, np.arange(simulations) * (n + m))
    for alpha in (0.05, 0.01):
        alarms = int((result.distance > result.critical_at(alpha)).sum())
        assert_rate(alarms, simulations, at_least=least * alpha, at_most=1.06 * alpha)
