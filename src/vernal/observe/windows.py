"""Hourly profiles: one pass over new rows, merged into windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vernal.observe.columns import HOUR, micros
from vernal.profile import Baseline, FeatureKind, Profile, merge_all, profile_by_hour
from vernal.records import Predictions

if TYPE_CHECKING:
    import pyarrow as pa

    from vernal.ports import Lake, StateStore
    from vernal.spec import ModelSpec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(NamedTuple):
    """Hours that new rows fell into, each merged with what was stored, and how far the lake is profiled now."""

    profiles: dict[datetime, Profile]
    new_rows: int
    version: int | None


def profile_new_rows(
    lake: Lake,
    store: StateStore,
    spec: ModelSpec,
    *,
    baseline_version: str,
    baseline: Baseline,
    since: int | None,
    now: datetime,
) -> Hours:
    """Profile the rows that arrived since a lake version, by the hour they belong to.

    With ``since=None`` (a new baseline means a new grid) the drift window is counted again from the lake.
    """
    columns = (Predictions.EVENT_TIME, *spec.features.names)
    if since is None:
        version = lake.version(spec.model, "predictions")
        rows = lake.scan(
            spec.model, "predictions", columns=columns, start=now - window_of(spec), end=now, version=version
        )
    else:
        added = lake.since(spec.model, "predictions", since, columns=columns)
        if added is None:
            return Hours({}, 0, since)
        rows, version = added
    if not rows.num_rows:
        return Hours({}, 0, version)
    fresh = {EPOCH + timedelta(hours=hour): part for hour, part in _by_hour(rows, baseline).items()}
    if since is not None:
        stored = store.hour_profiles(
            spec.model, baseline_version, start=min(fresh), end=max(fresh) + timedelta(hours=1)
        )
        for hour in stored:
            if hour.hour in fresh:
                fresh[hour.hour] = fresh[hour.hour].merge(Profile.from_bytes(hour.data))
    return Hours(fresh, rows.num_rows, version)


def window_profile(
    store: StateStore,
    model: str,
    *,
    baseline_version: str,
    baseline: Baseline,
    hours: dict[datetime, Profile],
    start: datetime,
    end: datetime,
) -> Profile:
    """Merge the hours that begin in ``[start, end)``: the stored ones and those of this check in their place."""
    stored = store.hour_profiles(model, baseline_version, start=start, end=end)
    blobs = [hour.data for hour in stored if hour.hour not in hours]
    blobs += [profile.to_bytes() for hour, profile in hours.items() if start <= hour < end]
    return merge_all(baseline, blobs)


def feature_kinds(spec: ModelSpec) -> dict[str, FeatureKind]:
    """Return how each feature of a model is profiled."""
    return {name: FeatureKind(kind) for name, kind in spec.features.kinds.items()}


def window_of(spec: ModelSpec) -> timedelta:
    """Return the drift window of a model; a week when drift does not trigger anything."""
    return spec.triggers.drift.window if spec.triggers.drift is not None else timedelta(days=7)


def _by_hour(rows: pa.Table, baseline: Baseline) -> dict[int, Profile]:
    hours = micros(rows[Predictions.EVENT_TIME]) // HOUR
    return profile_by_hour(baseline, rows, hours)
