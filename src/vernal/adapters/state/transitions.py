"""Steps of a run: what changes, and everything that leaves with it, in one transaction.

Rows are locked in one order everywhere - run, model, approvals, outbox, head of the events and of the audit chain - so
transactions never wait for each other in a circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vernal.adapters.state import audit, events, schema
from vernal.adapters.state.checks import lock_model, open_run
from vernal.adapters.state.claims import give_back
from vernal.adapters.state.effects import book, close_approvals, write_approval, write_decisions, write_messages
from vernal.adapters.state.engine import upsert
from vernal.adapters.state.rows import approval_record, model_state, run_record
from vernal.decide.events import champion_changed, run_stepped
from vernal.errors import NotFoundError, PhaseError, StoreError
from vernal.records import (
    UNRELEASED_PHASES,
    Approval,
    ApprovalStatus,
    Champion,
    Decision,
    Message,
    ModelState,
    Phase,
    Route,
    Run,
    Transition,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import RunRequest

SYSTEM = "vernal"
"""Who acts when no person does."""


def commit_run(connection: sa.Connection, run: Run, transition: Transition) -> Run:
    """Write one step of a claimed run and release it."""
    after = run_record(give_back(connection, run, **_changes(run, transition)))
    _write_rest(connection, run, after, transition, actor=SYSTEM, action="transition")
    return after


def release_run(connection: sa.Connection, run: Run, *, wake_at: datetime, decision: Decision) -> None:
    """Give up a claimed run, keeping its attempt count."""
    give_back(connection, run, wake_at=wake_at)
    write_decisions(connection, [decision])


def intervene(
    connection: sa.Connection, run_id: str, transition: Transition, *, actor: str, expected: Sequence[Phase]
) -> Run:
    """Apply a person's transition; the fence rises, so that whoever holds the run writes no more."""
    run = _lock_run(connection, run_id)
    if run.phase not in expected:
        phases = ", ".join(expected)
        hint = f"It ended: {run.outcome}" if run.phase.terminal and run.outcome else None
        raise PhaseError(f"run {run_id}: it is {run.phase}, expected one of: {phases}", hint=hint)
    values = _changes(run, transition) | _taken_away()
    after = run_record(_update_run(connection, run_id, values))
    _write_rest(connection, run, after, transition, actor=actor, action="intervention")
    return after


def supersede(connection: sa.Connection, run_id: str, request: RunRequest) -> None:
    """End an open run that serves nobody, with what it has learned so far, because something more urgent is asked for.

    A run that is over or serves somebody by now is left alone.
    """
    run = _lock_run(connection, run_id)
    if run.phase not in UNRELEASED_PHASES:
        return
    reason = f"superseded in {run.phase} by an emergency: {request.reason}"
    alert = Message(
        id=f"{run_id}:superseded",
        at=request.at,
        model=run.model,
        run_id=run_id,
        kind="superseded",
        severity="info",
        title=f"{run_id} was superseded",
        body=reason,
    )
    transition = Transition(
        phase=Phase.SUPERSEDED,
        wake_at=request.at,
        at=request.at,
        facts=run.facts,
        outcome=reason,
        decision=Decision(
            model=run.model, run_id=run_id, at=request.at, kind="run", outcome="superseded", reason=reason
        ),
        messages=(alert,),
    )
    after = run_record(_update_run(connection, run_id, _changes(run, transition) | _taken_away()))
    _write_rest(connection, run, after, transition, actor=SYSTEM, action="supersede")


def decide_approval(
    connection: sa.Connection, run_id: str, *, approved: bool, actor: str, note: str, now: datetime
) -> Approval:
    """Answer what a run waits for, and wake it."""
    _lock_run(connection, run_id)
    status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
    table = schema.approval
    answered = (
        sa.update(table)
        .where(table.c.run_id == run_id, table.c.status == str(ApprovalStatus.PENDING))
        .values(status=str(status), decided_at=now, decided_by=actor, note=note)
        .returning(*table.c)
    )
    row = connection.execute(answered).mappings().one_or_none()
    if row is None:
        raise _nothing_pending(connection, run_id)
    # A worker may be deciding at this moment that the run goes on waiting: its late write would put it to sleep again.
    _update_run(connection, run_id, {"wake_at": now} | _taken_away())
    audit.append(
        connection,
        audit.Action(
            at=now,
            actor=actor,
            action="approve" if approved else "reject",
            subject=run_id,
            reason=note,
            before={row["kind"]: str(ApprovalStatus.PENDING)},
            after={row["kind"]: str(status)},
        ),
    )
    return approval_record(row)


def set_champion(
    connection: sa.Connection, model: str, version: str, *, actor: str, reason: str, now: datetime
) -> ModelState:
    """Point a model at a version by hand; all traffic goes there."""
    before = model_state(lock_model(connection, model))
    blocking = open_run(connection, model)
    if blocking is not None:
        raise PhaseError(
            f"{model}: its champion cannot be set while {blocking.id} is {blocking.phase}, expected no open run",
            hint=f"Wait until {blocking.id} is over, or roll it back first.",
        )
    old = before.champion
    previous = None if old is None else (old.previous if old.version == version else old.version)
    champion = Champion(
        model=model,
        version=version,
        since=now,
        run_id=None,
        previous=previous,
        importances=_importances(connection, model, version),
    )
    route = Route(model=model, champion=version, updated_at=now)
    table = schema.model
    changed = sa.update(table).where(table.c.model == model).values(champion=champion, route=route).returning(*table.c)
    after = model_state(connection.execute(changed).mappings().one())
    was = f"version {old.version}" if old is not None else "none"
    why = f"{actor} set the champion from {was} to version {version}: {reason}"
    write_decisions(connection, [Decision(model=model, at=now, kind="champion", outcome="set", reason=why)])
    alert = Message(
        id=f"{model}:champion:{now.isoformat()}",
        at=now,
        model=model,
        kind="champion",
        severity="warning",
        title=f"{model}: champion set by hand",
        body=why,
    )
    write_messages(connection, [alert])
    events.append(connection, [champion_changed(champion, "champion.set", actor=actor, reason=reason)])
    action = audit.Action(now, actor, "set_champion", model, reason, _serving(before), _serving(after))
    audit.append(connection, action)
    return after


def _importances(connection: sa.Connection, model: str, version: str) -> dict[str, float] | None:
    """Return what the run that trained a version has measured."""
    table = schema.run.c
    promoted = sa.select(table.facts).where(table.model == model, table.phase == str(Phase.PROMOTED))
    trained = [facts.training for facts in connection.scalars(promoted) if facts.version == version]
    return next((training.importances for training in trained if training is not None), None)


def _changes(run: Run, transition: Transition) -> dict[str, Any]:
    return {
        "phase": str(transition.phase),
        "phase_since": run.phase_since if transition.phase is run.phase else transition.at,
        "wake_at": transition.wake_at,
        "facts": transition.facts,
        "outcome": transition.outcome,
        "attempt": 0,
    }


def _taken_away() -> dict[str, Any]:
    return {"fence": schema.run.c.fence + 1, "owner": None, "lease_until": None}


def _write_rest(
    connection: sa.Connection, before: Run, after: Run, transition: Transition, *, actor: str, action: str
) -> None:
    served = _write_model(connection, before, transition)
    _write_baseline(connection, before, transition)
    if transition.approval is not None:
        write_approval(connection, transition.approval)
    if after.phase.terminal:
        close_approvals(connection, after.id, after.phase, at=transition.at, actor=actor)
    book(connection, transition.ledger)
    if transition.decision is not None:
        write_decisions(connection, [transition.decision])
    write_messages(connection, transition.messages)
    events.append(connection, run_stepped(before, after, transition, actor=actor))
    if _is_an_act(before, transition):
        was, becomes = served
        reason = transition.outcome if transition.decision is None else transition.decision.reason
        link = audit.Action(
            at=transition.at,
            actor=actor,
            action=action,
            subject=after.id,
            reason=reason,
            before={"phase": before.phase} | was,
            after={"phase": after.phase} | becomes | _asked_and_booked(transition),
        )
        audit.append(connection, link)


def _write_model(
    connection: sa.Connection, run: Run, transition: Transition
) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Write what a step changes on the model; return how it was served before and is served after, if that changes."""
    values: dict[str, Any] = {}
    if transition.facts.training_set is not None:
        values["trained_until"] = transition.facts.training_set.cut
    if transition.phase.terminal and not run.phase.terminal:
        values["last_run_finished_at"] = transition.at
    if transition.champion is not None:
        values["champion"] = transition.champion
    if transition.route is not None:
        values["route"] = transition.route
    if not values:
        return {}, {}
    table = schema.model
    before = model_state(lock_model(connection, run.model))
    changed = sa.update(table).where(table.c.model == run.model).values(values).returning(*table.c)
    after = model_state(connection.execute(changed).mappings().one())
    if transition.champion is None and transition.route is None:
        return {}, {}
    return _serving(before), _serving(after)


def _write_baseline(connection: sa.Connection, run: Run, transition: Transition) -> None:
    if transition.baseline is None:
        return
    if transition.baseline_version is None:
        raise StoreError(f"run {run.id}: got a baseline without the version it belongs to, expected both or none")
    row = {"model": run.model, "version": transition.baseline_version, "data": transition.baseline}
    upsert(connection, schema.baseline, [row])


def _is_an_act(run: Run, transition: Transition) -> bool:
    """Tell an act from a look that found nothing to do: a run that waits is looked at many times."""
    parts = (transition.decision, transition.champion, transition.route, transition.approval, transition.ledger)
    return transition.phase is not run.phase or any(parts)


def _serving(state: ModelState) -> dict[str, str | None]:
    champion, route = state.champion, state.route
    shares = None
    if route is not None and route.challenger is not None:
        shares = f"{route.share:g} to {route.challenger}, the rest to {route.champion}"
    elif route is not None:
        shares = f"all to {route.champion}"
    return {"champion": champion.version if champion is not None else None, "route": shares}


def _asked_and_booked(transition: Transition) -> dict[str, str | None]:
    facts: dict[str, str | None] = {}
    if transition.approval is not None:
        facts["approval"] = f"{transition.approval.kind} {transition.approval.status}"
    if transition.ledger:
        facts["booked_usd"] = format(sum(entry.usd for entry in transition.ledger), "f")
    return facts


def _lock_run(connection: sa.Connection, run_id: str) -> Run:
    locked = sa.select(schema.run).where(schema.run.c.id == run_id).with_for_update(key_share=True)
    row = connection.execute(locked).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"run {run_id}: there is no such run", hint="`vernal runs` lists them.")
    return run_record(row)


def _update_run(connection: sa.Connection, run_id: str, values: dict[str, Any]) -> sa.RowMapping:
    table = schema.run
    changed = sa.update(table).where(table.c.id == run_id).values(values).returning(*table.c)
    return connection.execute(changed).mappings().one()


def _nothing_pending(connection: sa.Connection, run_id: str) -> NotFoundError:
    table = schema.approval
    newest = sa.select(table).where(table.c.run_id == run_id).order_by(table.c.requested_at.desc()).limit(1)
    row = connection.execute(newest).mappings().one_or_none()
    hint = None
    if row is not None:
        hint = f"Its request for {row['kind']} approval is {row['status']} (by {row['decided_by']})."
    return NotFoundError(f"run {run_id}: no request for approval is pending", hint=hint)


__all__ = ["SYSTEM", "commit_run", "decide_approval", "intervene", "release_run", "set_champion", "supersede"]
