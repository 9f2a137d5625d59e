"""The sample-ratio test against scipy's Dirichlet-multinomial law."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from vernal.errors import SampleError
from vernal.stats.allocation import sample_ratio


@pytest.mark.parametrize(
    ("counts", "shares", "concentration"),
    [
        ([[48, 52]], [[0.5, 0.5]], 100.0),
        ([[950, 40], [700, 300]], [[0.95, 0.05], [0.75, 0.25]], 100.0),
        ([[5, 0, 9], [20, 30, 40]], [[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]], 7.0),
    ],
)
def test_the_evidence_is_the_dirichlet_multinomial_over_the_multinomial_of_each_step(
    counts: list[list[int]], shares: list[list[float]], concentration: float
) -> None:
    expected = 0.0
    for row, share in zip(counts, shares, strict=True):
        prior = concentration * np.array(share)
        expected += stats.dirichlet_multinomial.logpmf(row, prior, sum(row)) - stats.multinomial.logpmf(
            row, sum(row), share
        )
    result = sample_ratio(counts, shares, concentration=concentration)
    assert result.log_evidence == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert result.p_value == pytest.approx(min(1.0, math.exp(-expected)))


def test_what_was_seen_and_what_was_promised_stand_side_by_side() -> None:
    result = sample_ratio([[95, 5], [0, 0], [30, 10]], [[0.9, 0.1], [0.5, 0.5], [0.75, 0.25]])
    assert result.observed == ((0.95, 0.05), (), (0.75, 0.25))
    assert result.expected == ((0.9, 0.1), (0.5, 0.5), (0.75, 0.25))
    assert result.entities == 140


def test_a_mismatch_is_called_where_the_evidence_reaches_one_over_alpha() -> None:
    p_value = sample_ratio([[400, 500]], [[0.5, 0.5]]).p_value
    assert sample_ratio([[400, 500]], [[0.5, 0.5]], alpha=p_value * 1.001).mismatch
    assert not sample_ratio([[400, 500]], [[0.5, 0.5]], alpha=p_value * 0.999).mismatch


def test_steps_of_different_shares_are_judged_each_by_its_own() -> None:
    result = sample_ratio([[950, 50], [500, 500]], [[0.95, 0.05], [0.5, 0.5]])
    assert not result.mismatch
    assert sample_ratio([[950, 50], [500, 500]], [[0.725, 0.275], [0.725, 0.275]]).mismatch


def test_mismatches_that_cancel_out_over_the_steps_are_seen() -> None:
    assert sample_ratio([[600, 400], [400, 600]], [[0.5, 0.5], [0.5, 0.5]]).mismatch


def test_one_entity_in_an_arm_that_is_off_is_a_mismatch() -> None:
    result = sample_ratio([[1000, 1]], [[1.0, 0.0]])
    assert (result.mismatch, result.p_value) == (True, 0.0)
    off = sample_ratio([[1000, 0]], [[1.0, 0.0]])
    assert (off.mismatch, off.p_value) == (False, 1.0)
    assert off.log_evidence == pytest.approx(0.0, abs=1e-9)


def test_without_entities_nothing_is_known() -> None:
    result = sample_ratio([[0, 0]], [[0.5, 0.5]])
    assert (result.mismatch, result.p_value, result.entities, result.note) == (False, 1.0, 0, "no entities")
    assert sample_ratio(np.zeros((0, 2)), np.zeros((0, 2))).note == "no entities"


def test_a_larger_concentration_finds_small_mismatches_sooner_and_large_ones_later() -> None:
    small, large = ([[4900, 5100]], [[0.5, 0.5]]), ([[30, 70]], [[0.5, 0.5]])
    loose, tight = (sample_ratio(*small, concentration=c).log_evidence for c in (2.0, 2000.0))
    assert tight > loose + 1
    loose, tight = (sample_ratio(*large, concentration=c).log_evidence for c in (2.0, 2000.0))
    assert tight < loose - 1


@pytest.mark.parametrize(
    ("counts", "shares", "message"),
    [
        ([5, 5], [0.5, 0.5], "one row per step"),
        ([[5, 5]], [[0.5, 0.5], [0.5, 0.5]], "one row per step"),
        ([[], []], [[], []], "one row per step"),
        ([[5, -5]], [[0.5, 0.5]], "negative"),
        ([[5, 0.5]], [[0.5, 0.5]], "whole numbers"),
        ([[5, math.nan]], [[0.5, 0.5]], "whole numbers"),
        ([[5, 5]], [[0.5, 0.6]], r"add up to \[1.1\]"),
        ([[5, 5]], [[1.5, -0.5]], "at least 0"),
        ([[5, 5]], [[math.nan, 1.0]], "add up to 1"),
    ],
)
def test_what_is_no_allocation_is_refused(counts: npt.ArrayLike, shares: npt.ArrayLike, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        sample_ratio(counts, shares)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"concentration": 0.0}, {"concentration": math.inf}])
def test_parameters_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SampleError, match="found"):
        sample_ratio([[5, 5]], [[0.5, 0.5]], **options)
