"""A channel whose receiver cannot be reached rests as a whole, so that what comes later overtakes nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vernal_channel", sa.Column("resting_until", sa.DateTime(timezone=True)))
