"""What was refused is listed until somebody replays or discards it, and a replay brings every fit row exactly once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typing_extensions import override

from vernal.act.ingest import drain_inbox, ingest
from vernal.act.quarantine import Chosen, count_waiting, discard, listing, waiting
from vernal.act.refused import Why, as_came, kept
from vernal.act.replaying import Replay, replay
from vernal.act.screening import NOTHING_EXPECTED
from vernal.adapters.lake import DeltaLake
from vernal.errors import LakeError
from vernal.spec import ModelSpec, QualitySpec

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
LATER = NOW + timedelta(days=1)
FEATURES = {"numerical": ["x"], "categorical": ["c"]}
UTC_TIME = pa.timestamp("us", tz="UTC")


def spec(**features: list[str]) -> ModelSpec:
    described = {"model": "m", "task": "binary", "code": "m.py", "features": FEATURES | features}
    return ModelSpec.model_validate(described)


def predictions(count: int = 4, **changes: object) -> pa.Table:
    columns: dict[str, Any] = {
        "prediction_id": [f"p{n}" for n in range(count)],
        "event_time": pa.array([NOON] * count, UTC_TIME),
        "prediction": [1.0] * count,
        "x": [float(n) for n in range(count)],
        "c": ["a"] * count,
    }
    return pa.table(columns | changes)


def labels(count: int = 4, **changes: object) -> pa.Table:
    columns: dict[str, Any] = {
        "prediction_id": [f"p{n}" for n in range(count)],
        "label": [1.0] * count,
        "event_time": pa.array([NOON] * count, UTC_TIME),
    }
    return pa.table(columns | changes)


def take_in(
    lake: DeltaLake,
    rows: pa.Table,
    *,
    kind: str = "predictions",
    now: datetime = NOW,
    sequence: int = 1,
    quality: QualitySpec = NOTHING_EXPECTED,
) -> None:
    asked: dict[str, Any] = {"features": spec().features.kinds, "task": "binary", "quality": quality}
    ingest(lake, "m", kind, rows, writer="w", sequence=sequence, now=now, **asked)


def again(
    lake: DeltaLake, policy: ModelSpec | None = None, chosen: Chosen | None = None, *, dry_run: bool = False
) -> Replay:
    return replay(lake, policy or spec(), chosen or Chosen(), actor="ana", now=LATER, dry_run=dry_run)


def ids(lake: DeltaLake, kind: str = "predictions") -> list[str]:
    found: list[str] = lake.scan("m", kind, columns=("prediction_id",))["prediction_id"].to_pylist()
    return sorted(found)


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(tmp_path / "lake", inbox_path=tmp_path / "inbox")


# Listing


def test_waiting_rows_are_listed_by_the_rule_they_broke_the_most_rows_first(lake: DeltaLake) -> None:
    take_in(lake, predictions(score=[7.0, 0.5, 9.0, 0.5]))
    take_in(lake, predictions(2, prediction_id=[None, "b"]), sequence=2, now=NOW + timedelta(hours=1))
    take_in(lake, labels(1, label=[3.0]), kind="labels")
    found = listing(lake, "m", examples=1)
    assert found.waiting == count_waiting(lake, "m") == 4
    assert [(group.kind, group.rule, group.rows) for group in found.groups] == [
        ("predictions", "score: expected a probability from 0 to 1", 2),
        ("labels", "label: expected 0 or 1", 1),
        ("predictions", "prediction_id: found none, expected an id", 1),
    ]
    assert (found.groups[0].first, found.groups[2].last) == (NOW, NOW + timedelta(hours=1))
    assert [example["row"]["score"] for example in found.groups[0].examples] == [9.0]


def test_a_choice_goes_by_the_time_of_refusal_and_by_the_words_of_the_reason(lake: DeltaLake) -> None:
    take_in(lake, predictions(2, score=[7.0, 0.5]))
    take_in(lake, predictions(2, prediction_id=[None, "b"]), sequence=2, now=LATER)
    assert listing(lake, "m", Chosen(since=LATER), examples=0).waiting == 1
    assert listing(lake, "m", Chosen(until=LATER), examples=0).waiting == 1
    assert [group.rule for group in listing(lake, "m", Chosen(reason="PROBABILITY"), examples=0).groups] == [
        "score: expected a probability from 0 to 1"
    ]


def test_a_lake_without_anything_refused_has_nothing_waiting(lake: DeltaLake) -> None:
    assert count_waiting(lake, "m") == 0
    assert listing(lake, "m", examples=3) == (0, (), {})
    assert again(lake) == Replay(0, 0, ())


def test_discarded_rows_wait_no_longer_and_it_is_kept_who_gave_them_up_and_why(lake: DeltaLake) -> None:
    take_in(lake, predictions(score=[7.0, 0.5, 9.0, 0.5]))
    take_in(lake, predictions(2, prediction_id=[None, "b"]), sequence=2)
    assert discard(lake, "m", Chosen(reason="score"), actor="ana", note="a bug of March", now=LATER) == 2
    assert count_waiting(lake, "m") == 1
    assert listing(lake, "m", examples=0).resolved == {"discarded": 2}
    kept_for_ever = lake.scan("m", "resolutions").to_pylist()
    assert {(one["outcome"], one["actor"], one["note"], one["event_time"]) for one in kept_for_ever} == {
        ("discarded", "ana", "a bug of March", LATER)
    }
    assert lake.scan("m", "quarantine").num_rows == 3
    assert discard(lake, "m", Chosen(reason="score"), actor="ana", note="again", now=LATER) == 0


# Replaying


def test_a_batch_that_lacked_a_column_is_fit_when_the_model_no_longer_wants_it(lake: DeltaLake) -> None:
    take_in(lake, predictions().drop_columns(["x"]))
    assert again(lake) == Replay(0, 0, (("found no column x, expected it in every batch", 4),))
    fixed = spec(numerical=[])
    assert again(lake, fixed, dry_run=True) == again(lake, fixed) == Replay(4, 0, ())
    assert ids(lake) == ["p0", "p1", "p2", "p3"]
    assert count_waiting(lake, "m") == 0
    assert again(lake, fixed) == Replay(0, 0, ())


def test_a_dry_run_changes_nothing(lake: DeltaLake) -> None:
    take_in(lake, predictions(event_time=pa.array([NOON, NOON, NOON, LATER], UTC_TIME)))
    assert again(lake, dry_run=True).replayed == 1
    assert (len(ids(lake)), count_waiting(lake, "m"), lake.version("m", "resolutions")) == (3, 1, None)


def test_rows_that_are_still_unfit_are_counted_by_rule_and_go_on_waiting(lake: DeltaLake) -> None:
    take_in(lake, predictions(event_time=pa.array([NOON, LATER, LATER, NOON], UTC_TIME), score=[7.0, 0.5, 0.5, None]))
    assert again(lake) == Replay(2, 0, (("score: expected a probability from 0 to 1", 1),))
    assert ids(lake) == ["p1", "p2", "p3"]
    assert [row["prediction_id"] for row in waiting(lake, "m").rows.to_pylist()] == ["p0"]


def test_a_choice_is_replayed_and_the_rest_goes_on_waiting(lake: DeltaLake) -> None:
    late = pa.array([LATER, LATER], UTC_TIME)
    take_in(lake, predictions(2, event_time=late))
    take_in(lake, labels(2, arrival_time=late), kind="labels", now=NOW + timedelta(hours=1))
    assert again(lake, chosen=Chosen(since=NOW + timedelta(hours=1))).replayed == 2
    assert (ids(lake), len(ids(lake, "labels"))) == ([], 2)
    assert again(lake, chosen=Chosen(reason="no such")).replayed == 0
    assert again(lake, chosen=Chosen(reason="future")).replayed == 2


def test_a_prediction_whose_id_the_lake_has_is_not_brought_again(lake: DeltaLake) -> None:
    take_in(lake, predictions(2, prediction_id=["a", "a"]))
    assert again(lake) == Replay(0, 1, ())
    assert (ids(lake), count_waiting(lake, "m")) == (["a"], 0)
    assert listing(lake, "m", examples=0).resolved == {"present": 1}


def test_an_id_that_is_refused_in_two_batches_or_twice_in_one_is_brought_once(lake: DeltaLake) -> None:
    without = predictions(3, prediction_id=["a", "b", "b"]).drop_columns(["x"])
    take_in(lake, without)
    take_in(lake, without, sequence=2)
    assert again(lake, spec(numerical=[])) == Replay(2, 4, ())
    assert (ids(lake), count_waiting(lake, "m")) == (["a", "b"], 0)


def test_a_correction_of_a_label_is_brought_and_the_same_label_is_not(lake: DeltaLake) -> None:
    early = pa.array([LATER] * 4, UTC_TIME)
    rows = labels(4, prediction_id=["q"] * 4, label=[1.0, 1.0, 0.0, 1.0], arrival_time=early)
    take_in(lake, rows.append_column("source", pa.array(["true", "true", "true", "proxy"])), kind="labels")
    assert again(lake, dry_run=True) == again(lake) == Replay(3, 1, ())
    found = lake.scan("m", "labels").to_pylist()
    assert {(one["label"], one["source"]) for one in found} == {(0.0, "true"), (1.0, "true"), (1.0, "proxy")}


def test_a_row_without_a_time_of_receipt_is_taken_to_have_come_when_it_was_refused(lake: DeltaLake) -> None:
    take_in(lake, predictions(1).drop_columns(["x"]))
    half = pa.array([None, NOON], UTC_TIME)
    take_in(lake, predictions(2, prediction_id=["a", "b"], received_time=half).drop_columns(["x"]), sequence=2)
    again(lake, spec(numerical=[]))
    found = lake.scan("m", "predictions", columns=("prediction_id", "received_time"))
    assert {one["prediction_id"]: one["received_time"] for one in found.to_pylist()} == {
        "p0": NOW,
        "a": NOW,
        "b": NOON,
    }


@pytest.mark.parametrize("column", ["x", "c"])
def test_types_that_ingestion_refuses_are_refused_by_a_replay_too(lake: DeltaLake, column: str) -> None:
    take_in(lake, predictions().set_column(3 + (column == "c"), column, pa.array([[1.0]] * 4)))
    ((rule, count),) = again(lake).refused
    assert (count, ids(lake)) == (4, [])
    assert rule.startswith(f"{column}: found a column of list<")


# What goes wrong on the way


class Dying(DeltaLake):
    """A lake whose process dies before, or right after, its n-th append."""

    left = 1_000_000
    after = False

    @override
    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise KeyboardInterrupt
        version = super().append(model, kind, rows, writer=writer, sequence=sequence)
        if self.left < 0:
            raise KeyboardInterrupt
        return version


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(5))
def test_a_replay_that_is_killed_anywhere_and_repeated_brings_every_row_once(
    tmp_path: Path, step: int, after: bool
) -> None:
    lake = Dying(tmp_path / "lake", inbox_path=tmp_path / "inbox")
    take_in(lake, predictions(4, prediction_id=["a", "b", "c", "c"]).drop_columns(["x"]))
    late = pa.array([NOW + timedelta(hours=2)] * 2, UTC_TIME)
    take_in(lake, labels(2).append_column("arrival_time", late), kind="labels")
    lake.left, lake.after = step, after
    with suppress(KeyboardInterrupt):
        again(lake, spec(numerical=[]))
    lake.left = 1_000_000
    again(lake, spec(numerical=[]))
    assert (ids(lake), ids(lake, "labels"), count_waiting(lake, "m")) == (["a", "b", "c"], ["p0", "p1"], 0)


class Interrupted(DeltaLake):
    """A lake in which another replay does its whole work right before this one brings its rows."""

    other: Any = None

    @override
    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        if self.other is not None and kind == "predictions":
            other, self.other = self.other, None
            other()
        return super().append(model, kind, rows, writer=writer, sequence=sequence)


@pytest.mark.parametrize("same", [True, False])
def test_two_replays_at_once_bring_every_row_once(tmp_path: Path, same: bool) -> None:
    lake = Interrupted(tmp_path / "lake")
    take_in(lake, predictions(2, prediction_id=["a", "b"]).drop_columns(["x"]))
    take_in(
        lake, predictions(2, prediction_id=["c", "d"]).drop_columns(["x"]), sequence=2, now=NOW + timedelta(hours=1)
    )
    chosen = Chosen() if same else Chosen(until=NOW + timedelta(minutes=1))
    lake.other = lambda: again(DeltaLake(tmp_path / "lake"), spec(numerical=[]), chosen)
    again(lake, spec(numerical=[]))
    assert (ids(lake), count_waiting(lake, "m")) == (["a", "b", "c", "d"], 0)


def test_a_batch_that_is_screened_by_stricter_rules_after_a_crash_loses_no_row(tmp_path: Path) -> None:
    lake = Dying(tmp_path / "lake")
    rows = predictions(4, score=[7.0, 0.5, 0.5, 0.5], x=["1", "2", "red", "4"])
    lake.left = 1
    categorical = {"x": "categorical", "c": "categorical"}
    with pytest.raises(KeyboardInterrupt):
        ingest(lake, "m", "predictions", rows, features=categorical, task="binary", writer="w", sequence=1, now=NOW)
    lake.left = 1_000_000
    take_in(lake, rows)
    refused = [row["prediction_id"] for row in waiting(lake, "m").rows.to_pylist()]
    assert (sorted(refused), ids(lake)) == (["p0", "p2"], ["p1", "p3"])
    assert count_waiting(lake, "m") == 2


def test_rows_that_are_in_the_lake_are_not_refused_when_their_batch_comes_again_under_stricter_rules(
    lake: DeltaLake,
) -> None:
    rows = predictions(4, score=[7.0, 0.5, 0.5, 0.5])
    take_in(lake, rows)
    strict = QualitySpec.model_validate({"expectations": [{"column": "x", "min": 2}]})
    kinds = spec().features.kinds
    ingest(
        lake, "m", "predictions", rows, features=kinds, task="binary", writer="w", sequence=1, now=NOW, quality=strict
    )
    assert (ids(lake), count_waiting(lake, "m")) == (["p1", "p2", "p3"], 1)


# Segments that could not be read


def leave(inbox: Path, rows: pa.Table | bytes, folder: str = "") -> Path:
    path = inbox / "m" / "predictions" / folder / "s1.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(rows, bytes):
        path.write_bytes(rows)
    else:
        pq.write_table(rows, path)
    return path


def drain(lake: DeltaLake) -> None:
    drain_inbox(lake, "m", spec().features.kinds, task="binary", now=NOW)


def test_a_segment_is_replayed_once_it_was_repaired_and_its_unfit_rows_wait(lake: DeltaLake, tmp_path: Path) -> None:
    leave(tmp_path / "inbox", b"PAR1 but not really")
    drain(lake)
    ((rule, count),) = again(lake).refused
    assert (count, rule.endswith("s1.parquet: unreadable segment")) == (1, True)
    path = leave(tmp_path / "inbox", predictions(score=[0.5, 0.5, 0.5, 7.0]), "refused")
    done = again(lake)
    assert done == Replay(3, 0, (("score: expected a probability from 0 to 1", 1),))
    assert (ids(lake), path.exists()) == (["p0", "p1", "p2"], False)
    assert [group.rule for group in listing(lake, "m", examples=0).groups] == [
        "score: expected a probability from 0 to 1"
    ]


@pytest.mark.parametrize("step", range(3))
def test_a_repaired_segment_enters_once_wherever_the_replay_is_killed(tmp_path: Path, step: int) -> None:
    lake = Dying(tmp_path / "lake", inbox_path=tmp_path / "inbox")
    leave(tmp_path / "inbox", b"garbage")
    drain(lake)
    leave(tmp_path / "inbox", predictions(score=[0.5, 0.5, 0.5, 7.0]), "refused")
    lake.left = step
    with pytest.raises(KeyboardInterrupt):
        again(lake)
    lake.left = 1_000_000
    again(lake)
    assert (ids(lake), count_waiting(lake, "m")) == (["p0", "p1", "p2"], 1)


def test_a_segment_that_is_gone_is_said_to_be_gone(lake: DeltaLake, tmp_path: Path) -> None:
    leave(tmp_path / "inbox", b"garbage")
    drain(lake)
    (tmp_path / "inbox" / "m" / "predictions" / "refused" / "s1.parquet").unlink()
    assert again(lake).refused == (("s1.parquet: the segment was set aside and is there no more", 1),)


def test_a_repaired_segment_that_is_put_back_into_the_inbox_enters_by_itself(lake: DeltaLake, tmp_path: Path) -> None:
    leave(tmp_path / "inbox", b"garbage")
    drain(lake)
    leave(tmp_path / "inbox", predictions(2, score=[7.0, 0.5]))
    drain(lake)
    assert (ids(lake), count_waiting(lake, "m")) == (["p1"], 2)


# Rows as they came


def test_a_refused_row_comes_back_as_it_came() -> None:
    berlin = pa.timestamp("ms", tz="Europe/Berlin")
    came = pa.table(
        {
            "prediction_id": pa.array(["a", None], pa.large_string()),
            "n": pa.array([1, None], pa.int32()),
            "f": pa.array([float("inf"), None], pa.float32()),
            "b": [True, None],
            "money": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "code": pa.array(["x", None]).dictionary_encode(),
            "zoned": pa.array([NOON, None], UTC_TIME),
            "local": pa.array([NOON, None], berlin),
            "naive": pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("us")),
            "day": pa.array([date(2024, 5, 1), None], pa.date32()),
            "blob": pa.array([b"\xff\x00", None], pa.binary()),
            "many": pa.array([[1.0, 2.0], None], pa.list_(pa.float64())),
            "nothing": pa.nulls(2),
        }
    )
    whys = [Why("rule", "reason")] * 2
    stored = kept("predictions", came, whys, places=(0, 1), batch="b", now=NOW)
    back = as_came(stored["row"].to_pylist(), stored["schema"].to_pylist()[0])
    assert back.to_pylist() == came.to_pylist()
    assert back.schema.field("code").type == pa.string()
    assert [field.type for field in back.schema if field.name != "code"] == [
        field.type for field in came.schema if field.name != "code"
    ]


def test_many_rows_are_kept_in_pieces_that_together_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whys = [Why(f"rule {n}", f"reason {n}") for n in range(7)]
    whole = kept("predictions", predictions(7), whys, places=range(7), batch="b", now=NOW)
    monkeypatch.setattr("vernal.act.refused._ROWS_AT_ONCE", 3)
    pieces = kept("predictions", predictions(7), whys, places=range(7), batch="b", now=NOW)
    assert pieces.drop_columns(["schema"]).equals(whole.drop_columns(["schema"]))
    assert {schema for schema in pieces["schema"].to_pylist() if schema} == {whole["schema"][0].as_py()}


def test_a_time_that_could_not_be_shown_comes_back_as_none_and_the_others_as_they_were() -> None:
    far = pa.array([10**13, 1_714_564_800], pa.int64()).cast(pa.timestamp("s"))
    stored = kept("predictions", pa.table({"at": far}), [Why("r", "r")] * 2, places=(0, 1), batch="b", now=NOW)
    back = as_came(stored["row"].to_pylist(), stored["schema"].to_pylist()[0])
    assert back["at"].to_pylist() == [None, NOON.replace(tzinfo=None)]


def test_a_value_that_cannot_be_made_again_is_of_a_type_that_no_column_takes() -> None:
    stored = kept("predictions", pa.table({"x": [timedelta(1)]}), [Why("r", "r")], places=(0,), batch="b", now=NOW)
    back = as_came(stored["row"].to_pylist(), stored["schema"].to_pylist()[0])
    assert pa.types.is_list(back.schema.field("x").type)
    assert msgspec.json.decode(stored["row"][0].as_py())


def test_a_replay_gives_up_when_others_never_let_it_through(tmp_path: Path) -> None:
    class Full(DeltaLake):
        @override
        def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
            return 0 if kind == "predictions" else super().append(model, kind, rows, writer=writer, sequence=sequence)

    take_in(Full(tmp_path / "lake"), predictions().drop_columns(["x"]))
    with pytest.raises(LakeError, match="other replays were at work"):
        again(Full(tmp_path / "lake"), spec(numerical=[]))
    assert count_waiting(DeltaLake(tmp_path / "lake"), "m") == 4
