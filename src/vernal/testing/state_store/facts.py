"""Small facts that the checks are told with."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from vernal.clock import pause
from vernal.records import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    CheckCommit,
    Decision,
    Lease,
    LedgerEntry,
    Message,
    Phase,
    Run,
    RunFacts,
    RunRequest,
    TrainingResult,
    TrainingSet,
    Transition,
    TriggerKind,
    WindowProfile,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernal.ports import StateStore

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
MODEL: Final = "fraud"
MODELS: Final = ("churn", "fraud")
LEASE: Final = Lease(owner="worker-1", duration=timedelta(minutes=5))
OTHER: Final = Lease(owner="worker-2", duration=timedelta(minutes=5))
BRIEF: Final = Lease(owner="worker-1", duration=timedelta(milliseconds=20))


@contextmanager
def refused(error: type[Exception], *words: str) -> Iterator[None]:
    """Expect the block to raise ``error`` with these words in its message."""
    try:
        yield
    except error as found:
        missing = [word for word in words if word not in str(found)]
        if missing:
            raise AssertionError(f"expected {missing} in: {found}") from found
    else:
        raise AssertionError(f"expected {error.__name__}, nothing was raised")


def request(model: str = MODEL, *, at: datetime = NOON, kind: TriggerKind = TriggerKind.DRIFT) -> RunRequest:
    """Return the wish for a run."""
    return RunRequest(model=model, trigger=kind, reason="psi 0.31 > 0.15 (n=4210)", requested_by="vernal", at=at)


def decision(run: Run | None = None, *, at: datetime = NOON, outcome: str = "noted", **more: Any) -> Decision:  # noqa: ANN401 - fields
    """Return a decision about a run, or about the model."""
    facts = {"model": MODEL, "run_id": None} if run is None else {"model": run.model, "run_id": run.id}
    return Decision(at=at, kind="run", outcome=outcome, reason=f"{outcome} at {at:%H:%M}", **(facts | more))


def step(phase: Phase = Phase.BUILDING, *, at: datetime = NOON, **more: Any) -> Transition:  # noqa: ANN401 - fields
    """Return a transition, due again at once."""
    usual: dict[str, Any] = {"wake_at": at, "facts": RunFacts()}
    return Transition(phase=phase, at=at, **(usual | more))


def check(*, at: datetime = NOON, **more: Any) -> CheckCommit:  # noqa: ANN401 - fields
    """Return what a check leaves behind, due again an hour later."""
    empty: dict[str, Any] = {"profiled_version": None, "cron_at": None, "baseline_version": None}
    return CheckCommit(at=at, next_check_at=at + HOUR, **(empty | more))


def window(hours: int, *, data: bytes = b"window") -> WindowProfile:
    """Return a stored window that ends at noon."""
    return WindowProfile(hours=hours, baseline_version="3", first=NOON - hours * HOUR, until=NOON, data=data)


def message(name: str, *, at: datetime = NOON) -> Message:
    """Return an alert."""
    return Message(id=name, at=at, model=MODEL, kind="test", severity="info", title=name, body="body", run_id=None)


def booking(run: Run, key: str, usd: str, *, at: datetime = NOON) -> LedgerEntry:
    """Return a cost of a run."""
    return LedgerEntry(key=key, model=run.model, run_id=run.id, at=at, usd=Decimal(usd), what="training")


def pending(run: Run, kind: ApprovalKind = ApprovalKind.RELEASE, *, at: datetime = NOON) -> Approval:
    """Return a request for approval that waits for four hours."""
    return Approval(
        run_id=run.id,
        model=run.model,
        kind=kind,
        status=ApprovalStatus.PENDING,
        requested_at=at,
        expires_at=at + 4 * HOUR,
        reason="risky model",
    )


def training_set(cut: datetime) -> TrainingSet:
    """Return a training set that was cut at a moment."""
    return TrainingSet(
        training_path="sets/fraud-1/training.parquet",
        holdout_path="sets/fraud-1/holdout.parquet",
        training_rows=9000,
        holdout_rows=1000,
        training_start=cut - timedelta(days=97),
        training_end=cut - timedelta(days=7),
        holdout_end=cut,
        cut=cut,
        predictions_version=12,
        labels_version=11,
        digest="sha256:00",
        features=("amount", "country"),
    )


def training(importances: dict[str, float] | None = None) -> TrainingResult:
    """Return what a training job has left behind."""
    return TrainingResult(
        artefact="jobs/fraud-1.0/artefact",
        artefact_digest="sha256:01",
        scores_path="jobs/fraud-1.0/scores.parquet",
        wall_seconds=1.5,
        cpu_seconds=1.2,
        peak_bytes=10**8,
        code_digest="sha256:02",
        importances=importances,
    )


def known(store: StateStore) -> None:
    """Make the checks' models known, due at noon."""
    store.sync_models(MODELS, now=NOON)


def opened(store: StateStore, model: str = MODEL, *, at: datetime = NOON) -> Run:
    """Open a run of a model, known or not."""
    store.sync_models((model,), now=at)
    return store.request_run(request(model, at=at))


def claimed(store: StateStore, model: str = MODEL, *, lease: Lease = LEASE, now: datetime = NOON) -> Run:
    """Claim the run of a model, which must be there."""
    run = store.claim_run((model,), lease=lease, now=now)
    if run is None:
        raise AssertionError(f"expected a run of {model} to claim, found none")
    return run


def expired(store: StateStore, lease: Lease) -> None:
    """Wait until a lease that began now is over on the store's own clock."""
    over = store.machine_now() + lease.duration
    while store.machine_now() <= over:
        pause(lease.duration.total_seconds() / 4)
