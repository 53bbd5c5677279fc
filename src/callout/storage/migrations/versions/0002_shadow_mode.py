"""Shadow mode: the writes that were held back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_shadow",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("ticket_key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("held_back", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["sync_link.id"], name=op.f("fk_sync_shadow_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link_id", "kind", "what", name=op.f("pk_sync_shadow")),
    )
    op.create_index(
        "ix_sync_shadow_integration", "sync_shadow", ["account_id", "integration_id", "at"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_sync_shadow_integration", table_name="sync_shadow")
    op.drop_table("sync_shadow")
