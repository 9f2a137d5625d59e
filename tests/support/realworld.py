"""The world of :mod:`loopworld` with nothing faked: jobs are processes, artefacts lie in MLflow, models are loaded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import loopworld
from vernal.act.reconcile import tick
from vernal.act.serve import Requests, Server
from vernal.adapters.lake import DeltaLake
from vernal.adapters.models import load_predictor
from vernal.adapters.registry import MlflowRegistry
from vernal.adapters.trainer import SubprocessTrainer
from vernal.ports import TrainingJob
from vernal.records import Phase, Run
from vernal.testing.fakes import FixedCosts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GOOD = """\
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

def train(X, y):
    return make_pipeline(make_column_transformer(("passthrough", ["x"])), LogisticRegression()).fit(X, y)
"""
"""Code of a model that reaches its floor."""

WEAK = GOOD.replace("linear_model", "tree").replace("LogisticRegression()", "DecisionTreeClassifier(max_depth=1)")
WEAK = WEAK.replace("LogisticRegression", "DecisionTreeClassifier")
"""Code of a model that reaches its floor, and that `GOOD` is better than."""


def build(root: Path) -> loopworld.World:
    """Return a world before its first model, with real trainer and registry; every run is free of charge."""
    world = loopworld.build(
        root,
        registry=MlflowRegistry(f"sqlite:///{root}/mlflow.db", artifact_root=root / "artefacts"),
        trainer=SubprocessTrainer(root / "jobs", threads=1),
        lake=DeltaLake(root / "lake", inbox_path=root / "inbox"),
        costs=FixedCosts("0.00"),
    )
    world.server = new_server(world)
    return world


def new_server(world: loopworld.World) -> Server:
    """Return a server that has loaded nothing yet."""
    spec = world.system.project.models[loopworld.MODEL]
    return Server(spec, features=lambda rows: rows, registry=world.system.registry, loader=load_predictor)


def promote_first(world: loopworld.World, code: str = GOOD) -> None:
    """Log a history and let the first model become the champion."""
    write_code(world, code)
    for day in range(loopworld.HISTORY_DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    run = finish(world, world.retrain())
    assert run.phase is Phase.PROMOTED, run.outcome


def finish(world: loopworld.World, run_id: str) -> Run:
    """Tick once and return where the run stands then."""
    tick(world.system)
    return world.system.store.run(run_id)


def write_code(world: loopworld.World, code: str) -> None:
    """Replace the user's file."""
    (world.root / "m.py").write_text(code)


def requests(day: int) -> Requests:
    """Return a day's requests."""
    rows = loopworld.day_rows(day)
    return Requests(rows, rows["id"].tolist(), rows["entity"].tolist(), rows["at"].tolist())


def served(world: loopworld.World, server: Server | None = None) -> set[str | None]:
    """Answer some requests by the route as it is, all of them, and return which versions did."""
    route = world.system.store.model(loopworld.MODEL).route
    answers: pa.Table = (server or world.server).answer(requests(loopworld.HISTORY_DAYS), route)
    assert answers["prediction"].null_count == 0
    assert answers["score"].null_count == 0
    return set(answers["model_version"].to_pylist())


def write_sets(folder: Path, *, rows: pd.DataFrame | None = None) -> tuple[Path, Path]:
    """Write a training set and a holdout as the product does; return their paths."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    days = pd.concat([loopworld.day_rows(0), loopworld.day_rows(1)], ignore_index=True) if rows is None else rows
    days = days.rename(columns={"id": "prediction_id", "at": "event_time"})
    paths = folder / "training.parquet", folder / "holdout.parquet"
    for path in paths:
        pq.write_table(pa.Table.from_pandas(days, preserve_index=False), path)
    return paths


def job(folder: Path, name: str, code: str | None = GOOD, *, seconds: float = 120.0) -> TrainingJob:
    """Return a job on a small data set; without code its file is missing."""
    training, holdout = write_sets(folder / "sets")
    path = folder / f"{name}.py"
    if code is not None:
        path.write_text(code)
    return TrainingJob(
        name=name,
        code=path,
        training=training,
        holdout=holdout,
        features=("x", "noise", "c"),
        categorical=("c",),
        task="binary",
        champion=None,
        time_limit_seconds=seconds,
        memory_limit_bytes=None,
        seed=1,
    )


def flip_a_byte(path: Path) -> None:
    """Damage a file in its middle; doing it again mends it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
