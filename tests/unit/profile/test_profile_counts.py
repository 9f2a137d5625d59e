"""Profiles add up, and what was added can be taken away again."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import Baseline, FeatureKind, Profile, Summary, build_baseline, empty_profile, profile_rows
from vernal.profile.counts import NO_MOMENTS, merge_moments, summary

TABLE = pa.table({"x": [1.0, 2.0, 4.0, None, math.inf], "c": ["a", "b", "a", None, "b"]})
KINDS = {"x": FeatureKind.NUMERICAL, "c": FeatureKind.CATEGORICAL}


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(TABLE, KINDS)


def other_baseline() -> Baseline:
    return build_baseline(pa.table({"x": [1.0, 3.0], "c": ["a", "b"]}), KINDS)


def test_a_merged_profile_is_that_of_all_rows(baseline: Baseline) -> None:
    one, other = (profile_rows(baseline, TABLE.slice(*part)) for part in ((0, 2), (2, 3)))
    assert one.merge(other) == baseline.reference


def test_the_summary_is_that_of_the_finite_values(baseline: Baseline) -> None:
    found = baseline.summary(baseline.reference, "x")
    assert found is not None
    assert (found.count, found.minimum, found.maximum) == (3, 1.0, 4.0)
    assert (found.mean, found.variance) == pytest.approx((7 / 3, 7 / 3))


def test_one_value_has_no_variance_and_no_value_no_summary() -> None:
    assert summary([1, 5.0, 0.0, 5.0, 5.0]) == Summary(count=1, mean=5.0, variance=0.0, minimum=5.0, maximum=5.0)
    assert summary(NO_MOMENTS) is None


def test_far_from_zero_the_variance_keeps_its_digits() -> None:
    """Summing squares would lose all of them."""
    values = 1e9 + np.random.default_rng(1).normal(size=(7, 1_000))
    parts = [[part.size, part.mean(), ((part - part.mean()) ** 2).sum(), part.min(), part.max()] for part in values]
    merged = summary(merge_moments(np.array(parts)[:, None])[0].tolist())
    assert merged is not None
    assert merged.variance == pytest.approx(values.var(ddof=1), rel=1e-9)


def test_what_is_left_after_taking_away_has_counts_and_no_moments(baseline: Baseline) -> None:
    one, other = (profile_rows(baseline, TABLE.slice(*part)) for part in ((0, 2), (2, 3)))
    left = baseline.reference.subtract(other)
    assert (left.rows, left.counts.tolist(), left.moments) == (2, one.counts.tolist(), None)
    assert baseline.summary(left, "x") is None
    assert left.merge(other).moments is None
    assert other.merge(left).moments is None


def test_what_was_not_added_cannot_be_taken_away(baseline: Baseline) -> None:
    part = profile_rows(baseline, TABLE.slice(0, 2))
    with pytest.raises(ProfileError, match="found 5 rows to take away that are not all among its 2"):
        part.subtract(baseline.reference)
    with pytest.raises(ProfileError, match="not all among its 2"):
        part.subtract(profile_rows(baseline, TABLE.slice(2, 2)))


def test_profiles_of_different_grids_do_not_go_together(baseline: Baseline) -> None:
    stranger = other_baseline().reference
    for together in (baseline.reference.merge, baseline.reference.subtract, baseline.check):
        with pytest.raises(ProfileError, match="grid") as caught:
            together(stranger)
        assert "count the window again" in str(caught.value)


def test_profiles_are_equal_when_all_they_say_is(baseline: Baseline) -> None:
    profile = baseline.reference
    assert profile == profile_rows(baseline, TABLE)
    assert hash(profile) == hash(profile_rows(baseline, TABLE))
    for other in (
        empty_profile(baseline),
        other_baseline().reference,
        profile.subtract(empty_profile(baseline)),
        Profile(grid_id=profile.grid_id, rows=profile.rows + 1, counts=profile.counts, moments=profile.moments),
        "profile",
    ):
        assert profile != other
    left = profile.subtract(empty_profile(baseline))
    assert left == profile.subtract(empty_profile(baseline))


def test_a_profile_without_finite_moments_equals_itself() -> None:
    largest = float(np.finfo(np.float64).max)
    table = pa.table({"x": [largest, largest, largest, largest, -largest]})
    baseline = build_baseline(table, {"x": FeatureKind.NUMERICAL})
    profile = profile_rows(baseline, pa.table({"x": [largest] * 4}))
    assert profile.moments is not None
    assert not np.isfinite(profile.moments).all()
    assert profile == profile_rows(baseline, pa.table({"x": [largest] * 4}))
    assert Profile.from_bytes(profile.to_bytes()) == profile
