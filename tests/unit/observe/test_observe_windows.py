"""Windows roll on from check to check and stay what a merge of their hours would be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from typing_extensions import override

from vernal.adapters.state import open_store
from vernal.observe.windows import EPOCH, Hours, Roller, Window, hours_of
from vernal.profile import FeatureKind, Profile, build_baseline, merge_all, profile_rows
from vernal.records import CheckCommit, Lease

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy.typing as npt

    from vernal.adapters.state.store import SqlStateStore

HOUR = timedelta(hours=1)
START = EPOCH + 480_000 * HOUR
SHORT, LONG = 3 * HOUR, 10 * HOUR
LEASE = Lease(owner="tests", duration=timedelta(minutes=5))


@pytest.fixture
def store() -> Iterator[SqlStateStore]:
    opened = open_store("sqlite://", project="p")
    opened.sync_models(["m"], now=START)
    yield opened
    opened.close()


def table(values: npt.ArrayLike) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.float64())})


BASELINE = build_baseline(table(np.linspace(-3, 3, 500)), {"x": FeatureKind.NUMERICAL})


class Watch:
    """Checks of one model, and beside them everything that was ever counted."""

    def __init__(self, store: SqlStateStore, *, version: str = "1") -> None:
        self.store, self.version = store, version
        self.counted: dict[datetime, Profile] = {}
        self.merges = 0

    def check(self, now: datetime, values: dict[datetime, list[float]]) -> list[Window]:
        added = {hour: profile_rows(BASELINE, table(rows)) for hour, rows in values.items()}
        for hour, part in added.items():
            self.counted[hour] = self.counted[hour].merge(part) if hour in self.counted else part
        hours = Hours(added, {hour: self.counted[hour] for hour in added}, sum(map(len, values.values())), 1)
        stored = {window.hours: window for window in self.store.windows("m", "running")}
        roller = Counting(self.store, "m", baseline=BASELINE, baseline_version=self.version, stored=stored, hours=hours)
        windows = [roller.roll(length, now=now) for length in (SHORT, LONG)]
        self.merges += roller.merges
        state = self.store.claim_check(["m"], lease=LEASE, now=START + 1000 * HOUR)
        assert state is not None
        commit = CheckCommit(
            at=now,
            next_check_at=START,
            profiled_version=1,
            cron_at=None,
            baseline_version=self.version,
            hours={hour: profile.to_bytes() for hour, profile in hours.profiles.items()},
            windows=tuple(window.stored(self.version) for window in windows),
        )
        self.store.commit_check(state, commit)
        return windows

    def rows_of(self, length: timedelta, now: datetime) -> Profile:
        inside = [part for hour, part in self.counted.items() if now - length <= hour < now]
        return merge_all(BASELINE, [part.to_bytes() for part in inside])


class Counting(Roller):
    """Notes how often a window had to be merged from its hours."""

    merges = 0

    @override
    def _merged(self, first: datetime, until: datetime) -> Profile:
        self.merges += 1
        return super()._merged(first, until)


def agree(windows: list[Window], watch: Watch, now: datetime) -> None:
    for window, length in zip(windows, (SHORT, LONG), strict=True):
        expected = watch.rows_of(length, now)
        assert (window.profile.rows, window.profile.counts.tolist()) == (expected.rows, expected.counts.tolist())
        assert window.length == length


def test_hour_by_hour_a_window_takes_in_the_new_one_and_lets_go_of_the_last(store: SqlStateStore) -> None:
    watch = Watch(store)
    for step in range(30):
        now = START + step * HOUR
        agree(watch.check(now, {now - HOUR: [step / 10.0, -1.0]}), watch, now)
    assert watch.merges == 2  # the first check had nothing to go on from


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_late_early_or_not_at_all_a_window_is_the_rows_of_its_hours(
    store: SqlStateStore, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    watch, now = Watch(store), START
    for _ in range(25):
        now += timedelta(minutes=int(rng.choice([0, 7, 60, 60, 60, 180, 700, -120])))
        this = EPOCH + ((now - EPOCH) // HOUR) * HOUR
        offsets = rng.integers(-14, 2, size=rng.integers(0, 4)).tolist()
        values = {this + offset * HOUR: rng.normal(size=rng.integers(1, 5)).tolist() for offset in offsets}
        agree(watch.check(now, values), watch, now)


def test_a_clock_that_goes_back_gets_the_window_of_then(store: SqlStateStore) -> None:
    watch = Watch(store)
    for step in range(12):
        watch.check(START + step * HOUR, {START + (step - 1) * HOUR: [float(step)]})
    back = START + 5 * HOUR
    agree(watch.check(back, {}), watch, back)


def test_a_damaged_window_is_merged_from_its_hours_again(store: SqlStateStore) -> None:
    watch = Watch(store)
    for step in range(12):
        watch.check(START + step * HOUR, {START + (step - 1) * HOUR: [float(step)]})
    stored = store.windows("m", "running")
    state = store.claim_check(["m"], lease=LEASE, now=START)
    assert state is not None
    broken = tuple(window.evolve(data=window.data[:-3]) for window in stored)
    store.commit_check(
        state,
        CheckCommit(
            at=START,
            next_check_at=START - HOUR,
            profiled_version=1,
            cron_at=None,
            baseline_version=None,
            windows=broken,
        ),
    )
    agree(watch.check(START + 12 * HOUR, {}), watch, START + 12 * HOUR)


def test_another_baseline_starts_its_windows_afresh(store: SqlStateStore) -> None:
    watch = Watch(store)
    for step in range(5):
        watch.check(START + step * HOUR, {START + (step - 1) * HOUR: [float(step)]})
    later = Watch(store, version="2")
    now = START + 5 * HOUR
    agree(later.check(now, {now - HOUR: [1.0]}), later, now)
    assert later.merges == 2


def test_a_stored_window_is_told_by_its_hours(store: SqlStateStore) -> None:
    windows = Watch(store).check(START, {START - HOUR: [0.5]})
    assert [window.stored("1").hours for window in windows] == [hours_of(SHORT), hours_of(LONG)] == [3, 10]
