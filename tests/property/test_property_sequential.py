"""What holds for sequential evidence whatever the data."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from vernal.stats.allocation import sample_ratio
from vernal.stats.detectors import Cusum, find_changes
from vernal.stats.guardrail import rate_exceeds
from vernal.stats.proportions import log_evidence, proportion_difference_sequence, proportion_sequence
from vernal.stats.sequential import BlockSums, block_sums, split_sequence, stratified_sequence

scores = st.floats(-1, 1)
rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), scores), min_size=1, max_size=60)
alphas = st.floats(1e-6, 0.5)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(0, 10**6))
    return draw(st.integers(0, trials)), trials


def blocks_of(found: list[tuple[int, int, float]]) -> BlockSums:
    return block_sums(*(np.array(column) for column in zip(*found, strict=True)))


@given(rows, rows)
def test_blocks_added_up_are_the_blocks_of_all_rows(
    first: list[tuple[int, int, float]], second: list[tuple[int, int, float]]
) -> None:
    added, together = blocks_of(first).add(blocks_of(second)), blocks_of(first + second)
    assert added.rows.tolist() == together.rows.tolist()
    assert added.steps.tolist() == together.steps.tolist()
    assert added.hours.tolist() == together.hours.tolist()
    np.testing.assert_allclose(added.sums, together.sums, atol=1e-9)
    np.testing.assert_allclose(added.squares, together.squares, atol=1e-9)


@given(rows, alphas)
def test_the_band_holds_the_estimate_and_turning_the_differences_turns_it_round(
    found: list[tuple[int, int, float]], alpha: float
) -> None:
    result = stratified_sequence(blocks_of(found), alpha=alpha)
    turned = stratified_sequence(blocks_of([(step, hour, -value) for step, hour, value in found]), alpha=alpha)
    assume(result.lower is not None)
    assert result.lower is not None
    assert result.estimate is not None
    assert result.upper is not None
    assert result.lower <= result.estimate <= result.upper
    assert turned.lower is not None
    assert math.isclose(turned.lower, -result.upper, abs_tol=1e-9)


@given(rows)
def test_bounds_are_never_narrower_than_those_of_independent_rows(found: list[tuple[int, int, float]]) -> None:
    values = np.array([value for _, _, value in found])
    result = stratified_sequence(blocks_of(found))
    assume(result.lower is not None)
    assert result.lower is not None
    assert result.estimate is not None
    deviations = (result.estimate - result.lower) * values.size / math.sqrt(values.size * values.var(ddof=1) + 1e-12)
    assert deviations > 2.7  # the least that the boundary at 5 % ever is


@given(rows, rows)
def test_the_split_difference_lies_among_the_differences_of_its_blocks(
    challenger: list[tuple[int, int, float]], champion: list[tuple[int, int, float]]
) -> None:
    result = split_sequence(blocks_of(challenger), blocks_of(champion))

    def means(found: list[tuple[int, int, float]]) -> dict[tuple[int, int], float]:
        names = {(step, hour) for step, hour, _ in found}
        return {name: float(np.mean([value for *at, value in found if tuple(at) == name])) for name in names}

    new, old = means(challenger), means(champion)
    differences = [new[name] - old[name] for name in new.keys() & old.keys()]
    assert result.blocks == len(differences)
    if result.estimate is None:
        assert not differences
    else:
        assert min(differences) - 1e-9 <= result.estimate <= max(differences) + 1e-9


@given(counts(), alphas)
def test_exact_bounds_lie_around_the_rate_and_cost_the_evidence_of_alpha(found: tuple[int, int], alpha: float) -> None:
    result = proportion_sequence(*found, alpha=alpha)
    assert 0 <= result.lower <= result.upper <= 1
    if result.estimate is not None:
        assert result.lower - 1e-12 <= result.estimate <= result.upper + 1e-12
    for bound in (result.lower, result.upper):
        if 1e-9 < bound < 1 - 1e-9:
            assert math.isclose(float(log_evidence(*found, bound)), -math.log(alpha), abs_tol=1e-3)


@given(counts(), counts(), alphas)
def test_exact_bounds_of_a_difference_hold_that_of_the_rates_and_every_pair_not_refuted(
    champion: tuple[int, int], challenger: tuple[int, int], alpha: float
) -> None:
    result = proportion_difference_sequence(*champion, *challenger, alpha=alpha)
    assert -1 <= result.lower <= result.upper <= 1
    rng = np.random.default_rng(0)
    near = [np.clip(rng.beta(1 + s, 1 + n - s, 50), 1e-12, 1 - 1e-12) for s, n in (champion, challenger)]
    evidence = log_evidence(*champion, near[0]) + log_evidence(*challenger, near[1])
    differences = (near[0] - near[1])[evidence < -math.log(alpha)]
    assert ((result.lower - 1e-9 <= differences) & (differences <= result.upper + 1e-9)).all()


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.001, 0.9), alphas)
def test_one_more_failure_never_clears_a_guardrail_and_one_more_success_never_trips_it(
    failures: int, successes: int, limit: float, alpha: float
) -> None:
    fires = rate_exceeds(failures, failures + successes, limit=limit, alpha=alpha)
    if fires:
        assert rate_exceeds(failures + 1, failures + successes + 1, limit=limit, alpha=alpha)
    else:
        assert not rate_exceeds(failures, failures + successes + 1, limit=limit, alpha=alpha)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=4), st.data())
def test_the_order_of_steps_and_of_arms_tells_the_sample_ratio_nothing(
    found: list[tuple[int, int]], data: st.DataObject
) -> None:
    share = data.draw(st.lists(st.floats(0.01, 0.99), min_size=len(found), max_size=len(found)))
    shares = np.array([(1 - part, part) for part in share])
    here = sample_ratio(found, shares)
    assert math.isclose(here.log_evidence, sample_ratio(found[::-1], shares[::-1]).log_evidence, abs_tol=1e-6)
    flipped = sample_ratio(np.array(found)[:, ::-1], shares[:, ::-1])
    assert math.isclose(here.log_evidence, flipped.log_evidence, abs_tol=1e-6)
    assert 0 <= here.p_value <= 1
    assert here.mismatch == (here.p_value <= 0.001)


@given(st.lists(st.floats(-50, 50), max_size=80), st.integers(0, 80))
def test_a_stream_may_come_in_two_parts(values: list[float], cut: int) -> None:
    whole, parts = Cusum(warm_up=10), Cusum(warm_up=10)
    first = find_changes(parts, values[:cut])
    rest = tuple(position + len(values[:cut]) for position in find_changes(parts, values[cut:]))
    assert first + rest == find_changes(whole, values)
