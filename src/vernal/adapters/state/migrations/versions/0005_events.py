"""Events in a queue that is numbered in the order of commits, and how far its readers are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_UNROUTED = sa.text("routed_at IS NULL")


def upgrade() -> None:
    op.add_column("vernal_store", sa.Column("event_seq", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "vernal_event",
        sa.Column("seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("schema", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("routed_at", _MOMENT),
        sa.PrimaryKeyConstraint("seq", name="pk_vernal_event"),
        sa.UniqueConstraint("id", name="uq_vernal_event_id"),
    )
    op.create_index(
        "ix_vernal_event_unrouted", "vernal_event", ["seq"], sqlite_where=_UNROUTED, postgresql_where=_UNROUTED
    )
    op.create_table(
        "vernal_consumer",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cursor", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_vernal_consumer"),
    )
    op.add_column("vernal_delivery", sa.Column("event", sa.Text))
    with op.batch_alter_table("vernal_delivery") as table:
        table.alter_column("message", existing_type=sa.Text, nullable=True)
