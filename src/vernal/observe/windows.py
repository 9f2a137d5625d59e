"""Hourly profiles: one pass over new rows, and windows that roll on by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vernal.errors import ProfileError
from vernal.observe.columns import HOUR, micros
from vernal.observe.reference import ANSWER_COLUMNS, answers_on
from vernal.profile import Baseline, Profile, Reference, empty_profile, merge_all, profile_by_hour
from vernal.records import Predictions, WindowProfile
from vernal.spec import DriftTrigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from vernal.ports import CountedHours, Lake, StateStore
    from vernal.spec import ModelSpec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

KEPT = timedelta(days=2)
"""How long hourly profiles are kept beyond the longest window, for rows that come late and clocks that go back."""


class Held(NamedTuple):
    """What production is held against: a version's reference, and the baseline that its hours are counted on."""

    version: str
    reference: Reference
    joint: Baseline


class Hours(NamedTuple):
    """What new rows add to the hours they fell into, those hours as they are now, and how far the lake is profiled."""

    added: dict[datetime, Profile]
    profiles: dict[datetime, Profile]
    new_rows: int
    version: int | None


class Window(NamedTuple):
    """The rows of a window of whole hours, those that begin in ``[first, until)``."""

    length: timedelta
    first: datetime
    until: datetime
    profile: Profile

    def stored(self, baseline_version: str) -> WindowProfile:
        """Return the window as the store keeps it for the next check."""
        return WindowProfile(
            hours=hours_of(self.length),
            baseline_version=baseline_version,
            first=self.first,
            until=self.until,
            data=self.profile.to_bytes(),
        )


def profile_new_rows(
    lake: Lake,
    store: StateStore,
    spec: ModelSpec,
    *,
    held: Held,
    since: int | None,
    now: datetime,
) -> Hours:
    """Profile the rows that arrived since a lake version, by the hour they belong to.

    With ``since=None`` (a new baseline means a new grid) the longest window is counted again from the lake.
    """
    start = now - max(lengths_of(spec))
    counted = lake.count_hours(spec.model, held.reference.features, since=since, start=start, end=now)
    if counted is not None:
        answers = _answers_in(lake, spec, held, counted.profiles)
        profiles = {
            hour: held.reference.join(part, answers.get(hour), joint=held.joint)
            for hour, part in counted.profiles.items()
        }
        return _replaced(store, spec.model, held.version, counted._replace(profiles=profiles))
    answered = () if held.reference.answers is None else ANSWER_COLUMNS
    columns = (Predictions.EVENT_TIME, *answered, *spec.features.names)
    if since is None:
        version = lake.version(spec.model, "predictions")
        rows = lake.scan(spec.model, "predictions", columns=columns, start=start, end=now, version=version)
    else:
        added = lake.since(spec.model, "predictions", since, columns=columns)
        if added is None:
            return Hours({}, {}, 0, since)
        rows, version = added
    if not rows.num_rows:
        return Hours({}, {}, 0, version)
    fresh = {EPOCH + timedelta(hours=hour): part for hour, part in _by_hour(spec, rows, held).items()}
    merged = dict(fresh)
    if since is not None:
        stored = store.hour_profiles(spec.model, held.version, start=min(fresh), end=max(fresh) + timedelta(hours=1))
        for hour in stored:
            if hour.hour in fresh:
                merged[hour.hour] = fresh[hour.hour].merge(Profile.from_bytes(hour.data))
    return Hours(fresh, merged, rows.num_rows, version)


def _answers_in(lake: Lake, spec: ModelSpec, held: Held, hours: Iterable[datetime]) -> dict[datetime, Profile]:
    """Count what the version answered in some hours, whose rows are fetched a day at a time at the most."""
    if held.reference.answers is None:
        return {}
    found: dict[datetime, Profile] = {}
    wanted = set(hours)
    for day in sorted({hour.replace(hour=0) for hour in wanted}):
        inside = [hour for hour in wanted if day <= hour < day + timedelta(days=1)]
        first, until = min(inside), max(inside) + timedelta(hours=1)
        columns = (Predictions.EVENT_TIME, *ANSWER_COLUMNS)
        rows = lake.scan(spec.model, "predictions", columns=columns, start=first, end=until)
        answered, asked = answers_on(spec, rows, held.version)
        by_hour = profile_by_hour(
            held.reference.answers, answered, (micros(rows[Predictions.EVENT_TIME]) // HOUR)[asked]
        )
        found |= {EPOCH + timedelta(hours=hour): part for hour, part in by_hour.items()}
    return {hour: part for hour, part in found.items() if hour in wanted}


def _replaced(store: StateStore, model: str, baseline_version: str, counted: CountedHours) -> Hours:
    """Return hours that were counted as a whole; what they add to those stored may be less than nothing."""
    profiles, version = counted
    if not profiles:
        return Hours({}, {}, 0, version)
    stored = store.hour_profiles(model, baseline_version, start=min(profiles), end=max(profiles) + timedelta(hours=1))
    before = {hour.hour: Profile.from_bytes(hour.data) for hour in stored if hour.hour in profiles}
    changed = {hour: now for hour, now in profiles.items() if now != before.get(hour) and (now.rows or hour in before)}
    added = {hour: _difference(now, before.get(hour)) for hour, now in changed.items()}
    return Hours(added, changed, sum(max(0, part.rows) for part in added.values()), version)


def _difference(now: Profile, before: Profile | None) -> Profile:
    if before is None:
        return now
    return Profile(grid_id=now.grid_id, rows=now.rows - before.rows, counts=now.counts - before.counts, moments=None)


class Roller:
    """Moves windows on from where the last check left them.

    A window that goes on takes in what is new and lets go of the hours that have passed out of it, exactly, since
    counts are whole numbers: its cost does not depend on its length. It is merged from its hours instead when there is
    none to go on from, and when the clock went back.

    Parameters
    ----------
    stored
        The running windows of the last check, by their hours.
    hours
        What this check has counted.
    """

    def __init__(
        self,
        store: StateStore,
        model: str,
        *,
        baseline: Baseline,
        baseline_version: str,
        stored: Mapping[int, WindowProfile],
        hours: Hours,
    ) -> None:
        self._store, self._model = store, model
        self._baseline, self._baseline_version = baseline, baseline_version
        self._stored = stored
        self._hours = hours

    def roll(self, length: timedelta, *, now: datetime) -> Window:
        """Return the window of the hours that begin in ``[now - length, now)``, without moments."""
        first, until = _ceil(now - length), _ceil(now)
        profile = self._gone_on(self._stored.get(hours_of(length)), first, until)
        if profile is None:
            profile = self._merged(first, until)
        return Window(length, first, until, profile)

    def _gone_on(self, last: WindowProfile | None, first: datetime, until: datetime) -> Profile | None:
        if last is None or last.baseline_version != self._baseline_version:
            return None
        if not last.first <= first < last.until <= until:
            return None
        try:
            profile = Profile.from_bytes(last.data)
            self._baseline.check(profile)
            for gone in self._kept(last.first, first):
                profile = profile.subtract(gone)
        except ProfileError:  # damaged, or of hours that were forgotten meanwhile: the hours tell the truth
            return None
        for come in self._kept(last.until, until):
            profile = profile.merge(come)
        for hour, part in self._hours.added.items():
            if first <= hour < until:
                profile = profile.merge(part)
        return profile

    def _kept(self, first: datetime, until: datetime) -> list[Profile]:
        """Return the hours in ``[first, until)`` as they were stored before this check."""
        if first >= until:
            return []
        stored = self._store.hour_profiles(self._model, self._baseline_version, start=first, end=until)
        return [Profile.from_bytes(hour.data) for hour in stored]

    def _merged(self, first: datetime, until: datetime) -> Profile:
        stored = self._store.hour_profiles(self._model, self._baseline_version, start=first, end=until)
        blobs = [hour.data for hour in stored if hour.hour not in self._hours.profiles]
        blobs += [part.to_bytes() for hour, part in self._hours.profiles.items() if first <= hour < until]
        merged = merge_all(self._baseline, blobs)
        return merged.subtract(empty_profile(self._baseline))


def lengths_of(spec: ModelSpec) -> tuple[timedelta, ...]:
    """Return the lengths of a model's drift windows, the longest last; the default ones when drift triggers nothing."""
    return DriftTrigger().windows if spec.triggers.drift is None else spec.triggers.drift.windows


def hours_of(length: timedelta) -> int:
    """Return a length in whole hours."""
    return length // timedelta(hours=1)


def _ceil(moment: datetime) -> datetime:
    """Return the first full hour at or after a moment."""
    return EPOCH - timedelta(hours=(EPOCH - moment) // timedelta(hours=1))


def _by_hour(spec: ModelSpec, rows: pa.Table, held: Held) -> dict[int, Profile]:
    reference, hours = held.reference, micros(rows[Predictions.EVENT_TIME]) // HOUR
    features = profile_by_hour(reference.features, rows.select(list(reference.features.features)), hours)
    answers: dict[int, Profile] = {}
    if reference.answers is not None:
        answered, asked = answers_on(spec, rows, held.version)
        answers = profile_by_hour(reference.answers, answered, hours[asked])
    return {hour: reference.join(part, answers.get(hour), joint=held.joint) for hour, part in features.items()}
