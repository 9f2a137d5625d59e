"""An hour's turn of many models: roll every window forward by an hour, then judge every feature.

vernal_fleet.py prepare STORE MODELS DIFFERENT
vernal_fleet.py roll STORE

Each model has 50 features, a baseline, a stored window of a week, a new hour and the hour that leaves. ``DIFFERENT`` of
the models are made, and the others are copies of them, since making them is not what is measured.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
from vernal_rows import baseline_of, profile_of, verdict

from vernal.profile import Baseline, Profile

_NUMERICAL, _CATEGORICAL = 40, 10
_REFERENCE_ROWS, _HOUR_ROWS, _HOURS = 20_000, 100, 168
_MOVED = 0.5
"""By how many standard deviations the first feature of every second model has moved."""


def rows_of(rng: np.random.Generator, rows: int, *, moved: float = 0.0) -> pa.Table:
    """Return rows of 50 features."""
    columns = {f"n_{i:02d}": pa.array(rng.gamma(1 + i % 7, 2, rows)) for i in range(1, _NUMERICAL)}
    columns["n_00"] = pa.array(rng.normal(moved, 1, rows))
    for i in range(_CATEGORICAL):
        codes = (20 * (i + 1) * rng.random(rows) ** 1.5).astype(np.int32)
        names = pa.array([f"value-{number}" for number in range(20 * (i + 1))])
        columns[f"c_{i:02d}"] = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
    return pa.table(columns)


def prepare(path: str, models: int, different: int) -> None:
    """Write what the models have stored before the turn."""
    made = []
    for model in range(different):
        rng = np.random.default_rng([1, model])
        baseline = baseline_of(rows_of(rng, _REFERENCE_ROWS))
        moved = _MOVED * (model % 2)
        window, new = (
            profile_of(baseline, rows_of(rng, rows, moved=moved)) for rows in (_HOURS * _HOUR_ROWS, _HOUR_ROWS)
        )
        leaving = profile_of(baseline, rows_of(rng, _HOUR_ROWS, moved=moved))
        made.append([part.to_bytes() for part in (baseline, window.merge(leaving), new, leaving)])
    Path(path).unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as store, store:
        store.execute(
            "CREATE TABLE models (model INTEGER PRIMARY KEY, baseline BLOB, past BLOB, new BLOB, leaving BLOB)"
        )
        for model in range(models):
            store.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?)", (model, *made[model % different]))


def roll(path: str) -> dict[str, object]:
    """Read, roll and judge all models, one after another."""
    inside = {"read": 0.0, "roll": 0.0, "judge": 0.0}
    models = features = rows = 0
    drifted: list[int] = []
    with closing(sqlite3.connect(path)) as store:
        for model, *blobs in store.execute("SELECT model, baseline, past, new, leaving FROM models ORDER BY model"):
            times = [time.perf_counter()]
            baseline = Baseline.from_bytes(blobs[0])
            past, new, leaving = (Profile.from_bytes(blob) for blob in blobs[1:])
            times.append(time.perf_counter())
            window = past.merge(new).subtract(leaving)
            times.append(time.perf_counter())
            found = verdict(baseline, window)
            times.append(time.perf_counter())
            for name, begin, end in zip(inside, times, times[1:], strict=False):
                inside[name] += end - begin
            models, features, rows = models + 1, features + len(found["scores"]), rows + window.rows
            drifted += [model] if found["drifted"] else []
    every_second = drifted == list(range(1, models, 2))
    return {"models": models, "features": features, "window_rows": rows, "found": every_second, "inside": inside}


def main() -> None:
    """Do what the first argument says."""
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        print(json.dumps(roll(sys.argv[2])))


if __name__ == "__main__":
    main()
