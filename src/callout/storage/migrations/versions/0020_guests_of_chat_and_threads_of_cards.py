"""What a chat platform says of its people (member, guest …); and whose thread something is said in, by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chat_identities", sa.Column("membership", sa.Text(), nullable=True))
    op.create_index("ix_chat_message_place", "chat_message", ["channel", "ts"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_chat_message_place", table_name="chat_message")
    op.drop_column("chat_identities", "membership")
