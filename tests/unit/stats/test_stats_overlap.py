"""Hellinger and total variation distances against hand calculation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import distance as spatial

from vernal.stats.arrays import Floats
from vernal.stats.overlap import hellinger, hellinger_many, total_variation, total_variation_many

PAIRS = [([10, 20, 70], [30, 30, 40]), ([1, 0, 9], [0, 5, 5]), ([1000, 1], [999, 2])]


@pytest.mark.parametrize(("reference", "current"), PAIRS)
def test_hellinger_is_the_root_of_one_minus_the_overlap_of_the_roots(reference: list[int], current: list[int]) -> None:
    p, q = np.array(reference) / sum(reference), np.array(current) / sum(current)
    assert hellinger(reference, current) == pytest.approx(math.sqrt(1 - np.sqrt(p * q).sum()), rel=1e-9)


@pytest.mark.parametrize(("reference", "current"), PAIRS)
def test_hellinger_is_the_euclidean_distance_of_the_roots_over_root_two(
    reference: list[int], current: list[int]
) -> None:
    p, q = np.array(reference) / sum(reference), np.array(current) / sum(current)
    expected = spatial.euclidean(np.sqrt(p), np.sqrt(q)) / math.sqrt(2)
    assert hellinger(reference, current) == pytest.approx(expected, rel=1e-12)


def test_total_variation_is_the_share_of_rows_that_would_have_to_move() -> None:
    assert total_variation([50, 30, 20], [30, 30, 40]) == pytest.approx(0.2)
    assert total_variation([500, 300, 200], [3, 3, 4]) == pytest.approx(0.2)


@pytest.mark.parametrize("measure", [hellinger, total_variation])
def test_histograms_that_share_no_cell_are_at_distance_one(measure: Callable[..., float]) -> None:
    assert measure([7, 0], [0, 3]) == 1.0


@pytest.mark.parametrize("measure", [hellinger, total_variation])
def test_proportional_histograms_are_at_distance_zero(measure: Callable[..., float]) -> None:
    assert measure([3, 9, 21], [7, 21, 49]) == 0.0


@pytest.mark.parametrize(("many", "one"), [(hellinger_many, hellinger), (total_variation_many, total_variation)])
def test_each_feature_of_many_has_the_distance_it_has_alone(
    many: Callable[..., Floats], one: Callable[..., float]
) -> None:
    together = many([50, 50, 7, 0, 9, 4], [100, 20, 1, 3, 5, 0], [0, 2, 5])
    assert together[:2].tolist() == [one([50, 50], [100, 20]), one([7, 0, 9], [1, 3, 5])]
    assert np.isnan(together[2])
    assert many([], [], []).size == 0
