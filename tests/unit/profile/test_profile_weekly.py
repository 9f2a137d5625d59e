"""A reference by the hour of the week."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import (
    Baseline,
    Binning,
    FeatureKind,
    WeeklyCounts,
    build_baseline,
    compare_profiles,
    count_weekly,
    profile_rows,
)
from vernal.profile.weekly import HOURS

KINDS = {"x": FeatureKind.NUMERICAL, "rare": FeatureKind.CATEGORICAL, "c": FeatureKind.CATEGORICAL}
ROWS = 6_000


def made(seed: int = 1) -> tuple[pa.Table, np.ndarray]:
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.integers(480_000, 480_000 + 5 * HOURS, ROWS))
    x = rng.normal(size=ROWS) + 2 * np.sin(2 * np.pi * hours / 24)
    table = pa.table(
        {
            "x": pa.array(np.where(rng.random(ROWS) < 0.05, np.nan, x)),
            "rare": pa.array([f"id-{value}" for value in rng.zipf(1.3, ROWS).tolist()]),
            "c": pa.array([None if value == 0 else "ab"[value % 2] for value in rng.integers(0, 9, ROWS).tolist()]),
        }
    )
    return table, hours


TABLE, WHEN = made()
BASELINE = build_baseline(TABLE, KINDS)
BINNING = Binning.of(BASELINE)
WEEKLY = count_weekly(BASELINE, TABLE, WHEN)


def test_all_hours_of_the_week_together_are_the_reference() -> None:
    assert BASELINE.grids[1].split  # type: ignore[union-attr]
    everything = WEEKLY.of_hours(range(HOURS), BASELINE, BINNING)
    assert everything.rows == ROWS
    assert BINNING.binned(everything).tolist() == BINNING.binned(BASELINE.reference).tolist()


def test_some_hours_are_the_rows_of_these_hours() -> None:
    wanted = np.isin(WHEN % HOURS, (np.arange(30, 54) + 480_000) % HOURS)
    expected = profile_rows(BASELINE, TABLE.filter(pa.array(wanted)))
    found = WEEKLY.of_hours(range(480_030, 480_054), BASELINE, BINNING)
    assert found.rows == int(wanted.sum())
    width = BASELINE.grids[0].width
    bins = BINNING.bins[: BINNING.bin_starts[1]]
    assert (
        np.add.reduceat(found.counts[:width], bins).tolist() == np.add.reduceat(expected.counts[:width], bins).tolist()
    )
    assert BASELINE.cells(found, "c").tolist() == BASELINE.cells(expected, "c").tolist()


def test_a_day_is_like_the_same_hours_and_unlike_the_whole_week() -> None:
    night = TABLE.filter(pa.array((WHEN % 24) < 6))
    now = profile_rows(BASELINE, night)
    hours = [hour for hour in range(HOURS) if hour % 24 < 6]
    same = WEEKLY.of_hours(hours, BASELINE, BINNING)
    against_all = compare_profiles(BASELINE, BASELINE.reference, now)[0].psi
    against_same = compare_profiles(BASELINE, same, now)[0].psi
    assert against_all is not None
    assert against_same is not None
    assert against_all.score > 0.5
    assert against_same.score == 0.0


def test_the_order_of_rows_does_not_matter_to_features_without_rare_categories() -> None:
    order = np.random.default_rng(2).permutation(ROWS)
    some = TABLE.select(["x", "c"])
    baseline = build_baseline(some, {name: KINDS[name] for name in ("x", "c")})
    there = count_weekly(baseline, some, WHEN)
    here = count_weekly(baseline, some.take(pa.array(order)), WHEN[order])
    assert (there.counts == here.counts).all()


def test_features_that_the_rows_lack_have_none() -> None:
    weekly = count_weekly(BASELINE, TABLE.select(["x"]), WHEN)
    everything = weekly.of_hours(range(HOURS), BASELINE, BINNING)
    assert int(BASELINE.cells(everything, "c").sum()) == 0
    assert int(BASELINE.cells(everything, "x").sum()) == ROWS


def test_it_survives_being_stored() -> None:
    data = WEEKLY.to_bytes()
    back = WeeklyCounts.from_bytes(data)
    assert back.grid_id == WEEKLY.grid_id
    assert (back.counts == WEEKLY.counts).all()
    assert (back.rows == WEEKLY.rows).all()
    with pytest.raises(ProfileError, match=r"hours of the week|counts by hour"):
        WeeklyCounts.from_bytes(data[:-4])


def test_another_baseline_is_refused() -> None:
    table, _ = made(3)
    other = build_baseline(table, KINDS)
    assert isinstance(other, Baseline)
    with pytest.raises(ProfileError, match="expected that of"):
        WEEKLY.of_hours([1], other, Binning.of(other))


def test_hours_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ProfileError, match="one per row"):
        count_weekly(BASELINE, TABLE, WHEN[:-1])
