"""What is removed with an account, and how long other things are kept: data, not code paths."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from callout.storage import Tx
from callout.storage.schema import metadata

KEPT_AT_ERASURE: Final = frozenset({"audit_log"})
"""Tables of accounts whose rows outlive the account: the audit stays, until its own retention ends."""

RETENTION: Final[dict[str, timedelta]] = {
    "audit_log": timedelta(days=730),
    "idempotency_keys": timedelta(hours=48),
    "token_secrets": timedelta(days=30),
}
"""By table of audit and access: how long after its end (its making, for the audit) a row may be purged."""


async def erase_account(tx: Tx, account_id: str) -> int:
    """Remove every row that belongs to the account, in any feature's table; return how many."""
    gone = 0
    for table in reversed(metadata.sorted_tables):
        if "account_id" in table.c and table.name not in KEPT_AT_ERASURE:
            gone += await tx.execute(delete(table).where(table.c.account_id == account_id))
    return gone
