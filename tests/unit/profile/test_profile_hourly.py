"""Rows counted hour by hour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import Baseline, FeatureKind, Profile, build_baseline, profile_by_hour, profile_rows
from vernal.profile.hourly import _BULK_ROWS, _HOURS_TOGETHER

KINDS = {"x": FeatureKind.NUMERICAL, "c": FeatureKind.CATEGORICAL, "k": FeatureKind.NUMERICAL}


def rows(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    x[::11] = rng.choice([math.nan, math.inf, -math.inf], size=x[::11].size)
    return pa.table(
        {
            "k": pa.array(rng.integers(0, 5, count).astype(np.int16)),
            "unrelated": pa.array([[1]] * count, pa.list_view(pa.int64())),
            "c": pa.array([f"c{i}" for i in rng.integers(0, 40, count)], mask=rng.random(count) < 0.1),
            "x": pa.array(x, mask=rng.random(count) < 0.1),
        }
    )


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(rows(2_000, 1), KINDS)


def assert_like(found: Profile, expected: Profile) -> None:
    """Assert that counts are equal, and moments up to rounding."""
    assert (found.grid_id, found.rows, found.counts.tolist()) == (
        expected.grid_id,
        expected.rows,
        expected.counts.tolist(),
    )
    assert found.moments is not None
    assert expected.moments is not None
    np.testing.assert_allclose(found.moments, expected.moments, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "hours",
    [
        lambda n, rng: np.sort(rng.integers(100, 124, n)),
        lambda n, rng: rng.integers(100, 124, n),
        lambda n, rng: rng.integers(-50, 50, n),
        lambda n, rng: rng.integers(7, 8, n),
        lambda n, rng: rng.permutation(n),
        lambda n, rng: np.where(rng.random(n) < 0.95, 7, rng.integers(0, 7, n)),
    ],
    ids=["in order", "in any order", "before the epoch", "one hour", "a row each", "one hour with nearly all"],
)
@pytest.mark.parametrize("form", ["table", "chunks", "batch"])
def test_each_hour_has_the_profile_of_its_own_rows(baseline: Baseline, hours: Any, form: str) -> None:  # noqa: ANN401
    count = _HOURS_TOGETHER * 2 + 300
    table = rows(count, 2)
    when = hours(count, np.random.default_rng(3))
    data = {"table": table, "chunks": pa.concat_tables([table.slice(0, 33), table.slice(33)])}
    found = profile_by_hour(baseline, data.get(form, table.to_batches()[0]), when)
    assert list(found) == sorted(set(when.tolist()))
    for hour, profile in found.items():
        assert_like(profile, profile_rows(baseline, table.filter(pa.array(when == hour))))


def test_hours_with_many_rows_are_counted_like_those_with_few(baseline: Baseline) -> None:
    table = rows(3 * _BULK_ROWS, 4)
    when = np.repeat([3, 1, 2], _BULK_ROWS)
    found = profile_by_hour(baseline, table, when)
    for place, hour in enumerate((3, 1, 2)):
        assert_like(found[hour], profile_rows(baseline, table.slice(place * _BULK_ROWS, _BULK_ROWS)))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_text_of_any_type_may_come_out_of_order(kind: pa.DataType) -> None:
    table = pa.table({"c": pa.array(["a", "b", None, "a"]).cast(kind)})
    baseline = build_baseline(table, {"c": FeatureKind.CATEGORICAL})
    found = profile_by_hour(baseline, table, [5, 4, 5, 4])
    assert {hour: profile.counts.tolist() for hour, profile in found.items()} == {
        4: [1, 1, 0, 0, 0],
        5: [1, 0, 0, 0, 1],
    }


@pytest.mark.parametrize("now", ["f4", "f8"])
@pytest.mark.parametrize("then", ["f4", "f8"])
def test_a_tenth_is_a_tenth_in_either_precision_hour_by_hour(then: str, now: str) -> None:
    values = np.repeat(np.arange(10) / 10, 20)
    baseline = build_baseline(pa.table({"x": values.astype(then)}), {"x": FeatureKind.NUMERICAL})
    (profile,) = profile_by_hour(baseline, pa.table({"x": values.astype(now)}), np.zeros(200, np.int64)).values()
    assert np.array_equal(profile.counts, baseline.reference.counts)


def test_no_rows_are_no_hours(baseline: Baseline) -> None:
    assert profile_by_hour(baseline, rows(0, 1), []) == {}


@pytest.mark.parametrize("count", [0, 3])
def test_a_missing_column_is_refused_with_and_without_rows(baseline: Baseline, count: int) -> None:
    with pytest.raises(ProfileError, match="feature x: found no such column"):
        profile_by_hour(baseline, rows(count, 1).drop_columns("x"), [1] * count)


def test_hours_that_are_not_one_per_row_are_refused(baseline: Baseline) -> None:
    with pytest.raises(ProfileError, match=r"hours: found shape \(2,\), expected \(3,\)"):
        profile_by_hour(baseline, rows(3, 1), [1, 2])


@pytest.mark.parametrize("hours", [[1.5, 2.0], [math.nan, 1.0], ["a", "b"]])
def test_hours_that_are_no_whole_numbers_are_refused(baseline: Baseline, hours: list[Any]) -> None:
    with pytest.raises(ProfileError, match="hours: found"):
        profile_by_hour(baseline, rows(2, 1), hours)


def test_values_near_the_largest_float_have_a_profile_by_hour_too() -> None:
    largest = float(np.finfo(np.float64).max)
    table = pa.table({"x": [largest, largest, -largest, 1.0]})
    baseline = build_baseline(table, {"x": FeatureKind.NUMERICAL})
    (profile,) = profile_by_hour(baseline, table, [1, 1, 1, 1]).values()
    assert np.array_equal(profile.counts, baseline.reference.counts)
