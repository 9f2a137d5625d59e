from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake, delta
from vernal.errors import LakeError

MODEL = "late_arrival"
NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(tmp_path / "lake")


def batch(*ids: str, at: datetime = NOON, **columns: list[object]) -> pa.Table:
    times = pa.array([at] * len(ids), pa.timestamp("us", tz="UTC"))
    return pa.table({"prediction_id": pa.array(ids, pa.string()), "event_time": times} | columns)


def ids(rows: pa.Table) -> list[str]:
    found: list[str] = rows["prediction_id"].to_pylist()
    return found


def files(lake: DeltaLake) -> int:
    return len(list((lake._root / MODEL / "predictions").glob("day=*/*.parquet")))


def fill(lake: DeltaLake, *batches: pa.Table) -> None:
    for number, rows in enumerate(batches):
        lake.append(MODEL, "predictions", rows, writer="w", sequence=number)


# Appending


def test_a_batch_that_is_appended_twice_is_there_once(lake: DeltaLake) -> None:
    first = lake.append(MODEL, "predictions", batch("a", "b"), writer="w", sequence=0)
    again = lake.append(MODEL, "predictions", batch("a", "b"), writer="w", sequence=0)
    assert again == first
    assert ids(lake.scan(MODEL, "predictions")) == ["a", "b"]


def test_a_batch_is_recognised_by_another_process_that_opens_the_lake_later(lake: DeltaLake) -> None:
    lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=7)
    DeltaLake(lake._root).append(MODEL, "predictions", batch("a"), writer="w", sequence=7)
    assert ids(lake.scan(MODEL, "predictions")) == ["a"]


def test_a_sequence_below_the_writers_last_one_is_taken_to_be_there(lake: DeltaLake) -> None:
    lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=5)
    lake.append(MODEL, "predictions", batch("b"), writer="w", sequence=4)
    assert ids(lake.scan(MODEL, "predictions")) == ["a"]


def test_writers_and_tables_do_not_know_of_each_others_sequences(lake: DeltaLake) -> None:
    lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=1)
    lake.append(MODEL, "predictions", batch("b"), writer="v", sequence=1)
    lake.append(MODEL, "labels", batch("a", label=[1.0]), writer="w", sequence=1)
    lake.append("other", "predictions", batch("c"), writer="w", sequence=1)
    assert ids(lake.scan(MODEL, "predictions")) == ["a", "b"]
    assert ids(lake.scan(MODEL, "labels")) == ["a"]
    assert ids(lake.scan("other", "predictions")) == ["c"]


def test_an_empty_batch_makes_no_version(lake: DeltaLake) -> None:
    version = lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=0)
    assert lake.append(MODEL, "predictions", batch(), writer="w", sequence=1) == version


def test_a_new_column_joins_the_table_and_is_null_in_older_rows(lake: DeltaLake) -> None:
    fill(lake, batch("a", x=[1.0]), batch("b", x=[2.0], y=["red"]), batch("c"))
    rows = lake.scan(MODEL, "predictions", columns=("x", "y"))
    assert rows.to_pydict() == {"x": [1.0, 2.0, None], "y": [None, "red", None]}


def test_two_open_lakes_may_both_add_columns(lake: DeltaLake) -> None:
    other = DeltaLake(lake._root)
    lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=0)
    other.append(MODEL, "predictions", batch("b", x=[1.0]), writer="v", sequence=0)
    lake.append(MODEL, "predictions", batch("c", y=[2.0]), writer="w", sequence=1)
    assert lake.scan(MODEL, "predictions", columns=("x", "y")).to_pydict() == {
        "x": [None, 1.0, None],
        "y": [None, None, 2.0],
    }


def test_the_day_is_the_utc_date_of_the_event_whatever_the_batch_says(lake: DeltaLake) -> None:
    late_in_new_york = datetime.fromisoformat("2013-02-01T23:30:00-05:00")
    lake.append(MODEL, "predictions", batch("a", at=late_in_new_york, day=[date(1999, 1, 1)]), writer="w", sequence=0)
    assert lake.scan(MODEL, "predictions")["day"].to_pylist() == [date(2013, 2, 2)]


def test_dictionaries_nanoseconds_and_large_strings_are_stored_plainly(lake: DeltaLake) -> None:
    rows = pa.table(
        {
            "prediction_id": pa.array(["a"], pa.large_string()),
            "event_time": pa.array([1_359_720_000_123_456_789], pa.timestamp("ns", tz="America/New_York")),
            "carrier": pa.array(["UA"]).dictionary_encode(),
        }
    )
    lake.append(MODEL, "predictions", rows, writer="w", sequence=0)
    stored = lake.scan(MODEL, "predictions", columns=("prediction_id", "event_time", "carrier"))
    assert stored.schema.types == [pa.string(), pa.timestamp("us", tz="UTC"), pa.string()]
    assert stored["event_time"].to_pylist() == [datetime(2013, 2, 1, 12, 0, 0, 123456, tzinfo=UTC)]


def test_a_column_without_any_type_waits_for_a_batch_that_has_one(lake: DeltaLake) -> None:
    fill(lake, batch("a", x=[None]), batch("b", x=[1.5]))
    assert lake.scan(MODEL, "predictions", columns=("x",))["x"].to_pylist() == [None, 1.5]


def test_columns_may_have_any_name(lake: DeltaLake) -> None:
    odd = ["hours per week", 'say "when"', "größe, m²", "a=b;c", "Upper"]
    rows = batch("a")
    for number, name in enumerate(odd):
        rows = rows.append_column(name, pa.array([float(number)]))
    before = lake.append(MODEL, "predictions", batch("z"), writer="w", sequence=0)
    lake.append(MODEL, "predictions", rows, writer="w", sequence=1)
    expected = [{name: float(number) for number, name in enumerate(odd)}]
    assert lake.scan(MODEL, "predictions", columns=odd).to_pylist()[:1] == expected
    new = lake.since(MODEL, "predictions", before, columns=odd)
    assert new is not None
    assert new.rows.to_pylist() == expected


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pa.table({"prediction_id": ["a"]}), "no column event_time"),
        (
            batch("a").set_column(1, "event_time", pa.nulls(1, pa.timestamp("us", tz="UTC"))),
            "1 rows without event_time",
        ),
        (batch("a", x=["red"]), "x.* Float64|cannot write"),
        (batch("a", X=[1.0]), "Duplicate field name"),
    ],
    ids=["no time", "null time", "type of another kind", "name that differs in case only"],
)
def test_rows_that_do_not_fit_are_refused_and_leave_the_table_alone(lake: DeltaLake, rows: pa.Table, said: str) -> None:
    lake.append(MODEL, "predictions", batch("a", x=[1.0]), writer="w", sequence=0)
    with pytest.raises(LakeError, match=said):
        lake.append(MODEL, "predictions", rows, writer="w", sequence=1)
    assert ids(lake.scan(MODEL, "predictions")) == ["a"]
    lake.append(MODEL, "predictions", batch("b", x=[1.0]), writer="w", sequence=1)
    assert ids(lake.scan(MODEL, "predictions")) == ["a", "b"]


def test_an_unknown_table_is_refused(lake: DeltaLake) -> None:
    with pytest.raises(LakeError, match="got table 'events', expected one of predictions, labels, quarantine"):
        lake.append(MODEL, "events", batch("a"), writer="w", sequence=0)


def test_a_folder_that_is_no_table_says_which(lake: DeltaLake) -> None:
    log = lake._root / MODEL / "predictions" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("garbage")
    with pytest.raises(LakeError, match=r"late_arrival/predictions"):
        lake.version(MODEL, "predictions")


# Reading


def test_a_table_that_does_not_exist_is_empty(lake: DeltaLake) -> None:
    assert lake.version(MODEL, "predictions") is None
    assert lake.since(MODEL, "predictions", None) is None
    assert lake.since(MODEL, "predictions", 3) is None
    rows = lake.scan(MODEL, "predictions", columns=("event_time", "x"), start=NOON)
    assert (rows.num_rows, rows.column_names) == (0, ["event_time", "x"])
    assert rows.schema.field("event_time").type == pa.timestamp("us", tz="UTC")
    assert not lake.compact(MODEL, "predictions")
    assert not (lake._root / MODEL).exists()


def test_a_range_takes_its_start_and_leaves_its_end_to_the_microsecond(lake: DeltaLake) -> None:
    tick = timedelta(microseconds=1)
    fill(lake, *(batch(name, at=NOON + offset) for name, offset in (("a", -tick), ("b", 0 * tick), ("c", tick))))
    assert ids(lake.scan(MODEL, "predictions", start=NOON)) == ["b", "c"]
    assert ids(lake.scan(MODEL, "predictions", end=NOON)) == ["a"]
    assert ids(lake.scan(MODEL, "predictions", start=NOON, end=NOON + tick)) == ["b"]
    assert ids(lake.scan(MODEL, "predictions", start=NOON, end=NOON)) == []


def test_a_range_is_meant_in_its_own_time_zone(lake: DeltaLake) -> None:
    fill(lake, batch("a", at=datetime(2013, 2, 2, 3, tzinfo=UTC)), batch("b", at=datetime(2013, 2, 2, 6, tzinfo=UTC)))
    midnight = datetime.fromisoformat("2013-02-02T00:00:00-05:00")
    assert ids(lake.scan(MODEL, "predictions", end=midnight)) == ["a"]
    assert ids(lake.scan(MODEL, "predictions", start=midnight)) == ["b"]


def test_only_the_days_of_the_range_are_read(lake: DeltaLake) -> None:
    fill(lake, *(batch(f"{day}", at=NOON + day * DAY) for day in range(4)))
    (gone,) = (lake._root / MODEL / "predictions" / "day=2013-02-01").glob("*.parquet")
    gone.unlink()
    assert ids(lake.scan(MODEL, "predictions", start=NOON + DAY, end=NOON + 3 * DAY)) == ["1", "2"]
    with pytest.raises(LakeError, match="cannot read"):
        lake.scan(MODEL, "predictions")


def test_rows_come_by_time_and_then_by_id_however_they_were_written(lake: DeltaLake) -> None:
    names = [f"{number:03d}" for number in range(60)]
    shuffled = random.Random(1).sample(names, len(names))
    fill(lake, *(batch(*shuffled[i : i + 10], at=NOON + (i % 20) * DAY) for i in range(0, 60, 10)))
    rows = lake.scan(MODEL, "predictions", columns=("event_time", "prediction_id"))
    assert rows.to_pylist() == sorted(rows.to_pylist(), key=lambda row: (row["event_time"], row["prediction_id"]))
    assert sorted(ids(rows)) == names


def test_columns_come_in_the_order_asked_for_and_no_others(lake: DeltaLake) -> None:
    fill(lake, batch("b", "a", x=[1.0, 2.0], y=["p", "q"]))
    rows = lake.scan(MODEL, "predictions", columns=("y", "x"))
    assert rows.column_names == ["y", "x"]
    assert rows["y"].to_pylist() == ["q", "p"]


def test_a_column_that_is_not_there_is_named_with_those_that_are(lake: DeltaLake) -> None:
    version = lake.append(MODEL, "predictions", batch("a", x=[1.0]), writer="w", sequence=0)
    with pytest.raises(LakeError, match="found no column speed, expected some of prediction_id, event_time, x, day"):
        lake.scan(MODEL, "predictions", columns=("x", "speed"))
    with pytest.raises(LakeError, match="found no column speed"):
        lake.since(MODEL, "predictions", version, columns=("speed",))


def test_an_older_version_is_read_as_it_was(lake: DeltaLake) -> None:
    first = lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=0)
    second = lake.append(MODEL, "predictions", batch("b", x=[1.0]), writer="w", sequence=1)
    old = lake.scan(MODEL, "predictions", version=first)
    assert ids(old) == ["a"]
    assert "x" not in old.column_names
    assert ids(lake.scan(MODEL, "predictions", version=second)) == ["a", "b"]


@pytest.mark.parametrize("version", [-1, 9])
def test_a_version_that_never_was_is_refused(lake: DeltaLake, version: int) -> None:
    current = lake.append(MODEL, "predictions", batch("a"), writer="w", sequence=0)
    said = f"asked for version {version}, found versions up to {current}"
    with pytest.raises(LakeError, match=said):
        lake.scan(MODEL, "predictions", version=version)
    with pytest.raises(LakeError, match=said):
        lake.since(MODEL, "predictions", version)


# Reading what is new


def test_following_the_versions_delivers_each_row_once(lake: DeltaLake) -> None:
    version: int | None = None
    seen: list[str] = []
    for number in range(25):
        names = [f"{number}-{i}" for i in range(number % 3)]
        lake.append(MODEL, "predictions", batch(*names), writer="w", sequence=number)
        if number % 4 == 0:
            new = lake.since(MODEL, "predictions", version)
            assert new is not None
            version, seen = new.version, [*seen, *ids(new.rows)]
    assert sorted(seen) == ids(lake.scan(MODEL, "predictions", version=version))


def test_nothing_new_is_an_empty_table_with_the_right_columns(lake: DeltaLake) -> None:
    version = lake.append(MODEL, "predictions", batch("a", x=[1.0]), writer="w", sequence=0)
    new = lake.since(MODEL, "predictions", version, columns=("x", "event_time"))
    assert new is not None
    assert (new.version, new.rows.num_rows) == (version, 0)
    assert new.rows.schema.types == [pa.float64(), pa.timestamp("us", tz="UTC")]


def test_new_rows_of_several_days_and_schemas_come_together(lake: DeltaLake) -> None:
    version = lake.append(MODEL, "predictions", batch("a", x=[1.0]), writer="w", sequence=0)
    lake.append(MODEL, "predictions", batch("c", x=[2.0], y=["new"], at=NOON + DAY), writer="w", sequence=1)
    lake.append(MODEL, "predictions", batch("b", x=[3.0], at=NOON - DAY), writer="w", sequence=2)
    new = lake.since(MODEL, "predictions", version, columns=("prediction_id", "x", "y"))
    assert new is not None
    assert new.rows.to_pydict() == {"prediction_id": ["b", "c"], "x": [3.0, 2.0], "y": [None, "new"]}


# Merging small files


def test_merging_keeps_every_row_and_delivers_none_again(lake: DeltaLake) -> None:
    fill(lake, *(batch(f"{number:02d}", at=NOON + (number % 3) * DAY) for number in range(12)))
    version, before = lake.version(MODEL, "predictions"), lake.scan(MODEL, "predictions")
    assert lake.compact(MODEL, "predictions", more_than=8)
    assert lake.scan(MODEL, "predictions").equals(before)
    lake.append(MODEL, "predictions", batch("new"), writer="v", sequence=0)
    new = lake.since(MODEL, "predictions", version)
    assert new is not None
    assert ids(new.rows) == ["new"]


def test_a_version_from_before_the_merge_can_still_be_read(lake: DeltaLake) -> None:
    fill(lake, *(batch(f"{number}") for number in range(5)))
    assert lake.compact(MODEL, "predictions", more_than=0)
    assert ids(lake.scan(MODEL, "predictions", version=3)) == ["0", "1", "2"]
    new = lake.since(MODEL, "predictions", 3)
    assert new is not None
    assert ids(new.rows) == ["3", "4"]


def test_few_files_are_left_alone(lake: DeltaLake) -> None:
    fill(lake, *(batch(f"{number}") for number in range(4)))
    version = lake.version(MODEL, "predictions")
    assert not lake.compact(MODEL, "predictions", more_than=3)
    assert lake.version(MODEL, "predictions") == version


def test_appending_merges_small_files_by_itself(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "SMALL_FILES", 20)
    fill(lake, *(batch(f"{number:02d}") for number in range(52)))
    assert files(lake) == 52 + 1
    assert ids(lake.scan(MODEL, "predictions")) == [f"{number:02d}" for number in range(52)]


def test_a_merge_that_fails_does_not_fail_the_append(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delta, "SMALL_FILES", 10)
    fill(lake, *(batch(f"{number:02d}") for number in range(49)))
    next((lake._root / MODEL / "predictions").glob("day=*/*.parquet")).unlink()
    assert lake.append(MODEL, "predictions", batch("last"), writer="v", sequence=0) == 50
    assert "cannot compact" in caplog.text
    new = lake.since(MODEL, "predictions", 49)
    assert new is not None
    assert ids(new.rows) == ["last"]


def test_rows_cannot_be_deleted_by_accident(lake: DeltaLake) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    lake.append(MODEL, "predictions", batch("a", "b"), writer="w", sequence=0)
    with pytest.raises(CommitFailedError, match="append-only"):
        DeltaTable(lake._root / MODEL / "predictions").delete("prediction_id = 'a'")
