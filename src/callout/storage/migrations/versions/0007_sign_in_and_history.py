"""sign-in of members, history of integrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "integration_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integration_event")),
    )
    op.create_index("ix_integration_event_created_at", "integration_event", ["created_at"], unique=False)
    op.create_index(
        "ix_integration_event_integration_id",
        "integration_event",
        ["integration_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "integration_usage",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "hour", name=op.f("pk_integration_usage")),
    )
    op.create_index("ix_integration_usage_hour", "integration_usage", ["hour"], unique=False)
    op.add_column("members", sa.Column("failed_logons", sa.Integer(), nullable=True))
    op.add_column("members", sa.Column("locked_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("members", "locked_until")
    op.drop_column("members", "failed_logons")
    op.drop_index("ix_integration_usage_hour", table_name="integration_usage")
    op.drop_table("integration_usage")
    op.drop_index("ix_integration_event_integration_id", table_name="integration_event")
    op.drop_index("ix_integration_event_created_at", table_name="integration_event")
    op.drop_table("integration_event")
