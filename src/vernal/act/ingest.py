"""From what clients and replays hand in to rows in the lake: screened, exactly once, nothing lost."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vernal.act.screening import screen
from vernal.errors import LakeError
from vernal.observe.columns import to_micros
from vernal.records import Predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from vernal.act.screening import Screened
    from vernal.ports import Lake

REFUSED: Final = "refused"
"""Folder beside the segments that takes those which cannot be read."""

_TIME: Final = pa.timestamp("us", tz="UTC")


class IngestReport(NamedTuple):
    """How many rows entered the lake, how many were quarantined, and why: ``reason (rows)``, the most frequent first.

    A segment that cannot be read at all counts as one quarantined row.
    """

    accepted: int
    quarantined: int
    reasons: tuple[str, ...]


def ingest(  # noqa: PLR0913 - where to, what, what is expected, and the batch's name
    lake: Lake,
    model: str,
    kind: str,
    rows: pa.Table,
    *,
    features: Mapping[str, str],
    task: str,
    writer: str,
    sequence: int,
    now: datetime,
) -> IngestReport:
    """Bring a batch into the lake in canonical form, and quarantine the rows that are unfit.

    Quarantined are rows without id or event time, with an event more than an hour in the future, with a prediction,
    score or label that is none (not finite, no class, no probability), labels that arrive before their event, and all
    but the first prediction of an id in the batch. A batch that lacks a column is quarantined as a whole. NaN and
    infinities in features are fine: profiles count them. So is a prediction without version and answer: that is how
    features are logged before a first champion. The canonical types are those of :mod:`vernal.act.screening`.

    Parameters
    ----------
    kind
        ``predictions`` or ``labels``.
    rows
        Columns of :class:`~vernal.records.Predictions` and the features, or of :class:`~vernal.records.Labels`.
    features
        The model's features, each ``"numerical"`` or ``"categorical"``.
    task
        ``binary``, ``regression`` or ``multiclass``.
    writer, sequence
        Name of the batch: a batch that was ingested before changes nothing.
    now
        Stands in for a missing time of receipt or arrival, and bounds the future.

    Raises
    ------
    LakeError
        If the lake cannot be written. The batch can be ingested again under the same name.
    """
    screened = screen(kind, rows, features=features, task=task, now=now)
    _enter(lake, model, kind, screened, writer=writer, sequence=sequence, now=now)
    return _report(screened.rows.num_rows, Counter(screened.reasons))


def drain_inbox(lake: Lake, model: str, features: Mapping[str, str], *, task: str, now: datetime) -> IngestReport:
    """Ingest the segments that clients have left, each exactly once, in whatever order they come.

    Every segment is a writer of its own, so a crash between appending a segment and removing it repeats nothing. A
    segment that is no Parquet file is moved to ``refused/`` beside it, noted in the quarantine, and holds up nobody.

    Raises
    ------
    LakeError
        If the lake cannot be written; the segments that are left are ingested next time.
    """
    accepted, reasons = 0, Counter[str]()
    for kind, segment, path in lake.inbox(model):
        writer = f"inbox:{segment}"
        try:
            rows = _read(path)
        except FileNotFoundError:  # another process has ingested it
            continue
        except (pa.ArrowException, OSError) as error:
            reason = f"{path.name}: unreadable segment, moved to {REFUSED}/ ({error})"
            note = _quarantined(kind, pa.table({"segment": _texts([path.name])}), [reason], f"{writer}/1", now)
            lake.append(model, "quarantine", note, writer=f"{kind}:{writer}", sequence=1)
            _set_aside(path)
            reasons[reason] += 1
            continue
        screened = screen(kind, rows, features=features, task=task, now=now)
        _enter(lake, model, kind, screened, writer=writer, sequence=1, now=now)
        lake.discard(path)
        accepted += screened.rows.num_rows
        reasons.update(screened.reasons)
    return _report(accepted, reasons)


def _enter(lake: Lake, model: str, kind: str, screened: Screened, *, writer: str, sequence: int, now: datetime) -> None:
    # Refused rows go first: after a crash in between, the batch is screened again at a later `now`. A row that has
    # become acceptable by then is in both tables; the other way round it would be in neither.
    if screened.reasons:
        refused = _quarantined(kind, screened.refused, screened.reasons, f"{writer}/{sequence}", now)
        # Predictions and labels share this table, and may share a writer.
        lake.append(model, "quarantine", refused, writer=f"{kind}:{writer}", sequence=sequence)
    if screened.rows.num_rows:
        lake.append(model, kind, screened.rows, writer=writer, sequence=sequence)


def _report(accepted: int, reasons: Counter[str]) -> IngestReport:
    told = tuple(f"{reason} ({count})" for reason, count in reasons.most_common())
    return IngestReport(accepted, reasons.total(), told)


def _quarantined(kind: str, rows: pa.Table, reasons: Sequence[str], batch: str, now: datetime) -> pa.Table:
    """Return refused rows as they are kept: the row as it came in JSON, why, when, and in which batch."""
    originals = _rows(rows)
    count = len(originals)
    ids = [original.get(Predictions.ID) for original in originals]
    when = np.full(count, to_micros(now), dtype=np.int64)
    return pa.table(
        {
            Predictions.ID: _texts([None if name is None else str(name) for name in ids]),
            "kind": _texts([kind] * count),
            "reason": _texts(reasons),
            "row": _texts([msgspec.json.encode(original, enc_hook=str).decode() for original in originals]),
            "batch": _texts([batch] * count),
            Predictions.EVENT_TIME: pa.Array.from_buffers(_TIME, count, [None, pa.py_buffer(when.tobytes())]),
        }
    )


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


def _texts(values: Sequence[str | None]) -> pa.Array:
    """Return texts as an Arrow column; ``pa.array`` would import pandas."""
    encoded = [(value or "").encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    present = np.packbits([value is not None for value in values], bitorder="little")
    buffers = [present.tobytes(), offsets.tobytes(), b"".join(encoded)]
    return pa.Array.from_buffers(pa.string(), len(encoded), [pa.py_buffer(buffer) for buffer in buffers])


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        rows = file.read()
    rows.validate(full=True)  # a text that is no UTF-8 would fail much later
    return rows


def _set_aside(path: Path) -> None:
    folder = path.parent / REFUSED
    try:
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    except OSError as error:
        hint = "Remove the file by hand, or check the folder's permissions."
        raise LakeError(f"inbox: cannot move {path} to {folder}: {error}", hint=hint) from error
