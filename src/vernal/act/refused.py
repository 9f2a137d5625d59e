"""Refused rows as the quarantine keeps them: each as it came, in JSON, with the reason; and back."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from vernal.observe.columns import to_micros
from vernal.records import Predictions, Quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

UNREADABLE: Final = "unreadable segment"
"""Rule of an entry that stands for a whole segment; its row is ``{"segment": file name}``."""

_ROWS_AT_ONCE: Final = 50_000
"""Rows whose JSON is held as one column; a column of texts ends at 2 GiB, which is 40 KB a row."""

_TIME: Final = pa.timestamp("us", tz="UTC")


class Why(NamedTuple):
    """Why a row was refused: the rule that it broke, and the same with what was found in this row."""

    rule: str
    reason: str


def kept(
    kind: str, rows: pa.Table, whys: Sequence[Why], *, places: Sequence[int], batch: str, now: datetime
) -> pa.Table:
    """Return refused rows as rows of the quarantine.

    Parameters
    ----------
    places
        Each row's place in its batch, which with ``kind`` and ``batch`` is its name for ever.
    """
    starts = range(0, rows.num_rows, _ROWS_AT_ONCE)
    if len(starts) > 1:
        parts = [slice(start, start + _ROWS_AT_ONCE) for start in starts]
        some = [kept(kind, rows[part], whys[part], places=places[part], batch=batch, now=now) for part in parts]
        return pa.concat_tables(some)
    originals = _rows(rows)
    count = len(originals)
    ids = [original.get(Predictions.ID) for original in originals]
    # One per batch is enough, and a thousand columns take more room than the row itself.
    schema = [rows.schema.remove_metadata().serialize().to_pybytes(), *[None] * (count - 1)] if count else []
    when = np.full(count, to_micros(now), dtype=np.int64)
    return pa.table(
        {
            Quarantine.ID: texts([None if name is None else str(name) for name in ids]),
            Quarantine.KIND: texts([kind] * count),
            Quarantine.RULE: texts([why.rule for why in whys]),
            Quarantine.REASON: texts([why.reason for why in whys]),
            Quarantine.ROW: texts([msgspec.json.encode(original, enc_hook=str).decode() for original in originals]),
            Quarantine.SCHEMA: _encoded(schema, pa.binary()),
            Quarantine.BATCH: texts([batch] * count),
            Quarantine.ENTRY: texts([f"{kind}:{batch}:{place}" for place in places]),
            Quarantine.EVENT_TIME: pa.Array.from_buffers(_TIME, count, [None, pa.py_buffer(when.tobytes())]),
        }
    )


def as_came(rows: Sequence[str], schema: bytes | None) -> pa.Table:
    """Return the rows of one batch as they came, from what :func:`kept` made of them.

    A value that cannot be made again becomes one that no column takes, so that its row stays refused.
    """
    decoded: list[Mapping[str, Any]] = [msgspec.json.decode(row) for row in rows]
    if schema is None:
        return pa.Table.from_pylist(decoded)
    fields = pa.ipc.read_schema(pa.py_buffer(schema))
    columns = [_column([row.get(field.name) for row in decoded], field.type) for field in fields]
    return pa.Table.from_arrays(columns, names=fields.names)


def texts(values: Sequence[str | None]) -> pa.Array:
    """Return texts as an Arrow column; ``pa.array`` would import pandas."""
    return _encoded([None if value is None else value.encode() for value in values], pa.string())


def _encoded(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    encoded = [value or b"" for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    present = np.packbits([value is not None for value in values], bitorder="little")
    buffers = [present.tobytes(), offsets.tobytes(), b"".join(encoded)]
    return pa.Array.from_buffers(kind, len(encoded), [pa.py_buffer(buffer) for buffer in buffers])


def _rows(rows: pa.Table) -> list[dict[str, object]]:
    # Nanoseconds as Python values would need pandas.
    fields = [
        pa.field(field.name, pa.timestamp("us", tz=field.type.tz)) if _in_nanoseconds(field.type) else field
        for field in rows.schema
    ]
    columns = [
        [_jsonable(value) for value in _python_values(rows.column(number).cast(field.type, safe=False))]
        for number, field in enumerate(fields)
    ]
    names = [field.name for field in fields]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _in_nanoseconds(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.unit == "ns"


def _python_values(column: pa.ChunkedArray) -> list[object]:
    try:
        found: list[object] = column.to_pylist()
    except (OverflowError, ValueError):  # a time beyond the year 9999, which Python has no value for
        found = [_shown(value) for value in column]
    return found


def _shown(value: pa.Scalar) -> object:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        pass
    try:
        return value.cast(pa.string()).as_py()
    except pa.ArrowException:
        return f"{value.type} that cannot be shown"


def _jsonable(value: object) -> object:
    """JSON has no NaN and no infinities: they are kept as texts."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        if pa.types.is_timestamp(kind):
            return _moments(values, kind)
        if pa.types.is_floating(kind):
            return pa.array([None if value is None else float(value) for value in values], pa.float64()).cast(kind)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return pa.array([None if value is None else base64.b64decode(value) for value in values], kind)
        if pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
            return pa.array(values, pa.string()).cast(kind)
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([[str(value)] for value in values], pa.list_(pa.string()))


def _moments(values: list[str | None], kind: pa.DataType) -> pa.Array:
    """Return times; none for what could not be shown as a time when it was refused."""
    stored = pa.timestamp("us", tz=kind.tz) if _in_nanoseconds(kind) else kind
    try:
        return pa.array(values, pa.string()).cast(pa.timestamp(stored.unit, tz="UTC" if kind.tz else None)).cast(stored)
    except pa.ArrowException:
        one_each = [_moments([value], kind) for value in values] if len(values) > 1 else [pa.nulls(1, stored)]
        return pa.concat_arrays(one_each)
