"""Confidence sequences of paired and split rollouts against hand calculation and the mixtures that they come from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import integrate, optimize

from vernal.errors import SampleError
from vernal.stats import sequential
from vernal.stats.sequential import BlockSums, ConfidenceSequence, block_sums, split_sequence, stratified_sequence


def wavering(n: int = 4000, per_hour: int = 40, shift: float = 0.0, seed: int = 0) -> BlockSums:
    rng = np.random.default_rng(seed)
    return block_sums(np.zeros(n), np.arange(n) // per_hour, rng.integers(-1, 2, n) + shift)


def arms(
    new_rows: list[int], new_right: list[int], old_rows: list[int], old_right: list[int], steps: list[int] | None = None
) -> tuple[BlockSums, BlockSums]:
    """Return challenger and champion with so many rows, and so many of them right, in each hour."""
    hours = np.arange(len(new_rows))
    at = np.zeros(len(new_rows), dtype=np.int64) if steps is None else np.array(steps)

    def side(rows: list[int], right: list[int]) -> BlockSums:
        sums = np.array(right, dtype=np.float64)
        return BlockSums(steps=at, hours=hours, rows=np.array(rows), sums=sums, squares=sums)

    return side(new_rows, new_right), side(old_rows, old_right)


def band(result: ConfidenceSequence) -> tuple[float, float, float]:
    assert result.lower is not None
    assert result.estimate is not None
    assert result.upper is not None
    return result.lower, result.estimate, result.upper


def width(result: ConfidenceSequence) -> float:
    lower, _, upper = band(result)
    return upper - lower


def test_blocks_hold_the_sums_of_each_step_and_hour_in_rising_order() -> None:
    blocks = block_sums([1, 0, 0, 0], [5, 6, 6, 2], [0.5, 1.0, -3.0, 2.0])
    assert list(zip(blocks.steps.tolist(), blocks.hours.tolist(), strict=True)) == [(0, 2), (0, 6), (1, 5)]
    assert blocks.rows.tolist() == [1, 2, 1]
    assert blocks.sums.tolist() == [2.0, -2.0, 0.5]
    assert blocks.squares.tolist() == [4.0, 10.0, 0.25]
    assert blocks.count == 3


def test_no_rows_make_no_blocks_and_no_bounds() -> None:
    result = stratified_sequence(block_sums([], [], []))
    assert (result.estimate, result.lower, result.upper) == (None, None, None)
    assert (result.rows, result.blocks, result.method, result.note) == (0, 0, "none", "0 blocks, bounds need 6")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0, math.nan], "found 1 of 2 that are NaN or infinite"),
        ([math.inf, -math.inf], "found 2 of 2"),
        ([0.0], "one per value"),
        ([[0.0, 1.0]], "one per value"),
    ],
)
def test_values_that_are_not_finite_or_have_no_block_are_refused(values: npt.ArrayLike, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        block_sums([0, 0], [1, 1], values)


@pytest.mark.parametrize(("alpha", "looseness"), [(0.2, 1.12), (0.05, 1.03), (0.01, 1.01), (0.001, 1.005)])
@pytest.mark.parametrize("time", [0.01, 0.3, 1.0, 7.0, 200.0])
def test_the_boundary_is_where_the_normal_mixture_of_likelihoods_reaches_one_over_alpha(
    alpha: float, looseness: float, time: float
) -> None:
    # Elapsed variance is `time`, and the prior of the drift is half-normal with this precision.
    precision = 1 / sequential._best_ratio(alpha)

    def mixture(deviations: float) -> float:
        total = deviations * math.sqrt(time)
        deviation = 1 / math.sqrt(precision)
        middle, spread = total / (time + precision), 1 / math.sqrt(time + precision)

        def weighted(drift: float) -> float:
            prior = 2 * math.exp(-(drift**2) * precision / 2) / (deviation * math.sqrt(2 * math.pi))
            return prior * math.exp(drift * total - drift**2 * time / 2)

        value, _ = integrate.quad(weighted, 0, middle + 12 * spread, points=[middle], limit=200)
        return float(value)

    boundary = sequential._boundary(time, alpha)
    exact = optimize.brentq(lambda z: mixture(z) - 1 / alpha, 0.5 * boundary, 1.01 * boundary)
    assert mixture(boundary) >= 1 / alpha
    assert exact <= boundary <= looseness * exact  # the closed form is a little above


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
def test_the_boundary_is_tightest_where_it_is_tuned(alpha: float) -> None:
    found = optimize.minimize_scalar(lambda t: sequential._boundary(math.exp(t), alpha), bounds=(-3, 3))
    assert math.exp(found.x) == pytest.approx(1.0, abs=1e-3)


def test_with_independent_rows_the_bounds_are_those_of_rows() -> None:
    # Every hour holds the same ten values, so hours do not vary at all.
    values = np.tile([-1.0, -1.0, 0, 0, 0, 0, 0, 0, 0, 1.0], 100)
    result = stratified_sequence(block_sums(np.zeros(1000), np.arange(1000) // 10, values))
    z = sequential._boundary(1000 / 2000, 0.05)
    reach = z * math.sqrt(1000 * values.var(ddof=1) + z**2)
    assert result.method == "rows"
    assert result.estimate == pytest.approx(-0.1)
    assert result.upper == pytest.approx(-0.1 + reach / 1000, rel=1e-12)
    assert result.lower == pytest.approx(-0.1 - reach / 1000, rel=1e-12)


def test_hours_whose_rows_vary_together_widen_the_bounds() -> None:
    values = np.repeat(np.tile([1.0, -1.0], 50), 40)
    result = stratified_sequence(block_sums(np.zeros(4000), np.arange(4000) // 40, values))
    assert result.method == "hours"
    assert width(result) > 5 * width(stratified_sequence(wavering()))


def test_days_are_heard_once_there_are_fourteen() -> None:
    day_of = np.arange(24 * 14 * 10) // 240
    values, hours = np.where(day_of % 2, 1.0, -1.0), np.arange(24 * 14 * 10) // 10
    all_days = stratified_sequence(block_sums(np.zeros(values.size), hours, values))
    one_less = stratified_sequence(block_sums(np.zeros(values.size - 240), hours[:-240], values[:-240]))
    assert (all_days.method, all_days.note) == ("days", "")
    assert (one_less.method, one_less.note) == ("hours", "13 days of a step, how far days differ is seen from 14")
    assert width(all_days) > 4 * width(one_less)


def test_a_day_that_spans_two_steps_is_two_days() -> None:
    hours = np.arange(24 * 7)
    values = np.tile([1.0, -1.0], 12 * 7)
    assert stratified_sequence(block_sums(np.zeros(hours.size), hours, values)).note.startswith("7 days")
    two_steps = stratified_sequence(block_sums(hours // 12, hours, values))
    assert two_steps.note == ""


def test_a_shift_of_all_differences_moves_the_band_and_leaves_its_width() -> None:
    here, there = stratified_sequence(wavering()), stratified_sequence(wavering(shift=0.25))
    assert here.estimate is not None
    assert there.estimate == pytest.approx(here.estimate + 0.25)
    assert width(there) == pytest.approx(width(here))


def test_hours_without_rows_change_nothing() -> None:
    blocks = wavering()
    empty = BlockSums(
        steps=np.array([0]), hours=np.array([10_000]), rows=np.array([0]), sums=np.zeros(1), squares=np.zeros(1)
    )
    assert stratified_sequence(blocks.add(empty)) == stratified_sequence(blocks)


def test_a_smaller_alpha_widens_the_bounds() -> None:
    assert width(stratified_sequence(wavering(), alpha=0.001)) > 1.2 * width(stratified_sequence(wavering()))
    sides = split_of(wavering())
    assert width(split_sequence(*sides, alpha=0.001)) > 1.2 * width(split_sequence(*sides))


def split_of(blocks: BlockSums) -> tuple[BlockSums, BlockSums]:
    return blocks, wavering(seed=1)


def test_bounds_are_tighter_at_the_number_of_rows_that_they_are_tuned_for() -> None:
    assert width(stratified_sequence(wavering(), tuned_rows=4000)) < width(
        stratified_sequence(wavering(), tuned_rows=40)
    )
    sides = split_of(wavering())
    assert width(split_sequence(*sides, tuned_pairs=4000)) < width(split_sequence(*sides, tuned_pairs=40))


def test_bounds_come_with_the_blocks_that_they_need() -> None:
    blocks = wavering(400)
    assert stratified_sequence(blocks, min_blocks=10).lower is not None
    late = stratified_sequence(blocks, min_blocks=11)
    assert (late.lower, late.upper, late.note) == (None, None, "10 blocks, bounds need 11")
    assert late.estimate == stratified_sequence(blocks).estimate
    sides = blocks, wavering(400, seed=1)
    assert split_sequence(*sides, min_blocks=10).lower is not None
    assert split_sequence(*sides, min_blocks=11).note == "10 blocks, bounds need 11"


def test_rows_that_can_differ_by_more_widen_the_bounds() -> None:
    blocks = wavering(400)
    assert width(stratified_sequence(blocks, largest=3.0)) > width(stratified_sequence(blocks, largest=1.0))
    sides = blocks, wavering(400, seed=1)
    assert width(split_sequence(*sides, largest=3.0)) > width(split_sequence(*sides, largest=1.0))


def test_rows_without_any_difference_are_not_certainty() -> None:
    result = stratified_sequence(block_sums(np.zeros(100), np.arange(100) // 10, np.zeros(100)))
    z = sequential._boundary(100 / 2000, 0.05)
    assert band(result) == pytest.approx((-width(result) / 2, 0.0, width(result) / 2))
    assert width(result) >= 2 * z**2 / 100
    assert stratified_sequence(block_sums(np.zeros(100), np.arange(100) // 10, np.zeros(100)), largest=0).upper == 0.0


def test_so_few_rows_that_no_quantile_can_be_computed_have_no_bounds() -> None:
    result = stratified_sequence(wavering(60, 10), tuned_rows=10**6)
    assert (result.lower, result.upper) == (None, None)
    assert result.note == "60 rows are too few for bounds"


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"min_blocks": 1}, {"largest": -1.0}])
def test_parameters_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SampleError, match="found"):
        stratified_sequence(wavering(), **options)
    challenger, champion = split_of(wavering())
    with pytest.raises(SampleError, match="found"):
        split_sequence(challenger, champion, **options)


def test_bounds_tuned_for_no_rows_are_refused() -> None:
    with pytest.raises(SampleError, match="tuned for 0"):
        stratified_sequence(wavering(), tuned_rows=0)
    with pytest.raises(SampleError, match="tuned for 0"):
        split_sequence(*split_of(wavering()), tuned_pairs=0)


def test_the_split_estimate_of_shares_is_the_mantel_haenszel_risk_difference() -> None:
    new, old = [10, 40, 5, 20, 8, 30], [90, 60, 95, 80, 92, 70]
    a, b = [3, 20, 1, 15, 2, 29], [45, 33, 30, 70, 11, 60]
    weights = [n * m / (n + m) for n, m in zip(new, old, strict=True)]
    by_hand = sum(w * (x / n - y / m) for w, n, m, x, y in zip(weights, new, old, a, b, strict=True)) / sum(weights)
    result = split_sequence(*arms(new, a, old, b))
    assert result.estimate == pytest.approx(by_hand, rel=1e-12)
    assert (result.rows, result.blocks) == (600, 6)


def test_equal_arms_do_not_differ_when_the_share_moves_with_the_base_rate() -> None:
    # Both arms are right in 90 % of the rows of the first step and in 50 % of those of the second.
    new, old = [100] * 10 + [500] * 10, [900] * 10 + [500] * 10
    right_new, right_old = [90] * 10 + [250] * 10, [810] * 10 + [250] * 10
    challenger, champion = arms(new, right_new, old, right_old, [0] * 10 + [1] * 10)
    pooled = challenger.sums.sum() / challenger.rows.sum() - champion.sums.sum() / champion.rows.sum()
    assert pooled < -0.15
    assert split_sequence(challenger, champion).estimate == pytest.approx(0.0, abs=1e-12)


def test_split_rows_count_with_the_variance_of_their_own_arm() -> None:
    # All hours alike, so that the bounds are those of rows: 20 of 50 right against 60 of 100.
    result = split_sequence(*arms([50] * 30, [20] * 30, [100] * 30, [60] * 30))
    pairs = 2 * 50 * 100 / 150
    of_mean = (0.4 * 0.6 / 49 + 0.6 * 0.4 / 99) * pairs**2 * 30
    z = sequential._boundary(30 * pairs / 1000, 0.05)
    reach = z * math.sqrt(of_mean + (z * pairs / 50) ** 2)
    assert result.method == "rows"
    assert result.upper == pytest.approx(-0.2 + reach / (30 * pairs), rel=1e-12)


def test_hours_that_only_one_arm_served_tell_nothing() -> None:
    both = arms([10] * 8, [5] * 8, [10] * 8, [7] * 8)
    lone = block_sums([0, 0, 9], [500, 501, 2], [1.0, 1.0, 1.0])
    assert split_sequence(both[0].add(lone), both[1]) == split_sequence(*both)
    assert split_sequence(both[0], both[1].add(lone)) == split_sequence(*both)


def test_arms_that_never_met_have_no_difference() -> None:
    result = split_sequence(block_sums([0], [1], [1.0]), block_sums([0], [2], [1.0]))
    assert (result.estimate, result.lower, result.rows, result.blocks) == (None, None, 0, 0)


def test_hours_with_a_single_challenger_row_borrow_the_spread_of_their_arm() -> None:
    right = [1, 0] * 20
    lone = split_sequence(*arms([1] * 40, right, [30] * 40, [15] * 40))
    pairs = 2 * 30 / 31
    of_new = pairs**2 * 40 * 0.25
    of_old = (pairs / 30) ** 2 * 40 * (15 - 15**2 / 30) * 30 / 29
    z = sequential._boundary(40 * pairs / 1000, 0.05)
    assert width(lone) / 2 >= z * math.sqrt(of_new + of_old + (z * pairs) ** 2) / (40 * pairs) - 1e-12


def test_swapping_the_arms_turns_the_band_round() -> None:
    a, b = arms([20] * 9, [3, 7, 4, 9, 12, 5, 6, 4, 8], [80] * 9, [40, 30, 44, 60, 20, 33, 41, 46, 50])
    lower, estimate, upper = band(split_sequence(a, b))
    assert band(split_sequence(b, a)) == pytest.approx((-upper, -estimate, -lower))
