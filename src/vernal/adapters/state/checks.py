"""Checks and the runs they open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vernal.adapters.state import audit, events, schema
from vernal.adapters.state.claims import give_back
from vernal.adapters.state.effects import write_decisions, write_messages
from vernal.adapters.state.engine import insert_new, upsert
from vernal.adapters.state.rows import columns
from vernal.decide.events import check_ended, run_opened
from vernal.errors import NotFoundError, OpenRunError, StoreError
from vernal.records import Decision, Phase, Run, RunFacts, Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import CheckCommit, Happening, Message, ModelState, RunRequest, WindowProfile, WindowPurpose


def sync_models(connection: sa.Connection, names: Sequence[str], *, now: datetime) -> None:
    """Make the named models known, due for a check at once."""
    rows = [{"model": name, "next_check_at": now, "fence": 0, "attempt": 0} for name in sorted(set(names))]
    insert_new(connection, schema.model, rows, key="model")


def commit_check(connection: sa.Connection, state: ModelState, commit: CheckCommit) -> Run | None:
    """Write a check, release the model, and open the run it asks for unless there is one."""
    previous = _last_outcome(connection, state.model)
    give_back(
        connection,
        state,
        next_check_at=commit.next_check_at,
        profiled_version=commit.profiled_version,
        cron_at=commit.cron_at,
        attempt=0,
    )
    _write_hours(connection, state.model, commit)
    _write_windows(connection, state.model, commit.windows, purpose="running")
    write_decisions(connection, commit.decisions)
    write_messages(connection, commit.messages)
    seen = check_ended(commit.decisions, previous)
    if commit.request is None:
        events.append(connection, seen)
        return None
    blocking = open_run(connection, state.model)
    if blocking is not None:
        write_decisions(connection, [_suppressed(commit.request, blocking)])
        events.append(connection, seen)
        return None
    if commit.windows:
        _write_windows(connection, state.model, commit.windows, purpose="last_run")
    if commit.announcement is not None:
        write_messages(connection, [commit.announcement])
    return _open(connection, commit.request, also=seen)


def release_check(
    connection: sa.Connection,
    state: ModelState,
    *,
    next_check_at: datetime,
    decision: Decision,
    messages: Sequence[Message],
) -> None:
    """Give up a claimed check, keeping its attempt count."""
    previous = _last_outcome(connection, state.model)
    give_back(connection, state, next_check_at=next_check_at)
    write_decisions(connection, [decision])
    write_messages(connection, messages)
    events.append(connection, check_ended([decision], previous))


def request_run(connection: sa.Connection, request: RunRequest) -> Run:
    """Open a run, or say which one is open already."""
    lock_model(connection, request.model)
    blocking = open_run(connection, request.model)
    if blocking is not None:
        raise OpenRunError(
            f"{request.model}: a run was asked for while {blocking.id} is {blocking.phase}, expected no open run",
            hint=f"Wait until {blocking.id} is over, or end it first.",
        )
    return _open(connection, request)


def lock_model(connection: sa.Connection, name: str) -> sa.RowMapping:
    """Return a model's row, locked until the transaction ends; runs are opened and counted under this lock."""
    # Not a plain FOR UPDATE: rows that merely refer to the model (decisions of its run) need not wait.
    locked = sa.select(schema.model).where(schema.model.c.model == name).with_for_update(key_share=True)
    row = connection.execute(locked).mappings().one_or_none()
    if row is None:
        raise unknown_model(name)
    return row


def unknown_model(name: str) -> NotFoundError:
    """Return the error for a model that the store has never heard of."""
    return NotFoundError(
        f"model {name}: the state store does not know it",
        hint="Is its file in the project? The next tick makes it known.",
    )


def open_run(connection: sa.Connection, model: str) -> sa.Row[Any, Any] | None:
    """Return id and phase of a model's open run.

    Asked before inserting another: the unique index would refuse it too, but on PostgreSQL only after waiting for
    whoever is just closing the open one, who may wait for the model's row that we hold.
    """
    run = schema.run.c
    return connection.execute(
        sa.select(run.id, run.phase).where(run.model == model, run.phase.notin_(schema.CLOSED))
    ).one_or_none()


def _open(connection: sa.Connection, request: RunRequest, *, also: Sequence[Happening] = ()) -> Run:
    newest = sa.select(sa.func.coalesce(sa.func.max(schema.run.c.number), 0)).where(schema.run.c.model == request.model)
    number = connection.execute(newest).scalar_one() + 1
    run = Run(
        id=f"{request.model}-{number}",
        model=request.model,
        number=number,
        phase=Phase.REQUESTED,
        trigger=request.trigger,
        reason=request.reason,
        requested_by=request.requested_by,
        requested_at=request.at,
        phase_since=request.at,
        wake_at=request.at,
        fence=0,
        attempt=0,
        facts=RunFacts(),
    )
    connection.execute(sa.insert(schema.run).values(columns(run)))
    connection.execute(
        sa.update(schema.model).where(schema.model.c.model == request.model).values(last_run_at=request.at)
    )
    opened = Decision(
        model=run.model, run_id=run.id, at=request.at, kind="run", outcome="requested", reason=request.reason
    )
    write_decisions(connection, [opened])
    events.append(connection, (*also, *run_opened(run)))
    audit.append(
        connection,
        audit.Action(
            at=request.at,
            actor=request.requested_by,
            action="request",
            subject=run.id,
            reason=request.reason,
            before={},
            after={"phase": run.phase, "trigger": run.trigger},
        ),
    )
    return run


def _last_outcome(connection: sa.Connection, name: str) -> str | None:
    """Return what the model's last check came to; its evidence, which is long, is not read."""
    table = schema.decision.c
    newest = sa.select(table.outcome).where(table.model == name, table.kind == "check")
    return connection.scalar(newest.order_by(table.at.desc(), table.number.desc()).limit(1))


def _suppressed(request: RunRequest, blocking: sa.Row[Any, Any]) -> Decision:
    reason = f"{blocking.id} was opened meanwhile and is {blocking.phase}; dropped: {request.reason}"
    held = Suppression(policy="open_run", triggers=(str(request.trigger),), reason=reason)
    return Decision(
        model=request.model,
        at=request.at,
        kind="trigger",
        outcome="suppressed",
        reason=reason,
        evidence={"suppressions": [held.to_dict()]},
    )


def _write_hours(connection: sa.Connection, model: str, commit: CheckCommit) -> None:
    if commit.baseline_version is None and commit.hours:
        raise StoreError(f"check of {model}: got profiles without the version of their baseline, expected both or none")
    if commit.forget_before is not None:
        hour = schema.hour_profile.c
        connection.execute(sa.delete(schema.hour_profile).where(hour.model == model, hour.hour < commit.forget_before))
    rows = [
        {"model": model, "baseline_version": commit.baseline_version, "hour": hour, "data": data}
        for hour, data in sorted(commit.hours.items())
    ]
    upsert(connection, schema.hour_profile, rows)


def _write_windows(
    connection: sa.Connection, model: str, windows: Sequence[WindowProfile], *, purpose: WindowPurpose
) -> None:
    """Replace a model's windows of one purpose."""
    table = schema.window
    connection.execute(sa.delete(table).where(table.c.model == model, table.c.purpose == purpose))
    upsert(connection, table, [{"model": model, "purpose": purpose, **columns(window)} for window in windows])


__all__ = ["commit_check", "lock_model", "open_run", "release_check", "request_run", "sync_models", "unknown_model"]
