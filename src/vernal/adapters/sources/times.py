"""Times of tables that may not say in which zone they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from vernal.errors import LakeError, ProfileError
from vernal.profile.columns import is_valid, numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOREVER: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Later than any row."""

_QUARTER: Final = 900_000_000
"""Microseconds in a quarter of an hour: zones differ from UTC by whole ones."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a time on the wall
_FARTHEST: Final = 7_000_000
"""Quarters of an hour from 1970 (200 years) beyond which no zone's rules are asked for."""


def utc_micros(column: pa.Array, zone: str, *, subject: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return times in microseconds since the epoch, UTC, and which of them there are.

    Parameters
    ----------
    column
        Timestamps of any unit, with or without a zone, or dates (their first moment).
    zone
        Zone of those without one. Of an hour that the clock repeats the first one is meant; a time that it leaves out
        is read as if the clock had not been put forward.
    subject
        The column, for messages.

    Raises
    ------
    LakeError
        If they are no times.
    """
    kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        if not pa.types.is_null(kind):
            raise LakeError(
                f"{subject}: found a column of {kind}, expected times",
                hint="Convert it to a timestamp where the table is written, or in a view.",
            )
        return np.zeros(len(column), dtype=np.int64), np.zeros(len(column), dtype=np.bool_)
    try:
        moments, valid = numbers(subject, column)
    except ProfileError as error:
        raise LakeError(str(error)) from None
    moments = np.asarray(moments, dtype=np.int64)
    if pa.types.is_date(kind) or kind.tz is None:
        moments = moments - offsets(moments, zone)
    return moments, is_valid(column) if valid is not None else np.ones(len(column), dtype=np.bool_)


def as_times(column: pa.Array, zone: str, *, subject: str) -> pa.Array:
    """Return times as ``timestamp[us, tz=UTC]``; see :func:`utc_micros`."""
    moments, valid = utc_micros(column, zone, subject=subject)
    return _array(moments, valid)


def shifted(times: pa.Array, by: timedelta) -> pa.Array:
    """Return times moved on."""
    moments, valid = utc_micros(times, "UTC", subject="times")
    return _array(moments + by // timedelta(microseconds=1), valid)


def offsets(walls: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return by how much clocks on the wall (microseconds) are ahead of UTC, shape of ``walls``."""
    if zone == "UTC" or not walls.size:
        return np.zeros(walls.shape, dtype=np.int64)
    rules = ZoneInfo(zone)
    quarters, places = np.unique((walls // _QUARTER).clip(-_FARTHEST, _FARTHEST), return_inverse=True)
    ahead = [_offset(quarter, rules) for quarter in quarters.tolist()]
    return np.array(ahead, dtype=np.int64)[places.reshape(walls.shape)]


def _offset(quarter: int, rules: ZoneInfo) -> int:
    moment = (_EPOCH + timedelta(minutes=15 * quarter)).replace(tzinfo=rules)
    return (moment.utcoffset() or timedelta(0)) // timedelta(microseconds=1)


def _array(moments: NDArray[np.int64], valid: NDArray[np.bool_]) -> pa.Array:
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    data = np.ascontiguousarray(moments, dtype=np.int64).tobytes()
    return pa.Array.from_buffers(_TIME, len(moments), [bits, pa.py_buffer(data)])


__all__ = ["FOREVER", "as_times", "offsets", "shifted", "utc_micros"]
