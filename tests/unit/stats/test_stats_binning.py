"""Merging grid cells to bins."""

from __future__ import annotations

import numpy as np
import pytest

from vernal.errors import SampleError
from vernal.stats.binning import merge_cells


def masses(counts: list[int], merged: list[int]) -> list[int]:
    return [int(mass) for mass in np.bincount(merged, weights=counts)]


def test_equal_cells_merge_to_equal_bins() -> None:
    assert masses([1] * 320, merge_cells([1] * 320).tolist()) == [32] * 10


def test_the_number_of_bins_is_what_was_asked_for() -> None:
    assert merge_cells([1] * 320, bins=7).max() == 6
    assert merge_cells([1] * 320, bins=20).max() == 19


def test_sixty_percent_zeros_keep_ten_bins() -> None:
    counts = [0, 600, *[4] * 100]
    points = [False, True, *[False] * 100]
    merged = merge_cells(counts, bins=10, points=points).tolist()
    held = masses(counts, merged)
    assert merged[1] != merged[2]
    assert held[merged[1]] == 600
    assert [mass for mass in held if mass not in {0, 600}] == pytest.approx([400 / 9] * 9, abs=4)


def test_a_heavy_value_in_the_middle_divides_the_rest_by_mass() -> None:
    counts = [*[10] * 30, 600, *[10] * 10]
    points = [*[False] * 30, True, *[False] * 10]
    merged = merge_cells(counts, points=points)
    assert merged[29] - merged[0] == 6
    assert merged[40] - merged[31] == 1
    assert merged.max() == 9


def test_an_empty_last_cell_of_a_continuous_feature_joins_its_neighbour() -> None:
    merged = merge_cells([0, *[5] * 20, 0], bins=4)
    assert merged[0] == merged[1] == 0
    assert merged[-1] == merged[-2] == 3


def test_what_a_discrete_feature_never_showed_is_a_bin_of_its_own() -> None:
    merged = merge_cells([0, 70, 0, 30, 0], points=[False, True, False, True, False])
    assert merged.tolist() == [0, 1, 2, 3, 4]


def test_no_bin_is_empty_when_cells_are_uneven() -> None:
    counts = [0, 30, 0, 5, 5, 40, 0, 0, 15, 5, 0]
    assert min(masses(counts, merge_cells(counts, bins=6).tolist())) > 0


def test_one_cell_is_one_bin() -> None:
    assert merge_cells([9]).tolist() == [0]


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([1, 2], {"bins": 1}, "bins: found 1"),
        ([0, 0], {}, "found no rows"),
        ([1, 2], {"points": [True]}, "one per cell"),
    ],
)
def test_impossible_requests_are_refused(counts: list[int], options: dict[str, object], message: str) -> None:
    with pytest.raises(SampleError, match=message):
        merge_cells(counts, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("least_rows", "bins"), [(1, 4), (5, 2), (20, 1)])
def test_few_rows_make_few_bins_when_each_is_to_hold_some(least_rows: int, bins: int) -> None:
    merged = merge_cells([3] * 4, bins=4, least_rows=least_rows)
    assert merged[-1] + 1 == bins
