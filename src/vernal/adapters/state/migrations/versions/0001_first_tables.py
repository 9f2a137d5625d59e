"""The tables of the first release; audit entries and decisions are sealed against change."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out instead of taken from the schema module: a migration goes on making what it made when it was written.
_MOMENT = sa.DateTime(timezone=True)
_MONEY = sa.Numeric().with_variant(sa.Text(), "sqlite")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNSENT = sa.text("sent_at IS NULL")
_IS_OPEN = sa.text(
    "phase NOT IN ('cancelled', 'expired', 'failed', 'promoted', 'rejected', 'rolled_back', 'superseded')"
)
_APPEND_ONLY = ("vernal_audit", "vernal_decision")


def upgrade() -> None:
    op.create_table(
        "vernal_audit",
        sa.Column("seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_vernal_audit"),
    )
    op.create_table(
        "vernal_message",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.Column("sent_at", _MOMENT),
        sa.PrimaryKeyConstraint("number", name="pk_vernal_message"),
        sa.UniqueConstraint("id", name="uq_vernal_message_id"),
    )
    op.create_index(
        "ix_vernal_message_unsent", "vernal_message", ["number"], sqlite_where=_UNSENT, postgresql_where=_UNSENT
    )

    op.create_table(
        "vernal_model",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("next_check_at", _MOMENT, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("champion", sa.Text),
        sa.Column("route", sa.Text),
        sa.Column("profiled_version", sa.BigInteger),
        sa.Column("cron_at", _MOMENT),
        sa.Column("trained_until", _MOMENT),
        sa.Column("last_run_at", _MOMENT),
        sa.Column("last_run_finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("model", name="pk_vernal_model"),
    )
    op.create_index("ix_vernal_model_next_check_at", "vernal_model", ["next_check_at"])

    op.create_table(
        "vernal_store",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("audit_seq", sa.BigInteger, nullable=False),
        sa.Column("audit_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vernal_store"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "vernal_baseline",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_baseline_model"),
        sa.PrimaryKeyConstraint("model", "version", name="pk_vernal_baseline"),
    )
    op.create_table(
        "vernal_hour_profile",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("baseline_version", sa.Text, nullable=False),
        sa.Column("hour", _MOMENT, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_hour_profile_model"),
        sa.PrimaryKeyConstraint("model", "baseline_version", "hour", name="pk_vernal_hour_profile"),
    )
    op.create_table(
        "vernal_last_run_window",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("baseline_version", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_last_run_window_model"),
        sa.PrimaryKeyConstraint("model", name="pk_vernal_last_run_window"),
    )
    op.create_table(
        "vernal_run",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("phase_since", _MOMENT, nullable=False),
        sa.Column("wake_at", _MOMENT, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_run_model"),
        sa.PrimaryKeyConstraint("id", name="pk_vernal_run"),
        sa.UniqueConstraint("model", "number", name="uq_vernal_run_model_number"),
    )
    op.create_index("ix_vernal_run_due", "vernal_run", ["wake_at"], sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
    op.create_index(
        "ix_vernal_run_one_open", "vernal_run", ["model"], unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN
    )

    op.create_table(
        "vernal_approval",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", _MOMENT),
        sa.Column("decided_by", sa.Text),
        sa.Column("note", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["vernal_run.id"], name="fk_vernal_approval_run_id"),
        sa.PrimaryKeyConstraint("run_id", "kind", name="pk_vernal_approval"),
    )
    op.create_index("ix_vernal_approval_status", "vernal_approval", ["status"])

    op.create_table(
        "vernal_decision",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_decision_model"),
        sa.ForeignKeyConstraint(["run_id"], ["vernal_run.id"], name="fk_vernal_decision_run_id"),
        sa.PrimaryKeyConstraint("number", name="pk_vernal_decision"),
    )
    op.create_index("ix_vernal_decision_model_at", "vernal_decision", ["model", "at"])
    op.create_index("ix_vernal_decision_run_id", "vernal_decision", ["run_id"])

    op.create_table(
        "vernal_ledger",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("usd", _MONEY, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["vernal_run.id"], name="fk_vernal_ledger_run_id"),
        sa.PrimaryKeyConstraint("number", name="pk_vernal_ledger"),
        sa.UniqueConstraint("key", name="uq_vernal_ledger_key"),
    )
    op.create_index("ix_vernal_ledger_at", "vernal_ledger", ["at"])
    for table in _APPEND_ONLY:
        _seal(table)


def _seal(table: str) -> None:
    """Let the database refuse to change or delete rows; whoever may drop the trigger is found out by the hash chain."""
    message = f"{table} is append-only"
    if op.get_context().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
