# ruff: noqa: ANN401 - Deadly stands in for any store, whatever its methods take
"""A small world for the whole loop: real store, real lake, real decisions; training is faked.

Requests carry a signal ``x`` and a disturbance ``noise``. The model of run ``n`` looks at ``x + LEVELS[n] * noise``,
so a lower level is a better model. Everything is a function of the day, so two worlds that live through the same days
see the same.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from vernal.act.operations import answer_approval, retrain
from vernal.act.reconcile import tick
from vernal.act.serve import Requests, Server
from vernal.act.system import System
from vernal.adapters.datasets import LocalDatasets
from vernal.adapters.lake import DeltaLake
from vernal.adapters.notify import FileNotifier
from vernal.adapters.state import open_store
from vernal.clock import SimulatedClock
from vernal.ports import RegisteredVersion
from vernal.records import ApprovalKind, ApprovalStatus
from vernal.spec import load_project
from vernal.testing.fakes import FakeRegistry, FakeTrainer, FixedCosts

MODEL = "m"
START = datetime(2024, 1, 1, tzinfo=UTC)
HISTORY_DAYS = 21
ROWS = 150
LEVELS = {1: 1.5, 2: 0.3, 3: 3.0}
PROJECT = "project: loop\nmodels: [m.yaml]\n"
POLICY = """\
model: m
task: binary
code: m.py
label_delay: 0s
metric: roc_auc
features: {numerical: [x, noise], categorical: [c]}
monitoring: {every: 12h}
triggers: {drift: off, volume: off}
training: {lookback: all, holdout: 14d, min_rows: 100}
gates: {min_improvement: 0.01, floor: 0.6}
rollout:
  steps: [{share: 0.05, duration: 1d}, {share: 0.25, duration: 1d}]
  soak: 1d
  score_margin: 0.05
"""


def expit(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-values))


def score(x: Any, noise: Any, level: float) -> list[float]:
    seen = np.asarray(x, dtype=float) + level * np.asarray(noise, dtype=float)
    return [float(value) for value in expit(2.0 * seen / np.sqrt(1.0 + level**2))]


class Predictor:
    def __init__(self, level: float) -> None:
        self.level = level

    def predict(self, features: pd.DataFrame) -> tuple[list[float], list[float]]:
        scores = score(features["x"], features["noise"], self.level)
        return [float(value >= 0.5) for value in scores], scores


def day_rows(day: int) -> pd.DataFrame:
    rng = np.random.default_rng(day)
    x = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "id": [f"{day}-{n}" for n in range(ROWS)],
            "entity": [f"e{n}" for n in rng.integers(0, 60, ROWS)],
            "at": [START + timedelta(days=day, minutes=9 * n) for n in range(ROWS)],
            "x": x,
            "noise": rng.normal(size=ROWS),
            "c": np.where(rng.random(ROWS) < 0.3, "a", "b"),
            "label": (rng.random(ROWS) < expit(2.0 * x)).astype(float),
        }
    )


@dataclass
class World:
    root: Path
    system: System
    clock: SimulatedClock
    server: Server
    levels: dict[int, float] = field(default_factory=lambda: dict(LEVELS))
    label_lag: timedelta | None = timedelta(hours=1)  # how long labels take to arrive, None for never

    def live_hourly(self, day: int) -> None:
        """Serve a day and tick at the end of each hour, the rows arriving hour by hour."""
        rows = day_rows(day)
        for hour in range(24):
            start = START + timedelta(days=day, hours=hour)
            part = rows[(rows["at"] >= start) & (rows["at"] < start + timedelta(hours=1))].reset_index(drop=True)
            self.log_rows(part, sequence=100 * day + hour)
            self.clock.set(start + timedelta(hours=1))
            tick(self.system)

    def live(self, day: int) -> None:
        """Serve a day, log it with its labels, move to its end and tick."""
        self.log(day)
        self.clock.set(START + timedelta(days=day + 1))
        tick(self.system)

    def log(self, day: int) -> None:
        self.log_rows(day_rows(day), sequence=day)

    def log_rows(self, rows: pd.DataFrame, *, sequence: int) -> None:
        self.system.store.sync_models((MODEL,), now=START)
        requests = Requests(rows, rows["id"].tolist(), rows["entity"].tolist(), rows["at"].tolist())
        answered = self.server.answer(requests, self.system.store.model(MODEL).route)
        self.system.lake.append(MODEL, "predictions", answered, writer="world", sequence=sequence)
        if self.label_lag is None:
            return
        arrival = [at + self.label_lag for at in rows["at"]]
        labels = pa.table(
            {
                "prediction_id": rows["id"].tolist(),
                "label": rows["label"].tolist(),
                "event_time": pa.array(rows["at"].tolist(), pa.timestamp("us", tz="UTC")),
                "arrival_time": pa.array(arrival, pa.timestamp("us", tz="UTC")),
                "source": ["true"] * len(rows),
            }
        )
        self.system.lake.append(MODEL, "labels", labels, writer="world", sequence=sequence)

    def retrain(self) -> str:
        return retrain(self.system, MODEL, actor="ann", reason="asked").id

    def close(self) -> None:
        self.system.store.close()


def build(
    root: Path,
    *,
    url: str | None = None,
    owner: str = "one",
    policy: str = POLICY,
    project_file: str = PROJECT,
    at: datetime = START,
    **changes: Any,
) -> World:
    root.mkdir(parents=True, exist_ok=True)
    (root / "vernal.yaml").write_text(project_file)
    (root / "m.yaml").write_text(policy)
    (root / "m.py").write_text("def train(X, y):\n    raise AssertionError('training is faked')\n")
    project = load_project(root)
    clock = SimulatedClock(at)
    levels = dict(LEVELS)
    registry = FakeRegistry(root / "registry.json")
    system = System(
        project=project,
        clock=clock,
        store=open_store(url or project.state_url, project="loop"),
        lake=DeltaLake(project.lake_path),
        datasets=LocalDatasets(root / "datasets"),
        registry=registry,
        trainer=FakeTrainer(
            root / "jobs",
            lambda rows, name: score(rows["x"], rows["noise"], levels[_run_number(name)]),
        ),
        costs=FixedCosts(),
        notifier=FileNotifier(root / "sent.jsonl"),
        owner=owner,
        lease=timedelta(seconds=20),
    )
    system = replace(system, **changes)

    def load(version: RegisteredVersion) -> Predictor:
        return Predictor(levels[int(version.version)])

    server = Server(project.models[MODEL], features=lambda rows: rows, registry=registry, loader=load)
    return World(root, system, clock, server, levels)


def _run_number(name: str) -> int:
    """Jobs are named ``m-<run>.<attempt>``; the version of run ``n`` is ``n``, as every candidate is registered."""
    return int(name.removeprefix(f"{MODEL}-").split(".")[0])


class Deadly:
    """A store that kills this process before and after every kind of commit, each once in the life of the root."""

    def __init__(self, store: Any, book: Path) -> None:
        self._store = store
        self._book = book

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit_run(self, run: Any, transition: Any) -> Any:
        key = f"{run.id}:{run.phase}->{transition.phase}"
        self._die_once(f"{key}:before")
        committed = self._store.commit_run(run, transition)
        self._die_once(f"{key}:after")
        return committed

    def commit_check(self, state: Any, commit: Any) -> Any:
        key = "check" if commit.supersedes is None else f"check-superseding-{commit.supersedes}"
        self._die_once(f"{key}:before")
        committed = self._store.commit_check(state, commit)
        self._die_once(f"{key}:after")
        return committed

    def route(self, routing: Any) -> bool:
        self._die_once("route:before")
        routed: bool = self._store.route(routing)
        self._die_once("route:after")
        return routed

    def settle(self, delivery: Any, settlement: Any) -> None:
        self._die_once(f"sent:{delivery.channel}:before")
        self._store.settle(delivery, settlement)

    def _die_once(self, key: str) -> None:
        died = self._book.read_text().splitlines() if self._book.exists() else []
        if key not in died:
            with self._book.open("a") as book:
                book.write(f"{key}\n")
                book.flush()
                os.fsync(book.fileno())
            os.kill(os.getpid(), signal.SIGKILL)


def live_through(world: World, *, until: int, first: int = HISTORY_DAYS, second: int = HISTORY_DAYS + 2) -> None:
    """Live through the days, asking for a first and a second model; goes on where an earlier process died."""
    decided = world.system.store.decisions()
    begin = max(((decided[-1].at - START).days - 1) if decided else 0, 0)
    for day in range(until):
        end = START + timedelta(days=day + 1)
        wanted = (day >= first) + (day >= second)
        if day < begin:
            continue
        world.log(day)
        world.clock.set(end)
        if len(world.system.store.runs(MODEL)) < wanted:
            world.retrain()
        tick(world.system)


def emergency_policy() -> str:
    """Return a policy whose runs wait for a person, are asked for on a schedule, and then by a performance trigger."""
    triggers = """\
triggers:
  drift: off
  volume: off
  schedule: {cron: "0 12 * * *"}
  performance: {threshold: 0.99, min_rows: 200}
risky: true
policy: {cooldown: 0s}
"""
    return POLICY.replace("triggers: {drift: off, volume: off}\n", triggers)


def live_through_an_emergency(world: World, *, until: int) -> None:
    """Live through the days with a first model asked for and approved; what else comes, the triggers ask for."""
    decided = world.system.store.decisions()
    begin = max(((decided[-1].at - START).days - 1) if decided else 0, 0)
    for day in range(begin, until):
        world.log(day)
        if day < HISTORY_DAYS:
            continue
        world.clock.set(START + timedelta(days=day + 1))
        if not world.system.store.runs(MODEL):
            world.retrain()
        tick(world.system)
        waiting = world.system.store.approval(f"{MODEL}-1", ApprovalKind.RELEASE)
        if waiting is not None and waiting.status is ApprovalStatus.PENDING:
            answer_approval(world.system, waiting.run_id, approved=True, actor="ann", note="")
            tick(world.system)
