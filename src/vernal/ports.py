"""What Vernal asks of the world: one protocol per kind of thing outside.

Adapters implement these; :mod:`vernal.bootstrap` chooses them; nothing below the adapters knows which one it got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from vernal.profile import Baseline, Profile
    from vernal.records import (
        Approval,
        ApprovalKind,
        AuditEntry,
        ChannelState,
        CheckCommit,
        Cost,
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
        TrainingResult,
        Transition,
        WindowProfile,
        WindowPurpose,
    )


class StateStore(Protocol):
    """Runs, models, decisions and everything else that must never be lost or written twice.

    Every method is one transaction. Claims hand out a ``fence``; a commit with an older fence raises
    :class:`~vernal.errors.LeaseLostError` and changes nothing. ``now`` arguments are domain time; leases run on
    :meth:`machine_now`.
    """

    def machine_now(self) -> datetime:
        """Return the store's own time, in UTC."""
        ...

    def close(self) -> None:
        """Release connections; the store cannot be used afterwards."""
        ...

    # Models
    def sync_models(self, names: Sequence[str], *, now: datetime) -> None:
        """Make the named models known; a new one is due for a check at once. Models not named are left alone."""
        ...

    def models(self) -> tuple[ModelState, ...]:
        """Return all known models, by name."""
        ...

    def model(self, name: str) -> ModelState:
        """Return one model; :class:`~vernal.errors.NotFoundError` if it is unknown."""
        ...

    def claim_check(self, names: Sequence[str], *, lease: Lease, now: datetime) -> ModelState | None:
        """Claim the named model whose check is due longest (``next_check_at <= now``) and that nobody holds."""
        ...

    def commit_check(self, state: ModelState, commit: CheckCommit) -> Run | None:
        """Write a check and release the model; returns the run that ``commit.request`` opened.

        The run that ``commit.supersedes`` names ends as superseded in the same transaction, unless it is over or
        serves somebody by now; whoever holds it can no longer write. When the model has an open run nevertheless, the
        request is dropped and a ``suppressed`` decision is written in its place. Opening a run stores ``windows`` as
        those of the model's last run.
        """
        ...

    def release_check(
        self, state: ModelState, *, next_check_at: datetime, decision: Decision, messages: Sequence[Message] = ()
    ) -> None:
        """Give up a claimed check after an error: keep the attempt count, record the decision, try again later."""
        ...

    # Runs
    def request_run(self, request: RunRequest) -> Run:
        """Open a run in phase ``requested``; :class:`~vernal.errors.OpenRunError` if the model has one."""
        ...

    def claim_run(self, names: Sequence[str], *, lease: Lease, now: datetime) -> Run | None:
        """Claim the open run of the named models that is due longest (``wake_at <= now``) and that nobody holds."""
        ...

    def renew(self, claim: Run | ModelState, *, lease: Lease) -> None:
        """Extend a claim's lease."""
        ...

    def commit_run(self, run: Run, transition: Transition) -> Run:
        """Write one step of a claimed run and release it: phase, facts, decision, audit, outbox, all or nothing."""
        ...

    def release_run(self, run: Run, *, wake_at: datetime, decision: Decision) -> None:
        """Give up a claimed run after an error: keep the attempt count, record the decision, try again later."""
        ...

    def intervene(self, run_id: str, transition: Transition, *, actor: str, expected: Sequence[Phase]) -> Run:
        """Apply a person's transition whoever holds the run; its holder's later commit is refused.

        Raises :class:`~vernal.errors.PhaseError` when the run is in none of the ``expected`` phases.
        """
        ...

    def set_champion(self, model: str, version: str, *, actor: str, reason: str, now: datetime) -> ModelState:
        """Point a model without open run at another version by hand, with route, decision, audit and alert."""
        ...

    def run(self, run_id: str) -> Run:
        """Return one run; :class:`~vernal.errors.NotFoundError` if it is unknown."""
        ...

    def runs(self, model: str | None = None, *, open_only: bool = False, limit: int | None = None) -> tuple[Run, ...]:
        """Return runs, newest first."""
        ...

    def next_wake(self, names: Sequence[str]) -> datetime | None:
        """Return the earliest domain time at which a check or an open run of the named models is due."""
        ...

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
        ...

    def approval(self, run_id: str, kind: ApprovalKind) -> Approval | None:
        """Return a run's request for approval."""
        ...

    def pending_approvals(self) -> tuple[Approval, ...]:
        """Return the approvals that wait for a person, oldest first."""
        ...

    def decide_approval(self, run_id: str, *, approved: bool, actor: str, note: str, now: datetime) -> Approval:
        """Answer a run's pending approval and wake the run.

        Raises :class:`~vernal.errors.NotFoundError` if none is pending.
        """
        ...

    def spent(self, model: str | None, *, since: datetime, until: datetime) -> Decimal:
        """Return the money booked in ``[since, until)``, for one model or all."""
        ...

    def ledger(self, model: str | None = None) -> tuple[LedgerEntry, ...]:
        """Return booked costs, oldest first."""
        ...

    def unrouted_messages(self, *, limit: int) -> tuple[Message, ...]:
        """Return messages of which it is not decided yet where they go, oldest first."""
        ...

    def unrouted_events(self, *, limit: int) -> tuple[Event, ...]:
        """Return events of which it is not decided yet where they go, in order."""
        ...

    def events(self, *, after: int = 0, limit: int | None = None) -> tuple[Event, ...]:
        """Return the events behind a number, in order.

        Numbers rise without gaps in the order of commits: an event never appears below one that was read before.
        """
        ...

    def acknowledged(self, consumer: str) -> int:
        """Return up to which number a consumer has acknowledged, 0 for one that never did."""
        ...

    def acknowledge(self, consumer: str, seq: int) -> int:
        """Note that a consumer is done with all events up to a number, which never goes back; return how far it is.

        Raises :class:`~vernal.errors.StoreError` for a number that no event has yet.
        """
        ...

    def channels(self) -> tuple[ChannelState, ...]:
        """Return what is remembered of channels, by name; a channel of which nothing is remembered is left out."""
        ...

    def route(self, routing: Routing) -> bool:
        """Write where messages and events go: one delivery per channel and item, and what the channels remember of it.

        Returns false, with nothing written, when another worker has routed one of them or changed one of the memories
        since they were read.
        """
        ...

    def waiting_channels(self) -> tuple[str, ...]:
        """Return the names of channels through which something has to go, in alphabetical order."""
        ...

    def claim_deliveries(self, channel: str, *, lease: Lease, limit: int) -> tuple[Delivery, ...]:
        """Claim a channel's deliveries that are due and that nobody holds, oldest first; none if it is closed."""
        ...

    def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Write how an attempt at a claimed delivery ended.

        ``sent`` is written in any case; anything else only while the claim holds, so that a worker that comes late
        does not undo what another one has done meanwhile.
        """
        ...

    def release_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Give back claimed deliveries that were not tried; they count no attempt."""
        ...

    def deliveries(
        self,
        *,
        channel: str | None = None,
        statuses: Sequence[DeliveryStatus] | None = None,
        limit: int | None = None,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, oldest first; with ``limit`` the newest that many."""
        ...

    def redeliver(self, *, channel: str | None = None, message_ids: Sequence[str] | None = None) -> int:
        """Make what waits or failed due now, as if it had just been queued, and open the channels again.

        Returns how many deliveries that were.
        """
        ...

    def record_action(
        self, action: str, *, subject: str, actor: str, reason: str, facts: Mapping[str, str], now: datetime
    ) -> None:
        """Add to the audit chain what somebody did outside the store."""
        ...

    def audit(self, *, limit: int | None = None) -> tuple[AuditEntry, ...]:
        """Return the audit chain, oldest first."""
        ...

    # Profiles
    def baseline(self, model: str, version: str) -> bytes | None:
        """Return the serialised baseline of a model version."""
        ...

    def hour_profiles(
        self, model: str, baseline_version: str, *, start: datetime, end: datetime
    ) -> tuple[HourProfile, ...]:
        """Return the stored hours in ``[start, end)``, oldest first."""
        ...

    def windows(self, model: str, purpose: WindowPurpose) -> tuple[WindowProfile, ...]:
        """Return a model's windows, the shortest first.

        They are the ``running`` ones as the last check left them, or those of the ``last_run`` that a check opened.
        """
        ...


class NewRows(NamedTuple):
    """Rows added since a lake version, and the version they reach up to."""

    rows: pa.Table
    version: int


class CountedHours(NamedTuple):
    """Hours counted as a whole, in place of what was stored of them, and the version they are as of."""

    profiles: dict[datetime, Profile]
    version: int | None


class Lake(Protocol):
    """Predictions, labels and drawn samples of every model, in append-only versioned tables.

    Times are ``timestamp[us, tz=UTC]``. Columns are those of :class:`~vernal.records.Predictions` plus the model's
    features, of :class:`~vernal.records.Labels` and of :class:`~vernal.records.Samples`.
    """

    def append(self, model: str, kind: str, rows: pa.Table, *, writer: str, sequence: int) -> int:
        """Append rows to one of a model's tables exactly once and return the table's version.

        The tables are ``predictions``, ``labels``, ``samples``, ``quarantine`` and ``resolutions``.

        ``(writer, sequence)`` names the batch: appending a batch that is already there changes nothing. New columns are
        added to the table. Raises :class:`~vernal.errors.LakeError`, leaving the table as it was, when it cannot write.
        """
        ...

    def last_sequence(self, model: str, kind: str, writer: str) -> int | None:
        """Return the sequence of a writer's last batch, ``None`` if it has none or was silent for 90 days."""
        ...

    def version(self, model: str, kind: str) -> int | None:
        """Return the table's current version, ``None`` while it does not exist."""
        ...

    def scan(
        self,
        model: str,
        kind: str,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows whose ``event_time`` lies in ``[start, end)``, as of a version; empty while there is no table."""
        ...

    def since(
        self, model: str, kind: str, version: int | None, *, columns: Sequence[str] | None = None
    ) -> NewRows | None:
        """Return the rows added after ``version`` (all rows for ``None``), or ``None`` while there is no table."""
        ...

    def count_hours(
        self, model: str, baseline: Baseline, *, since: int | None, start: datetime, end: datetime
    ) -> CountedHours | None:
        """Return the profiles of the hours of ``[start, end)`` whose predictions have changed since a version.

        For lakes that cannot tell new rows from old ones, or that count by themselves: each such hour is counted as a
        whole, also those that have lost their rows. ``None`` if the rows of :meth:`since` are to be counted instead.
        """
        ...

    def left_out(self, model: str, *, since: int) -> Mapping[str, int]:
        """Return how many predictions that came since a version cannot be used, by the rule that they break.

        Of tables that are the user's own: what enters the lake is screened before.
        """
        ...

    def inbox(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that clients have left: ``(kind, segment id, Parquet file)``, oldest first."""
        ...

    def discard(self, segment: Path) -> None:
        """Remove a segment that has been appended."""
        ...

    def set_aside(self, segment: Path) -> None:
        """Take a segment that cannot be read out of the inbox and keep it."""
        ...

    def set_aside_segments(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        """Return the segments that were set aside, as :meth:`inbox` returns the others."""
        ...


class SavedDataset(NamedTuple):
    """Where a training set lies, and the sha256 of its files."""

    training: Path
    holdout: Path
    digest: str


class Datasets(Protocol):
    """Materialised training sets and the tables that training jobs leave behind."""

    def save(self, name: str, *, training: pa.Table, holdout: pa.Table) -> SavedDataset:
        """Write both parts atomically under a name; saving a name again replaces it."""
        ...

    def read(self, path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one table; :class:`~vernal.errors.LakeError` if it is gone or damaged."""
        ...


class RegisteredVersion(NamedTuple):
    """A registered model version and the verified local copy of its artefact."""

    version: str
    artefact: Path
    digest: str


class Registry(Protocol):
    """Model versions with their artefacts, metrics and lineage."""

    def register(
        self,
        model: str,
        run: Run,
        result: TrainingResult,
        *,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
    ) -> str:
        """Record a trained candidate and return its version; registering a run twice returns the same version."""
        ...

    def fetch(self, model: str, version: str) -> RegisteredVersion:
        """Return a version's artefact after verifying its digest.

        Raises :class:`~vernal.errors.DigestMismatchError` if the artefact is not the registered one.
        """
        ...

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the registered versions, oldest first."""
        ...

    def alias(self, model: str, alias: str) -> str | None:
        """Return the version an alias points at."""
        ...

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version; it mirrors the store's champion and decides nothing."""
        ...


class TrainingJob(NamedTuple):
    """A training job under a deterministic name.

    ``importance_metric`` names the metric by which the importance of the features is measured; ``None`` leaves it out.
    """

    name: str
    code: Path
    training: Path
    holdout: Path
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    task: str
    champion: RegisteredVersion | None
    time_limit_seconds: float
    memory_limit_bytes: int | None
    seed: int
    importance_metric: str | None = None


class TrainingState(NamedTuple):
    """Where a training job stands: ``unknown``, ``running``, ``succeeded``, ``failed`` or ``lost``.

    ``lost`` means that its process is gone and left no result. ``message`` says why a job failed, with the end of its
    log.
    """

    status: str
    message: str = ""
    result: TrainingResult | None = None


class Trainer(Protocol):
    """Runs training jobs outside this process. Submitting a name twice is submitting it once."""

    def submit(self, job: TrainingJob) -> None:
        """Start the job unless it runs already or has ended."""
        ...

    def poll(self, name: str) -> TrainingState:
        """Return where the job stands, without waiting."""
        ...

    def cancel(self, name: str) -> None:
        """Stop the job and everything it started; nothing happens if it is not running."""
        ...

    def wait(self, name: str, *, seconds: float) -> TrainingState:
        """Return as soon as the job has ended, at the latest after that many machine seconds."""
        ...


class Predictor(Protocol):
    """A loaded model as Vernal calls it."""

    def predict(self, features: pd.DataFrame) -> tuple[Sequence[object], Sequence[float] | None]:
        """Return predictions and, for classifiers, the score of the positive class."""
        ...


class ModelLoader(Protocol):
    """Turns a verified artefact into a predictor."""

    def __call__(self, version: RegisteredVersion) -> Predictor:
        """Load the artefact."""
        ...


class CostSource(Protocol):
    """What runs cost."""

    def estimate(self, model: str, past: Sequence[Cost], *, rows: int) -> Cost:
        """Return the expected cost of the next run."""
        ...

    def charge(self, result: TrainingResult, *, rows: int) -> Cost:
        """Return what a finished training cost."""
        ...


class Notifier(Protocol):
    """Delivers messages; may be asked to deliver the same one again after a crash."""

    def send(self, message: Message) -> None:
        """Deliver one message or raise; :class:`~vernal.errors.DeliveryError` tells what a further attempt is worth."""
        ...


class EventSink(Protocol):
    """Passes events on to another system; may be asked to pass on the same one again, under the same id."""

    def send(self, event: Event) -> None:
        """Pass on one event or raise; :class:`~vernal.errors.DeliveryError` tells what a further attempt is worth."""
        ...


__all__ = [
    "CostSource",
    "CountedHours",
    "Datasets",
    "EventSink",
    "Lake",
    "ModelLoader",
    "NewRows",
    "Notifier",
    "Predictor",
    "RegisteredVersion",
    "Registry",
    "SavedDataset",
    "StateStore",
    "Trainer",
    "TrainingJob",
    "TrainingState",
]
