"""Deliveries: each message has one per channel, with attempts and an end of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNROUTED = sa.text("routed_at IS NULL")
_WAITING = sa.text("status = 'waiting'")


def upgrade() -> None:
    op.add_column("vernal_message", sa.Column("routed_at", _MOMENT))
    # What was sent has reached everybody there was to reach; what was not is given to every channel by the next tick.
    op.execute("UPDATE vernal_message SET routed_at = sent_at")
    op.drop_index("ix_vernal_message_unsent", "vernal_message")
    with op.batch_alter_table("vernal_message") as table:
        table.drop_column("owner")
        table.drop_column("lease_until")
        table.drop_column("sent_at")
    op.create_index(
        "ix_vernal_message_unrouted", "vernal_message", ["number"], sqlite_where=_UNROUTED, postgresql_where=_UNROUTED
    )
    op.create_table(
        "vernal_channel",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("memory", sa.Text, nullable=False),
        sa.Column("closed_at", _MOMENT),
        sa.Column("closed_because", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_vernal_channel"),
    )
    op.create_table(
        "vernal_delivery",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("queued_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.PrimaryKeyConstraint("number", name="pk_vernal_delivery"),
        sa.UniqueConstraint("channel", "message_id", name="uq_vernal_delivery_channel_message_id"),
    )
    op.create_index(
        "ix_vernal_delivery_waiting",
        "vernal_delivery",
        ["channel", "number"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
