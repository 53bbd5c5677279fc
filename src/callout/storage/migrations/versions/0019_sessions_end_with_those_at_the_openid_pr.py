"""Sessions know that at the OpenID provider, which may end them; its notices are remembered while they hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_logouts",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oidc_logouts")),
    )
    op.create_index("ix_oidc_logouts_until", "oidc_logouts", ["until"], unique=False)
    op.add_column("sessions", sa.Column("sid", sa.Text(), nullable=True))
    op.create_index(
        "ix_sessions_sid",
        "sessions",
        ["sid"],
        unique=False,
        sqlite_where=sa.text("sid IS NOT NULL"),
        postgresql_where=sa.text("sid IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_sessions_sid", table_name="sessions")
    op.drop_column("sessions", "sid")
    op.drop_index("ix_oidc_logouts_until", table_name="oidc_logouts")
    op.drop_table("oidc_logouts")
