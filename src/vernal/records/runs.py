"""Runs: one attempt at a better model, from request to promotion or refusal."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from vernal.records.base import Record
from vernal.records.evidence import GateResult, Measure, PairedMeasure
from vernal.records.governance import Approval, Cost, Decision, LedgerEntry, Message
from vernal.records.serving import Champion, Route


class Phase(StrEnum):
    """Where a run stands."""

    REQUESTED = "requested"
    AWAITING_APPROVAL = "awaiting_approval"
    BUILDING = "building"
    TRAINING = "training"
    EVALUATING = "evaluating"
    AWAITING_RELEASE = "awaiting_release"
    ROLLING_OUT = "rolling_out"
    SOAKING = "soaking"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"

    @property
    def terminal(self) -> bool:
        """Whether the run is over."""
        return self in TERMINAL_PHASES


TERMINAL_PHASES = frozenset(
    {
        Phase.PROMOTED,
        Phase.REJECTED,
        Phase.ROLLED_BACK,
        Phase.FAILED,
        Phase.CANCELLED,
        Phase.EXPIRED,
        Phase.SUPERSEDED,
    }
)


UNRELEASED_PHASES = frozenset(
    {
        Phase.REQUESTED,
        Phase.AWAITING_APPROVAL,
        Phase.BUILDING,
        Phase.TRAINING,
        Phase.EVALUATING,
        Phase.AWAITING_RELEASE,
    }
)
"""Phases of an open run in which its candidate serves nobody yet."""


class TriggerKind(StrEnum):
    """What asked for a run."""

    SCHEDULE = "schedule"
    PERFORMANCE = "performance"
    DRIFT = "drift"
    VOLUME = "volume"
    MANUAL = "manual"


class TrainingSet(Record, frozen=True, kw_only=True):
    """A materialised training set: rows known at ``cut``, split by time.

    ``training_path`` and ``holdout_path`` are Parquet files whose columns are the model's features, then
    ``label``, ``prediction_id`` and ``event_time``; ``digest`` is the sha256 of both files. ``proxy_rows`` of both
    parts have a label that only stands in for the truth. Where labels were sampled the holdout is ``weighted``: its
    column ``__weight__`` says how many predictions each row stands for.
    """

    training_path: str
    holdout_path: str
    training_rows: int
    holdout_rows: int
    training_start: datetime
    training_end: datetime
    holdout_end: datetime
    cut: datetime
    predictions_version: int
    labels_version: int
    digest: str
    features: tuple[str, ...]
    proxy_rows: int = 0
    weighted: bool = False


class TrainingResult(Record, frozen=True, kw_only=True):
    """What a finished training job left behind.

    ``artefact`` is the directory of the fitted model; ``scores_path`` is a Parquet file with one row per holdout row:
    ``prediction_id``, ``event_time``, ``label``, ``prediction``, ``score`` of the challenger and, when there is a
    champion, ``champion_prediction`` and ``champion_score``. ``importances`` is each feature's share of the importance
    of all, by permutation on the holdout; ``None`` where that could not be measured, and ``note`` then says why.
    """

    artefact: str
    artefact_digest: str
    scores_path: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    code_digest: str
    importances: dict[str, float] | None = None
    note: str = ""


class RolloutState(Record, frozen=True, kw_only=True):
    """How far a rollout has come.

    ``started_at`` holds the start of every step so far, the soak last; ``salt`` fixes who gets the challenger for the
    rollout's whole life.
    """

    started_at: tuple[datetime, ...]
    salt: str

    @property
    def step(self) -> int:
        """Index of the current step, counted from 0."""
        return len(self.started_at) - 1


class RolloutEvidence(Record, frozen=True, kw_only=True):
    """The paired difference in production so far; positive favours the challenger.

    ``score`` names the per-row quantity that is judged (``accuracy`` or a proper score such as ``brier``); ``lower``
    and ``upper`` bound the difference at every look at once. Of ``asked`` requests the challenger left ``unanswered``
    without an answer; ``failing`` is set when that is surely too many. The labels of ``proxies`` rows only stand in for
    the truth.
    """

    score: str
    difference: float | None
    lower: float | None
    upper: float | None
    margin: float
    rows: int
    blocks: int
    asked: int
    unanswered: int
    failing: str = ""
    proxies: int = 0
    champion: Measure | None = None
    challenger: Measure | None = None
    note: str = ""


class RunFacts(Record, frozen=True, kw_only=True):
    """What a run has learned so far; each phase adds its part."""

    estimate: Cost | None = None
    cost: Cost | None = None
    champion: str | None = None
    training_set: TrainingSet | None = None
    training: TrainingResult | None = None
    version: str | None = None
    comparison: PairedMeasure | None = None
    measure: Measure | None = None
    gates: tuple[GateResult, ...] = ()
    rollout: RolloutState | None = None
    evidence: RolloutEvidence | None = None
    trainer_attempt: int = 0


class Run(Record, frozen=True, kw_only=True):
    """A run as the store holds it.

    ``fence`` rises with every claim, so that a worker whose lease has expired cannot write. ``attempt`` counts claims
    since the last successful commit. ``wake_at`` is domain time: the run is not looked at before it.
    """

    id: str
    model: str
    number: int
    phase: Phase
    trigger: TriggerKind
    reason: str
    requested_by: str
    requested_at: datetime
    phase_since: datetime
    wake_at: datetime
    fence: int
    attempt: int
    facts: RunFacts
    outcome: str = ""


class RunRequest(Record, frozen=True, kw_only=True):
    """The wish for a run; becomes a :class:`Run` unless the model already has an open one."""

    model: str
    trigger: TriggerKind
    reason: str
    requested_by: str
    at: datetime


class Transition(Record, frozen=True, kw_only=True):
    """Everything that leaves with one step of a run, written in one transaction.

    ``outcome`` is the one-line result kept on a terminal run. ``baseline`` is the serialised profile of the new
    champion's training data. ``champion`` and ``route`` replace the model's when given.
    """

    phase: Phase
    wake_at: datetime
    at: datetime
    facts: RunFacts
    decision: Decision | None = None
    outcome: str = ""
    champion: Champion | None = None
    route: Route | None = None
    baseline: bytes | None = None
    baseline_version: str | None = None
    approval: Approval | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    messages: tuple[Message, ...] = ()


class ModelState(Record, frozen=True, kw_only=True):
    """What the store knows about a model.

    ``profiled_version`` is the lake version of the predictions up to which hourly profiles are built; ``cron_at`` is
    the moment up to which the schedule has been looked at; ``trained_until`` is the last training cut, accepted or
    not, from which new labels are counted.
    """

    model: str
    fence: int
    attempt: int
    next_check_at: datetime
    champion: Champion | None = None
    route: Route | None = None
    profiled_version: int | None = None
    cron_at: datetime | None = None
    trained_until: datetime | None = None
    last_run_at: datetime | None = None
    last_run_finished_at: datetime | None = None


WindowPurpose = Literal["running", "last_run"]
"""What a stored window is for: going on from check to check, or telling what the last run was opened on."""


class WindowProfile(Record, frozen=True, kw_only=True):
    """The profile of a window of whole hours: those that begin in ``[first, until)``, on one baseline's grid.

    ``hours`` is the length that was asked for, by which windows of one model are told apart.
    """

    hours: int
    baseline_version: str
    first: datetime
    until: datetime
    data: bytes


class CheckCommit(Record, frozen=True, kw_only=True):
    """Everything that leaves with one check, written in one transaction.

    ``hours`` maps the start of an hour to its profile, already merged with what was stored, and those before
    ``forget_before`` are removed. ``windows`` replace the model's running windows; when ``request`` opens a run they
    are kept as the last run's as well (for re-arming), and ``announcement`` goes out. ``supersedes`` names the open run
    that ``request`` takes the place of, as long as that serves nobody.
    """

    at: datetime
    next_check_at: datetime
    profiled_version: int | None
    cron_at: datetime | None
    baseline_version: str | None
    hours: dict[datetime, bytes] = {}
    decisions: tuple[Decision, ...] = ()
    messages: tuple[Message, ...] = ()
    request: RunRequest | None = None
    announcement: Message | None = None
    supersedes: str | None = None
    windows: tuple[WindowProfile, ...] = ()
    forget_before: datetime | None = None


class HourProfile(Record, frozen=True, kw_only=True):
    """A stored hourly profile."""

    hour: datetime
    data: bytes


class Lease(Record, frozen=True, kw_only=True):
    """How long a claim holds, in machine time."""

    owner: str
    duration: timedelta


__all__ = [
    "TERMINAL_PHASES",
    "UNRELEASED_PHASES",
    "CheckCommit",
    "HourProfile",
    "Lease",
    "ModelState",
    "Phase",
    "RolloutEvidence",
    "RolloutState",
    "Run",
    "RunFacts",
    "RunRequest",
    "TrainingResult",
    "TrainingSet",
    "Transition",
    "TriggerKind",
    "WindowProfile",
    "WindowPurpose",
]
