"""Rows to records and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from vernal.records import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    ChannelState,
    Decision,
    Delivery,
    DeliveryStatus,
    Event,
    LedgerEntry,
    Message,
    MessageState,
    ModelState,
    Phase,
    Record,
    Run,
    TriggerKind,
)

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def run_record(row: RowMapping) -> Run:
    """Return the run of a row of ``vernal_run``."""
    return Run(**_fields(Run, row) | {"phase": Phase(row["phase"]), "trigger": TriggerKind(row["trigger"])})


def model_state(row: RowMapping) -> ModelState:
    """Return the model of a row of ``vernal_model``."""
    return ModelState(**_fields(ModelState, row))


def decision_record(row: RowMapping) -> Decision:
    """Return the decision of a row of ``vernal_decision``."""
    return Decision(**_fields(Decision, row))


def approval_record(row: RowMapping) -> Approval:
    """Return the approval of a row of ``vernal_approval``."""
    kind, status = ApprovalKind(row["kind"]), ApprovalStatus(row["status"])
    return Approval(**_fields(Approval, row) | {"kind": kind, "status": status})


def ledger_entry(row: RowMapping) -> LedgerEntry:
    """Return the booking of a row of ``vernal_ledger``."""
    return LedgerEntry(**_fields(LedgerEntry, row))


def message_record(row: RowMapping) -> Message:
    """Return the message of a row of ``vernal_message``."""
    return Message(**_fields(Message, row) | {"state": MessageState(row["state"])})


def delivery_record(row: RowMapping) -> Delivery:
    """Return the delivery of a row of ``vernal_delivery``."""
    return Delivery(**_fields(Delivery, row) | {"status": DeliveryStatus(row["status"])})


def channel_state(row: RowMapping) -> ChannelState:
    """Return the channel of a row of ``vernal_channel``."""
    return ChannelState(**_fields(ChannelState, row))


def event_record(row: RowMapping) -> Event:
    """Return the event of a row of ``vernal_event``."""
    return Event(**_fields(Event, row))


def columns(record: Record) -> dict[str, Any]:
    """Return a record's fields as column values; enumerations are text."""
    return {
        name: str(value) if isinstance(value, str) else value for name, value in msgspec.structs.asdict(record).items()
    }


def _fields(record: type[Record], row: RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in record.__struct_fields__}


__all__ = [
    "approval_record",
    "channel_state",
    "columns",
    "decision_record",
    "delivery_record",
    "event_record",
    "ledger_entry",
    "message_record",
    "model_state",
    "run_record",
]
