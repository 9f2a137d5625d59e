"""The flights that ship with the demo: a year of arrivals from New York, with the weather known before departure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from importlib.resources import as_file, files
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from vernal.errors import SampleError

NEW_YORK = ZoneInfo("America/New_York")
YEAR = 2013


def read_flights() -> pa.Table:
    """Return the shipped flights, one row each, in order of scheduled departure.

    Returns
    -------
    pyarrow.Table
        Shape ``(327346, 21)``. ``id`` is unique; ``scheduled_departure`` (when the prediction is asked for) and
        ``label_time`` (when the flight has landed, always later) are UTC; ``late`` is true when it arrived more than
        15 minutes late; ``tailnum`` names the aircraft. ``sched_min`` (minute of the day) and ``dow`` (Monday is 0)
        are New York local. The nine columns of weather hold what was observed at the origin before the hour of
        departure, at most four hours old, else null; so does a null within an observation.

    Examples
    --------
    >>> flights = read_flights()
    >>> flights.num_rows, flights["id"][0].as_py()
    (327346, 'UA1545-EWR-20130101T1015Z')
    """
    with as_file(files("vernal.demo") / "data" / "flights.parquet") as path:
        return pq.ParquetFile(path).read()  # pq.read_table would import pandas


def days(flights: pa.Table, *, zone: tzinfo = NEW_YORK) -> Iterator[tuple[date, pa.Table]]:
    """Cut flights into calendar days of ``zone``, without copying.

    Parameters
    ----------
    flights
        Rows with ``scheduled_departure``, in that order.
    zone
        Time zone whose midnights cut. In New York a day has 23 or 25 hours when the clocks change.

    Yields
    ------
    tuple of date and pyarrow.Table
        Every day from the first departure to the last, empty days included.

    Raises
    ------
    SampleError
        If the flights are not in order of scheduled departure.

    Examples
    --------
    >>> day, rows = next(days(read_flights()))
    >>> day.isoformat(), rows.num_rows
    ('2013-01-01', 831)
    """
    departures = _milliseconds(flights, "scheduled_departure")
    if not departures.size:
        return
    day = datetime.fromtimestamp(int(departures[0]) / 1000, zone).date()
    start = 0
    while start < departures.size:
        following = day + timedelta(days=1)
        end = int(np.searchsorted(departures, _midnight(following, zone)))
        yield day, flights.slice(start, end - start)
        day, start = following, end


def month(flights: pa.Table, number: int) -> pa.Table:
    """Return the flights scheduled to depart in one New York calendar month of 2013, without copying.

    Parameters
    ----------
    flights
        Rows with ``scheduled_departure``, in that order.
    number
        1 for January to 12 for December.

    Raises
    ------
    SampleError
        If the flights are not in order of scheduled departure.

    Examples
    --------
    >>> month(read_flights(), 2).num_rows
    23611
    """
    departures = _milliseconds(flights, "scheduled_departure")
    start, end = np.searchsorted(departures, [_epoch(month_start(number)), _epoch(month_start(number + 1))])
    return flights.slice(int(start), int(end - start))


def month_start(number: int) -> datetime:
    """Return the first moment, in UTC, of a New York calendar month of 2013 (13 is the January that follows).

    Examples
    --------
    >>> month_start(2).isoformat(), month_start(7).isoformat()
    ('2013-02-01T05:00:00+00:00', '2013-07-01T04:00:00+00:00')
    """
    years, index = divmod(number - 1, 12)
    return datetime(YEAR + years, index + 1, 1, tzinfo=NEW_YORK).astimezone(UTC)


def _milliseconds(flights: pa.Table, column: str) -> npt.NDArray[np.int64]:
    # Read from the buffer: pyarrow's own conversion to numpy imports pandas, which takes half a second.
    values = flights[column].combine_chunks().cast(pa.timestamp("ms", tz="UTC"))
    buffer = values.buffers()[1]
    if buffer is None:
        return np.empty(0, dtype=np.int64)
    moments: npt.NDArray[np.int64] = np.frombuffer(buffer, dtype=np.int64)[values.offset : values.offset + len(values)]
    if (moments[1:] < moments[:-1]).any():
        raise SampleError(
            f"flights: {column} goes back in time, expected rows in order of {column}.",
            hint=f'Sort them: flights.sort_by("{column}").',
        )
    return moments


def _midnight(day: date, zone: tzinfo) -> int:
    return _epoch(datetime(day.year, day.month, day.day, tzinfo=zone))


def _epoch(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
