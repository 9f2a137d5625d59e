"""The outbox: messages leave the transaction that made them, and then this table, at least once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.engine import machine_time
from vernal.adapters.state.rows import message_record
from vernal.errors import NotFoundError

if TYPE_CHECKING:
    from vernal.records import Lease, Message


def claim_messages(connection: sa.Connection, *, lease: Lease, limit: int) -> tuple[Message, ...]:
    """Claim unsent messages that nobody holds, oldest first."""
    table = schema.message
    free = sa.or_(table.c.lease_until.is_(None), table.c.lease_until <= machine_time(connection))
    waiting = (
        sa.select(table.c.number)
        .where(table.c.sent_at.is_(None), free)
        .order_by(table.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("waiting")
    )
    claimed = (
        sa.update(table)
        .where(table.c.number.in_(sa.select(waiting.c.number)))
        .values(owner=lease.owner, lease_until=machine_time(connection, plus=lease.duration))
        .returning(*table.c)
    )
    rows = connection.execute(claimed).mappings().all()
    return tuple(message_record(row) for row in sorted(rows, key=lambda row: row["number"]))


def mark_sent(connection: sa.Connection, message_id: str) -> None:
    """Record that a message was delivered."""
    table = schema.message
    sent = (
        sa.update(table)
        .where(table.c.id == message_id)
        .values(sent_at=machine_time(connection), owner=None, lease_until=None)
    )
    if connection.execute(sent).rowcount != 1:
        raise NotFoundError(f"message {message_id}: it is not in the outbox")


__all__ = ["claim_messages", "mark_sent"]
