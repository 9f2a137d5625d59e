"""What leaves with a step besides the step itself: decisions, messages, money, approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.engine import insert_new, upsert
from vernal.adapters.state.rows import columns
from vernal.records import ApprovalStatus, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vernal.records import Approval, Decision, LedgerEntry, Message


def write_decisions(connection: sa.Connection, decisions: Iterable[Decision]) -> None:
    """Append decisions."""
    rows = [columns(decision) for decision in decisions]
    if rows:
        connection.execute(sa.insert(schema.decision), rows)


def write_messages(connection: sa.Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox; one whose id is there already is on its way or sent, and left out."""
    insert_new(connection, schema.message, [columns(message) for message in messages], key="id")


def book(connection: sa.Connection, entries: Iterable[LedgerEntry]) -> None:
    """Book costs; one whose key is there already was booked, and is left out."""
    insert_new(connection, schema.ledger, [columns(entry) for entry in entries], key="key")


def write_approval(connection: sa.Connection, approval: Approval) -> None:
    """Write a request for approval, replacing what is known of it."""
    upsert(connection, schema.approval, [columns(approval)])


def close_approvals(connection: sa.Connection, run_id: str, phase: Phase, *, at: datetime, actor: str) -> None:
    """End what still waits for a person when its run is over."""
    status = ApprovalStatus.EXPIRED if phase is Phase.EXPIRED else ApprovalStatus.CANCELLED
    approval = schema.approval.c
    connection.execute(
        sa.update(schema.approval)
        .where(approval.run_id == run_id, approval.status == str(ApprovalStatus.PENDING))
        .values(status=str(status), decided_at=at, decided_by=actor, note=f"the run is {phase}")
    )


__all__ = ["book", "close_approvals", "write_approval", "write_decisions", "write_messages"]
