"""False-alarm rates through the whole path: two samples of one source, a baseline, a profile, a p-value.

Every simulation is a feature of its own, a few dozen of which share a baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from calibration import assert_rate
from vernal.profile import FeatureKind, build_baseline, compare, dealing, profile_rows, vocabulary

LEVEL = 0.05
WITHIN = 0.8, 1.2
"""The claimed limits of the true rate, as shares of the level."""

Draw = Callable[[np.random.Generator, int], pa.Array]


class Alarms(NamedTuple):
    """How many of the simulations had a p-value at or below the level."""

    psi: int
    js: int
    simulations: int


def alarms(
    draw: Draw, kind: FeatureKind, *, n: int, m: int, simulations: int, together: int = 25, seed: int = 0
) -> Alarms:
    rng = np.random.default_rng([n, m, simulations, seed])
    names = [f"f{i}" for i in range(together)]
    psi = js = 0
    for _ in range(simulations // together):
        reference, current = (pa.table({name: draw(rng, rows) for name in names}) for rows in (n, m))
        baseline = build_baseline(reference, dict.fromkeys(names, kind))
        for found in compare(baseline, profile_rows(baseline, current)):
            assert found.psi is not None
            assert found.js is not None
            psi += found.psi.p_value <= LEVEL
            js += found.js.p_value <= LEVEL
    return Alarms(psi, js, simulations)


def assert_calibrated(found: Alarms) -> None:
    for hits in (found.psi, found.js):
        assert_rate(hits, found.simulations, at_least=WITHIN[0] * LEVEL, at_most=WITHIN[1] * LEVEL)


NUMERICAL: dict[str, Draw] = {
    "normal": lambda rng, n: pa.array(rng.normal(size=n)),
    "lognormal": lambda rng, n: pa.array(rng.lognormal(size=n)),
    "60 % zeros": lambda rng, n: pa.array(np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n))),
    "whole": lambda rng, n: pa.array(rng.poisson(4, n)),
    "whole, a tenth null": lambda rng, n: pa.array(rng.poisson(4, n), mask=rng.random(n) < 0.1),
}


@pytest.mark.parametrize(("n", "m", "simulations"), [(1_000, 1_000, 1_200), (20_000, 2_000, 400)])
@pytest.mark.parametrize("name", NUMERICAL)
def test_numbers_without_drift_give_false_alarms_at_the_level(name: str, n: int, m: int, simulations: int) -> None:
    seed = list(NUMERICAL).index(name)  # bins follow any rising transform, so the same seed would show the same again
    found = alarms(NUMERICAL[name], FeatureKind.NUMERICAL, n=n, m=m, simulations=simulations, seed=seed)
    assert_calibrated(found)


@pytest.mark.parametrize("zeros", [0.98, 0.995])
def test_a_handful_of_values_beside_many_zeros_gives_no_more_false_alarms_than_claimed(zeros: float) -> None:
    """With as many bins as for any feature, each cut on two or three rows, PSI would be an alarm in 0.15 to 0.18."""

    def draw(rng: np.random.Generator, n: int) -> pa.Array:
        return pa.array(np.where(rng.random(n) < zeros, 0.0, rng.normal(size=n)))

    found = alarms(draw, FeatureKind.NUMERICAL, n=1_000, m=20_000, simulations=800)
    for hits in (found.psi, found.js):
        assert_rate(hits, found.simulations, at_most=WITHIN[1] * LEVEL)


def zipf(categories: int, power: float, *, nulls: float = 0.0) -> Draw:
    """Return what draws categories with shares as ``1 / rank ** power``; with power 0 all are alike."""
    weights = 1 / np.arange(1, categories + 1) ** power
    below = np.cumsum(weights / weights.sum())
    labels = pa.array([f"v{i}" for i in range(categories)])

    def draw(rng: np.random.Generator, n: int) -> pa.Array:
        codes = np.minimum(below.searchsorted(rng.random(n), "right"), categories - 1).astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=rng.random(n) < nulls), labels)

    return draw


@pytest.mark.parametrize(
    ("draw", "n", "m", "simulations"),
    [
        pytest.param(zipf(5, 0.0), 1_000, 1_000, 1_200, id="5 alike"),
        pytest.param(zipf(5, 0.0, nulls=0.02), 1_000, 1_000, 1_200, id="5 alike and nulls"),
        pytest.param(zipf(200, 1.2), 1_000, 1_000, 800, id="200 unlike"),
        pytest.param(zipf(200, 1.2, nulls=0.1), 1_000, 1_000, 800, id="200 unlike and nulls"),
        pytest.param(zipf(200, 1.2), 20_000, 2_000, 300, id="200 unlike, many rows"),
        pytest.param(zipf(1_000, 0.0), 1_000, 1_000, 500, id="1,000 alike"),
        pytest.param(zipf(1_000, 1.0), 20_000, 2_000, 250, id="1,000 unlike, many rows"),
    ],
)
def test_categories_without_drift_give_false_alarms_at_the_level(draw: Draw, n: int, m: int, simulations: int) -> None:
    assert_calibrated(alarms(draw, FeatureKind.CATEGORICAL, n=n, m=m, simulations=simulations))


@pytest.mark.parametrize(
    "draw", [pytest.param(zipf(1_000, 0.0), id="1,000 alike"), pytest.param(zipf(200, 1.2), id="200 unlike")]
)
def test_rows_that_are_sorted_by_the_category_give_no_more_false_alarms_than_claimed(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one coin for every pair of rows the halves would be too alike, and PSI an alarm in 0.42 of 1,000 alike.

    Sorted rows meet the same coins in every simulation, so the coins are thrown anew: over them the rate is claimed.
    """

    def in_order(rng: np.random.Generator, rows: int) -> pa.Array:
        monkeypatch.setattr(dealing, "_COINS", rng.integers(0, 2, dealing._COINS.size, dtype=np.uint8))
        drawn = draw(rng, rows)
        return drawn.take(pc.sort_indices(drawn.indices))

    found = alarms(in_order, FeatureKind.CATEGORICAL, n=1_000, m=1_000, simulations=600, together=1)
    for hits in (found.psi, found.js):
        assert_rate(hits, found.simulations, at_most=WITHIN[1] * LEVEL)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(100_000, 100_000), (300_000, 20_000)])
def test_a_hundred_thousand_categories_give_no_more_false_alarms_than_claimed(n: int, m: int) -> None:
    """So few simulations tell a rate of 0.05 from one of 0.25, and from that without the split, which is 1."""

    def draw(rng: np.random.Generator, rows: int) -> pa.Array:
        return pa.array(rng.integers(0, 100_000, rows)).cast(pa.string())

    found = alarms(draw, FeatureKind.CATEGORICAL, n=n, m=m, simulations=40, together=2)
    for hits in (found.psi, found.js):
        assert_rate(hits, found.simulations, at_most=WITHIN[1] * LEVEL)


@pytest.mark.parametrize(
    "draw", [pytest.param(zipf(1_000, 0.0), id="1,000 alike"), pytest.param(zipf(200, 1.2), id="200 unlike")]
)
def test_counting_the_rows_that_chose_the_categories_would_be_an_alarm_nearly_always(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why a reference with rare categories is split: the same samples, without the split."""
    monkeypatch.setattr(vocabulary, "_SPLITTABLE", 1 << 62)
    found = alarms(draw, FeatureKind.CATEGORICAL, n=1_000, m=1_000, simulations=200)
    assert_rate(found.psi, found.simulations, at_least=0.95)
    assert_rate(found.js, found.simulations, at_least=0.5)
