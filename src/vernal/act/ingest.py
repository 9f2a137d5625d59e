"""From what clients and replays hand in to rows in the lake: screened, exactly once, nothing lost."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.act.refused import UNREADABLE, Why, kept, texts
from vernal.act.screening import NOTHING_EXPECTED, screen
from vernal.act.tally import IngestReport, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from vernal.act.screening import Screened
    from vernal.ports import Lake
    from vernal.spec import ModelSpec, QualitySpec


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
    quality: QualitySpec = NOTHING_EXPECTED,
) -> IngestReport:
    """Bring a batch into the lake in canonical form, and quarantine the rows that are unfit.

    Quarantined are rows without id or event time, with an event more than an hour in the future, with a prediction,
    score or label that is none (not finite, no class, no probability), labels that arrive before their event, and all
    but the first prediction of an id in the batch. A batch that lacks a column is quarantined as a whole. NaN and
    infinities in features are fine: profiles count them. So is a prediction without version and answer: that is how
    features are logged before a first champion. The canonical types are those of :mod:`vernal.act.canonical`.

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
    quality
        What the model's file expects of the rows.

    Raises
    ------
    LakeError
        If the lake cannot be written. The batch can be ingested again under the same name.
    """
    screened = screen(kind, rows, features=features, task=task, now=now, quality=quality)
    enter(lake, model, kind, screened, writer=writer, sequence=sequence, now=now)
    tally = Tally()
    tally.add(kind, screened)
    return tally.report()


def drain_inbox(
    lake: Lake,
    model: str,
    features: Mapping[str, str],
    *,
    task: str,
    now: datetime,
    quality: QualitySpec = NOTHING_EXPECTED,
) -> IngestReport:
    """Ingest the segments that clients have left, each exactly once, in whatever order they come.

    Every segment is a writer of its own, so a crash between appending a segment and removing it repeats nothing. A
    segment that is no Parquet file is set aside, noted in the quarantine, and holds up nobody.

    Raises
    ------
    LakeError
        If the lake cannot be written; the segments that are left are ingested next time.
    """
    tally = Tally()
    for kind, segment, path in lake.inbox(model):
        writer = f"inbox:{segment}"
        try:
            rows = read_segment(path)
        except FileNotFoundError:  # another process has ingested it
            continue
        except (pa.ArrowException, OSError) as error:
            why = Why(UNREADABLE, f"{path.name}: {UNREADABLE}, set aside ({error})")
            row = pa.table({"segment": texts([path.name])})
            note = kept(kind, row, [why], places=(0,), batch=writer, now=now)
            lake.append(model, "quarantine", note, writer=f"{kind}:{writer}:unreadable", sequence=1)
            lake.set_aside(path)
            tally.unreadable()
            continue
        screened = screen(kind, rows, features=features, task=task, now=now, quality=quality)
        enter(lake, model, kind, screened, writer=writer, sequence=1, now=now)
        lake.discard(path)
        tally.add(kind, screened)
    return tally.report()


def preview_inbox(lake: Lake, spec: ModelSpec, *, now: datetime) -> IngestReport:
    """Screen what waits in the inbox, and change nothing."""
    tally = Tally()
    for kind, _, path in lake.inbox(spec.model):
        try:
            rows = read_segment(path)
        except FileNotFoundError:
            continue
        except (pa.ArrowException, OSError):
            tally.unreadable()
        else:
            features = spec.features.kinds
            screened = screen(kind, rows, features=features, task=spec.task, now=now, quality=spec.quality)
            tally.add(kind, screened)
    return tally.report()


def enter(lake: Lake, model: str, kind: str, screened: Screened, *, writer: str, sequence: int, now: datetime) -> None:
    """Bring a screened batch into the lake and its refused rows into the quarantine, exactly once."""
    # Refused rows go first: after a crash in between, the batch is screened again, at a later `now` and perhaps by
    # other rules. A row that has become acceptable by then is in both tables; the other way round it would be in
    # neither. Which rows were refused is part of the writer's name, so that those that only the new rules refuse are
    # kept too; the quarantine tells rows that it has twice by their entry.
    if screened.whys:
        # With the rows that were fit, those that were refused then are there as well; by today's rules there may be
        # others among them, which are in the lake.
        if (lake.last_sequence(model, kind, writer) or 0) >= sequence > 0:
            return
        batch = f"{writer}/{sequence}"
        refused = kept(kind, screened.refused, screened.whys, places=screened.places.tolist(), batch=batch, now=now)
        which = blake2b(screened.places.tobytes(), digest_size=8).hexdigest()
        lake.append(model, "quarantine", refused, writer=f"{kind}:{batch}:{which}", sequence=1)
    if screened.rows.num_rows:
        lake.append(model, kind, screened.rows, writer=writer, sequence=sequence)


def read_segment(path: Path) -> pa.Table:
    """Return the rows that a client left.

    Raises
    ------
    ArrowException, OSError
        If the file cannot be read.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        rows = file.read()
    rows.validate(full=True)  # a text that is no UTF-8 would fail much later
    return rows
