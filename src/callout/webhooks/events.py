"""Stored webhooks, read back for parsing."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter
from sqlalchemy import delete, select

from callout.ports.inbound import InboundRequest, Trust
from callout.webhooks.tables import inbound_event

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

PURGE_AT_ONCE = 5_000
read_total = Counter(
    "callout_webhooks_read_total", "Stored webhooks that were worked on, by what came of them", ["outcome"]
)


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A webhook as it was accepted. `outcome` is received, parsed, ignored, unreadable or orphan."""

    id: str
    integration_id: str
    received_at: datetime
    trust: Trust
    headers: Mapping[str, str]
    body: bytes
    outcome: str = "received"

    def request(self) -> InboundRequest:
        """Return the request as the connector's parser takes it."""
        return InboundRequest("POST", "", self.headers, self.body, self.received_at)


async def load_events(tx: AccountTx, ids: Sequence[str]) -> list[InboundEvent]:
    """Return the stored events among `ids`, in the order they were received."""
    rows = await tx.all(
        tx.select(inbound_event).where(inbound_event.c.id.in_(list(ids))).order_by(inbound_event.c.id)
    )
    return [
        InboundEvent(
            id=row["id"],
            integration_id=row["integration_id"],
            received_at=row["received_at"],
            trust=Trust(row["trust"]),
            headers=row["headers"],
            body=bytes(row["body"]),
            outcome=row["outcome"],
        )
        for row in rows
    ]


async def mark_events(tx: AccountTx, outcomes: Iterable[tuple[str, str, str]]) -> None:
    """Record what became of events: (id, outcome, detail) each."""
    # The detail may quote the sender, and PostgreSQL keeps no NUL.
    rows = [
        (outcome, detail.replace("\x00", ""), tx.account_id, event_id)
        for event_id, outcome, detail in outcomes
    ]
    await tx.system.driver_many(
        "UPDATE inbound_event SET outcome = ?, detail = ? WHERE account_id = ? AND id = ?",
        "UPDATE inbound_event SET outcome = $1, detail = $2 WHERE account_id = $3 AND id = $4",
        rows,
    )
    tx.system.after_commit(partial(_count, Tally(row[0] for row in rows)))


def _count(outcomes: Tally[str]) -> None:
    for outcome, count in outcomes.items():
        read_total.labels(outcome).inc(count)


async def purge_events(tx: Tx, *, before: datetime, limit: int = PURGE_AT_ONCE) -> int:
    """Remove webhooks received before that time, at most `limit`; return how many. Those not worked on yet stay."""
    # Ids rise with time, so the oldest are found without an index on the time, which every webhook would have to pay for.
    oldest = (
        select(inbound_event.c.id, inbound_event.c.received_at)
        .where(inbound_event.c.outcome != "received")
        .order_by(inbound_event.c.id)
        .limit(limit)
    )
    ids = [row["id"] for row in await tx.all(oldest) if row["received_at"] < before]
    return await tx.execute(delete(inbound_event).where(inbound_event.c.id.in_(ids))) if ids else 0
