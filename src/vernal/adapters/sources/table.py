"""What every table of the user's can do, whatever holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from vernal.observe.columns import HOUR, to_micros
from vernal.ports import CountedHours
from vernal.profile import empty_profile, profile_by_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from vernal.adapters.sources.layout import Layout
    from vernal.ports import NewRows
    from vernal.profile import Baseline, Profile

_HOURS_TOGETHER: Final = 24
"""Hours whose rows are held in memory together."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Table(Protocol):
    """A table of the user's, read under Vernal's names; times are in microseconds since the epoch, hours in hours."""

    layout: Layout

    def version(self) -> int | None:
        """Return how far the table is; ``None`` while it has no rows."""
        ...

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows in canonical form by event time, as of a version."""
        ...

    def since(self, version: int | None, *, columns: Sequence[str] | None = None) -> NewRows | None:
        """Return rows that came after a version."""
        ...

    def arrived(self, since: int) -> Iterator[pa.Table]:
        """Yield the rows that came after a version, as they are, with what says who answered what."""
        ...

    def touched(self, since: int, until: int) -> Iterable[int] | None:
        """Return the hours that may have changed between two versions; ``None`` if that cannot be told any more."""
        ...

    def hours(self, baseline: Baseline, first: int, end: int) -> dict[int, Profile]:
        """Return the profile of every hour in ``[first, end)`` that has rows, counted as a whole."""
        ...

    def sample(self, rows: int) -> pa.Table:
        """Return at most so many rows as they are, under Vernal's names."""
        ...

    def columns_found(self) -> dict[str, str]:
        """Return the user's columns and their types, in the user's words."""
        ...


def count_hours(table: Table, baseline: Baseline, *, since: int | None, start: datetime, end: datetime) -> CountedHours:
    """Count the hours of ``[start, end)`` that have changed since a version, each as a whole.

    Whatever a source delivers twice, late or out of order is so counted once: an hour's profile is what the table holds
    now, not what was seen to arrive.
    """
    version = table.version()
    if version is None:
        return CountedHours({}, since)
    first, last = to_micros(start) // HOUR, -(-to_micros(end) // HOUR)
    changed = None if since is None else table.touched(since, version)
    hours = range(first, last) if changed is None else sorted(hour for hour in set(changed) if first <= hour < last)
    counted: dict[int, Profile] = {}
    for begin, stop in _runs(hours):
        counted |= table.hours(baseline, begin, stop)
    if since is not None:  # hours that were counted before may have lost all their rows
        counted |= {hour: empty_profile(baseline) for hour in hours if hour not in counted}
        version = max(version, since) if changed is not None else version
    return CountedHours({EPOCH + timedelta(hours=hour): counted[hour] for hour in sorted(counted)}, version)


def profiled(layout: Layout, raw: pa.Table, baseline: Baseline, first: int, end: int) -> dict[int, Profile]:
    """Count fetched rows, which may be more than those of the hours asked for."""
    from vernal.observe.columns import keep

    rows, moments = layout.countable(raw, baseline.features)
    hours = moments // HOUR
    inside = (hours >= first) & (hours < end)
    return profile_by_hour(baseline, keep(rows, inside), hours[inside])


def moment(hour: int) -> datetime:
    """Return the start of an hour."""
    return EPOCH + timedelta(hours=hour)


def _runs(hours: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield ``(first, end)`` of consecutive hours, of a day at the most."""
    begin = previous = None
    for hour in hours:
        if begin is None or previous is None or hour != previous + 1 or hour - begin >= _HOURS_TOGETHER:
            if begin is not None and previous is not None:
                yield begin, previous + 1
            begin = hour
        previous = hour
    if begin is not None and previous is not None:
        yield begin, previous + 1
