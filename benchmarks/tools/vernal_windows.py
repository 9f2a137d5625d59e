"""The hourly check of a window: rolled on as a check of Vernal does it, or from the window's rows.

vernal_windows.py prepare FOLDER HOURS
vernal_windows.py incremental FOLDER HOURS
vernal_windows.py rescan FOLDER HOURS

The rows lie in one file per day with a row group per hour; profiles and the windows of the hour before lie in tables
of blobs, as in the state store. The last hour is the new one: only its rows exist, so the incremental check counts it
first.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from vernal_rows import ParquetRows, baseline_of, profile_of, verdict

from vernal.observe.windows import EPOCH, Hours, Roller
from vernal.profile import Baseline, Profile, merge_all
from vernal.records import HourProfile, WindowProfile

if TYPE_CHECKING:
    from vernal.ports import StateStore

_DAY = 24
_VERSION = "1"
_NOTHING_NEW = Hours({}, {}, 0, None)


def prepare(folder: Path, hours: int) -> None:
    """Write the rows of all hours, the baseline, and the profiles of all hours but the last and their windows."""
    baseline = baseline_of(ParquetRows(folder / "reference.parquet"))
    (folder / "baseline.bin").write_bytes(baseline.to_bytes())
    (folder / "hours.sqlite").unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "hours.sqlite")) as file, file:
        file.execute("CREATE TABLE hours (hour INTEGER PRIMARY KEY, profile BLOB NOT NULL)")
        file.execute("CREATE TABLE windows (hours INTEGER PRIMARY KEY, profile BLOB NOT NULL)")
        for hour in range(-1, hours - 1):  # of the hour before the first no rows are kept: it passes out of the window
            rows = ParquetRows(_day_of(folder, max(hour, 0)), [hour % _DAY])
            file.execute("INSERT INTO hours VALUES (?, ?)", (hour, profile_of(baseline, rows).to_bytes()))
        for days in range(1, hours // _DAY + 1):
            length = timedelta(days=days)
            window = _roller(_Blobs(file), baseline, hours=_NOTHING_NEW).roll(length, now=_at(hours - 1))
            file.execute("INSERT INTO windows VALUES (?, ?)", (_DAY * days, window.stored(_VERSION).data))


def incremental(folder: Path, baseline: Baseline, first: int, last: int) -> Profile:
    """Count the new hour, and roll the window of the hour before on by it."""
    new = profile_of(baseline, ParquetRows(_day_of(folder, last), [last % _DAY]))
    hours = Hours({_at(last): new}, {_at(last): new}, new.rows, None)
    with closing(sqlite3.connect(folder / "hours.sqlite")) as file:
        store = _Blobs(file)
        roller = _roller(store, baseline, hours=hours, last=store.window(last - first + 1, until=last))
        return roller.roll(timedelta(hours=last - first + 1), now=_at(last + 1)).profile


def rescan(folder: Path, baseline: Baseline, first: int, last: int) -> Profile:
    """Count every row of the window."""
    days = [profile_of(baseline, ParquetRows(_day_of(folder, hour))) for hour in range(first, last, _DAY)]
    return merge_all(baseline, [day.to_bytes() for day in days])


class _Blobs:
    """As much of a state store as a window rolls on with."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def hour_profiles(self, _model: str, _version: str, *, start: datetime, end: datetime) -> tuple[HourProfile, ...]:
        asked = "SELECT hour, profile FROM hours WHERE hour >= ? AND hour < ? ORDER BY hour"
        found = self._file.execute(asked, (_hour(start), _hour(end)))
        return tuple(HourProfile(hour=_at(hour), data=data) for hour, data in found)

    def window(self, hours: int, *, until: int) -> WindowProfile:
        (data,) = self._file.execute("SELECT profile FROM windows WHERE hours = ?", (hours,)).fetchone()
        return WindowProfile(
            hours=hours, baseline_version=_VERSION, first=_at(until - hours), until=_at(until), data=data
        )


def _roller(store: _Blobs, baseline: Baseline, *, hours: Hours, last: WindowProfile | None = None) -> Roller:
    stored = {} if last is None else {last.hours: last}
    whole = cast("StateStore", store)
    return Roller(whole, "model", baseline=baseline, baseline_version=_VERSION, stored=stored, hours=hours)


def _at(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


def _hour(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(hours=1)


def _day_of(folder: Path, hour: int) -> Path:
    return folder / f"day-{hour // _DAY:03d}.parquet"


def main() -> None:
    """Do what the first argument says."""
    mode, folder, hours = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if mode == "prepare":
        prepare(folder, hours)
        return
    started = time.perf_counter()
    total = _DAY * len(list(folder.glob("day-*.parquet")))
    baseline = Baseline.from_bytes((folder / "baseline.bin").read_bytes())
    window = (incremental if mode == "incremental" else rescan)(folder, baseline, total - hours, total - 1)
    found: dict[str, Any] = verdict(baseline, window)
    counts = hashlib.sha256(np.ascontiguousarray(window.counts).tobytes()).hexdigest()
    seconds = time.perf_counter() - started
    print(json.dumps({"window": [window.rows, counts], "drifted": found["drifted"], "inside": {"check": seconds}}))


if __name__ == "__main__":
    main()
