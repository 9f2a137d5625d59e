"""Windows that run from check to check, of several lengths, beside those of the last run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "vernal_window",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("hours", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("baseline_version", sa.Text, nullable=False),
        sa.Column("first", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["model"], ["vernal_model.model"], name="fk_vernal_window_model"),
        sa.PrimaryKeyConstraint("model", "purpose", "hours", name="pk_vernal_window"),
    )
    # How long these windows were was not kept. They serve triggers whose window is still the week that was the default;
    # any other compares with the baseline alone until its next run.
    op.execute(
        "INSERT INTO vernal_window (model, purpose, hours, baseline_version, first, until, data) "
        "SELECT kept.model, 'last_run', 168, kept.baseline_version, model.last_run_at, model.last_run_at, kept.data "
        "FROM vernal_last_run_window AS kept JOIN vernal_model AS model ON model.model = kept.model "
        "WHERE model.last_run_at IS NOT NULL"
    )
    op.drop_table("vernal_last_run_window")
