"""Rows of a database as Arrow tables. ``pa.array`` would do, but imports pandas when it is installed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from vernal.act.refused import texts
from vernal.adapters.sources.times import offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Form(StrEnum):
    """What a column is fetched as."""

    NUMBER = "numbers"
    TEXT = "texts"
    TIME = "times"


def as_arrow(rows: Sequence[Sequence[Any]], columns: Mapping[str, tuple[Form, str]]) -> pa.Table:
    """Return rows as a table: numbers as float64, texts as strings, times in UTC.

    Parameters
    ----------
    rows
        In the order of ``columns``.
    columns
        The form of each column, and the zone of its times.
    """
    made = []
    for place, (form, zone) in enumerate(columns.values()):
        values = [row[place] for row in rows]
        if form is Form.TIME:
            made.append(_times(values, zone))
        else:
            made.append(_texts(values) if form is Form.TEXT else _numbers(values))
    return pa.Table.from_arrays(made, names=list(columns))


def utc_array(rows: Sequence[Sequence[Any]], place: int, *, zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a column of times in microseconds since the epoch, UTC, and which of them there are."""
    return _micros([row[place] for row in rows], zone)


def _texts(values: Sequence[Any]) -> pa.Array:
    return texts([_text(value) for value in values]) if values else pa.nulls(0, pa.string())


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever a driver gives
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value) or None


def _times(values: Sequence[Any], zone: str) -> pa.Array:
    moments, valid = _micros(values, zone)
    buffers = [pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()), pa.py_buffer(moments.tobytes())]
    return pa.Array.from_buffers(pa.timestamp("us", tz="UTC"), len(values), buffers)


def _micros(values: Sequence[Any], zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    ticks = [_ticks(value) for value in values]
    valid = np.array([tick is not None for tick in ticks], dtype=np.bool_)
    moments = np.array([tick or 0 for tick in ticks], dtype=np.int64)
    return moments - offsets(moments, zone), valid


def _ticks(value: Any) -> int | None:  # noqa: ANN401 - whatever a driver gives
    """Return a time in microseconds since the epoch; a time without a zone as if it were in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return (value.replace(tzinfo=value.tzinfo or UTC) - _EPOCH) // _MICROSECOND
    return None if value is None else int(value)


def _numbers(values: Sequence[Any]) -> pa.Array:
    valid = np.array([value is not None for value in values], dtype=np.bool_)
    data = np.array(values, dtype=np.float64)
    buffers = [pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()), pa.py_buffer(data.tobytes())]
    return pa.Array.from_buffers(pa.float64(), len(values), buffers)


__all__ = ["Form", "as_arrow", "utc_array"]
