"""The tables, as the newest migration leaves them.

Names begin with ``vernal_`` because a PostgreSQL database may be shared, for instance with MLflow's own tables.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from vernal.adapters.state.types import JsonText, Money, RecordText, RowNumber, UtcDateTime
from vernal.records import TERMINAL_PHASES, Champion, Event, Message, Route, RunFacts

SCHEMA_VERSION: Final = "0006"
"""The newest migration's revision; revisions are numbers, so an older store can be told from a newer one."""

VERSION_TABLE: Final = "vernal_version"
"""Alembic's version table under a name of our own, since a shared database may hold another one."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

CLOSED: Final = tuple(sorted(TERMINAL_PHASES))
"""Phases in which a run is over."""

_IS_OPEN = sa.text(f"phase NOT IN ({', '.join(repr(str(phase)) for phase in CLOSED)})")

store = sa.Table(
    "vernal_store",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # The head of the audit chain: whoever appends locks this row, and a cut-off tail is noticed.
    sa.Column("audit_seq", sa.BigInteger, nullable=False),
    sa.Column("audit_hash", sa.Text, nullable=False),
    # The newest event's number, under the same lock: events are numbered in the order of commits, without gaps.
    sa.Column("event_seq", sa.BigInteger, nullable=False, server_default="0"),
)

model = sa.Table(
    "vernal_model",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("next_check_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("champion", RecordText(Champion)),
    sa.Column("route", RecordText(Route)),
    sa.Column("profiled_version", sa.BigInteger),
    sa.Column("cron_at", UtcDateTime),
    sa.Column("trained_until", UtcDateTime),
    sa.Column("last_run_at", UtcDateTime),
    sa.Column("last_run_finished_at", UtcDateTime),
    sa.Index(None, "next_check_at"),
)

run = sa.Table(
    "vernal_run",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, sa.ForeignKey(model.c.model), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("phase_since", UtcDateTime, nullable=False),
    sa.Column("wake_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("facts", RecordText(RunFacts), nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.UniqueConstraint("model", "number"),
    sa.Index("ix_vernal_run_one_open", "model", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    sa.Index("ix_vernal_run_due", "wake_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
)

decision = sa.Table(
    "vernal_decision",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("model", sa.Text, sa.ForeignKey(model.c.model), nullable=False),
    sa.Column("run_id", sa.Text, sa.ForeignKey(run.c.id)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", JsonText),
    sa.Index(None, "model", "at"),
    sa.Index(None, "run_id"),
)

approval = sa.Table(
    "vernal_approval",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey(run.c.id), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("decided_by", sa.Text),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index(None, "status"),
)

ledger = sa.Table(
    "vernal_ledger",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, sa.ForeignKey(run.c.id), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("usd", Money, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Index(None, "at"),
)

message = sa.Table(
    "vernal_message",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="event"),
    # Set once it is known through which channels the message goes; NULL is what the next tick looks for.
    sa.Column("routed_at", UtcDateTime),
    sa.Index(
        "ix_vernal_message_unrouted",
        "number",
        sqlite_where=sa.text("routed_at IS NULL"),
        postgresql_where=sa.text("routed_at IS NULL"),
    ),
)

event = sa.Table(
    "vernal_event",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("schema", sa.Text, nullable=False),
    sa.Column("data", JsonText, nullable=False),
    sa.Column("routed_at", UtcDateTime),
    sa.Index(
        "ix_vernal_event_unrouted",
        "seq",
        sqlite_where=sa.text("routed_at IS NULL"),
        postgresql_where=sa.text("routed_at IS NULL"),
    ),
)

consumer = sa.Table(
    "vernal_consumer",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cursor", sa.BigInteger, nullable=False),
    sa.Column("acknowledged_at", UtcDateTime, nullable=False),
)

channel = sa.Table(
    "vernal_channel",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
    sa.Column("resting_until", UtcDateTime),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("closed_because", sa.Text, nullable=False),
)

delivery = sa.Table(
    "vernal_delivery",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    # Of the message or event. Not a reference: a channel also delivers what was made up on the way, such as a summary.
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("message", RecordText(Message)),
    sa.Column("event", RecordText(Event)),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("queued_at", UtcDateTime, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.UniqueConstraint("channel", "message_id"),
    sa.Index(
        "ix_vernal_delivery_waiting",
        "channel",
        "number",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    ),
)

audit = sa.Table(
    "vernal_audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

baseline = sa.Table(
    "vernal_baseline",
    metadata,
    sa.Column("model", sa.Text, sa.ForeignKey(model.c.model), primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

hour_profile = sa.Table(
    "vernal_hour_profile",
    metadata,
    sa.Column("model", sa.Text, sa.ForeignKey(model.c.model), primary_key=True),
    sa.Column("baseline_version", sa.Text, primary_key=True),
    sa.Column("hour", UtcDateTime, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

window = sa.Table(
    "vernal_window",
    metadata,
    sa.Column("model", sa.Text, sa.ForeignKey(model.c.model), primary_key=True),
    # "running": the window as the last check left it; "last_run": as it was when a check last opened a run.
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("hours", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("baseline_version", sa.Text, nullable=False),
    sa.Column("first", UtcDateTime, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
