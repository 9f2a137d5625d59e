"""The hourly check of a window, from stored hourly profiles or from the window's rows.

vernal_windows.py prepare FOLDER HOURS
vernal_windows.py incremental FOLDER HOURS
vernal_windows.py rescan FOLDER HOURS

The rows lie in one file per day with a row group per hour; profiles lie in a table of blobs, as in the state store.
The last hour is the new one: only its rows exist, so the incremental check counts it first.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from vernal_rows import ParquetRows, baseline_of, profile_of, verdict

from vernal.profile import Baseline, Profile, merge_all

_DAY = 24


def prepare(folder: Path, hours: int) -> None:
    """Write the rows of all hours, the baseline, and the profiles of all hours but the last."""
    baseline = baseline_of(ParquetRows(folder / "reference.parquet"))
    (folder / "baseline.bin").write_bytes(baseline.to_bytes())
    (folder / "hours.sqlite").unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "hours.sqlite")) as store, store:
        store.execute("CREATE TABLE hours (hour INTEGER PRIMARY KEY, profile BLOB NOT NULL)")
        for hour in range(hours - 1):
            rows = ParquetRows(_day_of(folder, hour), [hour % _DAY])
            store.execute("INSERT INTO hours VALUES (?, ?)", (hour, profile_of(baseline, rows).to_bytes()))


def incremental(folder: Path, baseline: Baseline, first: int, last: int) -> Profile:
    """Count the new hour and merge the stored ones with it."""
    new = profile_of(baseline, ParquetRows(_day_of(folder, last), [last % _DAY]))
    with closing(sqlite3.connect(folder / "hours.sqlite")) as store:
        blobs = [blob for (blob,) in store.execute("SELECT profile FROM hours WHERE hour >= ?", (first,))]
    return merge_all(baseline, [*blobs, new.to_bytes()])


def rescan(folder: Path, baseline: Baseline, first: int, last: int) -> Profile:
    """Count every row of the window."""
    days = [profile_of(baseline, ParquetRows(_day_of(folder, hour))) for hour in range(first, last, _DAY)]
    return merge_all(baseline, [day.to_bytes() for day in days])


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
