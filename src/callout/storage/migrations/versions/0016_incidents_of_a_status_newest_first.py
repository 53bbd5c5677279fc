"""The incidents of one status, newest first, without a look at all others."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_incident_status_newest", "incident", ["account_id", "status", "created_at", "id"], unique=False
    )
    op.drop_index("ix_incident_status", table_name="incident")


def downgrade() -> None:
    op.create_index("ix_incident_status", "incident", ["account_id", "status", "created_at"], unique=False)
    op.drop_index("ix_incident_status_newest", table_name="incident")
