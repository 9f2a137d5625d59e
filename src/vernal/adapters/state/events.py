"""The queue of events: numbered in the order of commits, so that whoever has read up to a number has missed nothing."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.engine import insert, machine_time
from vernal.adapters.state.rows import columns, event_record
from vernal.decide.events import SCHEMAS
from vernal.errors import StoreError
from vernal.records import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.records import Happening


def append(connection: sa.Connection, happenings: Sequence[Happening]) -> None:
    """Append events to the queue; like the audit trail one of the last writes of a transaction.

    The head row stays locked until the commit. So a reader never sees a number before all lower ones, and nothing is
    locked after it but the head itself.
    """
    if not happenings:
        return
    head = schema.store.c
    found = connection.execute(sa.select(head.event_seq, head.created_at).with_for_update()).one()
    rows = []
    for seq, happening in enumerate(happenings, start=found.event_seq + 1):
        # A store that is made afresh numbers from 1 again: the time it was made keeps its ids apart.
        name = blake2b(f"{found.created_at.isoformat()}:{seq}".encode(), digest_size=16).hexdigest()
        event = Event(
            seq=seq,
            id=name,
            type=happening.type,
            at=happening.at,
            model=happening.model,
            run_id=happening.run_id,
            schema=SCHEMAS[type(happening.data)],
            data=happening.data.to_dict(),
        )
        rows.append(columns(event))
    connection.execute(sa.insert(schema.event), rows)
    connection.execute(sa.update(schema.store).values(event_seq=found.event_seq + len(rows)))


def read(connection: sa.Connection, *, after: int, limit: int | None) -> tuple[Event, ...]:
    """Return the events behind a number, in order."""
    table = schema.event
    rows = connection.execute(sa.select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit))
    return tuple(event_record(row) for row in rows.mappings())


def unrouted(connection: sa.Connection, *, limit: int) -> tuple[Event, ...]:
    """Return events of which it is not decided yet where they go, in order."""
    table = schema.event
    rows = connection.execute(sa.select(table).where(table.c.routed_at.is_(None)).order_by(table.c.seq).limit(limit))
    return tuple(event_record(row) for row in rows.mappings())


def acknowledged(connection: sa.Connection, consumer: str) -> int:
    """Return up to which number a consumer has acknowledged, 0 for one that never did."""
    table = schema.consumer.c
    return connection.scalar(sa.select(table.cursor).where(table.name == consumer)) or 0


def acknowledge(connection: sa.Connection, consumer: str, seq: int) -> int:
    """Note that a consumer is done up to a number; it never goes back."""
    newest = connection.execute(sa.select(schema.store.c.event_seq)).scalar_one()
    if not 0 <= seq <= newest:
        raise StoreError(
            f"consumer {consumer}: got {seq} to acknowledge, expected a number from 0 to {newest}, the newest event's",
            hint="Acknowledge the `sequence` of an event that was read.",
        )
    table = schema.consumer
    row = {"name": consumer, "cursor": seq, "acknowledged_at": machine_time(connection)}
    further = insert(connection, table).values(row)
    written = further.on_conflict_do_update(
        index_elements=["name"],
        set_={"cursor": further.excluded.cursor, "acknowledged_at": further.excluded.acknowledged_at},
        where=table.c.cursor < further.excluded.cursor,
    )
    connection.execute(written)
    return acknowledged(connection, consumer)


__all__ = ["acknowledge", "acknowledged", "append", "read", "unrouted"]
