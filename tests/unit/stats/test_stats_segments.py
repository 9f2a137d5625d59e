"""Histograms of many features in one array: what is accepted, and what is read out of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from vernal.errors import SampleError
from vernal.stats.segments import cells_of, segments_of


def test_segments_know_their_rows_and_their_cells() -> None:
    pair = segments_of([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [0, 1, 3])
    assert (pair.n.tolist(), pair.m.tolist()) == ([1.0, 5.0, 9.0], [5.0, 7.0, 3.0])
    assert (pair.owner.tolist(), pair.lasts.tolist()) == ([0, 1, 1, 2, 2], [0, 2, 4])


def test_sums_and_extremes_stay_within_a_segment() -> None:
    pair = segments_of([1, 1, 1, 1], [1, 1, 1, 1], [0, 3])
    values = np.array([1.0, -4.0, 2.0, 7.0])
    assert pair.sums(values).tolist() == [-1.0, 7.0]
    assert pair.largest(values).tolist() == [2.0, 7.0]
    assert pair.smallest(values).tolist() == [-4.0, 7.0]


def test_a_segment_is_defined_with_rows_on_both_sides() -> None:
    pair = segments_of([1, 0, 0, 0], [0, 1, 1, 0], [0, 2, 3])
    assert pair.defined.tolist() == [True, False, False]
    assert np.isnan(pair.where_defined(np.zeros(3))).tolist() == [False, True, True]
    assert [shares.tolist() for shares in pair.shares()] == [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]


def test_proportional_histograms_have_the_same_shares_to_the_last_bit() -> None:
    counts = np.arange(1, 50)
    p, q = segments_of(3 * counts, 7 * counts, [0]).shares()
    assert (p == q).all()


@pytest.mark.parametrize("starts", [[], [1], [0, 0], [0, 2, 1], [0, 3], [0, 7], [[0]], [-1], [0.5], [0, math.nan]])
def test_starts_that_do_not_cut_the_cells_into_features_are_refused(starts: list[Any]) -> None:
    with pytest.raises(SampleError, match="starts"):
        segments_of([1, 2, 3], [1, 2, 3], starts)


def test_starts_without_cells_are_refused() -> None:
    with pytest.raises(SampleError, match="starts"):
        segments_of([], [], [0])


@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        ([1, 2], [1, 2, 3], "found 2 reference and 3 current cells"),
        ([1, -2], [1, 2], "reference: found a count of -2"),
        ([1, 2], [1.5, 2], "current: .* expected whole counts"),
        ([[1, 2]], [1, 2], r"shape \(1, 2\)"),
    ],
)
def test_what_are_no_counts_on_the_same_cells_is_refused(
    reference: list[Any], current: list[Any], message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        segments_of(reference, current, [0])


def test_what_goes_with_the_cells_has_their_shape() -> None:
    pair = segments_of([1, 2], [1, 2], [0])
    assert cells_of("lefts", [1, 2], pair).tolist() == [1.0, 2.0]
    with pytest.raises(SampleError, match=r"lefts: found shape \(3,\), expected one per cell: \(2,\)"):
        cells_of("lefts", [1, 2, 3], pair)
