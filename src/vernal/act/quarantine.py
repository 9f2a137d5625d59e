"""What was refused and still waits for somebody: listed by rule, counted, discarded."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.refused import texts
from vernal.observe.columns import first_match, keep, take, to_micros
from vernal.records import Quarantine, Resolutions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vernal.ports import Lake

REPLAYED: Final = "replayed"
PRESENT: Final = "present"
DISCARDED: Final = "discarded"

_ABOUT: Final = (
    Quarantine.KIND,
    Quarantine.RULE,
    Quarantine.REASON,
    Quarantine.BATCH,
    Quarantine.ENTRY,
    Quarantine.EVENT_TIME,
)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIME: Final = pa.timestamp("us", tz="UTC")


class Chosen(NamedTuple):
    """Which refused rows are meant: refused in ``[since, until)``, with ``reason`` in what they broke."""

    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None


EVERYTHING: Final = Chosen()


class Group(NamedTuple):
    """The waiting rows that broke one rule, with some of them as they came (``reason`` and ``row``)."""

    kind: str
    rule: str
    rows: int
    batches: int
    first: datetime
    last: datetime
    examples: tuple[dict[str, Any], ...]


class Listing(NamedTuple):
    """What waits, by rule, the most rows first; and what became of the others of the same choice, by outcome."""

    waiting: int
    groups: tuple[Group, ...]
    resolved: dict[str, int]


def listing(lake: Lake, model: str, chosen: Chosen = EVERYTHING, *, examples: int) -> Listing:
    """Return what was refused of a model's rows, by the rule it broke."""
    refused, outcomes = _refused(lake, model, chosen), _outcomes(lake, model)
    position = _among(refused, outcomes)
    open_rows = keep(refused, position < 0)
    last = outcomes[Resolutions.OUTCOME].to_pylist() if outcomes.num_rows else []
    resolved = Counter(last[number] for number in position[position >= 0])
    groups = _grouped(open_rows)
    shown = [_last(open_rows, group, examples) for group in groups]
    originals = _originals(lake, model, pa.concat_tables(shown)) if shown else {}
    told = (
        group._replace(examples=tuple(_example(one, originals) for one in reversed(rows.to_pylist())))
        for group, rows in zip(groups, shown, strict=True)
    )
    return Listing(open_rows.num_rows, tuple(told), dict(resolved))


def count_waiting(lake: Lake, model: str) -> int:
    """Return how many refused rows wait for somebody to replay or discard them."""
    if lake.version(model, "quarantine") is None:
        return 0
    refused = lake.scan(model, "quarantine", columns=(Quarantine.ENTRY,))[Quarantine.ENTRY].unique()
    if lake.version(model, "resolutions") is None:
        return len(refused)
    resolved = lake.scan(model, "resolutions", columns=(Resolutions.ENTRY,))[Resolutions.ENTRY]
    return int(np.count_nonzero(first_match(pa.chunked_array([refused]), resolved) < 0))


def discard(lake: Lake, model: str, chosen: Chosen, *, actor: str, note: str, now: datetime) -> int:
    """Record that waiting rows will not be used, and why; return how many. They stay in the quarantine."""
    refused = _refused(lake, model, chosen)
    names: list[str] = keep(refused, _among(refused, _outcomes(lake, model)) < 0)[Quarantine.ENTRY].to_pylist()
    resolve(lake, model, names, DISCARDED, actor=actor, note=note, now=now)
    return len(names)


class Waiting(NamedTuple):
    """Rows of the quarantine, oldest first, each once; and the Arrow schema of each of their batches, serialised."""

    rows: pa.Table
    schemas: dict[tuple[str, str], bytes]


def waiting(lake: Lake, model: str, chosen: Chosen = EVERYTHING) -> Waiting:
    """Return the refused rows that nobody has replayed or discarded."""
    refused = _refused(lake, model, chosen)
    refused = keep(refused, _among(refused, _outcomes(lake, model)) < 0)
    if not refused.num_rows:
        return Waiting(refused, {})
    rows = _whole(lake, model, refused, columns=Quarantine.ALL)
    # The schema stands beside the first row of a batch, which need not be among those that wait.
    with_schema = rows.filter(pc.field(Quarantine.SCHEMA).is_valid())
    batches = (with_schema[name].to_pylist() for name in (Quarantine.KIND, Quarantine.BATCH, Quarantine.SCHEMA))
    schemas = {(kind, batch): schema for kind, batch, schema in zip(*batches, strict=True)}
    places = first_match(refused[Quarantine.ENTRY], rows[Quarantine.ENTRY])
    return Waiting(take(rows, places), schemas)


def _refused(lake: Lake, model: str, chosen: Chosen) -> pa.Table:
    """Return what was refused, oldest first, each once, without the rows themselves, which take the most room."""
    rows = lake.scan(model, "quarantine", columns=_ABOUT, start=chosen.since, end=chosen.until)
    if not rows.num_rows:
        return rows
    names = rows[Quarantine.ENTRY]
    rows = keep(rows, first_match(names, names) == np.arange(rows.num_rows))
    return rows if chosen.reason is None else keep(rows, _mentions(rows, chosen.reason))


def _whole(lake: Lake, model: str, refused: pa.Table, *, columns: Sequence[str]) -> pa.Table:
    """Return the quarantine from the first to the last of some refused rows."""
    when = refused[Quarantine.EVENT_TIME]
    start, end = pc.min(when).as_py(), pc.max(when).as_py()
    return lake.scan(model, "quarantine", columns=columns, start=start, end=end + _MICROSECOND)


def resolve(
    lake: Lake, model: str, names: Sequence[str], outcome: str, *, actor: str, note: str, now: datetime
) -> None:
    """Record what became of refused rows."""
    if not names:
        return
    count = len(names)
    when = np.full(count, to_micros(now), dtype=np.int64)
    rows = pa.table(
        {
            Resolutions.ENTRY: texts(names),
            Resolutions.OUTCOME: texts([outcome] * count),
            Resolutions.ACTOR: texts([actor] * count),
            Resolutions.NOTE: texts([note] * count),
            Resolutions.EVENT_TIME: pa.Array.from_buffers(_TIME, count, [None, pa.py_buffer(when.tobytes())]),
        }
    )
    # Each record is a writer of its own: who records an entry twice says the same twice.
    lake.append(model, "resolutions", rows, writer=f"{outcome}:{secrets.token_hex(16)}", sequence=1)


def _outcomes(lake: Lake, model: str) -> pa.Table:
    """Return each resolved entry with its last outcome first."""
    columns = (Resolutions.ENTRY, Resolutions.OUTCOME)
    found = lake.scan(model, "resolutions", columns=columns)
    return take(found, np.arange(found.num_rows - 1, -1, -1, dtype=np.int64)) if found.num_rows else found


def _among(refused: pa.Table, outcomes: pa.Table) -> NDArray[np.int64]:
    """Return for each refused row the position of its outcome, -1 where it has none."""
    if not refused.num_rows or not outcomes.num_rows:
        return np.full(refused.num_rows, -1, dtype=np.int64)
    return first_match(refused[Quarantine.ENTRY], outcomes[Resolutions.ENTRY])


def _mentions(refused: pa.Table, reason: str) -> NDArray[np.bool_]:
    wanted = reason.casefold()
    rules, reasons = refused[Quarantine.RULE].to_pylist(), refused[Quarantine.REASON].to_pylist()
    told = zip(rules, reasons, strict=True)
    return np.fromiter((wanted in rule.casefold() or wanted in why.casefold() for rule, why in told), dtype=np.bool_)


def _grouped(rows: pa.Table) -> list[Group]:
    if not rows.num_rows:
        return []
    keys, when = [Quarantine.KIND, Quarantine.RULE], Quarantine.EVENT_TIME
    wanted = [(Quarantine.ENTRY, "count"), (Quarantine.BATCH, "count_distinct"), (when, "min"), (when, "max")]
    groups = [
        Group(
            kind=one[Quarantine.KIND],
            rule=one[Quarantine.RULE],
            rows=one[f"{Quarantine.ENTRY}_count"],
            batches=one[f"{Quarantine.BATCH}_count_distinct"],
            first=one[f"{when}_min"],
            last=one[f"{when}_max"],
            examples=(),
        )
        for one in rows.group_by(keys).aggregate(wanted).to_pylist()
    ]
    return sorted(groups, key=lambda group: (-group.rows, group.kind, group.rule))


def _last(rows: pa.Table, group: Group, most: int) -> pa.Table:
    """Return the last few rows of a group."""
    like = rows.filter((pc.field(Quarantine.KIND) == group.kind) & (pc.field(Quarantine.RULE) == group.rule))
    return like.slice(like.num_rows - min(most, like.num_rows))


def _originals(lake: Lake, model: str, shown: pa.Table) -> dict[str, str]:
    """Return rows as they came, in JSON, by the names of their entries."""
    if not shown.num_rows:
        return {}
    rows = _whole(lake, model, shown, columns=(Quarantine.ENTRY, Quarantine.ROW))
    found = take(rows, first_match(shown[Quarantine.ENTRY], rows[Quarantine.ENTRY]))
    return dict(zip(found[Quarantine.ENTRY].to_pylist(), found[Quarantine.ROW].to_pylist(), strict=True))


def _example(one: dict[str, Any], originals: dict[str, str]) -> dict[str, Any]:
    return {
        "entry": one[Quarantine.ENTRY],
        "at": one[Quarantine.EVENT_TIME],
        "reason": one[Quarantine.REASON],
        "row": msgspec.json.decode(originals[one[Quarantine.ENTRY]]),
    }
