from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernal.errors import SampleError
from vernal.stats.sampling import Draw, answer_weights, inclusion_chances, pick


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.integers(1, 150))
def test_chances_are_above_0_and_add_up_to_the_picks(sizes: list[float], picks: int) -> None:
    chances = inclusion_chances(sizes, picks)

    assert chances.sum() == pytest.approx(min(picks, len(sizes)))
    assert (chances > 0).all()
    assert (chances <= 1).all()


def test_rows_that_are_wanted_more_have_better_chances_and_nobody_weighs_more_than_ten_times_the_average() -> None:
    chances = inclusion_chances([0.0] * 900 + [1.0] * 100, 50)

    assert chances[-1] > 10 * chances[0]
    assert (1 / chances).max() <= 10 * 1000 / 50 + 1e-9


def test_a_missing_size_is_the_mean_of_the_others() -> None:
    chances = inclusion_chances([1.0, 3.0, np.nan, np.nan], 2)
    assert chances[2] == pytest.approx((chances[0] + chances[1]) / 2)


@pytest.mark.parametrize(
    ("sizes", "picks", "problem"), [([], 1, "0"), ([1.0], 0, "0 picks"), ([-1.0, 2.0], 1, "negative")]
)
def test_what_cannot_be_drawn_is_refused(sizes: list[float], picks: int, problem: str) -> None:
    with pytest.raises(SampleError, match=problem):
        inclusion_chances(sizes, picks)


def test_chances_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(SampleError, match="whole number"):
        pick([0.5, 0.4], np.random.default_rng(0))


def test_each_row_is_picked_as_often_as_its_chance_says_and_the_number_of_picks_is_fixed() -> None:
    chances = inclusion_chances(np.linspace(0.0, 5.0, 40), 10)
    rng = np.random.default_rng(2)
    draws = [pick(chances, rng) for _ in range(4000)]

    assert {len(draw) for draw in draws} == {10}
    assert all(len(set(draw.tolist())) == 10 for draw in draws)
    found = np.bincount(np.concatenate(draws), minlength=40) / 4000
    # Four standard errors of each of the 40 shares.
    assert (np.abs(found - chances) <= 4 * np.sqrt(chances * (1 - chances) / 4000) + 1e-12).all()


def test_answers_stand_for_those_that_are_missing() -> None:
    weights = answer_weights((Draw(0, 100, 4),), [0] * 4, [1, 2, 3, 4], [0.1, 0.1, 0.5, 0.5], [True, False, True, True])
    assert weights.tolist() == pytest.approx([10 * 24 / 14, 0.0, 2 * 24 / 14, 2 * 24 / 14])


def test_without_an_answer_nothing_stands_for_anything() -> None:
    assert answer_weights((Draw(0, 9, 1),), [0], [1], [0.5], [False]).tolist() == [0.0]


@pytest.mark.parametrize("silent", [0, 1])
def test_a_draw_without_any_answer_takes_nothing_from_the_others(silent: int) -> None:
    draws, own = (Draw(0, 100, 2), Draw(0, 100, 2)), np.array([0, 0, 1, 1])
    weights = answer_weights(draws, own, [1, 2, 3, 4], [0.1] * 4, own != silent)
    assert weights.tolist() == pytest.approx(np.where(own == silent, 0.0, 10.0).tolist())


def test_several_draws_together_estimate_a_total_without_bias() -> None:
    """Three draws, each without what was picked before, the last one from the later half only."""
    rng = np.random.default_rng(3)
    n, when = 60, np.arange(60)
    y = rng.gamma(1.0, 1.0, n)
    estimates = []
    for _ in range(6000):
        left = np.ones(n, dtype=bool)
        drawn: list[tuple[int, int, float]] = []
        for number, (start, picks, sizes) in enumerate([(0, 8, y), (0, 8, np.ones(n)), (30, 6, 1 / (y + 0.1))]):
            rows = np.flatnonzero(left & (when >= start))
            chances = inclusion_chances(sizes[rows], picks)
            for position in pick(chances, rng):
                drawn.append((number, int(rows[position]), float(chances[position])))
                left[rows[position]] = False
        own, rows_drawn, chances_drawn = (np.array(part) for part in zip(*drawn, strict=True))
        draws = (Draw(0, n, 8), Draw(0, n, 8), Draw(30, n, 6))
        weights = answer_weights(draws, own, when[rows_drawn], chances_drawn, np.ones(own.size, dtype=bool))
        estimates.append(float(weights @ y[rows_drawn]))
    error = float(np.std(estimates)) / np.sqrt(len(estimates))
    assert abs(float(np.mean(estimates)) - y.sum()) < 4 * error
    assert error < 0.01 * y.sum()
