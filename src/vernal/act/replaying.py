"""Refused rows screened once more after a fix, and brought into the lake where they are fit now, exactly once.

There is no transaction over two tables, so the lake itself says what is in: a row whose like is there already is never
brought again. A replay that was killed between bringing rows and recording it finds them there the next time. Two
replays at once are told apart by the sequence that both have read *before* they looked: the later one brings nothing.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.ingest import enter, read_segment
from vernal.act.quarantine import EVERYTHING, PRESENT, REPLAYED, Chosen, resolve, waiting
from vernal.act.refused import UNREADABLE, as_came
from vernal.act.screening import REPEATED, screen
from vernal.errors import LakeError
from vernal.observe.columns import first_match, keep, micros, take, values
from vernal.records import Labels, Predictions, Quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vernal.ports import Lake
    from vernal.spec import ModelSpec

WRITER: Final = "quarantine:replay"
"""All replays are one writer, so that of two at once only one brings its rows."""

ATTEMPTS: Final = 5
"""How often rows are looked for and brought while other replays are at it."""

AROUND: Final = timedelta(days=1)
"""How far around the event times of the rows the lake is searched for the ids of predictions."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = pa.timestamp("us", tz="UTC")
_ARRIVAL: Final = {"predictions": Predictions.RECEIVED_TIME, "labels": Labels.ARRIVAL_TIME}


class Replay(NamedTuple):
    """What became of the waiting rows: brought in, found in the lake already, or refused again and by which rules."""

    replayed: int
    present: int
    refused: tuple[tuple[str, int], ...]


class _Fit(NamedTuple):
    """Rows that are fit now with the names of their entries, and the entries that only repeat one of these rows."""

    rows: pa.Table
    entries: NDArray[np.object_]
    repeated: list[str]


def replay(
    lake: Lake, spec: ModelSpec, chosen: Chosen = EVERYTHING, *, actor: str, now: datetime, dry_run: bool = False
) -> Replay:
    """Screen waiting rows by today's rules and bring those that are fit into the lake.

    A row without time of receipt or arrival is taken to have come when it was refused. Predictions whose id the lake
    has already, within a day of the row's event, and labels that it has already are not brought again.

    Parameters
    ----------
    chosen
        Which of the waiting rows.
    actor
        Who asked for it, for the record.
    dry_run
        Say what would happen and change nothing.

    Raises
    ------
    LakeError
        If the lake cannot be read or written. What was brought in stays in, and can be replayed again.
    """
    found = waiting(lake, spec.model, chosen)
    if not found.rows.num_rows:
        return Replay(0, 0, ())
    replayed = present = 0
    refused = Counter[str]()
    for kind in ("predictions", "labels"):
        rows = found.rows.filter((pc.field(Quarantine.KIND) == kind) & (pc.field(Quarantine.RULE) != UNREADABLE))
        fit = _screened(spec, kind, rows, found.schemas, refused, now=now)
        if fit is not None:
            fresh = _bring(lake, spec.model, kind, fit.rows, dry_run=dry_run)
            known = [*fit.entries[~fresh].tolist(), *fit.repeated]
            replayed, present = replayed + int(fresh.sum()), present + len(known)
            for outcome, names in ((REPLAYED, fit.entries[fresh].tolist()), (PRESENT, known)):
                if not dry_run:
                    resolve(lake, spec.model, names, outcome, actor=actor, note="", now=now)
    notes = found.rows.filter(pc.field(Quarantine.RULE) == UNREADABLE)
    replayed += _segments(lake, spec, notes, refused, actor=actor, now=now, dry_run=dry_run)
    return Replay(replayed, present, tuple(refused.most_common()))


def _screened(
    spec: ModelSpec,
    kind: str,
    rows: pa.Table,
    schemas: dict[tuple[str, str], bytes],
    refused: Counter[str],
    *,
    now: datetime,
) -> _Fit | None:
    """Return the rows that are fit now, batch by batch, as they came; count the others."""
    batches = np.array(rows[Quarantine.BATCH].to_pylist(), dtype=object)
    tables, names, repeated = [], [], []
    for batch in dict.fromkeys(batches.tolist()):
        part = keep(rows, np.asarray(batches == batch, dtype=np.bool_))
        came = as_came(part[Quarantine.ROW].to_pylist(), schemas.get((kind, batch)))
        came = _arrived(came, _ARRIVAL[kind], part[Quarantine.EVENT_TIME])
        screened = screen(kind, came, features=spec.features.kinds, task=spec.task, now=now, quality=spec.quality)
        refused.update(why.rule for why in screened.whys if why.rule != REPEATED)
        if screened.rows.num_rows:
            of_part = np.array(part[Quarantine.ENTRY].to_pylist(), dtype=object)
            again = [why.rule == REPEATED for why in screened.whys]
            repeated += of_part[screened.places[np.array(again, dtype=np.bool_)]].tolist()
            tables.append(screened.rows)
            names.append(np.delete(of_part, screened.places))
    return _Fit(pa.concat_tables(tables), np.concatenate(names), repeated) if tables else None


def _arrived(rows: pa.Table, name: str, refused_at: pa.ChunkedArray) -> pa.Table:
    """Return rows that have their time of receipt or arrival: that of their refusal where they came without one."""
    if name not in rows.column_names:
        return rows.append_column(name, refused_at)
    column = rows[name]
    if rows.column_names.count(name) > 1 or not (pa.types.is_timestamp(column.type) or pa.types.is_null(column.type)):
        return rows
    filled = pc.coalesce(column.cast(_TIME, safe=False), refused_at)
    return rows.set_column(rows.column_names.index(name), name, filled)


def _bring(lake: Lake, model: str, kind: str, rows: pa.Table, *, dry_run: bool) -> NDArray[np.bool_]:
    """Bring rows whose like is not in the lake into it; return which ones these were."""
    keys = _keys(kind, rows)
    once = _first_of_each(keys)
    brought: NDArray[np.bool_] | None = None
    for _ in range(ATTEMPTS):
        last = lake.last_sequence(model, kind, WRITER) or 0
        fresh = once & ~_present(lake, model, kind, rows, keys)
        brought = fresh if brought is None else brought
        if dry_run or not fresh.any():
            return brought
        lake.append(model, kind, keep(rows, fresh), writer=WRITER, sequence=last + 1)
    message = f"{model}: other replays were at work {ATTEMPTS} times, expected this one to be alone"
    raise LakeError(message, hint="Nothing is lost or there twice. Replay again when they are done.")


def _present(
    lake: Lake, model: str, kind: str, rows: pa.Table, keys: Sequence[tuple[object, ...]]
) -> NDArray[np.bool_]:
    """Return for each row whether the lake has its like."""
    if lake.version(model, kind) is None:
        return np.zeros(rows.num_rows, dtype=np.bool_)
    when = micros(rows[Predictions.EVENT_TIME])
    start, end = (_EPOCH + timedelta(microseconds=int(moment)) for moment in (when.min(), when.max()))
    columns = (Predictions.ID,) if kind == "predictions" else None
    found = lake.scan(model, kind, columns=columns, start=start - AROUND, end=end + AROUND)
    if not found.num_rows:
        return np.zeros(rows.num_rows, dtype=np.bool_)
    like = take(found, np.flatnonzero(first_match(found[Predictions.ID], rows[Predictions.ID]) >= 0))
    known = set(_keys(kind, like))
    return np.fromiter((key in known for key in keys), dtype=np.bool_, count=len(keys))


def _keys(kind: str, rows: pa.Table) -> list[tuple[object, ...]]:
    """Return what makes a row the same as another: a prediction's id; everything that a label says."""
    ids = rows[Predictions.ID].to_pylist()
    if kind == "predictions":
        return [(name,) for name in ids]
    event, arrival = micros(rows[Labels.EVENT_TIME]).tolist(), micros(rows[Labels.ARRIVAL_TIME]).tolist()
    has_source = Labels.SOURCE in rows.column_names
    source = rows[Labels.SOURCE].to_pylist() if has_source else [None] * rows.num_rows
    return list(zip(ids, event, arrival, values(rows[Labels.LABEL]).tolist(), source, strict=True))


def _first_of_each(keys: Sequence[tuple[object, ...]]) -> NDArray[np.bool_]:
    seen: set[tuple[object, ...]] = set()
    first = np.zeros(len(keys), dtype=np.bool_)
    for row, key in enumerate(keys):
        first[row] = key not in seen
        seen.add(key)
    return first


def _segments(
    lake: Lake,
    spec: ModelSpec,
    notes: pa.Table,
    refused: Counter[str],
    *,
    actor: str,
    now: datetime,
    dry_run: bool,
) -> int:
    """Take in the segments that can be read by now; return how many rows entered.

    Rows of theirs that are refused wait in the quarantine on their own account.
    """
    files = {(kind, path.name): (segment, path) for kind, segment, path in lake.set_aside_segments(spec.model)}
    entered = 0
    for note in notes.to_pylist():
        name, kind = msgspec.json.decode(note[Quarantine.ROW])["segment"], note[Quarantine.KIND]
        segment, path = files.get((kind, name), (None, None))
        if segment is None or path is None:
            refused[f"{name}: the segment was set aside and is there no more"] += 1
            continue
        rows = _readable(path)
        if rows is None:
            refused[f"{path}: {UNREADABLE}"] += 1
            continue
        rows = _arrived(rows, _ARRIVAL[kind], pa.repeat(note[Quarantine.EVENT_TIME], rows.num_rows))
        screened = screen(kind, rows, features=spec.features.kinds, task=spec.task, now=now, quality=spec.quality)
        refused.update(why.rule for why in screened.whys)
        entered += screened.rows.num_rows
        if not dry_run:
            enter(lake, spec.model, kind, screened, writer=f"repaired:{segment}", sequence=1, now=now)
            resolve(lake, spec.model, [note[Quarantine.ENTRY]], REPLAYED, actor=actor, note=name, now=now)
            lake.discard(path)
    return entered


def _readable(path: Path) -> pa.Table | None:
    try:
        return read_segment(path)
    except (pa.ArrowException, OSError):
        return None
