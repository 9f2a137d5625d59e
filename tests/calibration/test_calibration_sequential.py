"""How often bounds that hold at every look are ever wrong, in simulated rollouts of 500 to 1,000 hourly looks.

Where rows vary together is simulated as a shift of the difference that a block shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from calibration import assert_rate
from vernal.stats import sequential
from vernal.stats.sequential import BlockSums, ConfidenceSequence, block_sums, split_sequence, stratified_sequence

ALPHA = 0.05
Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


class Rollouts(NamedTuple):
    """Simulated rollouts, looked at once an hour; arrays are ``(simulations, hours)``."""

    look: Callable[[int, int], ConfidenceSequence]
    """The sequence of one simulation at one look."""
    excess: Numbers
    """Estimate minus truth, in units of the narrowest bounds that any look can have: those of independent rows."""
    pooled: Numbers
    """Mean over all rows of the challenger minus that of the champion, one per simulation."""


def wrongs(rollouts: Rollouts, truth: float) -> tuple[int, int]:
    """Count the simulations whose lower bound is ever above the truth, and those whose upper bound is ever below.

    Only looks at which the bounds of independent rows exclude the truth are computed in full, no look having narrower
    ones. Neighbouring looks agree, so of more than 60 such looks every second (or third) is enough.
    """
    above = below = 0
    for simulation, row in enumerate(rollouts.excess):
        high, low = (thinned(np.flatnonzero(side > 1)) for side in (row, -row))
        above += any(is_above(rollouts.look(simulation, at), truth) for at in high)
        below += any(is_below(rollouts.look(simulation, at), truth) for at in low)
    return above, below


def is_above(result: ConfidenceSequence, truth: float) -> bool:
    return result.lower is not None and result.lower > truth


def is_below(result: ConfidenceSequence, truth: float) -> bool:
    return result.upper is not None and result.upper < truth


def thinned(looks: Counts) -> list[int]:
    return [int(at) for at in looks[:: 1 + looks.size // 60]]


def shifts(
    rng: np.random.Generator, simulations: int, hours: int, *, by_hour: float = 0.0, by_day: float = 0.0
) -> Numbers:
    """Return what each hour adds to the difference."""
    days = np.repeat(rng.normal(0, by_day, (simulations, -(-hours // 24))), 24, axis=1)[:, :hours]
    return np.asarray(days + rng.normal(0, by_hour, (simulations, hours)), dtype=np.float64)


def paired(rng: np.random.Generator, truth: float, discordance: float, *, per_hour: int, shift: Numbers) -> Rollouts:
    """Simulate rows of which a share of ``discordance`` is right for one model only."""
    hours = shift.shape[1]
    difference = np.clip(truth + shift, -discordance, discordance)
    better, worse = (discordance + difference) / 2, (discordance - difference) / 2
    wins = rng.binomial(per_hour, better)
    losses = rng.binomial(per_hour - wins, worse / (1 - better))
    sums, squares = (wins - losses).astype(np.float64), (wins + losses).astype(np.float64)
    rows = np.full(hours, per_hour)
    of_hours, none = np.arange(hours), np.zeros(hours, np.int64)

    def look(simulation: int, at: int) -> ConfidenceSequence:
        upto = slice(0, at + 1)
        return stratified_sequence(
            BlockSums(
                steps=none[upto],
                hours=of_hours[upto],
                rows=rows[upto],
                sums=sums[simulation, upto],
                squares=squares[simulation, upto],
            ),
            alpha=ALPHA,
        )

    n = np.cumsum(rows)
    estimate = np.cumsum(sums, axis=1) / n
    deviations = np.sqrt(np.maximum(np.cumsum(squares, axis=1) / n - estimate**2, 1e-12) * n)
    z = np.array([sequential._boundary(float(count) / 2000, ALPHA) for count in n])
    return Rollouts(look, (estimate - truth) * n / (z * deviations), estimate[:, -1])


def split(
    rng: np.random.Generator, truth: float, base: Numbers, shares: Numbers, *, per_hour: int, shift: Numbers
) -> Rollouts:
    """Simulate two arms.

    ``base`` is the rate by hour that both arms share, ``shares`` the share of rows that the challenger answers.
    """
    hours = shift.shape[1]
    size = shift.shape
    new = np.maximum(rng.binomial(per_hour, shares, size), 1)
    old = np.maximum(per_hour - new, 1)
    right_new = rng.binomial(new, np.clip(base + truth + shift, 0, 1))
    right_old = rng.binomial(old, np.broadcast_to(base, size))
    of_hours = np.arange(hours)
    steps = np.cumsum(np.diff(shares, prepend=shares[0]) != 0)

    def side(rows: Counts, right: Counts, simulation: int, upto: slice) -> BlockSums:
        sums = right[simulation, upto].astype(np.float64)
        return BlockSums(steps=steps[upto], hours=of_hours[upto], rows=rows[simulation, upto], sums=sums, squares=sums)

    def look(simulation: int, at: int) -> ConfidenceSequence:
        upto = slice(0, at + 1)
        return split_sequence(
            side(new, right_new, simulation, upto), side(old, right_old, simulation, upto), alpha=ALPHA
        )

    pairs = 2 * new * old / (new + old)
    weight = np.cumsum(pairs, axis=1)
    shares_right = right_new / new, right_old / old
    excess = np.cumsum(pairs * (shares_right[0] - shares_right[1]), axis=1) - truth * weight

    def variance(rows: Counts, share: Numbers) -> Numbers:
        return np.asarray(share * (1 - share) * pairs**2 / np.maximum(rows - 1, 1), dtype=np.float64)

    spread = np.cumsum(variance(new, shares_right[0]) + variance(old, shares_right[1]), axis=1)
    z = np.array([sequential._boundary(float(count) / 1000, ALPHA) for count in weight.mean(axis=0)])
    # The number of pairs differs a little between simulations, the boundary hardly; 0.95 covers it.
    pooled = right_new.sum(axis=1) / new.sum(axis=1) - right_old.sum(axis=1) / old.sum(axis=1)
    return Rollouts(look, excess / (0.95 * z * np.sqrt(np.maximum(spread, 1e-12))), pooled)


@pytest.mark.parametrize(
    ("margin", "discordance", "per_hour"),
    [(0.05, 0.05, 5), (0.05, 0.1, 100), (0.05, 0.5, 20), (0.01, 0.1, 100), (0.002, 0.002, 100)],
)
def test_a_paired_challenger_at_the_margin_advances_wrongly_at_most_at_alpha(
    margin: float, discordance: float, per_hour: int
) -> None:
    rng = np.random.default_rng(round(1e4 * discordance) + per_hour)
    rollouts = paired(rng, -margin, discordance, per_hour=per_hour, shift=np.zeros((1000, 1000)))
    above, _ = wrongs(rollouts, -margin)
    assert_rate(above, 1000, at_most=ALPHA)


def test_a_loss_of_one_row_in_a_hundred_and_no_gain_advances_wrongly_at_most_at_alpha() -> None:
    # The most skewed of rollouts: until the lost rows come, nothing hints at them.
    rng = np.random.default_rng(18)
    rollouts = paired(rng, -0.01, 0.01, per_hour=20, shift=np.zeros((5000, 600)))
    above, _ = wrongs(rollouts, -0.01)
    assert_rate(above, 5000, at_most=ALPHA)


@pytest.mark.parametrize("discordance", [0.5, 0.1, 0.01])
def test_an_equal_paired_challenger_is_rolled_back_or_praised_wrongly_at_most_at_alpha(discordance: float) -> None:
    rng = np.random.default_rng(round(1000 * discordance))
    rollouts = paired(rng, 0.0, discordance, per_hour=20, shift=np.zeros((1000, 1000)))
    for hits in wrongs(rollouts, 0.0):
        assert_rate(hits, 1000, at_most=ALPHA)


@pytest.mark.parametrize("truth", [0.0, -0.05])
def test_hours_that_vary_together_leave_paired_bounds_right(truth: float) -> None:
    rng = np.random.default_rng(11)
    shift = shifts(rng, 500, 500, by_hour=0.1)
    rollouts = paired(rng, truth, 0.4, per_hour=100, shift=shift)
    assert (rollouts.excess > 1).any(axis=1).mean() > 4 * ALPHA  # rows alone would be wrong this often
    for hits in wrongs(rollouts, truth):
        assert_rate(hits, 500, at_most=ALPHA)


def test_days_that_vary_together_leave_paired_bounds_right_once_there_are_fourteen() -> None:
    rng = np.random.default_rng(12)
    rollouts = paired(rng, 0.0, 0.4, per_hour=100, shift=shifts(rng, 300, 600, by_day=0.05))
    early, late = rollouts.excess[:, : 13 * 24], rollouts.excess.copy()
    late[:, : 13 * 24] = 0.0
    for hits in wrongs(rollouts._replace(excess=late), 0.0):
        assert_rate(hits, 300, at_most=ALPHA)
    # What a few days have in common cannot be told from what the models differ by; the documentation says so.
    assert_rate(sum(wrongs(rollouts._replace(excess=early[:40]), 0.0)), 40, at_least=0.3)


def base_rate(kind: str, hours: int) -> Numbers:
    """Return a rate that swings within the day and grows by half over the rollout."""
    swing = 1 + 0.4 * np.sin(np.arange(hours) * 2 * math.pi / 24)
    return {"half": 0.4, "tenth": 0.08, "hundredth": 0.008}[kind] * swing * np.linspace(1.0, 1.5, hours)


def growing(hours: int) -> Numbers:
    """Return shares of 5, 25 and 50 %, a third of the hours each."""
    return np.repeat([0.05, 0.25, 0.5], -(-hours // 3))[:hours]


@pytest.mark.parametrize(("kind", "per_hour"), [("half", 40), ("tenth", 40), ("tenth", 400), ("hundredth", 40)])
def test_an_equal_split_challenger_is_rolled_back_or_praised_wrongly_at_most_at_alpha(kind: str, per_hour: int) -> None:
    rng = np.random.default_rng(per_hour)
    rollouts = split(rng, 0.0, base_rate(kind, 600), growing(600), per_hour=per_hour, shift=np.zeros((400, 600)))
    for hits in wrongs(rollouts, 0.0):
        assert_rate(hits, 400, at_most=ALPHA)


@pytest.mark.parametrize("right", [0.5, 0.9, 0.999])
def test_a_split_challenger_at_the_margin_advances_wrongly_at_most_at_alpha(right: float) -> None:
    rng = np.random.default_rng(17)
    rollouts = split(rng, -0.05, np.full(600, right), growing(600), per_hour=40, shift=np.zeros((400, 600)))
    above, _ = wrongs(rollouts, -0.05)
    assert_rate(above, 400, at_most=ALPHA)


def test_hours_that_vary_together_leave_split_bounds_right() -> None:
    rng = np.random.default_rng(13)
    half = np.full(200, 0.5)
    rollouts = split(rng, 0.0, half, half, per_hour=400, shift=shifts(rng, 200, 200, by_hour=0.1))
    assert (rollouts.excess > 1).any(axis=1).mean() > 4 * ALPHA  # rows alone would be wrong this often
    for hits in wrongs(rollouts, 0.0):
        assert_rate(hits, 200, at_most=ALPHA)


def test_a_base_rate_that_grows_with_the_share_passes_for_a_difference_when_pooled_and_not_in_the_sequence() -> None:
    rng = np.random.default_rng(19)
    hours = 240
    rollouts = split(rng, 0.0, np.linspace(0.6, 0.9, hours), growing(hours), per_hour=100, shift=np.zeros((300, hours)))
    results = [[rollouts.look(simulation, at) for at in range(20, hours, 20)] for simulation in range(300)]
    for wrong in (is_above, is_below):
        assert_rate(sum(any(wrong(look, 0.0) for look in looks) for looks in results), 300, at_most=ALPHA)
    assert_rate(int((np.abs(rollouts.pooled) > 0.05).sum()), 300, at_least=0.9)


def test_entities_that_stick_to_their_arm_make_equal_split_models_seem_different() -> None:
    # What split_sequence is documented not to hold for: 1,000 entities, unlike in activity and in how often they are
    # right, looked at once after 20 days.
    rng = np.random.default_rng(20)
    hours, per_hour, wrong = 480, 40, 0
    for _ in range(40):
        right, activity = rng.beta(1.8, 0.2, 1000), rng.lognormal(0.0, 1.0, 1000)
        new, none = rng.random(1000) < 0.5, np.zeros(hours * per_hour, np.int64)
        who = rng.choice(1000, hours * per_hour, p=activity / activity.sum())
        scores, at = (rng.random(who.size) < right[who]).astype(np.float64), np.repeat(np.arange(hours), per_hour)
        sides = (block_sums(none[arm], at[arm], scores[arm]) for arm in (new[who], ~new[who]))
        found = split_sequence(*sides, alpha=ALPHA)
        wrong += is_above(found, 0.0) or is_below(found, 0.0)
    assert_rate(wrong, 40, at_least=0.3)


def test_a_hundred_looks_with_a_plain_test_are_wrong_in_a_third_of_the_rollouts_and_with_the_sequence_are_not() -> None:
    rng = np.random.default_rng(14)
    rollouts = paired(rng, 0.0, 0.1, per_hour=100, shift=np.zeros((2000, 100)))
    z = np.array([sequential._boundary(count / 20, ALPHA) for count in range(1, 101)])
    plain = int((np.abs(rollouts.excess * z) > 1.96).any(axis=1).sum())
    assert_rate(plain, 2000, at_least=0.34, at_most=0.37)
    assert_rate(max(wrongs(rollouts, 0.0)), 2000, at_most=ALPHA)


def test_a_split_of_five_percent_excludes_the_margin_after_days_and_pairs_within_one() -> None:
    # 900 labels a day, models that are right in 90 % of the rows and differ in 2 %: the first look that shows it.
    rng = np.random.default_rng(15)
    hours = 24 * 40
    apart = split(rng, 0.0, np.full(hours, 0.9), np.full(hours, 0.05), per_hour=38, shift=np.zeros((40, hours)))
    together = paired(rng, 0.0, 0.02, per_hour=38, shift=np.zeros((40, hours)))

    def days(rollouts: Rollouts, simulation: int) -> float:
        looks = (at for at in range(0, hours, 3) if is_above(rollouts.look(simulation, at), -0.05))
        return (next(looks, hours) + 1) / 24

    assert 6 < np.median([days(apart, simulation) for simulation in range(40)]) < 12
    assert np.median([days(together, simulation) for simulation in range(40)]) < 0.6
