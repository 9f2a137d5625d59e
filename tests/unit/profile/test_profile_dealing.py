"""Which rows stand for all."""

from __future__ import annotations

import numpy as np
import pytest

from vernal.profile.dealing import chosen, dealt


@pytest.mark.parametrize("level", [0, 1, 2, 5, 9])
def test_one_row_stands_for_every_block(level: int) -> None:
    places = chosen(0, 1 << 14, level)
    assert (places >> level).tolist() == list(range((1 << 14) >> level))


def test_a_thinner_choice_is_part_of_the_thicker_one() -> None:
    for level in range(8):
        assert set(chosen(0, 10_000, level + 1).tolist()) <= set(chosen(0, 10_000, level).tolist())


@pytest.mark.parametrize("level", [1, 3, 6])
@pytest.mark.parametrize("cut", [29, 100, 4_097, 65_499])
def test_choosing_chunk_by_chunk_chooses_the_same_rows(level: int, cut: int) -> None:
    together = chosen(0, 200_003, level)
    apart = np.concatenate([chosen(first, min(first + cut, 200_003), level) for first in range(0, 200_003, cut)])
    assert np.array_equal(apart, together)


@pytest.mark.parametrize(("start", "size"), [(0, 70_000), (1, 5), (65_497, 10), (199_004, 999), (3, 0)])
def test_rows_are_dealt_by_their_place_however_they_are_cut(start: int, size: int) -> None:
    assert np.array_equal(dealt(start, size), dealt(0, 200_003)[start : start + size])
    assert np.array_equal(dealt(10**9 * 32_749 + start, size), dealt(start, size))


@pytest.mark.parametrize("run", [1, 2, 5, 20, 1_000])
def test_of_rows_that_are_sorted_each_part_gets_what_a_coin_per_row_gives(run: int) -> None:
    """With a coin per pair every run of two would be halved exactly, and the parts be more alike than samples are."""
    runs = 32_000 // run
    of_runs = dealt(0, runs * run).reshape(runs, run).sum(axis=1)
    assert abs(of_runs.mean() - run / 2) < 5 * np.sqrt(run / 4 / runs)
    if run > 1:
        assert abs(of_runs.var() / (run / 4) - 1) < 5 * np.sqrt(2 / runs)


@pytest.mark.parametrize("period", [2, 3, 7, 8, 24, 64, 168, 1024])
def test_no_rhythm_of_the_rows_favours_some_of_them(period: int) -> None:
    """Without coins one of two, or of eight, would meet the same phase of every even rhythm."""
    rows = 1 << 20
    for level in (1, 3):
        met = np.bincount(chosen(0, rows, level) % period, minlength=period)
        expected = rows / (1 << level) / period
        assert abs(met - expected).max() < 6 * np.sqrt(expected)
