"""Decisions, approvals, money, messages and the audit trail."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from vernal.records.base import Record


class Decision(Record, frozen=True, kw_only=True):
    """What was decided, why, and on which evidence. Appended, never changed.

    ``kind`` is ``check``, ``trigger``, ``budget``, ``approval``, ``gates``, ``rollout``, ``run`` or ``champion``;
    ``outcome`` is one word or phrase (``fired``, ``suppressed``, ``rejected``, ``advance``, ``hold`` ...).
    """

    model: str
    run_id: str | None = None
    at: datetime
    kind: str
    outcome: str
    reason: str
    evidence: dict[str, Any] | None = None


class ApprovalKind(StrEnum):
    """What a person is asked to agree to."""

    SPEND = "spend"
    RELEASE = "release"


class ApprovalStatus(StrEnum):
    """Where a request for approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Approval(Record, frozen=True, kw_only=True):
    """A request for approval and its answer; one per run and kind."""

    run_id: str
    model: str
    kind: ApprovalKind
    status: ApprovalStatus
    requested_at: datetime
    expires_at: datetime
    reason: str
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str = ""


class Cost(Record, frozen=True, kw_only=True):
    """What a run costs, in US dollars, and what it used."""

    usd: Decimal
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    source: str = "metered"


class LedgerEntry(Record, frozen=True, kw_only=True):
    """Money spent by a run; ``key`` makes booking it twice impossible."""

    key: str
    model: str
    run_id: str
    at: datetime
    usd: Decimal
    what: str


class MessageState(StrEnum):
    """Whether a message tells of something that happened, or of a condition that begins, goes on or is over."""

    EVENT = "event"
    RAISED = "raised"
    ONGOING = "ongoing"
    RESOLVED = "resolved"


class Message(Record, frozen=True, kw_only=True):
    """An alert on its way out; delivered at least once, ``id`` lets receivers drop duplicates.

    ``severity`` is ``info``, ``warning``, ``error`` or ``critical``. All messages about one condition of a model have
    the same ``kind``.
    """

    id: str
    at: datetime
    model: str
    kind: str
    severity: str
    title: str
    body: str
    run_id: str | None = None
    state: MessageState = MessageState.EVENT


class AuditEntry(Record, frozen=True, kw_only=True):
    """One link of the hash chain of actions: who, what, on what, when, why, before and after."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    before: str
    after: str
    previous_hash: str
    hash: str
