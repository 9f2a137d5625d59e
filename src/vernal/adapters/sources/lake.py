"""The embedded lake with the user's own tables in place of some of its tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vernal.adapters.sources.table import count_hours
from vernal.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from vernal.adapters.sources.table import Table
    from vernal.ports import CountedHours, Lake, NewRows
    from vernal.profile import Baseline


class SourcedLake:
    """Reads what the user keeps elsewhere from there; everything else, and all writing, is the embedded lake's.

    Parameters
    ----------
    embedded
        The lake that Vernal writes to.
    tables
        The user's tables by model and kind.
    """

    def __init__(self, embedded: Lake, tables: Mapping[tuple[str, str], Table]) -> None:
        self._embedded = embedded
        self._tables = tables

    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        """Append rows to the embedded lake; the user's own tables are only read.

        Raises
        ------
        LakeError
            If the rows are of a kind that is read from the user's table.
        """
        table = self._tables.get((model, kind))
        if table is not None:
            raise LakeError(
                f"{model}: was handed {kind} to store, but {table.layout.subject} is where they are read from",
                hint=f"Write them there; or take `{kind}` out of `source` in the model file, to keep them in the lake.",
            )
        return self._embedded.append(model, kind, rows, writer=writer, sequence=sequence)

    def last_sequence(self, model: str, kind: str, writer: str) -> int | None:
        """Return the sequence of a writer's last batch in the embedded lake."""
        return self._embedded.last_sequence(model, kind, writer)

    def version(self, model: str, kind: str) -> int | None:
        """Return how far a table is: Delta's version, or a time of receipt in microseconds."""
        table = self._tables.get((model, kind))
        return self._embedded.version(model, kind) if table is None else table.version()

    def scan(
        self,
        model: str,
        kind: str,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows whose ``event_time`` lies in ``[start, end)``, by event time and then by id.

        Rows that the checks on arrival would refuse are left out. Labels without an event time are taken by their
        arrival.
        """
        table = self._tables.get((model, kind))
        if table is None:
            return self._embedded.scan(model, kind, columns=columns, start=start, end=end, version=version)
        return table.scan(columns=columns, start=start, end=end, version=version)

    def since(
        self, model: str, kind: str, version: int | None, *, columns: Sequence[str] | None = None
    ) -> NewRows | None:
        """Return the rows that came after a version."""
        table = self._tables.get((model, kind))
        if table is None:
            return self._embedded.since(model, kind, version, columns=columns)
        return table.since(version, columns=columns)

    def count_hours(
        self, model: str, baseline: Baseline, *, since: int | None, start: datetime, end: datetime
    ) -> CountedHours | None:
        """Return every hour of the user's table that has changed, counted as a whole."""
        table = self._tables.get((model, "predictions"))
        if table is None:
            return self._embedded.count_hours(model, baseline, since=since, start=start, end=end)
        return count_hours(table, baseline, since=since, start=start, end=end)

    def left_out(self, model: str, *, since: int) -> Mapping[str, int]:
        """Return how many predictions that came since a version cannot be used, by the rule that they break."""
        table = self._tables.get((model, "predictions"))
        if table is None:
            return self._embedded.left_out(model, since=since)
        return Counter(rule for rows in table.arrived(since) for rule in table.layout.refused(rows))

    def inbox(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that clients have left for the embedded lake."""
        return self._embedded.inbox(model)

    def discard(self, segment: Path) -> None:
        """Remove a segment that has been appended."""
        self._embedded.discard(segment)

    def set_aside(self, segment: Path) -> None:
        """Take a segment that cannot be read out of the inbox and keep it."""
        self._embedded.set_aside(segment)

    def set_aside_segments(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that were set aside."""
        return self._embedded.set_aside_segments(model)


__all__ = ["SourcedLake"]
