"""Parquet folders and Delta tables of the user's own, read under Vernal's names and counted hour by hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from sourcetables import HOUR, START, baseline, layout, scores, write
from vernal.adapters.sources.delta import DeltaFolder
from vernal.adapters.sources.parquet import ParquetFolder
from vernal.adapters.sources.table import count_hours
from vernal.errors import LakeError
from vernal.profile import Profile, merge_all, profile_rows

if TYPE_CHECKING:
    from pathlib import Path

    from vernal.adapters.sources.table import Table

BASELINE = baseline()
END = START + 100 * HOUR


class Folder:
    """A folder of either format, written as a user's job would."""

    def __init__(self, kind: str, root: Path) -> None:
        self.kind, self.root = kind, root
        self.files = 0

    def add(self, rows: pa.Table) -> None:
        self.files += 1
        if self.kind == "delta":
            write_deltalake(self.root, rows, mode="append")
        else:
            write(rows, self.root / f"{self.files:03}.parquet")

    def table(self, *, lateness: timedelta = timedelta(0), zone: str = "UTC") -> Table:
        made = layout(self.root, zone=zone)
        return DeltaFolder(made) if self.kind == "delta" else ParquetFolder(made, lateness=lateness)


@pytest.fixture(params=["parquet", "delta"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(request.param, tmp_path / "scores")


class Watch:
    """What checks of a table have counted so far."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.version: int | None = None
        self.hours: dict[datetime, Profile] = {}

    def check(self) -> set[datetime]:
        counted = count_hours(self.table, BASELINE, since=self.version, start=START, end=END)
        self.hours |= counted.profiles
        self.version = counted.version
        return set(counted.profiles)

    def total(self) -> Profile:
        return merge_all(BASELINE, [profile.to_bytes() for profile in self.hours.values()])


def expected(*parts: pa.Table) -> Profile:
    rows = pa.concat_tables(parts)
    return profile_rows(BASELINE, rows.select(["tx_amount", "country"]).rename_columns(["amount", "country"]))


def same(one: Profile, other: Profile) -> bool:
    return one.rows == other.rows and bool((one.counts == other.counts).all())


def test_rows_come_in_canonical_form_under_vernals_names(folder: Folder) -> None:
    rows = scores(range(3))
    folder.add(rows)
    found = folder.table().scan(start=START + HOUR, end=START + 2 * HOUR)
    assert found.num_rows == 20
    assert found["event_time"].type == pa.timestamp("us", tz="UTC")
    assert found["event_time"].to_pylist() == sorted(rows["scored_at"].to_pylist()[20:40])
    assert found["prediction"].type == pa.float64()
    assert set(found["prediction"].to_pylist()) == {0.0, 1.0}
    assert set(found["country"].to_pylist()) <= {"DE", "FR", "IT", "Åland", None}
    assert found["entity"].null_count == found["other_score"].null_count == 20
    assert "note" not in found.column_names


def test_only_the_columns_asked_for_come_and_in_that_order(folder: Folder) -> None:
    folder.add(scores(range(2)))
    found = folder.table().scan(columns=("amount", "prediction_id", "other_prediction"))
    assert found.column_names == ["amount", "prediction_id", "other_prediction"]


def test_a_first_look_counts_every_hour_of_the_stretch(folder: Folder) -> None:
    folder.add(scores(range(5)))
    watch = Watch(folder.table())
    assert watch.check() == {START + hour * HOUR for hour in range(5)}
    assert same(watch.total(), expected(scores(range(5))))


def test_a_later_look_counts_only_the_hours_that_new_rows_are_in(folder: Folder) -> None:
    folder.add(scores(range(5)))
    watch = Watch(folder.table())
    watch.check()
    folder.add(scores(range(5, 7)))
    assert watch.check() == {START + 5 * HOUR, START + 6 * HOUR}
    assert same(watch.total(), expected(scores(range(7))))


def test_late_rows_go_to_their_own_hour_and_nothing_is_counted_twice(folder: Folder) -> None:
    folder.add(scores(range(5)))
    watch = Watch(folder.table())
    watch.check()
    folder.add(pa.concat_tables([scores(range(5, 6)), scores(range(1, 2), seed=9)]))
    assert watch.check() == {START + HOUR, START + 5 * HOUR}
    assert same(watch.total(), expected(scores(range(6)), scores(range(1, 2), seed=9)))


def test_nothing_new_counts_nothing(folder: Folder) -> None:
    folder.add(scores(range(5)))
    watch = Watch(folder.table())
    watch.check()
    assert watch.check() == set()


def test_looking_back_for_files_that_took_long_to_appear_changes_no_count(tmp_path: Path) -> None:
    folder = Folder("parquet", tmp_path)
    folder.add(scores(range(5)))
    watch = Watch(folder.table(lateness=timedelta(hours=1)))
    watch.check()
    assert watch.check() == {START + hour * HOUR for hour in range(5)}
    assert same(watch.total(), expected(scores(range(5))))


def test_hours_outside_the_stretch_are_left_alone(folder: Folder) -> None:
    folder.add(scores(range(5)))
    counted = count_hours(folder.table(), BASELINE, since=None, start=START + 2 * HOUR, end=START + 3 * HOUR)
    assert list(counted.profiles) == [START + 2 * HOUR]


def test_a_file_that_is_written_anew_replaces_what_was_counted(tmp_path: Path) -> None:
    folder = Folder("parquet", tmp_path)
    folder.add(scores(range(3)))
    watch = Watch(folder.table())
    watch.check()
    write(scores(range(3), per_hour=7), tmp_path / "001.parquet")
    watch.check()
    assert same(watch.total(), expected(scores(range(3), per_hour=7)))


def test_rows_deleted_from_a_delta_table_are_no_longer_counted(tmp_path: Path) -> None:
    folder = Folder("delta", tmp_path)
    folder.add(scores(range(3)))
    watch = Watch(folder.table())
    watch.check()
    DeltaTable(tmp_path).delete("request LIKE '1-2-%'")
    watch.check()
    assert same(watch.total(), expected(scores(range(2))))
    assert watch.hours[START + 2 * HOUR].rows == 0


def test_merging_small_delta_files_changes_no_count(tmp_path: Path) -> None:
    folder = Folder("delta", tmp_path)
    for hour in range(4):
        folder.add(scores(range(hour, hour + 1)))
    watch = Watch(folder.table())
    watch.check()
    DeltaTable(tmp_path).optimize.compact()
    watch.check()
    assert same(watch.total(), expected(scores(range(4))))


def test_a_delta_version_that_is_gone_has_the_whole_stretch_counted_again(tmp_path: Path) -> None:
    folder = Folder("delta", tmp_path)
    folder.add(scores(range(3)))
    watch = Watch(folder.table())
    watch.check()
    write_deltalake(tmp_path, scores(range(1, 4), per_hour=5), mode="overwrite")
    DeltaTable(tmp_path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert len(watch.check()) == 100
    assert same(watch.total(), expected(scores(range(1, 4), per_hour=5)))


def test_since_gives_the_rows_that_came_after_a_version(folder: Folder) -> None:
    table = folder.table()
    folder.add(scores(range(2)))
    first = table.since(None, columns=("prediction_id",))
    assert first is not None
    folder.add(scores(range(2, 3)))
    second = table.since(first.version, columns=("prediction_id",))
    assert second is not None
    assert (first.rows.num_rows, second.rows.num_rows) == (40, 20)
    third = table.since(second.version, columns=("prediction_id",))
    assert third is not None
    assert (third.rows.num_rows, third.version) == (0, second.version)


def test_an_older_version_can_be_read_again(folder: Folder) -> None:
    table = folder.table()
    folder.add(scores(range(2)))
    version = table.version()
    folder.add(scores(range(2, 3)))
    assert table.scan(version=version).num_rows == 40


def test_rows_that_the_checks_on_arrival_would_refuse_are_left_out(folder: Folder) -> None:
    rows = scores(range(1))
    wrong = pa.array([7.5, *rows["probability"].to_pylist()[1:]])
    folder.add(rows.set_column(rows.column_names.index("probability"), "probability", wrong))
    assert folder.table().scan().num_rows == 19


def test_what_is_missing_is_told_all_at_once_with_what_to_write(folder: Folder) -> None:
    folder.add(scores(range(1)).drop_columns(["scored_at", "country"]))
    with pytest.raises(LakeError) as caught:
        folder.table().scan()
    assert "event_time: found no column 'scored_at'" in str(caught.value)
    assert "country: found no column 'country'; name one of yours under source.predictions.features.country" in str(
        caught.value
    )


def test_a_column_that_holds_no_times_is_told(folder: Folder) -> None:
    rows = scores(range(1))
    texts = pa.array(["yesterday"] * rows.num_rows)
    folder.add(rows.set_column(rows.column_names.index("scored_at"), "scored_at", texts))
    with pytest.raises(LakeError, match="event_time: found a column of string, expected times"):
        folder.table().scan()


def test_a_folder_that_is_not_there_is_told(folder: Folder) -> None:
    with pytest.raises(LakeError, match="found no"):
        folder.table().version()


def test_a_parquet_file_that_is_still_being_written_is_named(tmp_path: Path) -> None:
    folder = Folder("parquet", tmp_path)
    folder.add(scores(range(1)))
    (tmp_path / "half.parquet").write_bytes(b"PAR1")
    with pytest.raises(LakeError, match=r"cannot read .*half\.parquet.*\n.*rename"):
        folder.table().scan()


def test_hidden_files_and_folders_are_not_read(tmp_path: Path) -> None:
    folder = Folder("parquet", tmp_path)
    folder.add(scores(range(1)))
    (tmp_path / "_half.parquet").write_bytes(b"PAR1")
    write(scores(range(1, 2)), tmp_path / "_staging" / "a.parquet")
    assert folder.table().scan().num_rows == 20


def test_an_empty_folder_has_no_version_and_no_rows(tmp_path: Path) -> None:
    table = ParquetFolder(layout(tmp_path), lateness=timedelta(0))
    assert table.version() is None
    assert table.scan(columns=("prediction_id", "amount")).num_rows == 0
    assert table.since(None) is None
    assert count_hours(table, BASELINE, since=None, start=START, end=END) == ({}, None)


def test_values_in_the_path_are_columns(tmp_path: Path) -> None:
    rows = scores(range(1)).drop_columns(["version"])
    write(rows, tmp_path / "version=3" / "a.parquet")
    write(scores(range(1, 2)), tmp_path / "b.parquet")
    found = ParquetFolder(layout(tmp_path), lateness=timedelta(0)).scan(columns=("model_version",))
    assert sorted(found["model_version"].to_pylist()) == ["1"] * 20 + ["3"] * 20


def test_files_may_have_more_columns_than_older_ones_and_other_number_types(tmp_path: Path) -> None:
    rows = scores(range(1))
    write(rows.drop_columns(["probability"]), tmp_path / "a.parquet")
    place = rows.column_names.index("decision")
    write(rows.set_column(place, "decision", rows["decision"].cast(pa.float32())), tmp_path / "b.parquet")
    found = ParquetFolder(layout(tmp_path), lateness=timedelta(0)).scan(columns=("prediction", "score"))
    assert found["score"].null_count == 20
    assert found["prediction"].type == pa.float64()
    assert found.num_rows == 40


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2024-01-15T12:00", "2024-01-15T11:00Z"),
        ("2024-07-15T12:00", "2024-07-15T10:00Z"),
        ("2024-10-27T02:30", "2024-10-27T00:30Z"),
        ("2024-03-31T02:30", "2024-03-31T01:30Z"),
    ],
)
def test_times_without_a_zone_are_read_in_the_zone_that_is_named(folder: Folder, said: str, meant: str) -> None:
    wall, utc = datetime.fromisoformat(said), datetime.fromisoformat(meant)
    rows = scores(range(1), per_hour=1)
    for name in ("scored_at", "inserted_at"):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array([wall], pa.timestamp("us")))
    folder.add(rows)
    table = folder.table(zone="Europe/Berlin")
    hour = utc.replace(minute=0)
    found = table.scan(columns=("event_time",), start=hour, end=hour + HOUR)
    assert found["event_time"].to_pylist() == [utc]
    counted = count_hours(table, BASELINE, since=None, start=hour, end=hour + HOUR)
    assert list(counted.profiles) == [hour]


def test_labels_without_arrival_time_are_known_after_the_label_delay(tmp_path: Path) -> None:
    times = pa.array([START, START + HOUR], pa.timestamp("us", tz="UTC"))
    write(pa.table({"request": ["a", "b"], "fraud": [1, None], "at": times}), tmp_path / "a.parquet")
    columns = {"prediction_id": "request", "label": "fraud", "event_time": "at"}
    table = ParquetFolder(layout(tmp_path, "labels", columns=columns), lateness=timedelta(0))
    found = table.scan(columns=("prediction_id", "label", "arrival_time"))
    assert found.to_pylist() == [{"prediction_id": "a", "label": 1.0, "arrival_time": START + timedelta(days=1)}]


def test_labels_without_event_time_are_taken_by_their_arrival(tmp_path: Path) -> None:
    times = pa.array([START, START + 5 * HOUR], pa.timestamp("us", tz="UTC"))
    write(pa.table({"request": ["a", "b"], "fraud": [1, 0], "known": times}), tmp_path / "a.parquet")
    columns = {"prediction_id": "request", "label": "fraud", "arrival_time": "known"}
    table = ParquetFolder(layout(tmp_path, "labels", columns=columns), lateness=timedelta(0))
    found = table.scan(columns=("prediction_id", "source"), start=START + HOUR)
    assert found.to_pylist() == [{"prediction_id": "b", "source": None}]


def test_labels_without_any_time_are_refused(tmp_path: Path) -> None:
    write(pa.table({"request": ["a"], "fraud": [1]}), tmp_path / "a.parquet")
    table = ParquetFolder(layout(tmp_path, "labels"), lateness=timedelta(0))
    with pytest.raises(LakeError, match="neither event_time nor arrival_time"):
        table.scan()


def test_a_constant_stands_in_for_a_column(tmp_path: Path) -> None:
    write(scores(range(1)), tmp_path / "a.parquet")
    columns = {name: "scored_at" if name == "event_time" else name for name in ("event_time",)}
    made = layout(tmp_path, columns={"prediction_id": "request", **columns}, constants={"model_version": "7"})
    found = ParquetFolder(made, lateness=timedelta(0)).scan(columns=("model_version", "prediction"))
    assert found.num_rows == 0  # a version that answered nothing is refused, as everywhere
    made = layout(
        tmp_path,
        columns={"prediction_id": "request", "prediction": "decision", **columns},
        constants={"model_version": "7"},
    )
    found = ParquetFolder(made, lateness=timedelta(0)).scan(columns=("model_version",))
    assert set(found["model_version"].to_pylist()) == {"7"}


def test_a_column_that_the_newest_file_lacks_is_told(tmp_path: Path) -> None:
    write(scores(range(1)), tmp_path / "a.parquet")
    write(scores(range(1, 2)).drop_columns(["probability"]), tmp_path / "b.parquet")
    with pytest.raises(LakeError, match="score: found no column 'probability'"):
        ParquetFolder(layout(tmp_path), lateness=timedelta(0)).scan()
