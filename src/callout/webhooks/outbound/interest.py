"""Which integrations' webhooks anybody wants to be told of: asked by intake, which would otherwise make jobs that find nobody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from callout.integrations import EVENTS as TICKET_EVENTS
from callout.webhooks.outbound.model import EVERY_TICKET, ORGANIZATION
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from callout.storage import Tx
    from callout.webhooks.outbound.endpoints import Endpoints

KEPT_SECONDS: Final = 1.0
"""What another process changes is seen after so long; what this one changes at once."""
_TICKETS: Final = frozenset({*TICKET_EVENTS, EVERY_TICKET})


class Interest:
    """Remembers for a moment who wants ticket events."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._asked_at = float("-inf")
        self._seen = -1
        self._places: frozenset[str] = frozenset()

    async def places(self, tx: Tx) -> frozenset[str]:
        """Return the accounts and integrations for whose tickets any endpoint may wait, and `*` for everybody's."""
        now = time.monotonic()
        if now - self._asked_at > KEPT_SECONDS or self._seen != self._endpoints.changed:
            self._seen = self._endpoints.changed
            self._places = await _places(tx)
            self._asked_at = now
        return self._places

    async def wanted(self, tx: Tx, account_id: str, integration_id: str) -> bool:
        """Return whether any endpoint may want tickets of an integration."""
        return not (await self.places(tx)).isdisjoint({ORGANIZATION, account_id, integration_id})


async def _places(tx: Tx) -> frozenset[str]:
    columns = (webhook_endpoint.c.account_id, webhook_endpoint.c.integration_id, webhook_endpoint.c.filters)
    rows = await tx.all(select(*columns))
    return frozenset(
        row["integration_id"] or row["account_id"]
        for row in rows
        if not _TICKETS.isdisjoint(row["filters"])
        or (not row["filters"] and row["account_id"] != ORGANIZATION)
    )
