"""Simulated coverage of the block jackknife: how often equal models pass the improvement gate's bound, and better ones.

Each bound is one-sided: at 0.95 it should be on the right side of the truth in 95 % of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration import assert_rate, coverage
from vernal.stats.intervals import PairedInterval
from vernal.stats.metrics import METRICS
from vernal.stats.performance import measure_paired


class Holdout(NamedTuple):
    """Rows of two models, with the day of each."""

    labels: NDArray[Any]
    champion: NDArray[Any]
    challenger: NDArray[Any]
    day: NDArray[np.int64]


PER_DAY = 100

Sizes = Callable[[int], NDArray[np.int64]]


def _equal(k: int) -> NDArray[np.int64]:
    return np.full(k, PER_DAY)


def _one_has_half(k: int) -> NDArray[np.int64]:
    return np.array([PER_DAY * (k - 1), *[PER_DAY] * (k - 1)])


def _unlike(k: int) -> NDArray[np.int64]:
    """Return log-normal sizes: the largest day has several times the rows of the middle one."""
    sizes = PER_DAY * np.exp(np.random.default_rng(1).normal(size=k))
    return np.asarray(np.maximum(5, sizes), dtype=np.int64)


def _answers(sizes: NDArray[np.int64], effects: NDArray[np.float64], rng: np.random.Generator) -> Holdout:
    """Simulate answers of which three in ten differ in correctness, the challenger's gain of a day being its effect."""
    day = np.repeat(np.arange(sizes.size), sizes)
    half = np.clip(effects, -0.3, 0.3)[day] / 2
    u = rng.random(day.size)
    won, lost = u < 0.15 + half, u > 1 - (0.15 - half)
    return Holdout(np.ones(day.size, dtype=np.int64), (~won).astype(np.int64), (~lost).astype(np.int64), day)


def _scores(sizes: NDArray[np.int64], effects: NDArray[np.float64], rng: np.random.Generator) -> Holdout:
    """Simulate probabilities of two models that are sharper or blunter by the effect of the day, turned round."""
    day = np.repeat(np.arange(sizes.size), sizes)
    labels = (rng.random(day.size) < 0.3).astype(np.int64)
    shared, own = rng.normal(size=day.size), rng.normal(size=(2, day.size))
    signal = (1.2 + np.array([[-0.5], [0.5]]) * effects[day]) * labels + np.sqrt(0.7) * shared + np.sqrt(0.3) * own
    champion, challenger = 1 / (1 + np.exp(1.57 - 1.2 * signal))
    return Holdout(labels, champion, challenger, day)


def _compared(name: str, holdouts: Iterable[Holdout], certainty: float = 0.95) -> Iterator[PairedInterval]:
    rng = np.random.default_rng(0)
    for one in holdouts:
        pair = one.champion, one.challenger
        yield measure_paired(METRICS[name], one.labels, *pair, rng=rng, blocks=one.day, certainty=certainty)


@pytest.mark.parametrize("certainty", [0.95, 0.975])
@pytest.mark.parametrize("k", [7, 14, 28])
def test_days_that_differ_alike_are_covered_and_independent_rows_would_miss_them(k: int, certainty: float) -> None:
    """2,000 simulations; claimed to be at most 0.01 below the certainty; independent rows: below 0.8.

    The true standard error is three times that of independent rows.
    """
    rng, spread = np.random.default_rng(41), np.sqrt(8 * 0.3 / PER_DAY)
    holdouts = [_answers(_equal(k), rng.normal(scale=spread, size=k), rng) for _ in range(2000)]
    coverage(_compared("accuracy", holdouts, certainty), 0.0).claim(certainty - 0.01)
    by_row = coverage(
        (measure_paired(METRICS["accuracy"], *one[:3], rng=rng, certainty=certainty) for one in holdouts), 0.0
    )
    assert_rate(by_row.lower, by_row.simulations, at_most=0.8)
    assert_rate(by_row.upper, by_row.simulations, at_most=0.8)


@pytest.mark.parametrize("k", [7, 14, 28])
def test_a_day_with_half_of_the_rows_is_covered(k: int) -> None:
    """2,000 simulations; claimed to be the certainty. With Student's quantile at ``k - 1`` it would be 0.93."""
    rng = np.random.default_rng(43)
    holdouts = (_answers(_one_has_half(k), rng.normal(scale=0.12, size=k), rng) for _ in range(2000))
    coverage(_compared("accuracy", holdouts), 0.0).claim(0.95)


@pytest.mark.parametrize("sizes", [_equal, _unlike, _one_has_half])
@pytest.mark.parametrize("name", ["roc_auc", "brier"])
def test_days_of_any_size_are_covered_whatever_the_metric(name: str, sizes: Sizes) -> None:
    """1,000 simulations of 14 days; claimed to be at most 0.01 below the certainty."""
    rng = np.random.default_rng(47)
    holdouts = (_scores(sizes(14), rng.normal(scale=0.3, size=14), rng) for _ in range(1000))
    coverage(_compared(name, holdouts), 0.0).claim(0.94)


@pytest.mark.parametrize("k", [7, 14, 28])
def test_days_with_heavy_tails_are_covered(k: int) -> None:
    """2,000 simulations of effects with three degrees of freedom; claimed to be at most 0.01 below the certainty."""
    rng = np.random.default_rng(53)
    holdouts = (_answers(_equal(k), 0.06 * rng.standard_t(3, size=k), rng) for _ in range(2000))
    coverage(_compared("accuracy", holdouts), 0.0).claim(0.94)


@pytest.mark.parametrize(
    ("k", "one_in", "most"), [(28, 5, 0.06), (14, 5, 0.075), (28, 10, 0.08), (14, 10, 0.15), (7, 10, 0.17)]
)
def test_stormy_days_pass_an_equal_model_more_often_the_fewer_were_seen(k: int, one_in: int, most: float) -> None:
    """4,000 simulations; claimed to be at most 0.06 where storms are seen, and more where they may all be missed.

    On a stormy day the challenger is much worse, on all others a little better. Seven days have no storm of one day in
    ten in 48 % of cases, 14 in 23 % and 28 in 5 %: those look as if the challenger were simply better.
    """
    rng = np.random.default_rng(59)
    holdouts = (
        _answers(_equal(k), np.where(rng.random(k) < 1 / one_in, -0.03 * (one_in - 1), 0.03), rng) for _ in range(4000)
    )
    passed = sum((one.lower or 0.0) > 0 for one in _compared("accuracy", holdouts))
    assert_rate(passed, 4000, at_most=most)


@pytest.mark.parametrize(("k", "least"), [(7, 0.85), (14, 0.91), (28, 0.93)])
def test_a_challenger_better_by_three_and_a_half_standard_errors_passes(k: int, least: float) -> None:
    """1,000 simulations of equal days; an unwidened interval would pass 0.93, 0.95 and 0.96 of them."""
    rng = np.random.default_rng(61)
    gain = 3.5 * np.sqrt((0.12**2 + 0.3 / PER_DAY) / k)
    holdouts = (_answers(_equal(k), gain + rng.normal(scale=0.12, size=k), rng) for _ in range(1000))
    passed = sum((one.lower or 0.0) > 0 for one in _compared("accuracy", holdouts))
    assert_rate(passed, 1000, at_least=least)
