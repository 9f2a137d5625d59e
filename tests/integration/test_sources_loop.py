"""A model whose predictions and labels lie in the user's own tables is watched and retrained like any other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from typing_extensions import override

import loopworld
from sourcedatabases import UsersDatabase
from vernal.act.reconcile import tick
from vernal.adapters.lake import DeltaLake
from vernal.adapters.sources import SourcedLake, open_sources
from vernal.records import Labels, Phase, Predictions
from vernal.spec import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = loopworld.POLICY.replace("triggers: {drift: off, volume: off}", "triggers: {volume: off}")
MAPPED = """\
source:
  predictions:
    {place}: {predictions}
    columns:
      prediction_id: request
      event_time: asked
      received_time: written
      model_version: engine
      entity: customer
      prediction: verdict
      score: likelihood
    features: {{x: signal, noise: Disturbance, c: "c l a s s"}}
  labels:
    {place}: {labels}
    columns: {{prediction_id: request, label: truth, event_time: asked, arrival_time: known}}
"""
PREDICTIONS = {
    "request": (Predictions.ID, sa.Text()),
    "asked": (Predictions.EVENT_TIME, sa.DateTime(timezone=True)),
    "written": (Predictions.EVENT_TIME, sa.DateTime(timezone=True)),
    "engine": (Predictions.VERSION, sa.Text()),
    "customer": (Predictions.ENTITY, sa.Text()),
    "verdict": (Predictions.PREDICTION, sa.Double()),
    "likelihood": (Predictions.SCORE, sa.Double()),
    "signal": ("x", sa.Double()),
    "Disturbance": ("noise", sa.Double()),
    "c l a s s": ("c", sa.Text()),
}
LABELS = {
    "request": (Labels.ID, sa.Text()),
    "truth": (Labels.LABEL, sa.Integer()),
    "asked": (Labels.EVENT_TIME, sa.DateTime(timezone=True)),
    "known": (Labels.ARRIVAL_TIME, sa.DateTime(timezone=True)),
}
TABLES = {"predictions": ("scores", PREDICTIONS), "labels": ("outcomes", LABELS)}


class UsersTables(SourcedLake):
    """The lake of a world whose serving writes to the user's own tables instead."""

    def __init__(self, root: Path, url: str | None) -> None:
        project = load_project(root)
        super().__init__(DeltaLake(project.lake_path), open_sources(project))
        self.root = root
        self.database = None if url is None else UsersDatabase(url)
        self.made: dict[str, sa.Table] = {}
        for name, columns in TABLES.values():
            if self.database is not None:
                kinds: dict[str, Any] = {column: kind for column, (_, kind) in columns.items()}
                self.made[name] = self.database.create(name, kinds)
            else:
                (root / name).mkdir()

    @override
    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        if kind not in TABLES:
            return super().append(model, kind, rows, writer=writer, sequence=sequence)
        name, columns = TABLES[kind]
        here = {their: rows[ours] for their, (ours, _) in columns.items() if ours in rows.column_names}
        if self.database is not None:
            self.database.add(self.made[name], pa.table(here))
        else:
            aside = self.root / name / f".{sequence}.parquet"
            pq.write_table(pa.table(here), aside)
            aside.rename(aside.with_name(f"{sequence}.parquet"))
        return 0


@pytest.fixture(params=["parquet", "sqlite", "duckdb", pytest.param("postgresql", marks=pytest.mark.postgres)])
def worlds(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[loopworld.World, loopworld.World]]:
    """Two worlds that live through the same days: one on tables of the user's own, one on the embedded lake."""
    url, root = None, tmp_path / "own"
    root.mkdir()
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url").replace("postgresql://", "postgresql+psycopg://")
    elif request.param != "parquet":
        url = f"{request.param}:///{tmp_path}/users.db"
    place = "folder" if url is None else "table"
    shared = "source: {kind: parquet}\n" if url is None else _sql(url, monkeypatch)
    policy = POLICY + MAPPED.format(place=place, predictions="scores", labels="outcomes")
    (root / "vernal.yaml").write_text(loopworld.PROJECT + shared)
    (root / "m.yaml").write_text(policy)
    (root / "m.py").write_text("")
    tables = UsersTables(root, url)
    own = loopworld.build(root, policy=policy, project_file=loopworld.PROJECT + shared, lake=tables)
    embedded = loopworld.build(tmp_path / "embedded", policy=POLICY)
    yield own, embedded
    own.close()
    embedded.close()


def _sql(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a project says of a database, whose password is no text for a file."""
    parsed = sa.make_url(url)
    monkeypatch.setenv("USERS_PASSWORD", str(parsed.password))
    bare = parsed._replace(password=None).render_as_string()
    secret = "" if parsed.password is None else ", password_env: USERS_PASSWORD"
    return f"source: {{kind: sql, url: '{bare}'{secret}}}\n"


def live(world: loopworld.World) -> None:
    """Log a history, train a first model on it, live on, and retrain."""
    for day in range(loopworld.HISTORY_DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    world.retrain()
    tick(world.system)
    for day in range(loopworld.HISTORY_DAYS, loopworld.HISTORY_DAYS + 2):
        world.live(day)
    world.live_hourly(loopworld.HISTORY_DAYS + 2)
    world.retrain()
    tick(world.system)


def checks(world: loopworld.World) -> list[dict[str, Any]]:
    """Return what was measured at each check."""
    found = []
    for decision in world.system.store.decisions("m", kind="check"):
        assert decision.evidence is not None
        evidence = decision.evidence["evidence"]
        found.append({key: evidence[key] for key in ("at", "drift", "performance", "new_labels", "new_rows")})
    return found


def test_it_is_measured_and_trained_as_if_its_rows_were_in_the_lake(
    worlds: tuple[loopworld.World, loopworld.World],
) -> None:
    own, embedded = worlds
    for world in worlds:
        live(world)
    assert checks(own) == checks(embedded)
    assert checks(own)[-1]["drift"]["rows"] > 0
    assert checks(own)[-1]["performance"]["labelled"] > 0
    mine, theirs = (world.system.store.run("m-2") for world in worlds)
    assert mine.phase is theirs.phase
    assert mine.phase is not Phase.FAILED
    sets = [world.system.store.run("m-2").facts.training_set for world in worlds]
    assert sets[0] is not None
    assert sets[1] is not None
    assert (sets[0].training_rows, sets[0].holdout_rows) == (sets[1].training_rows, sets[1].holdout_rows)
    read = [pq.read_table(one.training_path).sort_by("prediction_id") for one in sets if one is not None]
    assert read[0].equals(read[1])
    assert own.system.lake.version("m", "quarantine") is None


def test_rows_that_cannot_be_used_are_told_once(worlds: tuple[loopworld.World, loopworld.World]) -> None:
    own, _ = worlds
    for day in range(loopworld.HISTORY_DAYS):
        own.log(day)
    own.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    own.retrain()
    tick(own.system)
    own.live(loopworld.HISTORY_DAYS)
    rows = loopworld.day_rows(loopworld.HISTORY_DAYS + 1)
    wrong = pa.table(
        {
            "prediction_id": rows["id"].tolist()[:5],
            "event_time": pa.array(rows["at"].tolist()[:5], pa.timestamp("us", tz="UTC")),
            "model_version": ["1"] * 5,
            "entity": ["e"] * 5,
            "prediction": [1.0, 1.0, 0.5, None, 0.0],
            "score": [0.5, 7.0, 0.5, 0.5, 0.5],
            "x": [0.0] * 5,
            "noise": [0.0] * 5,
            "c": ["a"] * 5,
        }
    )
    own.system.lake.append("m", "predictions", wrong, writer="world", sequence=9999)
    for later in (1, 2):
        own.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS + 1 + later))
        tick(own.system)
    told = [
        decision.evidence["evidence"]["notes"]
        for decision in own.system.store.decisions("m", kind="check")[-2:]
        if decision.evidence
    ]
    (note,), none = told
    assert note.startswith("3 predictions that came since the last check cannot be used: ")
    assert "prediction: expected 0 or 1 (1)" in note
    assert none == []
