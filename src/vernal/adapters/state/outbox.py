"""The outbox: messages leave the transaction that made them, and then these tables, at least once per channel.

A message is routed once, in one transaction: that makes one delivery for each channel it goes through. From there on
every delivery lives on its own, so a receiver that is away holds up nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.engine import among, insert, machine_time
from vernal.adapters.state.rows import channel_state, columns, delivery_record, message_record
from vernal.errors import LeaseLostError
from vernal.records import DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.records import ChannelState, Delivery, Lease, Message, Routing, Settlement

_WAITING, _SENT, _FAILED = (str(status) for status in DeliveryStatus)


def unrouted_messages(connection: sa.Connection, *, limit: int) -> tuple[Message, ...]:
    """Return messages of which it is not decided yet where they go, oldest first."""
    table = schema.message
    rows = connection.execute(sa.select(table).where(table.c.routed_at.is_(None)).order_by(table.c.number).limit(limit))
    return tuple(message_record(row) for row in rows.mappings())


def channels(connection: sa.Connection) -> tuple[ChannelState, ...]:
    """Return what is remembered of every channel, by name."""
    rows = connection.execute(sa.select(schema.channel).order_by(schema.channel.c.name)).mappings()
    return tuple(channel_state(row) for row in rows)


def route(connection: sa.Connection, routing: Routing) -> None:
    """Write where messages go; :class:`~vernal.errors.LeaseLostError` if another worker was faster."""
    message, now = schema.message, machine_time(connection)
    routed = (
        sa.update(message)
        .where(among(connection, message.c.id, routing.message_ids), message.c.routed_at.is_(None))
        .values(routed_at=now)
    )
    if routing.message_ids and connection.execute(routed).rowcount != len(set(routing.message_ids)):
        raise _overtaken()
    event = schema.event
    passed_on = (
        sa.update(event).where(event.c.seq.in_(routing.event_seqs), event.c.routed_at.is_(None)).values(routed_at=now)
    )
    if routing.event_seqs and connection.execute(passed_on).rowcount != len(set(routing.event_seqs)):
        raise _overtaken()
    for memory in routing.memories:
        _remember(connection, memory)
    if not (routing.deliveries or routing.event_deliveries):
        return
    moment = connection.execute(sa.select(now)).scalar_one()
    fresh = {"status": _WAITING, "queued_at": moment, "due_at": moment, "attempts": 0, "last_error": ""}
    rows = [
        {"channel": name, "message_id": told.id, "message": told, "event": None} | fresh
        for name, told in routing.deliveries
    ]
    rows += [
        {"channel": name, "message_id": told.id, "message": None, "event": told} | fresh
        for name, told in routing.event_deliveries
    ]
    added = insert(connection, schema.delivery).on_conflict_do_nothing(index_elements=["channel", "message_id"])
    connection.execute(added, rows)


def claim_deliveries(connection: sa.Connection, channel: str, *, lease: Lease, limit: int) -> tuple[Delivery, ...]:
    """Claim a channel's deliveries that are due and that nobody holds, oldest first."""
    table = schema.delivery
    free = sa.or_(table.c.lease_until.is_(None), table.c.lease_until <= machine_time(connection))
    state = schema.channel.c
    shut = sa.select(state.name).where(
        sa.or_(state.closed_at.is_not(None), state.resting_until > machine_time(connection))
    )
    due = (
        sa.select(table.c.number)
        .where(table.c.channel == channel, table.c.status == _WAITING, table.c.due_at <= machine_time(connection), free)
        .where(table.c.channel.not_in(shut))
        .order_by(table.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True, of=table)
        .cte("due")
    )
    until = machine_time(connection, plus=lease.duration)
    claimed = (
        sa.update(table)
        .where(table.c.number.in_(sa.select(due.c.number)))
        .values(owner=lease.owner, lease_until=until, attempts=table.c.attempts + 1)
        .returning(*table.c)
    )
    rows = connection.execute(claimed).mappings().all()
    return tuple(delivery_record(row) for row in sorted(rows, key=lambda row: row["number"]))


def settle(connection: sa.Connection, delivery: Delivery, settlement: Settlement) -> None:
    """Write how an attempt ended; nothing but success is written for a delivery that another worker has taken over."""
    table = schema.delivery
    mine = sa.and_(table.c.number == delivery.number, table.c.owner == delivery.owner)
    values: dict[str, Any] = {"status": str(settlement.status), "owner": None, "lease_until": None}
    if settlement.status is DeliveryStatus.SENT:
        # True whoever holds it by now: the receiver has it.
        sent = values | {"last_error": "", "ended_at": machine_time(connection)}
        connection.execute(sa.update(table).where(table.c.number == delivery.number).values(sent))
        return
    values["last_error"] = settlement.error
    if settlement.status is DeliveryStatus.FAILED:
        values["ended_at"] = machine_time(connection)
    else:
        values["due_at"] = machine_time(connection, plus=settlement.again_in)
    if connection.execute(sa.update(table).where(mine).values(values)).rowcount != 1:
        return
    if settlement.whole_channel:
        until = machine_time(connection, plus=settlement.again_in)
        _change_channel(connection, delivery.channel, {"resting_until": until})
    if settlement.closes_channel:
        closing = {"closed_at": machine_time(connection), "closed_because": settlement.error}
        _change_channel(connection, delivery.channel, closing)


def release_deliveries(connection: sa.Connection, deliveries: Sequence[Delivery]) -> None:
    """Give back claimed deliveries that were not tried."""
    table = schema.delivery
    for delivery in deliveries:
        connection.execute(
            sa.update(table)
            .where(table.c.number == delivery.number, table.c.owner == delivery.owner)
            .values(owner=None, lease_until=None, attempts=table.c.attempts - 1)
        )


def deliveries(
    connection: sa.Connection,
    *,
    channel: str | None,
    statuses: Sequence[DeliveryStatus] | None,
    limit: int | None,
) -> tuple[Delivery, ...]:
    """Return deliveries, oldest first; with a limit the newest that many."""
    table = schema.delivery
    query = sa.select(table).order_by(table.c.number.desc()).limit(limit)
    if channel is not None:
        query = query.where(table.c.channel == channel)
    if statuses is not None:
        query = query.where(table.c.status.in_([str(status) for status in statuses]))
    return tuple(delivery_record(row) for row in reversed(connection.execute(query).mappings().all()))


def waiting_channels(connection: sa.Connection) -> tuple[str, ...]:
    """Return the names of channels through which something has to go, in alphabetical order."""
    table = schema.delivery
    names = sa.select(table.c.channel).where(table.c.status == _WAITING).distinct().order_by(table.c.channel)
    return tuple(connection.scalars(names))


def redeliver(connection: sa.Connection, *, channel: str | None, message_ids: Sequence[str] | None) -> int:
    """Make everything that failed or waits, of a channel or all, due now; open the channels again; return how many."""
    table = schema.delivery
    chosen: list[sa.ColumnElement[bool]] = [table.c.status.in_([_WAITING, _FAILED])]
    if channel is not None:
        chosen.append(table.c.channel == channel)
    if message_ids is not None:
        chosen.append(among(connection, table.c.message_id, message_ids))
    now = machine_time(connection)
    fresh = {"status": _WAITING, "queued_at": now, "due_at": now, "attempts": 0, "ended_at": None}
    asked = sa.update(table).where(*chosen).values(fresh).returning(table.c.channel)
    names = set(found := connection.scalars(asked).all()) | ({channel} if channel is not None else set())
    opened = sa.update(schema.channel).where(schema.channel.c.name.in_(names))
    connection.execute(opened.values(closed_at=None, closed_because="", resting_until=None))
    return len(found)


def _remember(connection: sa.Connection, memory: ChannelState) -> None:
    """Write what a channel remembers, unless somebody else has written it since it was read."""
    table = schema.channel
    written = {"version": memory.version + 1, "memory": memory.memory}
    if memory.version == 0:
        row = columns(memory) | written | {"resting_until": None, "closed_at": None, "closed_because": ""}
        new = insert(connection, table).values(row)
        # One that is there already rested or was closed before anything was remembered of it.
        known = new.on_conflict_do_update(index_elements=["name"], set_=written, where=table.c.version == 0)
        done = connection.execute(known.returning(table.c.name)).all()
    else:
        unchanged = (table.c.name == memory.name, table.c.version == memory.version)
        done = connection.execute(sa.update(table).where(*unchanged).values(written).returning(table.c.name)).all()
    if not done:
        raise _overtaken()


def _change_channel(connection: sa.Connection, channel: str, changes: dict[str, Any]) -> None:
    row = {"name": channel, "version": 0, "memory": "", "closed_because": ""} | changes
    statement = insert(connection, schema.channel).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes))


def _overtaken() -> LeaseLostError:
    return LeaseLostError("outbox: another worker has routed these messages", hint="Nothing was written twice.")


__all__ = [
    "channels",
    "claim_deliveries",
    "deliveries",
    "redeliver",
    "release_deliveries",
    "route",
    "settle",
    "unrouted_messages",
    "waiting_channels",
]
