"""Questions that change nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.checks import unknown_model
from vernal.adapters.state.engine import among
from vernal.adapters.state.rows import approval_record, decision_record, ledger_entry, model_state, run_record
from vernal.errors import NotFoundError
from vernal.records import ApprovalStatus, HourProfile, WindowProfile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import Approval, ApprovalKind, Decision, LedgerEntry, ModelState, Run, WindowPurpose


def known_models(connection: sa.Connection) -> frozenset[str]:
    """Return the names of all known models."""
    return frozenset(connection.scalars(sa.select(schema.model.c.model)))


def models(connection: sa.Connection) -> tuple[ModelState, ...]:
    """Return all known models, by name."""
    rows = connection.execute(sa.select(schema.model).order_by(schema.model.c.model)).mappings()
    return tuple(model_state(row) for row in rows)


def model(connection: sa.Connection, name: str) -> ModelState:
    """Return one model."""
    row = connection.execute(sa.select(schema.model).where(schema.model.c.model == name)).mappings().one_or_none()
    if row is None:
        raise unknown_model(name)
    return model_state(row)


def run(connection: sa.Connection, run_id: str) -> Run:
    """Return one run."""
    row = connection.execute(sa.select(schema.run).where(schema.run.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"run {run_id}: there is no such run", hint="`vernal runs` lists them.")
    return run_record(row)


def runs(connection: sa.Connection, name: str | None, *, open_only: bool, limit: int | None) -> tuple[Run, ...]:
    """Return runs, newest first."""
    table = schema.run.c
    query = sa.select(schema.run).order_by(table.requested_at.desc(), table.number.desc(), table.model).limit(limit)
    if name is not None:
        query = query.where(table.model == name)
    if open_only:
        query = query.where(table.phase.notin_(schema.CLOSED))
    return tuple(run_record(row) for row in connection.execute(query).mappings())


def next_wake(connection: sa.Connection, names: Sequence[str]) -> datetime | None:
    """Return when the earliest check or open run of the named models is due."""
    check = sa.select(sa.func.min(schema.model.c.next_check_at)).where(among(connection, schema.model.c.model, names))
    table = schema.run.c
    step = sa.select(sa.func.min(table.wake_at)).where(
        among(connection, table.model, names), table.phase.notin_(schema.CLOSED)
    )
    due = [moment for moment in (connection.scalar(check), connection.scalar(step)) if moment is not None]
    return min(due, default=None)


def decisions(
    connection: sa.Connection,
    name: str | None,
    *,
    run_id: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
) -> tuple[Decision, ...]:
    """Return decisions of ``[since, until)``, oldest first; with ``limit`` the newest that many."""
    table = schema.decision.c
    query = sa.select(schema.decision).order_by(table.at.desc(), table.number.desc()).limit(limit)
    if name is not None:
        query = query.where(table.model == name)
    if run_id is not None:
        query = query.where(table.run_id == run_id)
    if kind is not None:
        query = query.where(table.kind == kind)
    if since is not None:
        query = query.where(table.at >= since)
    if until is not None:
        query = query.where(table.at < until)
    return tuple(decision_record(row) for row in reversed(connection.execute(query).mappings().all()))


def approval(connection: sa.Connection, run_id: str, kind: ApprovalKind) -> Approval | None:
    """Return a run's request for approval."""
    table = schema.approval
    query = sa.select(table).where(table.c.run_id == run_id, table.c.kind == str(kind))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else approval_record(row)


def pending_approvals(connection: sa.Connection) -> tuple[Approval, ...]:
    """Return the approvals that wait for a person, oldest first."""
    table = schema.approval
    waiting = sa.select(table).where(table.c.status == str(ApprovalStatus.PENDING))
    rows = connection.execute(waiting.order_by(table.c.requested_at, table.c.run_id)).mappings()
    return tuple(approval_record(row) for row in rows)


def spent(connection: sa.Connection, name: str | None, *, since: datetime, until: datetime) -> Decimal:
    """Return the money booked in ``[since, until)``."""
    table = schema.ledger.c
    query = sa.select(table.usd).where(table.at >= since, table.at < until)
    if name is not None:
        query = query.where(table.model == name)
    # Added here: SQLite would add decimal text as floats.
    return sum(connection.scalars(query), Decimal(0))


def ledger(connection: sa.Connection, name: str | None) -> tuple[LedgerEntry, ...]:
    """Return booked costs, oldest first."""
    table = schema.ledger.c
    query = sa.select(schema.ledger).order_by(table.at, table.number)
    if name is not None:
        query = query.where(table.model == name)
    return tuple(ledger_entry(row) for row in connection.execute(query).mappings())


def baseline(connection: sa.Connection, name: str, version: str) -> bytes | None:
    """Return the serialised baseline of a model version."""
    table = schema.baseline.c
    return connection.scalar(sa.select(table.data).where(table.model == name, table.version == version))


def hour_profiles(
    connection: sa.Connection, name: str, baseline_version: str, *, start: datetime, end: datetime
) -> tuple[HourProfile, ...]:
    """Return the stored hours in ``[start, end)``, oldest first."""
    table = schema.hour_profile.c
    within = (table.model == name, table.baseline_version == baseline_version, table.hour >= start, table.hour < end)
    rows = connection.execute(sa.select(table.hour, table.data).where(*within).order_by(table.hour))
    return tuple(HourProfile(hour=row.hour, data=row.data) for row in rows)


def windows(connection: sa.Connection, name: str, purpose: WindowPurpose) -> tuple[WindowProfile, ...]:
    """Return a model's windows, the shortest first."""
    table = schema.window
    asked = sa.select(table).where(table.c.model == name, table.c.purpose == purpose).order_by(table.c.hours)
    return tuple(
        WindowProfile(
            hours=row.hours, baseline_version=row.baseline_version, first=row.first, until=row.until, data=row.data
        )
        for row in connection.execute(asked)
    )
