"""Tables of the user's own databases, read under Vernal's names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sourcedatabases import TYPES, UsersDatabase, filled
from sourcetables import HOUR, PREDICTION_COLUMNS, START, baseline, layout, scores
from vernal.adapters.sources.database import Database
from vernal.adapters.sources.dialects import Dialect
from vernal.adapters.sources.examining import examine
from vernal.adapters.sources.sql import SqlTable
from vernal.adapters.sources.table import EPOCH, count_hours
from vernal.errors import LakeError
from vernal.profile import merge_all

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from vernal.profile import Profile

BASELINE = baseline()
END = START + 100 * HOUR
LABELS = {"prediction_id": "request", "label": "fraud", "arrival_time": "reported_at"}


def sql_table(database: UsersDatabase, *, lateness: timedelta = timedelta(0), zone: str = "UTC") -> SqlTable:
    return SqlTable(layout("scores", zone=zone), database.opened(), lateness=lateness)


class Watch:
    """What checks of a table have counted so far."""

    def __init__(self, table: SqlTable) -> None:
        self.table = table
        self.version: int | None = None
        self.hours: dict[datetime, Profile] = {}

    def check(self) -> set[datetime]:
        counted = count_hours(self.table, BASELINE, since=self.version, start=START, end=END)
        self.hours |= counted.profiles
        self.version = counted.version
        return set(counted.profiles)

    def rows(self) -> int:
        return merge_all(BASELINE, [profile.to_bytes() for profile in self.hours.values()]).rows


def test_rows_come_in_canonical_form_under_vernals_names(database_url: str) -> None:
    rows = scores(range(3))
    found = sql_table(filled(database_url, rows)[0]).scan(start=START + HOUR, end=START + 2 * HOUR)
    expected = rows.slice(20, 20).sort_by([("scored_at", "ascending")])
    assert found["event_time"].to_pylist() == expected["scored_at"].to_pylist()
    assert found["received_time"].to_pylist() == expected["inserted_at"].to_pylist()
    assert found["prediction_id"].to_pylist() == expected["request"].to_pylist()
    assert found["amount"].to_pylist() == expected["tx_amount"].to_pylist()
    assert found["country"].to_pylist() == expected["country"].to_pylist()
    assert found["score"].to_pylist() == expected["probability"].to_pylist()
    assert found["entity"].null_count == 20


@pytest.mark.postgres
def test_a_database_that_vernal_knows_nothing_special_of_gives_the_same_rows(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    known, other = sql_table(filled(url, scores(range(3)))[0]), sql_table(UsersDatabase(url))
    other.database.dialect = Dialect()
    assert other.scan() == known.scan()
    assert other.version() == known.version()
    known_hours = count_hours(known, BASELINE, since=None, start=START, end=END).profiles
    other_hours = count_hours(other, BASELINE, since=None, start=START, end=END).profiles
    assert list(known_hours) == list(other_hours)
    assert all((known_hours[hour].counts == other_hours[hour].counts).all() for hour in known_hours)
    version = START + 2 * HOUR
    since = (version - EPOCH) // timedelta(microseconds=1)
    assert set(other.touched(since, since) or ()) == set(known.touched(since, since) or ())


def test_only_the_hours_that_new_rows_are_in_are_counted_again(database_url: str) -> None:
    database, table = filled(database_url, scores(range(5)))
    watch = Watch(sql_table(database))
    assert watch.check() == {START + hour * HOUR for hour in range(5)}
    database.add(table, scores(range(6, 7)))
    assert START + 6 * HOUR in watch.check()
    assert watch.check() <= {START + 6 * HOUR}
    assert watch.rows() == 6 * 20


def test_a_late_row_goes_to_its_own_hour_when_it_is_received(database_url: str) -> None:
    database, table = filled(database_url, scores(range(5)))
    watch = Watch(sql_table(database))
    watch.check()
    database.add(table, scores(range(1, 2), per_hour=3, seed=7, late=5 * HOUR))
    assert START + HOUR in watch.check()
    assert watch.hours[START + HOUR].rows == 23


def test_a_row_that_became_visible_late_is_found_within_the_allowed_lateness(database_url: str) -> None:
    database, table = filled(database_url, scores(range(5)))
    patient, strict = Watch(sql_table(database, lateness=3 * HOUR)), Watch(sql_table(database))
    patient.check()
    strict.check()
    database.add(table, scores(range(3, 4), per_hour=3, seed=7))  # received in hour 3, seen only now
    patient.check()
    strict.check()
    assert (patient.hours[START + 3 * HOUR].rows, strict.hours[START + 3 * HOUR].rows) == (23, 20)
    assert patient.rows() == 103


def test_rows_without_a_time_of_receipt_count_as_received_at_their_event(database_url: str) -> None:
    database, table = filled(database_url, scores(range(2)))
    watch = Watch(sql_table(database))
    watch.check()
    late = [{**row, "inserted_at": None} for row in scores(range(5, 6)).to_pylist()]
    database.add(table, late)
    assert START + 5 * HOUR in watch.check()


def test_a_row_from_the_future_does_not_hide_those_that_come_after_it(database_url: str) -> None:
    database, table = filled(database_url, scores(range(2)))
    database.add(table, [{**row, "inserted_at": START.replace(year=2150)} for row in scores(range(2, 3)).to_pylist()])
    watch = Watch(sql_table(database))
    watch.check()
    database.add(table, scores(range(5, 6)))
    assert START + 5 * HOUR in watch.check()


def test_an_hour_that_lost_its_rows_is_counted_as_empty(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(3)))
    watch = Watch(sql_table(database, lateness=10 * HOUR))
    watch.check()
    database.run("DELETE FROM scores WHERE request LIKE '1-1-%' AND request <> '1-1-0'")
    watch.check()
    assert watch.hours[START + HOUR].rows == 1


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
def test_times_on_the_wall_are_read_in_their_zone(database_url: str, zone: str) -> None:
    from zoneinfo import ZoneInfo

    rows = scores(range(30))
    database = UsersDatabase(database_url)
    naive = {"scored_at": sa.DateTime(), "inserted_at": sa.DateTime()}
    table = database.create("scores", {name: naive.get(name, TYPES[name]) for name in rows.column_names})
    walls = [
        {**row, **{name: row[name].astimezone(ZoneInfo(zone)).replace(tzinfo=None) for name in naive}}
        for row in rows.to_pylist()
    ]
    database.add(table, walls)
    found = sql_table(database, zone=zone)
    inside = found.scan(start=START + 3 * HOUR, end=START + 5 * HOUR)
    assert sorted(inside["prediction_id"].to_pylist()) == sorted(rows["request"].to_pylist()[60:100])
    counted = count_hours(found, BASELINE, since=None, start=START, end=END).profiles
    assert {hour: profile.rows for hour, profile in counted.items()} == {START + hour * HOUR: 20 for hour in range(30)}
    newest = max(rows["inserted_at"].to_pylist())
    assert found.version() == round(newest.timestamp() * 1_000_000)
    fresh = found.since(round((newest - HOUR).timestamp() * 1_000_000), columns=("received_time",))
    assert fresh is not None
    assert min(fresh.rows["received_time"].to_pylist()) > newest - HOUR


def test_since_gives_exactly_the_rows_received_after_a_version(database_url: str) -> None:
    rows = scores(range(3))
    table = sql_table(filled(database_url, rows)[0])
    received = sorted(rows["inserted_at"].to_pylist())
    found = table.since(round(received[29].timestamp() * 1_000_000), columns=("received_time",))
    assert found is not None
    assert sorted(found.rows["received_time"].to_pylist()) == received[30:]
    assert found.version == round(received[-1].timestamp() * 1_000_000)
    assert table.scan(version=round(received[29].timestamp() * 1_000_000)).num_rows == 30


def test_an_empty_table_has_no_version_and_no_rows(database_url: str) -> None:
    table = sql_table(filled(database_url, scores(range(1)).slice(0, 0))[0])
    assert table.version() is None
    assert table.scan(columns=("amount", "prediction_id")).column_names == ["amount", "prediction_id"]
    assert table.since(None) is None
    assert count_hours(table, BASELINE, since=None, start=START, end=END) == ({}, None)
    assert examine(table).notes[-1] == "the table has no rows yet"


def test_labels_are_joined_by_id_and_wait_until_they_are_there(database_url: str) -> None:
    times = pa.timestamp("us", tz="UTC")
    rows = pa.table(
        {
            "request": ["a", "b", "c"],
            "fraud": pa.array([1, None, 0]),
            "reported_at": pa.array([START, START, START + 5 * HOUR], times),
        }
    )
    database, _ = filled(database_url, rows, "labels")
    table = SqlTable(layout("labels", "labels", columns=LABELS), database.opened(), lateness=timedelta(0))
    found = table.scan(columns=("prediction_id", "label", "arrival_time"), start=START + HOUR)
    assert found.to_pylist() == [{"prediction_id": "c", "label": 0.0, "arrival_time": START + 5 * HOUR}]
    assert table.scan(columns=("prediction_id",)).num_rows == 2


def test_views_and_schemas_can_be_named(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(2)))
    where = "main" if database.backend == "sqlite" else "serving"
    if where == "serving":
        database.run("CREATE SCHEMA serving")
    database.run(f"CREATE VIEW {where}.recent AS SELECT * FROM scores")  # noqa: S608 - a name of this test
    table = SqlTable(layout(f"{where}.recent"), database.opened(), lateness=timedelta(0))
    assert table.scan().num_rows == 40
    assert (
        sum(one.rows for one in count_hours(table, BASELINE, since=None, start=START, end=END).profiles.values()) == 40
    )


def test_a_table_that_is_not_there_is_told(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(1)))
    table = SqlTable(layout("skores"), database.opened(), lateness=timedelta(0))
    with pytest.raises(LakeError, match=r"found no table of this name .*\n.*source\.predictions\.table"):
        table.scan()


def test_a_numerical_feature_that_is_text_is_told(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(1)))
    made = layout("scores", features={"amount": "note"})
    table = SqlTable(made, database.opened(), lateness=timedelta(0))
    with pytest.raises(LakeError, match=r"amount: found a column of type .*, expected numbers\n.*in a view"):
        table.scan()
    assert "amount: found a column of type" in examine(table).problems[0]


def test_examining_says_what_was_found(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(2)))
    found = examine(sql_table(database))
    assert (found.sampled, found.refused, found.problems, found.unused) == (40, 0, (), ("note",))
    types = {column.name: column.type for column in found.columns}
    assert types["country"] in {"TEXT", "VARCHAR"}


def test_nothing_can_be_written_through_the_connection(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(1)))
    opened = database.opened()
    with pytest.raises(LakeError, match="cannot be read"), opened.reading("scores") as connection:
        connection.execute(sa.text("DELETE FROM scores"))
    assert sql_table(database).scan().num_rows == 20


@pytest.mark.postgres
def test_the_password_comes_from_the_environment(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Database(postgres_url, password_env="SHOP_PASSWORD")
    with pytest.raises(LakeError, match="found no environment variable SHOP_PASSWORD"), opened.reading("scores"):
        pass
    monkeypatch.setenv("SHOP_PASSWORD", "a b@c")
    with opened.reading("scores") as connection:
        assert connection.engine.url.password == "a b@c"
        assert "a b@c" not in opened.name


def test_a_database_that_does_not_answer_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hush")
    opened = Database("postgresql+psycopg://reader@127.0.0.1:1/shop", password_env="SHOP_PASSWORD")
    with pytest.raises(LakeError, match="cannot be read from postgresql") as caught, opened.reading("scores"):
        pass
    assert "hush" not in str(caught.value)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/nothing.db", password_env=None)
    with pytest.raises(LakeError, match="unable to open database file"), opened.reading("scores"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_driver_that_is_not_installed_is_told() -> None:
    opened = Database("oracle+oracledb://reader@db/shop", password_env=None)
    with pytest.raises(LakeError, match="its driver is not installed"), opened.reading("scores"):
        pass


def test_columns_may_be_reserved_words(database_url: str) -> None:
    rows = scores(range(1)).rename_columns(
        ["order", "at", "select", "version", "decision", "probability", "Group By", "from", "note"]
    )
    database = UsersDatabase(database_url)
    kinds = dict(zip(rows.column_names, (TYPES[name] for name in scores(range(1)).column_names), strict=True))
    database.add(database.create("scores", kinds), rows)
    columns = PREDICTION_COLUMNS | {"prediction_id": "order", "event_time": "at", "received_time": "select"}
    made = layout("scores", columns=columns, features={"amount": "Group By", "country": "from"})
    table = SqlTable(made, database.opened(), lateness=timedelta(0))
    assert table.scan().num_rows == 20
    assert count_hours(table, BASELINE, since=None, start=START, end=END).profiles[START].rows == 20


def test_a_table_that_was_mended_is_read_without_starting_anew(database_url: str) -> None:
    database, _ = filled(database_url, scores(range(1)).drop_columns(["tx_amount"]))
    opened = sql_table(database)
    with pytest.raises(LakeError, match="found no column 'tx_amount'"):
        opened.scan()
    database.run("ALTER TABLE scores ADD COLUMN tx_amount FLOAT")
    assert opened.scan().num_rows == 20


def test_what_is_examined_are_rows_of_the_newest_day(database_url: str) -> None:
    database, table = filled(database_url, scores(range(2)))
    wrong = [{**row, "probability": 7.5} for row in scores(range(40, 41)).to_pylist()]
    database.add(table, wrong)
    found = examine(sql_table(database))
    assert (found.sampled, found.refused) == (20, 20)
    assert found.problems[0].startswith("none of 20 rows can be used: score: expected a probability")


def test_texts_with_an_offset_are_times_too(tmp_path: Path) -> None:
    database = UsersDatabase(f"sqlite:///{tmp_path}/users.db")
    said = ["2024-03-04 01:59:59.999999+01:00", "2024-03-04T00:59:59Z", "2024-03-04 01:00:00", "2024-03-04", "no time"]
    kinds = {name: sa.Text() if name == "scored_at" else kind for name, kind in TYPES.items()}
    rows = [{**scores(range(1), per_hour=1).to_pylist()[0], "request": text, "scored_at": text} for text in said]
    database.add(database.create("scores", kinds), rows)
    table = sql_table(database)
    hours = {
        hour: one.rows for hour, one in count_hours(table, BASELINE, since=None, start=START, end=END).profiles.items()
    }
    assert hours == {START: 3, START + HOUR: 1}
    found = table.scan(columns=("prediction_id", "event_time"))
    assert found["prediction_id"].to_pylist() == [said[3], said[1], said[0], said[2]]
    assert found["event_time"].to_pylist()[2] == START + HOUR - timedelta(microseconds=1)
