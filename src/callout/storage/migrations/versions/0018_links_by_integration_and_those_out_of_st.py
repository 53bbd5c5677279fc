"""Links by integration, and those that are not at rest, each by an index: pages count them every few seconds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_SQLITE = (
    "NOT (state = 'active' AND problem IS NULL AND ("
    """substr(merge_state, -39) = '"pending":{},"since":{},"conflicts":{}}' OR """
    """substr(merge_state, -28) = '"pending":{},"conflicts":{}}'))"""
)
_POSTGRES = (
    "NOT (state = 'active' AND problem IS NULL AND ("
    """right(merge_state, 39) = '"pending":{},"since":{},"conflicts":{}}' OR """
    """right(merge_state, 28) = '"pending":{},"conflicts":{}}'))"""
)


def upgrade() -> None:
    op.create_index("ix_sync_link_integration", "sync_link", ["account_id", "integration_id"], unique=False)
    op.create_index(
        "ix_sync_link_out_of_step",
        "sync_link",
        ["account_id", "integration_id"],
        unique=False,
        sqlite_where=sa.text(_SQLITE),
        postgresql_where=sa.text(_POSTGRES),
    )


def downgrade() -> None:
    op.drop_index("ix_sync_link_out_of_step", table_name="sync_link")
    op.drop_index("ix_sync_link_integration", table_name="sync_link")
