"""One append-only Delta table."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from vernal.clock import SystemClock
from vernal.errors import LakeError
from vernal.ports import NewRows
from vernal.records import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from arro3.core import RecordBatchReader
    from deltalake import DeltaTable

log = logging.getLogger(__name__)

PROPERTIES: Final = {
    "delta.appendOnly": "true",
    "delta.enableChangeDataFeed": "true",
    "delta.checkpointInterval": "50",
    # Of all columns only this one is asked for by range; figures of the others would only fatten every commit.
    "delta.dataSkippingStatsColumns": Predictions.EVENT_TIME,
    # Pinned versions need the log up to them and every file they name, should somebody vacuum the table by hand.
    "delta.logRetentionDuration": "interval 400 days",
    "delta.deletedFileRetentionDuration": "interval 400 days",
    "delta.setTransactionRetentionDuration": "interval 90 days",
}
"""Settings of every new table."""

ATTEMPTS: Final = 20
"""How often a commit is tried while other writers win the race for the next version."""

COMMITS_PER_HANDLE: Final = 10
"""An open handle slows down with each commit it follows (8 ms a commit become 55 over 330); a fresh one takes 15."""

COMMITS_PER_MERGE: Final = 50
"""How many versions lie between two looks for small files."""

_MICROSECOND = timedelta(microseconds=1)
_ID, _TIME, _DAY = Predictions.ID, Predictions.EVENT_TIME, Predictions.DAY


class Table:
    """A Delta table with ``event_time`` and, derived from it, the partition ``day``; made by its first append.

    Safe to share between threads and between processes.

    Parameters
    ----------
    path
        Folder of the table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: DeltaTable | None = None
        self._opened_at = 0
        self._lock = threading.RLock()

    def append(self, rows: pa.Table, *, writer: str, sequence: int) -> int:
        """Append a batch unless it is in the table already, and return the table's version."""
        from deltalake import CommitProperties, Transaction, write_deltalake
        from deltalake.exceptions import CommitFailedError

        rows = self._storable(rows)
        forgotten_after = round(SystemClock().now().timestamp() * 1000)
        properties = CommitProperties(app_transactions=[Transaction(writer, sequence, forgotten_after)])
        with self._lock, self._explained("write"):
            for _ in range(ATTEMPTS):
                handle = self._current() or self._create(rows.schema)
                done = handle.transaction_version(writer)
                if (done is not None and done >= sequence) or not rows.num_rows:
                    return int(handle.version())
                try:
                    # The same handle that was asked for the writer's last batch: if another process writes this batch
                    # in the meantime, this commit fails.
                    write_deltalake(handle, rows, mode="append", schema_mode="merge", commit_properties=properties)
                except CommitFailedError as error:
                    log.debug("%s: commit lost a race: %s", self._path, error)
                    self._handle = None
                else:
                    return int(handle.version())
        message = f"lake: {self._path}: batch {writer}/{sequence} lost the race for the next version {ATTEMPTS} times"
        raise LakeError(message, hint="Nothing was written. Append it again when fewer writers are at work.")

    def last_sequence(self, writer: str) -> int | None:
        """Return the sequence of a writer's last batch."""
        with self._lock, self._explained("read"):
            handle = self._current()
            return None if handle is None else handle.transaction_version(writer)

    def version(self) -> int | None:
        """Return the current version."""
        with self._lock, self._explained("read"):
            handle = self._current()
            return None if handle is None else int(handle.version())

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table | None:
        """Return rows by event time and id, as of a version; ``None`` while the table does not exist."""
        with self._lock, self._explained("read"):
            handle = self._current()
            if handle is None:
                return None
            if version is not None and version != handle.version():
                handle = self._at(version, current=int(handle.version()))
            names = _names(handle)
            wanted = self._wanted(columns, names)
            reader = handle.scan(columns=_with_order(wanted, names), predicate=_between(start, end))
        with self._explained("read"):
            return _ordered(_read(reader), wanted)

    def since(self, version: int | None, *, columns: Sequence[str] | None = None) -> NewRows | None:
        """Return the rows that were added after a version."""
        with self._lock, self._explained("read"):
            handle = self._current()
            if handle is None:
                return None
            current = int(handle.version())
            names = _names(handle)
            wanted = self._wanted(columns, names)
            needed = _with_order(wanted, names)
            if version is None:
                reader = handle.scan(columns=needed)
            else:
                self._check_reached(version, current)
                if version == current:
                    return NewRows(empty(_schema(handle, wanted)), current)
                reader = handle.load_cdf(version + 1, current, columns=[_quoted(name) for name in needed])
        with self._explained("read"):
            return NewRows(_ordered(_read(reader), wanted), current)

    def compact(self, *, more_than: int) -> bool:
        """Merge each day's small files if the table has more than so many superfluous ones; return whether it did."""
        from deltalake.exceptions import CommitFailedError

        with self._lock, self._explained("compact"):
            handle = self._current()
            if handle is None:
                return False
            days = pa.chunked_array(handle.get_add_actions(flatten=True).column(f"partition.{_DAY}"))
            if len(days) - len(days.unique()) <= more_than:
                return False
            try:
                handle.optimize.compact()
            except CommitFailedError as error:
                # Another process merged the same files: what was wanted has been done.
                log.debug("%s: merging lost a race: %s", self._path, error)
                return False
            finally:
                self._handle = None
            return True

    def is_time_to_merge(self, version: int) -> bool:
        """Tell whether the writer of this version should look for small files."""
        return version % COMMITS_PER_MERGE == 0

    def merge_small_files(self, *, more_than: int) -> None:
        """Merge small files if there are many; a failure is only logged, for the table is as good as before."""
        try:
            self.compact(more_than=more_than)
        except LakeError as error:
            log.warning("%s", error)

    def _current(self) -> DeltaTable | None:
        """Return the table at its newest version, ``None`` if it does not exist."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if self._handle is not None:
            self._handle.update_incremental()
            if self._handle.version() - self._opened_at < COMMITS_PER_HANDLE:
                return self._handle
        try:
            self._handle = DeltaTable(self._path)
        except TableNotFoundError:
            return None
        self._opened_at = int(self._handle.version())
        return self._handle

    def _create(self, schema: pa.Schema) -> DeltaTable:
        from deltalake import DeltaTable

        self._path.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(self._path, schema, mode="ignore", partition_by=[_DAY], configuration=PROPERTIES)
        made = self._current()
        if made is None:
            raise LakeError(f"lake: {self._path} is gone, a moment after it was made")
        return made

    def _at(self, version: int, *, current: int) -> DeltaTable:
        from deltalake import DeltaTable

        self._check_reached(version, current)
        return DeltaTable(self._path, version=version)

    def _check_reached(self, version: int, current: int) -> None:
        if not 0 <= version <= current:
            message = f"lake: {self._path}: asked for version {version}, found versions up to {current}"
            raise LakeError(message, hint="Was the lake restored from an older copy than the state store?")

    def _storable(self, rows: pa.Table) -> pa.Table:
        """Return rows as Delta stores them: nullable, no dictionaries, microseconds in UTC, with their day."""
        if _TIME not in rows.column_names:
            raise LakeError(f"lake: {self._path}: found no column {_TIME}, expected it in every batch")
        fields = [pa.field(field.name, _plain(field.type)) for field in rows.schema if not pa.types.is_null(field.type)]
        rows = rows.select([field.name for field in fields])
        with self._explained("write"):
            rows = rows.cast(pa.schema(fields), safe=False)  # times finer than a microsecond are cut off
            when = rows[_TIME].cast(pa.timestamp("us", tz="UTC"))
        if when.null_count:
            message = f"lake: {self._path}: found {when.null_count} rows without {_TIME}, expected a time in every row"
            raise LakeError(message)
        rows = rows.set_column(rows.column_names.index(_TIME), _TIME, when)
        if _DAY in rows.column_names:
            rows = rows.drop_columns([_DAY])
        return rows.append_column(_DAY, when.cast(pa.date32()))

    def _wanted(self, columns: Sequence[str] | None, names: Sequence[str]) -> list[str]:
        if columns is None:
            return list(names)
        missing = [name for name in columns if name not in names]
        if missing:
            message = f"lake: {self._path}: found no column {', '.join(missing)}, expected some of {', '.join(names)}"
            raise LakeError(message)
        return list(columns)

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        """Turn what the storage engine raises into a :class:`LakeError`, and forget the handle it may have spoilt."""
        try:
            yield
        except LakeError:
            raise
        except Exception as error:  # the engine raises plain Exception for some of its own errors
            self._handle = None
            message = f"lake: cannot {verb} {self._path}: {error}"
            raise LakeError(message, hint=_hint(str(error), verb)) from error


def _hint(found: str, verb: str) -> str:
    lowered = found.lower()
    if "no space left" in lowered or "os error 28" in lowered:
        return "The disk is full: free some space. The table is as it was, and the same batch can be appended again."
    if "permission denied" in lowered or "read-only" in lowered:
        return "Check the owner and the permissions of the folder."
    if verb == "write" and "cast error" in lowered:
        return (
            "A column has another type than in the table, which is as it was. A feature that changes needs a new name."
        )
    if verb == "write":
        return "The table is as it was. Compare the batch's columns and types with the table's."
    return "Check that the folder holds a complete Delta table."


def _names(handle: DeltaTable) -> list[str]:
    return [field.name for field in handle.schema().fields]


def _with_order(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """Add the columns that rows are sorted by."""
    return [*wanted, *(name for name in (_TIME, _ID) if name in names and name not in wanted)]


def _between(start: datetime | None, end: datetime | None) -> str | None:
    parts = []
    if start is not None:
        start = start.astimezone(UTC)
        parts += [f"{_DAY} >= DATE '{start:%Y-%m-%d}'", f"{_TIME} >= TIMESTAMP '{start.isoformat()}'"]
    if end is not None:
        end = end.astimezone(UTC)
        last = end - _MICROSECOND
        parts += [f"{_DAY} <= DATE '{last:%Y-%m-%d}'", f"{_TIME} < TIMESTAMP '{end.isoformat()}'"]
    return " AND ".join(parts) or None


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _read(reader: RecordBatchReader) -> pa.Table:
    # pa.table(reader) would do, but imports pandas when it is installed.
    rows = pa.RecordBatchReader.from_stream(reader).read_all()
    return rows.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in rows.schema]))


def empty(schema: pa.Schema) -> pa.Table:
    """Return a table without rows; ``schema.empty_table()`` would import pandas when it is installed."""
    return pa.Table.from_batches([], schema=schema)


def _ordered(rows: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """Sort by event time and id: the engine reads files in parallel, so rows come in an order of their own."""
    keys = [(name, "ascending") for name in (_TIME, _ID) if name in rows.column_names]
    order = pc.sort_indices(rows, sort_keys=keys) if keys else None
    rows = rows.select(wanted)
    return rows if order is None else rows.take(order)


def _schema(handle: DeltaTable, wanted: Sequence[str]) -> pa.Schema:
    schema = pa.schema(handle.schema().to_arrow())
    return pa.schema([pa.field(name, _plain(schema.field(name).type)) for name in wanted])


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is stored with."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC")
    return kind
