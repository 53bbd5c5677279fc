"""tickets that become incidents, problems of integrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "integration_problem",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remediation", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "kind", name=op.f("pk_integration_problem")),
    )
    op.create_table(
        "sync_decided",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "ticket_id", name=op.f("pk_sync_decided")),
    )
    op.create_index(
        "uq_sync_link_ticket",
        "sync_link",
        ["integration_id", "ticket_id"],
        unique=True,
        sqlite_where=sa.text("ticket_id <> ''"),
        postgresql_where=sa.text("ticket_id <> ''"),
    )
    op.add_column("sync_poll", sa.Column("silence", sa.Text(), nullable=True))


def downgrade() -> None:

    op.drop_column("sync_poll", "silence")
    op.drop_index(
        "uq_sync_link_ticket",
        table_name="sync_link",
        sqlite_where=sa.text("ticket_id <> ''"),
        postgresql_where=sa.text("ticket_id <> ''"),
    )
    op.drop_table("sync_decided")
    op.drop_table("integration_problem")
