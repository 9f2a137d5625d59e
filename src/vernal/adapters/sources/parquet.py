"""A folder of Parquet files that the user's own jobs write."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vernal.adapters.sources.layout import hours_in
from vernal.adapters.sources.ordering import between, in_order, nothing, with_order
from vernal.adapters.sources.table import moment, profiled
from vernal.adapters.sources.times import utc_micros
from vernal.errors import LakeError
from vernal.observe.columns import to_micros
from vernal.ports import NewRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from vernal.adapters.sources.layout import Layout
    from vernal.profile import Baseline, Profile

_SUFFIXES: Final = frozenset({".parquet", ".parq"})
_MICROSECOND: Final = timedelta(microseconds=1)
_UNITS: Final = {"milliseconds": 1_000, "microseconds": 1, "nanoseconds": -1_000}
_ZONES: Final = 86_400_000_000
"""More than any zone is away from UTC."""


class _File(NamedTuple):
    path: Path
    newest: bool
    came: int
    """When it got its name here or was last written, in microseconds: copies that keep their age are new here."""


class ParquetFolder:
    """All Parquet files of a folder and the folders in it; ``key=value`` in their paths are columns.

    Its version is the moment at which the newest file came. A file that is written anew has come anew.
    """

    def __init__(self, layout: Layout, *, lateness: timedelta) -> None:
        self.layout = layout
        self._root = Path(layout.table.place)
        self._lateness = lateness // _MICROSECOND

    def version(self) -> int | None:
        """Return when the newest file came."""
        return max((file.came for file in self._files()), default=None)

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows in canonical form by event time; with a version, of the files that had come by then."""
        files = [file for file in self._files() if version is None or file.came <= version]
        return self._canonical(files, columns, start, end)

    def since(self, version: int | None, *, columns: Sequence[str] | None = None) -> NewRows | None:
        """Return the rows of the files that came after a version."""
        files = self._files()
        if not files:
            return None
        fresh = [file for file in files if version is None or file.came > version]
        return NewRows(self._canonical(fresh, columns, None, None), max(file.came for file in files))

    def arrived(self, since: int) -> Iterator[pa.Table]:
        """Yield the rows of the files that came after a version, as they are."""
        for file in self._files():
            if file.came > since:
                yield self._read(file, (), whole=True)

    def touched(self, since: int, until: int) -> list[int]:
        """Return the hours of the files that came between two versions."""
        found: set[int] = set()
        for file in self._files():
            if since - self._lateness < file.came <= until:
                raw = self._read(file, [self.layout.event_time])
                column = raw[self.layout.event_time].combine_chunks()
                moments, valid = utc_micros(column, self.layout.zone, subject=str(file.path))
                found.update(hours_in(moments[valid]))
        return sorted(found)

    def hours(self, baseline: Baseline, first: int, end: int) -> dict[int, Profile]:
        """Return the profile of every hour in ``[first, end)`` that has rows."""
        names = [self.layout.event_time, *baseline.features]
        limits = to_micros(moment(first)), to_micros(moment(end))
        counted: dict[int, Profile] = {}
        for file in self._files():
            for hour, part in profiled(self.layout, self._read(file, names, limits), baseline, first, end).items():
                counted[hour] = counted[hour].merge(part) if hour in counted else part
        return counted

    def columns_found(self) -> dict[str, str]:
        """Return the columns of the newest file and their types."""
        files = self._files()
        if not files:
            return {}
        with self._open(files[-1]) as opened:
            found = {field.name: str(field.type) for field in opened.schema_arrow}
        return found | {name: "text in the path" for name in self._in_path(files[-1].path) if name not in found}

    def sample(self, rows: int) -> pa.Table:
        """Return some rows of the newest file as they are, under Vernal's names."""
        files = self._files()
        if not files:
            return pa.Table.from_arrays([], names=[])
        return self._read(files[-1], None, whole=True).slice(0, rows)

    def _canonical(
        self, files: Sequence[_File], columns: Sequence[str] | None, start: datetime | None, end: datetime | None
    ) -> pa.Table:
        limits = (None if start is None else to_micros(start), None if end is None else to_micros(end))
        parts = []
        for file in files:
            rows = self.layout.canonical(self._read(file, columns, limits, whole=True))
            parts.append(between(self.layout.selected(rows, with_order(self.layout, columns)), self.layout, start, end))
        if not parts:
            parts = [self.layout.selected(nothing(self.layout), with_order(self.layout, columns))]
        return in_order(pa.concat_tables(parts, promote_options="permissive"), self.layout, columns)

    def _read(
        self,
        file: _File,
        columns: Sequence[str] | None,
        limits: tuple[int | None, int | None] = (None, None),
        *,
        whole: bool = False,
    ) -> pa.Table:
        """Return columns of a file under Vernal's names, at least the row groups with times within limits."""
        with self._open(file) as opened:
            in_path = self._in_path(file.path)
            names = opened.schema_arrow.names
            found = [*names, *(name for name in in_path if name not in names)]
            located = self.layout.located(found, older=not file.newest)
            wanted = self.layout.needed_for(columns, located) if whole else [n for n in columns or () if n in located]
            from_file = sorted({located[name] for name in wanted} & set(names))
            time = located.get(self.layout.event_time, located.get(self.layout.came_time))
            groups = [n for n in range(opened.num_row_groups) if _overlaps(opened, n, time, limits)]
            rows = opened.read_row_groups(groups, columns=from_file, use_threads=False)
            made = [
                rows[located[name]] if located[name] in names else _text(in_path[located[name]], rows.num_rows)
                for name in wanted
            ]
        return pa.Table.from_arrays(made, names=wanted)

    def _files(self) -> list[_File]:
        """Return the files, oldest first; hidden ones and those that begin with an underscore are none."""
        if not self._root.is_dir():
            raise LakeError(
                f"{self.layout.subject}: found no folder {self._root}, expected one with Parquet files",
                hint=f"Correct source.{self.layout.kind}.folder, or make the folder.",
            )
        found: list[_File] = []
        for folder, folders, names in os.walk(self._root):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            for name in names:
                if Path(name).suffix in _SUFFIXES and not name.startswith((".", "_")):
                    path = Path(folder, name)
                    try:
                        stat = path.stat()
                    except FileNotFoundError:  # removed meanwhile
                        continue
                    found.append(_File(path, newest=False, came=max(stat.st_mtime_ns, stat.st_ctime_ns) // 1000))
        found.sort(key=lambda file: (file.came, file.path))
        return [*found[:-1], *(file._replace(newest=True) for file in found[-1:])]

    def _in_path(self, path: Path) -> Mapping[str, str]:
        pairs = (part.partition("=") for part in path.relative_to(self._root).parts[:-1])
        return {name: value for name, sign, value in pairs if sign}

    @contextmanager
    def _open(self, file: _File) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(file.path, pre_buffer=False) as opened:
                yield opened
        except (OSError, pa.ArrowException) as error:
            raise LakeError(
                f"{self.layout.subject}: cannot read {file.path}: {error}",
                hint="Is it still being written? Write under a name that begins with a dot or underscore, then rename.",
            ) from error


def _overlaps(file: pq.ParquetFile, group: int, column: str | None, limits: tuple[int | None, int | None]) -> bool:
    """Tell whether a row group may have rows between two moments, as far as its statistics tell."""
    if column is None or limits == (None, None) or column not in file.schema_arrow.names:
        return True
    place = next((n for n in range(len(file.schema.names)) if file.schema.column(n).path == column), None)
    if place is None:
        return True
    statistics = file.metadata.row_group(group).column(place).statistics
    unit = json.loads(file.schema.column(place).logical_type.to_json()).get("timeUnit")
    if statistics is None or not statistics.has_min_max or unit not in _UNITS:
        return True
    factor = _UNITS[unit]
    least, most = (n * factor if factor > 0 else n // -factor for n in (statistics.min_raw, statistics.max_raw))
    start, end = limits
    return (start is None or most >= start - _ZONES) and (end is None or least < end + _ZONES)


def _text(value: str, rows: int) -> pa.Array:
    data = value.encode()
    offsets = np.arange(rows + 1, dtype=np.int32) * len(data)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data * rows)])


__all__ = ["ParquetFolder"]
