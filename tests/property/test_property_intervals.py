"""What every interval owes whoever reads it, on whatever data."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vernal.stats.intervals import Interval, PairedInterval, clopper_pearson
from vernal.stats.metrics import METRICS, Needs
from vernal.stats.multiple import benjamini_hochberg
from vernal.stats.paired import mcnemar, paired_accuracy_table
from vernal.stats.performance import measure, measure_paired

Sample = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

certainties = st.floats(min_value=0.5, max_value=0.999)
counts = st.integers(min_value=0, max_value=500)
tables = st.tuples(counts, counts, counts, counts).filter(any)
names = st.sampled_from(sorted(METRICS))
blocks = st.sampled_from([None, 3, 10])
FEW = 40
"""Resamples: the properties hold at any number."""


@st.composite
def samples(draw: st.DrawFn, name: str) -> Sample:
    """Labels and the outputs of two models, with ties, that make the metric defined for both."""
    n = draw(st.integers(min_value=4, max_value=40))
    seed = draw(st.integers(min_value=0, max_value=2**32 - 1))
    digits = draw(st.integers(min_value=0, max_value=3))
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random((2, n)), digits)
    if name in {"mae", "rmse"}:
        return np.round(rng.normal(size=n), digits), 4 * scores[0], 4 * scores[1]
    labels = (rng.random(n) < draw(st.sampled_from([0.1, 0.5]))).astype(np.int64)
    outputs = scores if METRICS[name].needs is Needs.SCORES else (scores > 0.5).astype(np.int64)
    assume(METRICS[name].value(labels, outputs[0]) is not None)
    assume(METRICS[name].value(labels, outputs[1]) is not None)
    return labels, outputs[0], outputs[1]


def _alone(name: str, sample: Sample, block: int | None, certainty: float, seed: int = 0) -> Interval:
    labels, outputs, _ = sample
    return measure(
        METRICS[name],
        labels,
        outputs,
        rng=np.random.default_rng(seed),
        blocks=None if block is None else np.arange(labels.size) % block,
        certainty=certainty,
        resamples=FEW,
    )


def _pair(name: str, sample: Sample, block: int | None, certainty: float, seed: int = 0) -> PairedInterval:
    return measure_paired(
        METRICS[name],
        *sample,
        rng=np.random.default_rng(seed),
        blocks=None if block is None else np.arange(sample[0].size) % block,
        certainty=certainty,
        resamples=FEW,
    )


def _bounds(found: Interval | PairedInterval) -> tuple[float, float]:
    assume(found.lower is not None)
    assert found.lower is not None
    assert found.upper is not None
    return found.lower, found.upper


def _value(found: Interval | PairedInterval) -> float:
    value = found.value if isinstance(found, Interval) else found.difference
    assert value is not None
    return value


Measure = Callable[[str, Sample, int | None, float], Interval | PairedInterval]
both_kinds = pytest.mark.parametrize("measured", [_alone, _pair])


@both_kinds
@given(st.data(), names, blocks, certainties)
def test_bounds_contain_the_value_and_stay_in_range(
    measured: Measure, data: st.DataObject, name: str, block: int | None, certainty: float
) -> None:
    found = measured(name, data.draw(samples(name)), block, certainty)
    lower, upper = _bounds(found)
    value = _value(found)
    least, most = METRICS[name].limits
    if isinstance(found, PairedInterval):
        least, most = least - most, most - least
        assert 0.0 <= (found.p_value or 0.0) <= 1.0
    assert least <= lower <= value + 1e-12
    assert value - 1e-12 <= upper <= most


@both_kinds
@given(st.data(), names, blocks, certainties, certainties)
def test_more_certainty_never_narrows_an_interval(
    measured: Measure, data: st.DataObject, name: str, block: int | None, first: float, second: float
) -> None:
    sample, (less, more) = data.draw(samples(name)), sorted((first, second))
    narrow = _bounds(measured(name, sample, block, less))
    wide = _bounds(measured(name, sample, block, more))
    assert wide[0] <= narrow[0] + 1e-12
    assert narrow[1] <= wide[1] + 1e-12


@both_kinds
@given(st.data(), names, blocks)
def test_at_a_certainty_of_one_half_both_bounds_are_the_value(
    measured: Measure, data: st.DataObject, name: str, block: int | None
) -> None:
    found = measured(name, data.draw(samples(name)), block, 0.5)
    bounds = _bounds(found)
    value = _value(found)
    assert bounds == pytest.approx((value, value), abs=1e-9)


@given(st.data(), names, blocks, certainties)
def test_swapping_the_models_mirrors_the_interval(
    data: st.DataObject, name: str, block: int | None, certainty: float
) -> None:
    labels, champion, challenger = data.draw(samples(name))
    found = _pair(name, (labels, champion, challenger), block, certainty)
    swapped = _pair(name, (labels, challenger, champion), block, certainty)
    lower, upper = _bounds(found)
    assert _bounds(swapped) == pytest.approx((-upper, -lower), abs=1e-9)
    assert swapped.difference == pytest.approx(-(found.difference or 0.0), abs=1e-12)
    assert swapped.p_value == pytest.approx(found.p_value, abs=1e-9)
    assert (swapped.champion, swapped.challenger) == (found.challenger, found.champion)


@given(st.data(), names, blocks)
def test_equal_models_differ_by_nothing_with_a_p_value_of_one(
    data: st.DataObject, name: str, block: int | None
) -> None:
    labels, outputs, _ = data.draw(samples(name))
    found = _pair(name, (labels, outputs, outputs), block, 0.95)
    assume(found.lower is not None)
    assert (found.difference, found.p_value) == (0.0, 1.0)


@given(st.data(), st.sampled_from(["accuracy", "roc_auc", "precision", "recall"]), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(data: st.DataObject, name: str, random: Random) -> None:
    sample = data.draw(samples(name))
    order = np.array(random.sample(range(sample[0].size), sample[0].size))
    shuffled = (sample[0][order], sample[1][order], sample[2][order])
    plain, turned = _alone(name, sample, None, 0.95), _alone(name, shuffled, None, 0.95)
    assert _bounds(turned) == pytest.approx(_bounds(plain), abs=1e-12)
    if name in {"accuracy", "roc_auc"}:
        before, after = _pair(name, sample, None, 0.95), _pair(name, shuffled, None, 0.95)
        assert (*_bounds(after), after.p_value) == pytest.approx((*_bounds(before), before.p_value), abs=1e-12)


@given(st.data(), names, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_of_a_block_jackknife(data: st.DataObject, name: str, random: Random) -> None:
    sample = data.draw(samples(name))
    n = sample[0].size
    days, order = np.arange(n) % 4, np.array(random.sample(range(n), n))
    plain, turned = (
        measure_paired(
            METRICS[name],
            *(part[rows] for part in sample),
            rng=np.random.default_rng(0),
            blocks=days[rows],
            resamples=FEW,
        )
        for rows in (np.arange(n), order)
    )
    assert _bounds(turned) == pytest.approx(_bounds(plain), abs=1e-9)


@given(tables, certainties)
def test_the_table_gives_bounds_that_contain_the_difference_and_mirror(
    table: tuple[int, int, int, int], certainty: float
) -> None:
    both, lost, won, neither = table

    def compared(only_champion: int, only_challenger: int) -> PairedInterval:
        return paired_accuracy_table(
            both_right=both,
            only_champion=only_champion,
            only_challenger=only_challenger,
            both_wrong=neither,
            certainty=certainty,
        )

    found, swapped = compared(lost, won), compared(won, lost)
    lower, upper = _bounds(found)
    assert found.difference is not None
    assert -1.0 <= lower <= found.difference <= upper <= 1.0
    assert _bounds(swapped) == pytest.approx((-upper, -lower), abs=1e-12)


@given(counts, counts)
def test_mcnemar_sees_no_direction_and_more_one_sided_wins_are_more_evidence(won: int, lost: int) -> None:
    assert mcnemar(won, lost) == mcnemar(lost, won)
    assert 0.0 < mcnemar(won, lost) <= 1.0
    if won >= lost:
        assert mcnemar(won + 1, lost) <= mcnemar(won, lost)


@given(st.integers(min_value=1, max_value=10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_exact_bounds_mirror_successes_and_failures(counted: tuple[int, int]) -> None:
    successes, rows = counted
    lower, upper = _bounds(clopper_pearson(successes, rows))
    assert _bounds(clopper_pearson(rows - successes, rows)) == pytest.approx((1 - upper, 1 - lower), abs=1e-12)


@given(st.lists(st.floats(min_value=0.0, max_value=1.0), max_size=30))
def test_adjusted_p_values_keep_their_order_and_never_fall(p: list[float]) -> None:
    adjusted = benjamini_hochberg(p)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= 1.0).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
