"""The embedded lake and the user's own tables behind one port, from a project's files to a check's windows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sourcetables import HOUR, START, baseline, scores, write
from vernal.adapters.lake import DeltaLake
from vernal.adapters.sources import SourcedLake, open_sources
from vernal.adapters.state import open_store
from vernal.errors import LakeError
from vernal.observe.windows import Held, Roller, hours_of, profile_new_rows
from vernal.profile import FeatureKind, Reference, build_baseline, profile_rows
from vernal.records import CheckCommit, Lease
from vernal.spec import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from vernal.adapters.state.store import SqlStateStore
    from vernal.observe.windows import Window

MODEL = """\
model: m
task: binary
code: m.py
features: {numerical: [amount], categorical: [country]}
triggers: {drift: {window: 6h}}
source:
  predictions:
    folder: exports/scores
    columns: {prediction_id: request, event_time: scored_at, model_version: version, prediction: decision}
    features: {amount: tx_amount}
"""
BASELINE = baseline()
REFERENCE = Reference(features=BASELINE)
LEASE = Lease(owner="tests", duration=timedelta(minutes=5))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "vernal.yaml").write_text("project: p\nmodels: [m.yaml]\nsource: {kind: parquet, lateness: 0s}\n")
    (tmp_path / "m.yaml").write_text(MODEL)
    (tmp_path / "m.py").write_text("def train(X, y): ...\n")
    return tmp_path


@pytest.fixture
def lake(project: Path) -> SourcedLake:
    loaded = load_project(project)
    return SourcedLake(DeltaLake(loaded.lake_path), open_sources(loaded))


@pytest.fixture
def store() -> Iterator[SqlStateStore]:
    opened = open_store("sqlite://", project="p")
    opened.sync_models(["m"], now=START)
    yield opened
    opened.close()


def check(
    project: Path, lake: SourcedLake, store: SqlStateStore, now: datetime, reference: Reference = REFERENCE
) -> tuple[int, Window]:
    """Count and roll as a check does, and write down what it leaves; return its new rows and its window."""
    spec = load_project(project).models["m"]
    state = store.claim_check(["m"], lease=LEASE, now=now)
    assert state is not None
    held = Held("1", reference, reference.joint())
    hours = profile_new_rows(lake, store, spec, held=held, since=state.profiled_version, now=now)
    stored = {window.hours: window for window in store.windows("m", "running")}
    length = 6 * HOUR
    roller = Roller(store, "m", baseline=held.joint, baseline_version="1", stored=stored, hours=hours)
    window = roller.roll(length, now=now)
    assert hours_of(length) == 6
    store.commit_check(
        state,
        CheckCommit(
            at=now,
            next_check_at=now,
            profiled_version=hours.version,
            cron_at=None,
            baseline_version="1",
            hours={hour: profile.to_bytes() for hour, profile in hours.profiles.items()},
            windows=(window.stored("1"),),
        ),
    )
    return hours.new_rows, window


def test_windows_roll_over_hours_that_are_counted_anew(project: Path, lake: SourcedLake, store: SqlStateStore) -> None:
    folder = project / "exports" / "scores"
    write(scores(range(5)), folder / "1.parquet")
    assert check(project, lake, store, START + 5 * HOUR)[0] == 100
    write(pa.concat_tables([scores(range(5, 7)), scores(range(2, 3), seed=4)]), folder / "2.parquet")
    new, window = check(project, lake, store, START + 7 * HOUR)
    assert (new, window.profile.rows) == (60, 7 * 20)  # hours 1 to 6, hour 2 with late rows
    write(scores(range(5, 7), per_hour=3), folder / "2.parquet")
    new, window = check(project, lake, store, START + 7 * HOUR + timedelta(minutes=59))
    assert (new, window.profile.rows) == (0, 40 + 20 + 20 + 3 + 3)
    new, window = check(project, lake, store, START + 9 * HOUR)
    assert (new, window.profile.rows) == (0, 20 + 20 + 3 + 3)


def test_counting_again_from_the_start_gives_the_same_window(
    project: Path, lake: SourcedLake, store: SqlStateStore
) -> None:
    folder = project / "exports" / "scores"
    windows = []
    for hour in range(8):
        write(scores(range(hour, hour + 1)), folder / f"{hour}.parquet")
        windows.append(check(project, lake, store, START + (hour + 1) * HOUR)[1])
    fresh = open_store("sqlite://", project="p")
    fresh.sync_models(["m"], now=START)
    _, counted = check(project, lake, fresh, START + 8 * HOUR)
    fresh.close()
    assert windows[-1].profile == counted.profile
    assert counted.profile.rows == 6 * 20


def test_what_is_read_elsewhere_cannot_be_stored_here(lake: SourcedLake) -> None:
    with pytest.raises(LakeError, match=r"was handed predictions to store.*\n.*take `predictions` out of `source`"):
        lake.append("m", "predictions", scores(range(1)), writer="w", sequence=1)


def test_tables_that_are_not_named_stay_in_the_embedded_lake(lake: SourcedLake) -> None:
    times = pa.array([START], pa.timestamp("us", tz="UTC"))
    labels = pa.table({"prediction_id": ["a"], "label": [1.0], "event_time": times})
    assert lake.version("m", "labels") is None
    version = lake.append("m", "labels", labels, writer="w", sequence=1)
    assert lake.version("m", "labels") == version
    assert lake.scan("m", "labels", columns=("prediction_id",)).to_pylist() == [{"prediction_id": "a"}]
    assert lake.count_hours("other", BASELINE, since=None, start=START, end=START + HOUR) is None


def test_asking_for_a_column_that_there_is_not_is_told(project: Path, lake: SourcedLake) -> None:
    write(scores(range(1)), project / "exports" / "scores" / "1.parquet")
    with pytest.raises(LakeError, match="asked for nonsense"):
        lake.scan("m", "predictions", columns=("nonsense",))


def test_answers_of_the_version_are_counted_beside_the_features(
    project: Path, lake: SourcedLake, store: SqlStateStore
) -> None:
    answers = build_baseline(pa.table({"prediction": [0.0, 1.0] * 50}), {"prediction": FeatureKind.NUMERICAL})
    reference = Reference(features=BASELINE, answers=answers)
    folder = project / "exports" / "scores"
    rows = scores(range(5))
    write(rows, folder / "1.parquet")
    write(pa.table({**scores(range(3), seed=2).to_pydict(), "version": ["2"] * 60}), folder / "2.parquet")
    new, window = check(project, lake, store, START + 5 * HOUR, reference)
    features, answered = reference.parted(window.profile)
    assert answered is not None
    assert (new, features.rows, answered.rows) == (160, 160, 100)
    ones = sum(rows["decision"].to_pylist())
    assert (
        answers.cells(answered, "prediction").tolist()
        == profile_rows(answers, pa.table({"prediction": [0.0] * (100 - ones) + [1.0] * ones})).counts.tolist()
    )
    write(scores(range(5, 6)), folder / "3.parquet")
    _, window = check(project, lake, store, START + 7 * HOUR, reference)
    _, answered = reference.parted(window.profile)
    assert answered is not None
    assert answered.rows == 100  # hours 1 to 5
