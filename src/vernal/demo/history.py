"""A year of flights as requests and labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.serve import Requests
from vernal.records import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW_YORK = ZoneInfo("America/New_York")
TIME = pa.timestamp("us", tz="UTC")


class Flights:
    """Requests are made at the scheduled departure; a label arrives when the flight has landed, never before.

    Parameters
    ----------
    table
        The flights, sorted by ``scheduled_departure``.
    """

    def __init__(self, table: pa.Table) -> None:
        self._requests = table.drop_columns(["late", "label_time"])
        self._departures = _micros(table["scheduled_departure"])
        landed = _micros(table["label_time"])
        order = np.argsort(landed, kind="stable")
        self._landings = landed[order]
        self._labels = pa.table(
            {
                Labels.ID: table["id"],
                Labels.LABEL: pc.cast(pc.cast(table["late"], pa.int8()), pa.float64()),
                Labels.EVENT_TIME: pc.cast(table["scheduled_departure"], TIME),
                Labels.ARRIVAL_TIME: pc.cast(table["label_time"], TIME),
            }
        ).take(pa.array(order))

    def requests(self, start: datetime, end: datetime) -> Requests:
        """Return the flights scheduled to leave in ``[start, end)``."""
        part = _between(self._requests, self._departures, start, end)
        when = pc.cast(part["scheduled_departure"], TIME).to_pylist()
        return Requests(part.to_pandas(), part["id"].to_pylist(), part["tailnum"].to_pylist(), when)

    def labels(self, start: datetime, end: datetime) -> pa.Table:
        """Return the labels of the flights that landed in ``[start, end)``."""
        return _between(self._labels, self._landings, start, end)


def days(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield New York calendar days as UTC intervals, from the day of ``first`` to the day before ``last``."""
    day = first.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < last:
        following = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=NEW_YORK)
        yield day.astimezone(UTC), following.astimezone(UTC)
        day = following


def _between(table: pa.Table, moments: np.ndarray, start: datetime, end: datetime) -> pa.Table:
    low, high = np.searchsorted(moments, [round(moment.timestamp() * 1_000_000) for moment in (start, end)])
    return table.slice(int(low), int(high - low))


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.cast(pc.cast(column, TIME), pa.int64()))
