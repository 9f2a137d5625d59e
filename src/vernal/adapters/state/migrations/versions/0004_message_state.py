"""Messages say whether they tell of an event, or of a condition that begins, goes on or is over."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vernal_message", sa.Column("state", sa.Text, nullable=False, server_default="event"))
