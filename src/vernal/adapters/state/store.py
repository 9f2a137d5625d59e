"""The state store: every method is one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from vernal.adapters.state import audit, checks, claims, events, outbox, queries, transitions
from vernal.adapters.state.engine import machine_time
from vernal.errors import LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from vernal.adapters.state.audit import ChainBreak
    from vernal.adapters.state.engine import Database
    from vernal.records import (
        Approval,
        ApprovalKind,
        AuditEntry,
        ChannelState,
        CheckCommit,
        Decision,
        Delivery,
        DeliveryStatus,
        Event,
        HourProfile,
        Lease,
        LedgerEntry,
        Message,
        ModelState,
        Phase,
        Routing,
        Run,
        RunRequest,
        Settlement,
        Transition,
        WindowProfile,
        WindowPurpose,
    )


class SqlStateStore:
    """:class:`~vernal.ports.StateStore` on SQLite or PostgreSQL; :func:`~vernal.adapters.state.open_store` makes one.

    Safe to use from several threads and, on a file or server, from several processes. Any method raises
    :class:`~vernal.errors.StoreError` when the database cannot be used, and has then changed nothing.
    """

    def __init__(self, database: Database, *, project: str) -> None:
        self._database = database
        self.project = project

    def machine_now(self) -> datetime:
        """Return the database's own time."""
        with self._database.read() as connection:
            return connection.execute(sa.select(machine_time(connection))).scalar_one()

    def close(self) -> None:
        """Release all connections; a store in memory is gone."""
        self._database.close()

    # Models
    def sync_models(self, names: Sequence[str], *, now: datetime) -> None:
        """Make the named models known; writes nothing, and so waits for nobody, when they are."""
        with self._database.read() as connection:
            new = set(names) - queries.known_models(connection)
        if new:
            with self._database.write() as connection:
                checks.sync_models(connection, sorted(new), now=now)

    def models(self) -> tuple[ModelState, ...]:
        """Return all known models, by name."""
        with self._database.read() as connection:
            return queries.models(connection)

    def model(self, name: str) -> ModelState:
        """Return one model; :class:`~vernal.errors.NotFoundError` if it is unknown."""
        with self._database.read() as connection:
            return queries.model(connection, name)

    def claim_check(self, names: Sequence[str], *, lease: Lease, now: datetime) -> ModelState | None:
        """Claim the named model whose check is due longest and that nobody holds."""
        with self._database.write() as connection:
            return claims.claim_check(connection, names, lease=lease, now=now)

    def commit_check(self, state: ModelState, commit: CheckCommit) -> Run | None:
        """Write a check and release the model; return the run it opened."""
        with self._database.write() as connection:
            if commit.request is not None and commit.supersedes is not None:
                # Before the model's row is locked, since steps of runs lock the run first.
                transitions.supersede(connection, commit.supersedes, commit.request)
            return checks.commit_check(connection, state, commit)

    def release_check(
        self, state: ModelState, *, next_check_at: datetime, decision: Decision, messages: Sequence[Message] = ()
    ) -> None:
        """Give up a claimed check after an error."""
        with self._database.write() as connection:
            checks.release_check(connection, state, next_check_at=next_check_at, decision=decision, messages=messages)

    # Runs
    def request_run(self, request: RunRequest) -> Run:
        """Open a run; :class:`~vernal.errors.OpenRunError` names the one that is open already."""
        with self._database.write() as connection:
            return checks.request_run(connection, request)

    def claim_run(self, names: Sequence[str], *, lease: Lease, now: datetime) -> Run | None:
        """Claim the open run of the named models that is due longest and that nobody holds."""
        with self._database.write() as connection:
            return claims.claim_run(connection, names, lease=lease, now=now)

    def renew(self, claim: Run | ModelState, *, lease: Lease) -> None:
        """Extend a claim's lease from now on."""
        with self._database.write() as connection:
            claims.renew(connection, claim, lease=lease)

    def commit_run(self, run: Run, transition: Transition) -> Run:
        """Write one step of a claimed run and release it."""
        with self._database.write() as connection:
            return transitions.commit_run(connection, run, transition)

    def release_run(self, run: Run, *, wake_at: datetime, decision: Decision) -> None:
        """Give up a claimed run after an error."""
        with self._database.write() as connection:
            transitions.release_run(connection, run, wake_at=wake_at, decision=decision)

    def intervene(self, run_id: str, transition: Transition, *, actor: str, expected: Sequence[Phase]) -> Run:
        """Apply a person's transition whoever holds the run."""
        with self._database.write() as connection:
            return transitions.intervene(connection, run_id, transition, actor=actor, expected=expected)

    def set_champion(self, model: str, version: str, *, actor: str, reason: str, now: datetime) -> ModelState:
        """Point a model without open run at another version by hand."""
        with self._database.write() as connection:
            return transitions.set_champion(connection, model, version, actor=actor, reason=reason, now=now)

    def run(self, run_id: str) -> Run:
        """Return one run; :class:`~vernal.errors.NotFoundError` if it is unknown."""
        with self._database.read() as connection:
            return queries.run(connection, run_id)

    def runs(self, model: str | None = None, *, open_only: bool = False, limit: int | None = None) -> tuple[Run, ...]:
        """Return runs, newest first."""
        with self._database.read() as connection:
            return queries.runs(connection, model, open_only=open_only, limit=limit)

    def next_wake(self, names: Sequence[str]) -> datetime | None:
        """Return the earliest domain time at which one of the named models wants attention."""
        with self._database.read() as connection:
            return queries.next_wake(connection, names)

    # Decisions, approvals, money, messages
    def decisions(
        self,
        model: str | None = None,
        *,
        run_id: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Decision, ...]:
        """Return decisions of ``[since, until)``, oldest first; with ``limit`` the newest that many."""
        with self._database.read() as connection:
            return queries.decisions(connection, model, run_id=run_id, kind=kind, since=since, until=until, limit=limit)

    def approval(self, run_id: str, kind: ApprovalKind) -> Approval | None:
        """Return a run's request for approval."""
        with self._database.read() as connection:
            return queries.approval(connection, run_id, kind)

    def pending_approvals(self) -> tuple[Approval, ...]:
        """Return the approvals that wait for a person, oldest first."""
        with self._database.read() as connection:
            return queries.pending_approvals(connection)

    def decide_approval(self, run_id: str, *, approved: bool, actor: str, note: str, now: datetime) -> Approval:
        """Answer a run's pending approval and wake the run; whoever holds it must look again."""
        with self._database.write() as connection:
            return transitions.decide_approval(connection, run_id, approved=approved, actor=actor, note=note, now=now)

    def spent(self, model: str | None, *, since: datetime, until: datetime) -> Decimal:
        """Return the money booked in ``[since, until)``, for one model or all."""
        with self._database.read() as connection:
            return queries.spent(connection, model, since=since, until=until)

    def ledger(self, model: str | None = None) -> tuple[LedgerEntry, ...]:
        """Return booked costs, oldest first."""
        with self._database.read() as connection:
            return queries.ledger(connection, model)

    def unrouted_messages(self, *, limit: int) -> tuple[Message, ...]:
        """Return messages of which it is not decided yet where they go, oldest first."""
        with self._database.read() as connection:
            return outbox.unrouted_messages(connection, limit=limit)

    def unrouted_events(self, *, limit: int) -> tuple[Event, ...]:
        """Return events of which it is not decided yet where they go, in order."""
        with self._database.read() as connection:
            return events.unrouted(connection, limit=limit)

    def events(self, *, after: int = 0, limit: int | None = None) -> tuple[Event, ...]:
        """Return the events behind a number, in order."""
        with self._database.read() as connection:
            return events.read(connection, after=after, limit=limit)

    def acknowledged(self, consumer: str) -> int:
        """Return up to which number a consumer has acknowledged, 0 for one that never did."""
        with self._database.read() as connection:
            return events.acknowledged(connection, consumer)

    def acknowledge(self, consumer: str, seq: int) -> int:
        """Note that a consumer is done with all events up to a number; return how far it is."""
        with self._database.write() as connection:
            return events.acknowledge(connection, consumer, seq)

    def channels(self) -> tuple[ChannelState, ...]:
        """Return what is remembered of channels, by name."""
        with self._database.read() as connection:
            return outbox.channels(connection)

    def route(self, routing: Routing) -> bool:
        """Write where messages go; false, with nothing written, if another worker was faster."""
        try:
            with self._database.write() as connection:
                outbox.route(connection, routing)
        except LeaseLostError:
            return False
        return True

    def waiting_channels(self) -> tuple[str, ...]:
        """Return the channels through which something has to go, by name."""
        with self._database.read() as connection:
            return outbox.waiting_channels(connection)

    def claim_deliveries(self, channel: str, *, lease: Lease, limit: int) -> tuple[Delivery, ...]:
        """Claim deliveries of a channel that are due and that nobody holds, oldest first."""
        with self._database.write() as connection:
            return outbox.claim_deliveries(connection, channel, lease=lease, limit=limit)

    def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Write how an attempt at a claimed delivery ended."""
        with self._database.write() as connection:
            outbox.settle(connection, delivery, settlement)

    def release_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Give back claimed deliveries that were not tried."""
        with self._database.write() as connection:
            outbox.release_deliveries(connection, deliveries)

    def deliveries(
        self,
        *,
        channel: str | None = None,
        statuses: Sequence[DeliveryStatus] | None = None,
        limit: int | None = None,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, oldest first; with ``limit`` the newest that many."""
        with self._database.read() as connection:
            return outbox.deliveries(connection, channel=channel, statuses=statuses, limit=limit)

    def redeliver(self, *, channel: str | None = None, message_ids: Sequence[str] | None = None) -> int:
        """Make what waits or failed due now, and open the channels again; return how many deliveries that were."""
        with self._database.write() as connection:
            return outbox.redeliver(connection, channel=channel, message_ids=message_ids)

    def record_action(
        self, action: str, *, subject: str, actor: str, reason: str, facts: Mapping[str, str], now: datetime
    ) -> None:
        """Add to the audit chain what somebody did outside the store."""
        done = audit.Action(now, actor, action, subject, reason, {}, dict(facts))
        with self._database.write() as connection:
            audit.append(connection, done)

    def audit(self, *, limit: int | None = None) -> tuple[AuditEntry, ...]:
        """Return the audit chain, oldest first; with ``limit`` the newest that many."""
        with self._database.read() as connection:
            return audit.read(connection, limit=limit)

    def verify_audit(self) -> ChainBreak | None:
        """Return the first entry of the audit chain that was changed or is missing, or ``None``."""
        with self._database.read() as connection:
            return audit.verify_stored(connection)

    # Profiles
    def baseline(self, model: str, version: str) -> bytes | None:
        """Return the serialised baseline of a model version."""
        with self._database.read() as connection:
            return queries.baseline(connection, model, version)

    def hour_profiles(
        self, model: str, baseline_version: str, *, start: datetime, end: datetime
    ) -> tuple[HourProfile, ...]:
        """Return the stored hours in ``[start, end)``, oldest first."""
        with self._database.read() as connection:
            return queries.hour_profiles(connection, model, baseline_version, start=start, end=end)

    def windows(self, model: str, purpose: WindowPurpose) -> tuple[WindowProfile, ...]:
        """Return a model's windows, the shortest first: ``running``, or as of the ``last_run`` opened by a check."""
        with self._database.read() as connection:
            return queries.windows(connection, model, purpose)


__all__ = ["SqlStateStore"]
