"""The lake as a folder of Delta tables."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from vernal.adapters.lake import inbox
from vernal.adapters.lake.table import Table, empty
from vernal.errors import LakeError
from vernal.ports import NewRows
from vernal.records import Labels, Predictions, Quarantine, Resolutions, Samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from vernal.ports import CountedHours
    from vernal.profile import Baseline

KINDS: Final = {
    "predictions": Predictions.ALL,
    "labels": Labels.ALL,
    "quarantine": (*Quarantine.ALL, Predictions.DAY),
    "resolutions": (*Resolutions.ALL, Predictions.DAY),
    "samples": Samples.ALL,
}
"""The tables of a model, with the columns that Vernal itself asks for."""

SMALL_FILES: Final = 200
"""Superfluous files that a table may gather before each day's files are merged."""


class DeltaLake:
    """Tables of every model at ``<root>/<model>/<kind>``, partitioned by ``day``, the UTC date of ``event_time``.

    Any number of processes may append and read at once. Tables are append-only, no data file is ever removed, and a
    version can be read again for 400 days. Tables stay open and are brought up to date by each call, so keep one lake
    per process; its methods may be called from several threads.

    Parameters
    ----------
    root
        Folder of the tables; made by the first append.
    inbox_path
        Folder that clients leave segments in; ``inbox`` beside ``root`` by default.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> lake = DeltaLake(Path(tempfile.mkdtemp()) / "lake")
    >>> rows = pa.table({"prediction_id": ["a"], "event_time": [datetime(2013, 2, 1, 5, tzinfo=UTC)], "label": [1.0]})
    >>> lake.append("late_arrival", "labels", rows, writer="nightly", sequence=1)
    1
    >>> lake.append("late_arrival", "labels", rows, writer="nightly", sequence=1)
    1
    >>> lake.scan("late_arrival", "labels", columns=("prediction_id", "label")).to_pylist()
    [{'prediction_id': 'a', 'label': 1.0}]
    """

    def __init__(self, root: Path | str, *, inbox_path: Path | str | None = None) -> None:
        self._root = Path(root)
        self._inbox = Path(inbox_path) if inbox_path is not None else self._root.parent / "inbox"
        self._tables: dict[tuple[str, str], Table] = {}
        self._opening = threading.Lock()

    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        """Append rows exactly once and return the table's version.

        Parameters
        ----------
        rows
            Needs ``event_time``, without nulls. ``day`` is derived from it. Columns of type null are left out.
        writer, sequence
            Name of the batch. A writer's sequences must grow: a batch whose sequence is not above the writer's last
            one is taken to be in the table, and nothing is written. Writers that were silent for 90 days are forgotten.

        Raises
        ------
        LakeError
            If the rows do not fit the table, or it cannot be written (disk full, no permission, lost race). The table
            is as it was, and the same batch can be appended later.
        """
        table = self._table(model, kind)
        version = table.append(rows, writer=writer, sequence=sequence)
        if table.is_time_to_merge(version):
            table.merge_small_files(more_than=SMALL_FILES)
        return version

    def last_sequence(self, model: str, kind: str, writer: str) -> int | None:
        """Return the sequence of a writer's last batch, ``None`` if it has none or was silent for 90 days."""
        return self._table(model, kind).last_sequence(writer)

    def version(self, model: str, kind: str) -> int | None:
        """Return the table's current version, ``None`` while it does not exist."""
        return self._table(model, kind).version()

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

        Parameters
        ----------
        columns
            Columns to read, in this order; all by default.
        start, end
            Time-zone aware; unbounded by default. Only the days in between are read.
        version
            Read the table as it was at this version; the current one by default.

        Returns
        -------
        pyarrow.Table
            Empty while the table does not exist.

        Raises
        ------
        LakeError
            If the table has no such column or version, or cannot be read.
        """
        rows = self._table(model, kind).scan(columns=columns, start=start, end=end, version=version)
        return _empty(kind, columns) if rows is None else rows

    def since(
        self, model: str, kind: str, version: int | None, *, columns: Sequence[str] | None = None
    ) -> NewRows | None:
        """Return the rows added after ``version``, each once, whatever was merged in between.

        Parameters
        ----------
        version
            A version that the table has had; ``None`` for all rows.

        Returns
        -------
        NewRows or None
            The rows by event time and id, and the version to ask from next time; ``None`` while the table does not
            exist.

        Raises
        ------
        LakeError
            If the table is not that far yet, has no such column, or cannot be read.
        """
        return self._table(model, kind).since(version, columns=columns)

    def compact(self, model: str, kind: str, *, more_than: int = SMALL_FILES) -> bool:
        """Merge each day's small files when the table has ``more_than`` superfluous ones; return whether it did.

        Appending does it from time to time by itself. The merged files stay on disk, so that versions pinned by
        training sets can still be read, and :meth:`since` delivers no row again.
        """
        return self._table(model, kind).compact(more_than=more_than)

    def count_hours(
        self,
        model: str,  # noqa: ARG002 - the port's signature
        baseline: Baseline,  # noqa: ARG002 - the port's signature
        *,
        since: int | None,  # noqa: ARG002 - the port's signature
        start: datetime,  # noqa: ARG002 - the port's signature
        end: datetime,  # noqa: ARG002 - the port's signature
    ) -> CountedHours | None:
        """Return ``None``: :meth:`since` tells exactly which rows are new."""
        return None

    def left_out(self, model: str, *, since: int) -> Mapping[str, int]:  # noqa: ARG002 - the port's signature
        """Return nothing: rows are screened before they enter."""
        return {}

    def inbox(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that clients have left: ``(kind, segment id, Parquet file)``, oldest first."""
        return inbox.segments(self._inbox / model)

    def discard(self, segment: Path) -> None:
        """Remove a segment that has been appended; one that is gone already is fine."""
        inbox.discard(segment)

    def set_aside(self, segment: Path) -> None:
        """Move a segment that cannot be read to the folder ``refused`` beside it."""
        inbox.set_aside(segment)

    def set_aside_segments(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that were set aside, as :meth:`inbox` returns the others."""
        return inbox.segments(self._inbox / model, below=inbox.REFUSED)

    def _table(self, model: str, kind: str) -> Table:
        if kind not in KINDS:
            raise LakeError(f"lake: got table {kind!r}, expected one of {', '.join(KINDS)}")
        with self._opening:
            return self._tables.setdefault((model, kind), Table(self._root / model / kind))


def _empty(kind: str, columns: Sequence[str] | None) -> pa.Table:
    names = KINDS[kind] if columns is None else columns
    types = {
        Predictions.ID: pa.string(),
        Predictions.EVENT_TIME: pa.timestamp("us", tz="UTC"),
        Predictions.RECEIVED_TIME: pa.timestamp("us", tz="UTC"),
        Labels.ARRIVAL_TIME: pa.timestamp("us", tz="UTC"),
        Samples.DRAWN_AT: pa.timestamp("us", tz="UTC"),
        Samples.START: pa.timestamp("us", tz="UTC"),
        Samples.END: pa.timestamp("us", tz="UTC"),
        Predictions.DAY: pa.date32(),
    }
    return empty(pa.schema([(name, types.get(name, pa.null())) for name in names]))
