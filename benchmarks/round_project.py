"""The project of a round: models with champions, windows of the hours before, and an hour of rows that just arrived.

    python -m benchmarks.round_project FOLDER MODELS ROWS

A process of its own, for the round is measured by one that holds nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute
from benchmarks import streams

from vernal.act.reconcile import tick
from vernal.bootstrap import open_system
from vernal.clock import SimulatedClock, SystemClock
from vernal.observe.reference import build_reference
from vernal.records import Champion, Lease, Phase, RunRequest, Transition, TriggerKind

LEASE: Final = Lease(owner="benchmark", duration=timedelta(hours=1))
DIFFERENT: Final = 4
"""Lakes that are made; the other models get the same files under names of their own."""

TRAINING_DAYS, WINDOW_DAYS = 14, 8


def prepare(folder: Path, models: int, rows: int) -> None:
    """Write the project."""
    names = [f"m{place:03d}" for place in range(models)]
    stream = streams.Stream(1, rows_per_hour=200)
    _write_project(folder, names, stream)
    now = SystemClock().now().replace(minute=0, second=0, microsecond=0)
    start = now - timedelta(days=WINDOW_DAYS)
    training = pa.concat_tables([stream.day(day) for day in range(TRAINING_DAYS)])
    silent = pa.table({"prediction": pa.nulls(1, pa.float64()), "score": pa.nulls(1, pa.float64())})
    clock = SimulatedClock(now - timedelta(hours=1))
    with open_system(folder, clock=clock) as system:
        system.store.sync_models(names, now=clock.now())
        data = build_reference(system.project.models[names[0]], training, silent).to_bytes()
        for name in names:
            request = RunRequest(
                model=name, trigger=TriggerKind.MANUAL, reason="first", requested_by="benchmark", at=start
            )
            system.store.request_run(request)
            run = system.store.claim_run([name], lease=LEASE, now=clock.now())
            champion = Champion(model=name, version="1", since=start, run_id=None, importances=stream.importances())
            if run is None:
                raise RuntimeError(f"{name}: its run is not due")
            promoted = Transition(
                phase=Phase.PROMOTED,
                wake_at=start,
                at=start,
                facts=run.facts,
                champion=champion,
                baseline=data,
                baseline_version="1",
            )
            system.store.commit_run(run, promoted)
    lakes = folder / ".vernal" / "lake"
    for place, name in enumerate(names[:DIFFERENT]):
        quiet = streams.Stream(place, rows_per_hour=20)
        days = [_at(quiet.day(day), start + timedelta(days=day)) for day in range(WINDOW_DAYS)]
        _append(folder, name, [day.filter(_before(day, now - timedelta(hours=1))) for day in days], first=1)
    _copy(lakes, names)
    with open_system(folder, clock=clock) as system:
        tick(system)  # counts the windows of the hours before
    for place, name in enumerate(names[:DIFFERENT]):
        busy = streams.Stream(100 + place, rows_per_hour=rows // 20 + 1).day(0).slice(0, rows)
        _append(folder, name, [_hour(busy, now - timedelta(hours=1))], first=1000)
    _copy(lakes, names)


def _write_project(folder: Path, names: list[str], stream: streams.Stream) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "vernal.yaml").write_text("project: round\nmodels: [models/*.yaml]\n")
    (folder / "models" / "m.py").write_text("def train(X, y):\n    raise NotImplementedError\n")
    for name in names:
        (folder / "models" / f"{name}.yaml").write_text(
            f"model: {name}\ntask: binary\ncode: m.py\nlabel_delay: 1d\n"
            f"features:\n  numerical: [{', '.join(stream.numerical)}]\n"
            f"  categorical: [{', '.join(stream.categorical)}]\n"
            "triggers: {volume: off, performance: off}\n"
        )


def _append(folder: Path, model: str, parts: list[pa.Table], *, first: int) -> None:
    with open_system(folder) as system:
        for number, part in enumerate(parts):
            texts = [f"{model}-{first + number}-{row}" for row in range(part.num_rows)]
            rows = part.drop_columns(["label"]).append_column("prediction_id", pa.array(texts))
            for name in ("model_version", "other_version"):
                version = "1" if name == "model_version" else None
                rows = rows.append_column(name, pa.array([version] * part.num_rows, pa.string()))
            for name in ("prediction", "score", "other_prediction", "other_score"):
                rows = rows.append_column(name, pa.nulls(part.num_rows, pa.float64()))
            system.lake.append(model, "predictions", rows, writer="benchmark", sequence=first + number)


def _copy(lakes: Path, names: list[str]) -> None:
    """Give every other model the files of one of the first: links, so that the disk holds them once."""
    for place, name in enumerate(names):
        if place >= DIFFERENT:
            shutil.rmtree(lakes / name, ignore_errors=True)
            shutil.copytree(lakes / names[place % DIFFERENT], lakes / name, copy_function=os.link)


def _at(day: pa.Table, start: datetime) -> pa.Table:
    """Return a day's rows as those of another day."""
    micros = pa.compute.cast(day["event_time"], pa.int64())
    first = round(start.timestamp() * 1e6)
    inside = pa.compute.subtract(micros, pa.compute.min(micros))
    return day.set_column(0, "event_time", pa.compute.cast(pa.compute.add(inside, first), pa.timestamp("us", tz="UTC")))


def _hour(rows: pa.Table, start: datetime) -> pa.Table:
    """Return rows spread evenly over one hour."""
    first = round(start.timestamp() * 1e6)
    when = pa.array([first + row * 3_600_000_000 // rows.num_rows for row in range(rows.num_rows)])
    return rows.set_column(0, "event_time", when.cast(pa.timestamp("us", tz="UTC")))


def _before(rows: pa.Table, moment: datetime) -> pa.ChunkedArray:
    return pa.compute.less(rows["event_time"], pa.scalar(moment, pa.timestamp("us", tz="UTC")))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
