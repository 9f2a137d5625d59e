"""What arrives is often wrong: each wrong row is refused and counted, none is lost, and the champion serves on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loopworld
import realworld
from vernal.act.ingest import drain_inbox, ingest
from vernal.act.reconcile import tick
from vernal.act.serve import Requests, Server
from vernal.act.tally import IngestReport
from vernal.adapters.lake import DeltaLake
from vernal.adapters.models import load_predictor
from vernal.adapters.state import open_store
from vernal.bootstrap import open_system
from vernal.errors import LakeError, StoreError, UserCodeError
from vernal.observe.labelled import labelled
from vernal.records import Phase
from vernal.spec import LabelsSpec

NOW = loopworld.START + timedelta(days=1)
NOON = loopworld.START + timedelta(hours=12)
FEATURES = {"x": "numerical", "c": "categorical"}
UTC_TIME = pa.timestamp("us", tz="UTC")


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(tmp_path / "lake", inbox_path=tmp_path / "inbox")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopworld.World]:
    """One project whose first model serves, for tests that leave it serving."""
    world = realworld.build(tmp_path_factory.mktemp("bad"))
    realworld.promote_first(world)
    yield world
    world.close()


def times(*moments: datetime | None) -> pa.Array:
    return pa.array(moments, UTC_TIME)


def predictions(count: int = 4, **changes: object) -> pa.Table:
    columns: dict[str, Any] = {
        "prediction_id": [f"p{n}" for n in range(count)],
        "event_time": times(*[NOON] * count),
        "model_version": ["1"] * count,
        "prediction": [1.0] * count,
        "score": [0.5] * count,
        "x": [float(n) for n in range(count)],
        "c": ["a"] * count,
    }
    return pa.table(columns | changes)


def labels(count: int = 4, **changes: object) -> pa.Table:
    columns: dict[str, Any] = {
        "prediction_id": [f"p{n}" for n in range(count)],
        "label": [1.0] * count,
        "event_time": times(*[NOON] * count),
        "arrival_time": times(*[NOON + timedelta(hours=1)] * count),
    }
    return pa.table(columns | changes)


def take_in(lake: DeltaLake, kind: str, rows: pa.Table, sequence: int = 1) -> IngestReport:
    return ingest(lake, "m", kind, rows, features=FEATURES, task="binary", writer="client", sequence=sequence, now=NOW)


def leave(inbox: Path, kind: str, name: str, rows: pa.Table | bytes) -> Path:
    """Leave a segment as a client does."""
    path = inbox / "m" / kind / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(rows, bytes):
        path.write_bytes(rows)
    else:
        pq.write_table(rows, path)
    return path


# Rows


@pytest.mark.parametrize(
    ("kind", "rows", "reason"),
    [
        ("predictions", predictions(score=[0.5, np.nan, 0.5, 0.5]), "score: expected a finite number"),
        ("predictions", predictions(score=[0.5, np.inf, 0.5, 0.5]), "score: expected a finite number"),
        ("predictions", predictions(score=[0.5, 1.5, 0.5, 0.5]), "score: expected a probability from 0 to 1"),
        ("predictions", predictions(prediction=[0.0, 2.0, 1.0, 1.0]), "prediction: expected 0 or 1"),
        ("predictions", predictions(prediction=[0.0, np.nan, 1.0, 1.0]), "prediction: expected a finite number"),
        ("predictions", predictions(x=["1", "one", "2", "3"]), "x: expected a number"),
        ("predictions", predictions(prediction_id=["a", None, "b", "c"]), "prediction_id: found none, expected an id"),
        ("predictions", predictions(prediction_id=["a", "", "b", "c"]), "prediction_id: found none, expected an id"),
        ("predictions", predictions(prediction_id=["a", "a", "b", "c"]), "prediction_id: occurs twice in this batch"),
        ("predictions", predictions(event_time=times(NOON, None, NOON, NOON)), "event_time: found none"),
        (
            "predictions",
            predictions(event_time=times(NOON, NOW + timedelta(hours=2), NOON, NOON)),
            "event_time: more than an hour in the future",
        ),
        ("labels", labels(label=[0.0, np.nan, 1.0, 1.0]), "label: expected a finite number"),
        ("labels", labels(label=[0.0, -np.inf, 1.0, 1.0]), "label: expected a finite number"),
        ("labels", labels(label=[0.0, None, 1.0, 1.0]), "label: expected a finite number"),
        ("labels", labels(label=[0.0, 0.5, 1.0, 1.0]), "label: expected 0 or 1"),
        ("labels", labels(label=["0", "maybe", "1", "1"]), "label: expected a finite number"),
        (
            "labels",
            labels(arrival_time=times(NOON, NOON - timedelta(hours=1), NOON, NOON)),
            "arrival_time: before event_time",
        ),
    ],
)
def test_a_wrong_row_is_quarantined_with_its_reason_and_the_others_enter(
    lake: DeltaLake, kind: str, rows: pa.Table, reason: str
) -> None:
    report = take_in(lake, kind, rows)
    assert (report.accepted, report.quarantined) == (3, 1)
    assert report.reasons[0].startswith(reason)
    assert lake.scan("m", kind).num_rows == 3
    kept = lake.scan("m", "quarantine").to_pylist()
    assert [row["reason"].startswith(reason) for row in kept] == [True]
    assert msgspec.json.decode(kept[0]["row"])["prediction_id"] == rows["prediction_id"][1].as_py()


def test_nan_and_infinities_in_features_enter_the_lake_for_the_profiles_to_count(lake: DeltaLake) -> None:
    report = take_in(lake, "predictions", predictions(x=[np.nan, np.inf, -np.inf, None]))
    assert (report.accepted, report.quarantined) == (4, 0)
    found = lake.scan("m", "predictions", columns=("x",))["x"].to_pylist()
    assert [str(value) for value in found] == ["nan", "inf", "-inf", "None"]


@pytest.mark.parametrize(
    ("kind", "rows", "reason"),
    [
        ("predictions", predictions().drop_columns(["x"]), "found no column x"),
        ("predictions", predictions(x=[[1.0]] * 4), "x: found a column of list<.*>, expected numbers"),
        ("predictions", predictions(c=[{"a": 1}] * 4), "c: found a column of struct<.*>, expected texts"),
        ("predictions", predictions(event_time=[1, 2, 3, 4]), "event_time: found a column of int64, expected times"),
        ("labels", labels().drop_columns(["label"]), "found no column label"),
        ("labels", labels(label=times(*[NOON] * 4)), "label: found a column of timestamp.*, expected numbers"),
    ],
)
def test_a_column_that_is_missing_or_of_a_wrong_type_quarantines_its_batch_and_nothing_else(
    lake: DeltaLake, kind: str, rows: pa.Table, reason: str
) -> None:
    good = predictions() if kind == "predictions" else labels()
    take_in(lake, kind, good)
    report = take_in(lake, kind, rows, sequence=2)
    assert (report.accepted, report.quarantined) == (0, 4)
    assert re.match(rf"{reason}.* \(4\)$", report.reasons[0])
    assert lake.scan("m", "quarantine").num_rows == 4
    assert lake.scan("m", kind).num_rows == 4


@pytest.mark.parametrize("column", ["x", "event_time", "received_time", "prediction", "entity_key"])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_time_beyond_what_python_can_say_is_never_more_than_a_refused_row(
    lake: DeltaLake, column: str, unit: str
) -> None:
    far = pa.array([10**13 if unit == "s" else 10**18, 1], pa.int64()).cast(pa.timestamp(unit))
    report = take_in(lake, "predictions", predictions(2, **{column: far}))
    assert report.accepted + report.quarantined == 2


def test_a_time_that_is_too_far_to_count_is_not_wrapped_round_into_an_earlier_one(lake: DeltaLake) -> None:
    round_once = 2**64 // 10**6 + int(NOON.timestamp())  # as microseconds, 64 bits later: noon
    far = pa.array([round_once, int(NOON.timestamp())], pa.int64()).cast(pa.timestamp("s"))
    report = take_in(lake, "predictions", predictions(2, event_time=far))
    assert (report.accepted, report.quarantined) == (1, 1)
    assert str(round_once) in lake.scan("m", "quarantine")["row"][0].as_py()


def test_a_feature_that_becomes_a_category_is_refused_with_the_way_out_and_nothing_is_lost(
    lake: DeltaLake, tmp_path: Path
) -> None:
    take_in(lake, "predictions", predictions())
    leave(tmp_path / "inbox", "predictions", "1", predictions(x=["low", "high", "low", "low"]))
    with pytest.raises(LakeError, match="Cannot cast string 'low'") as raised:
        drain_inbox(lake, "m", {"x": "categorical", "c": "categorical"}, task="binary", now=NOW)
    assert "A feature that changes needs a new name" in (raised.value.hint or "")
    assert lake.scan("m", "predictions").num_rows == 4
    assert len(lake.inbox("m")) == 1


def test_a_batch_that_comes_twice_enters_once_and_is_quarantined_once(lake: DeltaLake) -> None:
    for _ in range(2):
        take_in(lake, "predictions", predictions(score=[0.5, 0.5, 0.5, 7.0]))
    assert lake.scan("m", "predictions").num_rows == 3
    assert lake.scan("m", "quarantine").num_rows == 1


def test_duplicated_predictions_corrected_labels_and_labels_of_nobody_are_told_apart(lake: DeltaLake) -> None:
    take_in(lake, "predictions", predictions(2))
    take_in(lake, "predictions", predictions(2), sequence=2)
    take_in(lake, "labels", labels(2, label=[0.0, 0.0], prediction_id=["p0", "stranger"]))
    late = times(*[NOON + timedelta(hours=6)] * 2)
    take_in(lake, "labels", labels(2, label=[1.0, 1.0], prediction_id=["p0", "p1"], arrival_time=late), sequence=2)
    seen = {}
    for hours in (2, 7):
        as_of = NOON + timedelta(hours=hours)
        found = labelled(
            lake,
            "m",
            columns=("prediction_id", "event_time"),
            start=loopworld.START,
            end=NOW,
            as_of=as_of,
            counting=LabelsSpec(),
        )
        rows = dict(zip(found.rows["prediction_id"].to_pylist(), found.rows["label"].to_pylist(), strict=True))
        seen[hours] = (rows, found.unmatched)
    assert seen[2] == ({"p0": 0.0}, 1)
    assert seen[7] == ({"p0": 1.0, "p1": 1.0}, 1)


# The loop


def test_bad_segments_are_counted_in_the_check_told_to_a_person_and_hold_up_nobody(shared: loopworld.World) -> None:
    world = shared
    end = loopworld.START + timedelta(days=loopworld.HISTORY_DAYS + 1)
    moment = end - timedelta(hours=2)
    good = predictions(3, event_time=times(*[moment] * 3), noise=[0.0, np.nan, np.inf])
    inbox = world.root / "inbox"
    leave(inbox, "predictions", "1-good", good)
    leave(inbox, "predictions", "2-bad", good.set_column(4, "score", pa.array([0.1, np.nan, 9.0])))
    leave(inbox, "predictions", "3-short", good.drop_columns(["noise"]))
    garbage = leave(inbox, "predictions", "4-garbage", b"PAR1 but not really PAR1")
    leave(inbox, "labels", "5-strangers", labels(3, event_time=times(*[moment] * 3), arrival_time=times(*[moment] * 3)))
    before = world.system.lake.scan("m", "predictions").num_rows
    world.clock.set(end)
    report = tick(world.system)
    assert report.errors == ()
    check = world.system.store.decisions("m")[-1]
    assert check.kind == "check"
    assert check.evidence is not None
    assert check.evidence["evidence"]["quarantined"] == 2 + 3 + 1
    assert world.system.lake.scan("m", "predictions").num_rows == before + 4
    assert world.system.lake.inbox("m") == ()
    assert (garbage.parent / "refused" / garbage.name).exists()
    assert "6 of 13 rows refused" in (world.root / "sent.jsonl").read_text()
    assert realworld.served(world) == {"1"}
    assert tick(world.system).errors == ()
    assert world.system.lake.scan("m", "predictions").num_rows == before + 4


@pytest.mark.slow
def test_labels_of_nobody_and_features_that_are_not_finite_do_not_keep_a_run_from_ending(tmp_path: Path) -> None:
    world = realworld.build(tmp_path)
    strangers = labels(500, prediction_id=[f"stranger-{n}" for n in range(500)])
    world.system.lake.append("m", "labels", strangers, writer="stranger", sequence=1)
    weird = predictions(4, x=[np.nan, np.inf, -np.inf, 1e308], noise=[np.nan] * 4)
    world.system.lake.append("m", "predictions", weird, writer="weird", sequence=1)
    world.system.lake.append("m", "labels", labels(), writer="weird", sequence=1)
    forgiving = realworld.GOOD.replace(
        "    return", "    X = X.assign(x=X['x'].clip(-9, 9).fillna(0), noise=0.0)\n    return"
    )
    realworld.write_code(world, forgiving)
    for day in range(loopworld.HISTORY_DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    run = realworld.finish(world, world.retrain())
    assert run.phase is Phase.PROMOTED, run.outcome
    training_set = run.facts.training_set
    assert training_set is not None
    assert training_set.training_rows + training_set.holdout_rows == loopworld.HISTORY_DAYS * loopworld.ROWS + 4
    world.close()


# Serving


def serve(world: loopworld.World, features: Callable[[pd.DataFrame], Any]) -> pa.Table:
    """Answer requests before there is any model, when only features are logged."""
    spec = world.system.project.models["m"]

    server = Server(spec, features=features, registry=world.system.registry, loader=load_predictor)
    return server.answer(realworld.requests(0), None)


def raises(rows: pd.DataFrame) -> pd.DataFrame:
    raise ZeroDivisionError("no wind today")


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (raises, "m: `features` raised ZeroDivisionError: no wind today; expected a data frame with the columns x"),
        (lambda rows: rows["x"], "m: `features` raised AttributeError"),
        (lambda _: None, "m: `features` raised AttributeError"),
        (lambda rows: rows.drop(columns="noise"), "expected noise once each"),
        (lambda rows: rows.head(3), "m: `features` returned 3 rows for 150 requests, expected as many"),
        (lambda rows: rows.assign(x="red"), "m: `features` returned texts in x, expected numbers"),
        (lambda rows: rows.assign(x=pd.Timestamp("2024")), r"returned x: found a column of timestamp.*, expected numb"),
        (lambda rows: rows.assign(x=[1, "a"] * 75), r"returned a mixture .* in x, expected numbers"),
        (lambda rows: rows.assign(c=[{"a": 1}] * 150), r"returned c: found a column of struct.*, expected texts"),
    ],
)
def test_features_that_cannot_be_logged_are_an_error_that_says_what_the_function_returned(
    shared: loopworld.World, features: Callable[[pd.DataFrame], Any], told: str
) -> None:
    with pytest.raises(UserCodeError, match=told):
        serve(shared, features)


def test_features_of_any_sensible_type_are_logged_in_their_canonical_form(shared: loopworld.World) -> None:
    codes = pd.Series(([3.0, np.nan, 4.0] * 50), dtype=object)
    x = pd.Series([True, False, None] * 50, dtype="boolean")
    noise = pd.Series([1, 2, 3] * 50, dtype="int8")
    logged = serve(shared, lambda rows: rows.assign(x=x, noise=noise, c=codes))
    assert logged["x"].to_pylist()[:3] == [1.0, 0.0, None]
    assert logged["noise"].type == pa.float64()
    assert logged["c"].to_pylist()[:3] == ["3", None, "4"]
    categorical = serve(shared, lambda rows: rows.assign(c=rows["c"].astype("category")))
    assert categorical["c"].to_pylist() == loopworld.day_rows(0)["c"].tolist()
    numbered = serve(shared, lambda rows: rows.assign(c=range(150)))
    assert numbered["c"].to_pylist()[:2] == ["0", "1"]


def test_a_request_with_nan_and_infinities_is_answered_or_refused_by_name_never_by_a_crash(
    shared: loopworld.World,
) -> None:
    route = shared.system.store.model("m").route
    rows = loopworld.day_rows(0).assign(x=np.inf)
    requests = Requests(rows, rows["id"].tolist(), rows["entity"].tolist(), rows["at"].tolist())
    with pytest.raises(UserCodeError, match=r"version 1: `predict` of .*Pipeline raised ValueError: Input X contains"):
        shared.server.answer(requests, route)
    assert realworld.served(shared) == {"1"}


# A store for one project


def test_a_second_project_on_a_store_is_refused_and_the_first_serves_on(
    shared: loopworld.World, tmp_path: Path
) -> None:
    url = shared.system.project.state_url
    with pytest.raises(StoreError, match="it belongs to the project 'loop', not to 'other'") as raised:
        open_store(url, project="other")
    assert "Give this project a store of its own" in str(raised.value)
    (tmp_path / "vernal.yaml").write_text(f"project: other\nmodels: [m.yaml]\nstate: {url}\n")
    (tmp_path / "m.yaml").write_text(loopworld.POLICY)
    (tmp_path / "m.py").write_text(realworld.GOOD)
    with pytest.raises(StoreError, match="belongs to the project 'loop'"), open_system(tmp_path):
        pass
    assert realworld.served(shared) == {"1"}


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte; skips where nobody may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "vernal-test", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a full disk needs `mount`, which is not on the path")
    if mounted.returncode:
        pytest.skip(f"a full disk needs the right to mount one (root): {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write to a disk until nothing more fits."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


@pytest.mark.chaos
def test_a_full_disk_leaves_the_table_as_it_was_and_the_same_batch_enters_once_when_there_is_room(
    small_disk: Path,
) -> None:
    lake = DeltaLake(small_disk / "lake")
    take_in(lake, "predictions", predictions(2, prediction_id=["a", "b"]), sequence=1)
    before = lake.scan("m", "predictions")
    version = lake.version("m", "predictions")
    filler = fill(small_disk)
    for _ in range(2):
        with pytest.raises(LakeError, match="cannot write") as raised:
            take_in(lake, "predictions", predictions(3), sequence=2)
        assert "The disk is full" in (raised.value.hint or "")
        assert DeltaLake(small_disk / "lake").version("m", "predictions") == version
        assert lake.scan("m", "predictions").equals(before)
    filler.unlink()
    for _ in range(2):
        assert take_in(lake, "predictions", predictions(3), sequence=2).accepted == 3
    assert sorted(lake.scan("m", "predictions")["prediction_id"].to_pylist()) == ["a", "b", "p0", "p1", "p2"]


@pytest.mark.chaos
def test_a_full_disk_leaves_the_inbox_as_it_was_until_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    lake = DeltaLake(small_disk / "lake", inbox_path=tmp_path / "inbox")
    leave(tmp_path / "inbox", "predictions", "1", predictions(3))
    leave(tmp_path / "inbox", "labels", "2", labels(3, label=[0.0, 1.0, 7.0]))
    filler = fill(small_disk)
    with pytest.raises(LakeError, match="cannot write"):
        drain_inbox(lake, "m", FEATURES, task="binary", now=NOW)
    assert len(lake.inbox("m")) == 2
    filler.unlink()
    report = drain_inbox(lake, "m", FEATURES, task="binary", now=NOW)
    assert (report.accepted, report.quarantined) == (5, 1)
    assert lake.inbox("m") == ()
    assert [lake.scan("m", kind).num_rows for kind in ("predictions", "labels", "quarantine")] == [3, 2, 1]


@pytest.mark.chaos
def test_a_tick_on_a_full_disk_records_its_error_and_the_champion_serves_on(
    shared: loopworld.World, small_disk: Path
) -> None:
    system = shared.system
    shared.system = replace(system, lake=DeltaLake(small_disk / "lake", inbox_path=small_disk / "inbox"))
    try:
        leave(small_disk / "inbox", "labels", "1", labels(3))
        filler = fill(small_disk)
        shared.clock.advance(timedelta(days=1))
        errors = tick(shared.system).errors
        assert len(errors) == 1
        assert "The disk is full" in errors[0]
        assert system.store.decisions("m")[-1].outcome == "error"
        assert realworld.served(shared) == {"1"}
        filler.unlink()
        shared.clock.advance(timedelta(days=1))
        assert tick(shared.system).errors == ()
        assert shared.system.lake.scan("m", "labels").num_rows == 3
    finally:
        shared.system = system
