"""Claims: who works on a run or a model's check, until when, and whose late write is refused.

A claim is one ``UPDATE ... RETURNING`` that takes the row longest due among those nobody holds, and raises its
``fence``. A write names the fence it was handed; after a takeover the fence is higher, and after a release nobody holds
the row, so the write finds no row and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.engine import among, machine_time
from vernal.adapters.state.rows import model_state, run_record
from vernal.errors import LeaseLostError
from vernal.records import ModelState, Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import Lease


def claim_run(connection: sa.Connection, names: Sequence[str], *, lease: Lease, now: datetime) -> Run | None:
    """Claim the open run of the named models that is due longest."""
    run = schema.run.c
    due = sa.and_(among(connection, run.model, names), run.wake_at <= now, run.phase.notin_(schema.CLOSED))
    row = _claim(connection, schema.run, run.id, due, order=run.wake_at, lease=lease)
    return None if row is None else run_record(row)


def claim_check(connection: sa.Connection, names: Sequence[str], *, lease: Lease, now: datetime) -> ModelState | None:
    """Claim the named model whose check is due longest."""
    model = schema.model.c
    due = sa.and_(among(connection, model.model, names), model.next_check_at <= now)
    row = _claim(connection, schema.model, model.model, due, order=model.next_check_at, lease=lease)
    return None if row is None else model_state(row)


def renew(connection: sa.Connection, claim: Run | ModelState, *, lease: Lease) -> None:
    """Extend a claim's lease from now on; :class:`~vernal.errors.LeaseLostError` if somebody took over."""
    table, held = _held(claim)
    until = machine_time(connection, plus=lease.duration)
    renewed = sa.update(table).where(held, table.c.owner == lease.owner).values(lease_until=until)
    if connection.execute(renewed).rowcount != 1:
        raise lost(claim)


def give_back(connection: sa.Connection, claim: Run | ModelState, **values: Any) -> sa.RowMapping:  # noqa: ANN401 - columns
    """Write columns of a claimed row, release it, and return it; refused if the claim is no longer ours.

    Raises
    ------
    LeaseLostError
        If the row was claimed by somebody else, released, or changed by a person since ``claim`` was handed out.
    """
    table, held = _held(claim)
    released = sa.update(table).where(held).values(owner=None, lease_until=None, **values).returning(*table.c)
    row = connection.execute(released).mappings().one_or_none()
    if row is None:
        raise lost(claim)
    return row


def lost(claim: Run | ModelState) -> LeaseLostError:
    """Return the error for a write that comes too late."""
    subject = f"run {claim.id}" if isinstance(claim, Run) else f"check of {claim.model}"
    return LeaseLostError(
        f"{subject}: the claim with fence {claim.fence} no longer holds: another worker or a person has taken over",
        hint="Nothing was written; whoever holds it now does the work.",
    )


def _claim(
    connection: sa.Connection,
    table: sa.Table,
    key: sa.Column[Any],
    due: sa.ColumnElement[bool],
    *,
    order: sa.Column[Any],
    lease: Lease,
) -> sa.RowMapping | None:
    free = sa.or_(table.c.lease_until.is_(None), table.c.lease_until <= machine_time(connection))
    # SKIP LOCKED: workers that claim at the same moment take different rows instead of waiting for the first one.
    oldest = sa.select(key).where(due, free).order_by(order, key).limit(1).with_for_update(skip_locked=True)
    claimed = (
        sa.update(table)
        .where(key == oldest.scalar_subquery())
        .values(
            owner=lease.owner,
            lease_until=machine_time(connection, plus=lease.duration),
            fence=table.c.fence + 1,
            attempt=table.c.attempt + 1,
        )
        .returning(*table.c)
    )
    return connection.execute(claimed).mappings().one_or_none()


def _held(claim: Run | ModelState) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    table = schema.run if isinstance(claim, Run) else schema.model
    key = schema.run.c.id == claim.id if isinstance(claim, Run) else schema.model.c.model == claim.model
    # A released row keeps its fence, so the fence alone would let the same claim be used twice.
    return table, sa.and_(key, table.c.fence == claim.fence, table.c.owner.is_not(None))


__all__ = ["claim_check", "claim_run", "give_back", "lost", "renew"]
