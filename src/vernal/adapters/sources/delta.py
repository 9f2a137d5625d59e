"""A Delta table that the user's own jobs write."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.adapters.sources.layout import hours_in
from vernal.adapters.sources.ordering import between, in_order, nothing, with_order
from vernal.adapters.sources.table import moment, profiled
from vernal.adapters.sources.times import utc_micros
from vernal.errors import LakeError
from vernal.ports import NewRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deltalake import DeltaTable

    from vernal.adapters.sources.layout import Layout
    from vernal.profile import Baseline, Profile

_ZONES: Final = timedelta(days=1)
"""More than any zone is away from UTC."""


class DeltaFolder:
    """A Delta table, local; its version is Delta's own.

    What changed between two versions are the files that one has and the other has not, so rows that were updated,
    merged or deleted are seen as well, as long as both versions can be read.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._root = Path(layout.table.place)

    def version(self) -> int | None:
        """Return Delta's version."""
        return int(self._at(None).version())

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows in canonical form by event time, as of a version."""
        handle = self._at(version)
        located = self.layout.located(_types(handle))
        names = self.layout.needed_for(columns, located)
        return self._canonical(self._fetch(handle, located, names, start, end), columns, start, end)

    def since(self, version: int | None, *, columns: Sequence[str] | None = None) -> NewRows | None:
        """Return the rows of the files that were added after a version; all rows for ``None``."""
        handle = self._at(None)
        located = self.layout.located(_types(handle))
        names = self.layout.needed_for(columns, located)
        if version is None:
            raw = self._fetch(handle, located, names, None, None)
            return NewRows(self._canonical(raw, columns, None, None), int(handle.version()))
        fresh = sorted(_files(handle) - _files(self._at(version)))
        parts = [self._read(path, located, names) for path in fresh]
        raw = pa.concat_tables(parts, promote_options="permissive") if parts else None
        return NewRows(self._canonical(raw, columns, None, None), int(handle.version()))

    def arrived(self, since: int) -> Iterator[pa.Table]:
        """Yield the rows of the files that were added after a version, as they are; none if it is gone."""
        handle = self._at(None)
        located = self.layout.located(_types(handle))
        try:
            for path in sorted(_files(handle) - _files(self._at(since))):
                yield self._read(path, located, self.layout.needed_for((), located))
        except _GoneError:
            return

    def touched(self, since: int, until: int) -> list[int] | None:
        """Return the hours of all files that only one of two versions has, ``None`` if one cannot be read any more."""
        try:
            before, after = self._at(since), self._at(until)
            if since > int(after.version()):
                return None
            located = self.layout.located(_types(after))
            found: set[int] = set()
            for path in sorted(_files(before) ^ _files(after)):
                raw = self._read(path, located, [self.layout.event_time])
                column = raw[self.layout.event_time].combine_chunks()
                moments, valid = utc_micros(column, self.layout.zone, subject=path)
                found.update(hours_in(moments[valid]))
        except (_GoneError, FileNotFoundError):
            return None
        return sorted(found)

    def hours(self, baseline: Baseline, first: int, end: int) -> dict[int, Profile]:
        """Return the profile of every hour in ``[first, end)`` that has rows."""
        handle = self._at(None)
        located = self.layout.located(_types(handle))
        names = [self.layout.event_time, *baseline.features]
        raw = self._fetch(handle, located, names, moment(first), moment(end))
        return profiled(self.layout, raw, baseline, first, end)

    def columns_found(self) -> dict[str, str]:
        """Return the table's columns and their types."""
        return {name: str(kind) for name, kind in _types(self._at(None)).items()}

    def sample(self, rows: int) -> pa.Table:
        """Return some rows as they are, under Vernal's names."""
        handle = self._at(None)
        located = self.layout.located(_types(handle))
        names = self.layout.needed_for(None, located)
        for path in sorted(_files(handle)):
            try:
                return self._read(path, located, names).slice(0, rows)
            except _GoneError:
                break
        return self._fetch(handle, located, names, None, None).slice(0, rows)

    def _canonical(
        self, raw: pa.Table | None, columns: Sequence[str] | None, start: datetime | None, end: datetime | None
    ) -> pa.Table:
        rows = nothing(self.layout) if raw is None else self.layout.canonical(raw)
        rows = self.layout.selected(rows, with_order(self.layout, columns))
        return in_order(between(rows, self.layout, start, end), self.layout, columns)

    def _fetch(
        self,
        handle: DeltaTable,
        located: dict[str, str],
        names: Sequence[str],
        start: datetime | None,
        end: datetime | None,
    ) -> pa.Table:
        """Return columns under Vernal's names, at least the rows between two moments."""
        time = located.get(self.layout.event_time, located.get(self.layout.came_time, ""))
        theirs = sorted({located[name] for name in names})
        with self._explained():
            reader = handle.scan(columns=theirs, predicate=_between(_types(handle).get(time), time, start, end))
            # pa.table(reader) would do, but imports pandas when it is installed.
            rows = pa.RecordBatchReader.from_stream(reader).read_all()
        return pa.Table.from_arrays([_plain(rows[located[name]]) for name in names], names=list(names))

    def _read(self, path: str, located: dict[str, str], names: Sequence[str]) -> pa.Table:
        """Return columns of one data file; raises ``_GoneError`` if it does not hold them under their names."""
        try:
            with pq.ParquetFile(self._root / path, pre_buffer=False) as file:
                theirs = [located[name] for name in names]
                if not set(theirs) <= set(file.schema_arrow.names):  # a partition, or columns that were renamed
                    raise _GoneError(f"{self.layout.subject}: {path} does not hold {', '.join(theirs)} itself")
                rows = file.read(columns=sorted(set(theirs)), use_threads=False)
        except FileNotFoundError as error:
            raise _GoneError(f"{self.layout.subject}: {path} was vacuumed") from error
        except (OSError, pa.ArrowException) as error:
            raise LakeError(f"{self.layout.subject}: cannot read {path}: {error}") from error
        return pa.Table.from_arrays([rows[name] for name in theirs], names=list(names))

    def _at(self, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self._root, version=version)
        except TableNotFoundError as error:
            raise LakeError(
                f"{self.layout.subject}: found no Delta table at {self._root}",
                hint=f"Correct source.{self.layout.kind}.folder; a folder of plain Parquet files is of kind parquet.",
            ) from error
        except Exception as error:  # the engine raises plain Exception for some of its own errors
            if version is not None:
                raise _GoneError(f"{self.layout.subject}: version {version} cannot be read: {error}") from error
            raise LakeError(f"{self.layout.subject}: cannot read {self._root}: {error}") from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except LakeError:
            raise
        except Exception as error:
            raise LakeError(f"{self.layout.subject}: cannot read {self._root}: {error}") from error


class _GoneError(LakeError):
    """A version or a file of it cannot be read, as after a vacuum."""


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts in the type that everything can be done with; the engine reads them as views."""
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def _types(handle: DeltaTable) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in pa.schema(handle.schema().to_arrow())}


def _files(handle: DeltaTable) -> set[str]:
    return set(pa.chunked_array(handle.get_add_actions(flatten=True).column("path")).to_pylist())


def _between(kind: pa.DataType | None, column: str, start: datetime | None, end: datetime | None) -> str | None:
    """Return a condition that keeps at least the rows of ``[start, end)``; none if the column is no timestamp."""
    if kind is None or not pa.types.is_timestamp(kind):
        return None
    name = '"' + column.replace('"', '""') + '"'
    parts = []
    for sign, limit, further in ((">=", start, -_ZONES), ("<", end, _ZONES)):
        if limit is not None:
            wall = (limit + further).astimezone(UTC).replace(tzinfo=None)
            said = f"{wall.isoformat()}+00:00" if kind.tz is not None else wall.isoformat()
            parts.append(f"{name} {sign} TIMESTAMP '{said}'")
    return " AND ".join(parts) or None


__all__ = ["DeltaFolder"]
