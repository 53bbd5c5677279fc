"""How a simulated vendor's tickets are found: by lists, by what changed, by our key; all of them late where search lags."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.ports.provider import PollPosition
from callout.ports.ticketing import Change, ChangeKind, Page, Ticket, TicketQuery

if TYPE_CHECKING:
    from callout.kit.clock import ManualClock
    from callout.sync.simulate.quirks import Quirks
    from callout.sync.simulate.records import Record


class VendorSearch:
    """What a vendor's search shows. The host gives its habits, its records, its clock, and lets calls happen."""

    quirks: Quirks
    records: dict[str, Record]
    listed: Any
    _clock: ManualClock
    _called: Any
    _answered: Any
    _ticket: Any

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return all tickets that search shows."""
        await self._called("query_tickets")
        return Page(
            [self._ticket(record) for record in self.records.values() if self._shown(record.created_at)]
        )

    def _shown(self, since: datetime) -> bool:
        return self._clock.now() >= since + timedelta(seconds=self.quirks.lag)

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield what changed, as far as search shows it."""
        await self._called("changes_since")
        since = None if position.high_water is None else position.high_water - overlap
        for record in sorted(self.records.values(), key=lambda one: (one.updated_at, one.id)):
            if record.deleted:
                continue
            if self._shown(record.changed_at) and (since is None or record.updated_at >= since):
                ticket = self._ticket(record)
                yield Change(
                    ChangeKind.UPDATED, record.id, record.key, record.updated_at, ticket=ticket, partial=False
                )
            if self.quirks.files_apart:
                for info in self.listed(record):
                    if since is None or info.created_at is None or info.created_at >= since:
                        yield Change(ChangeKind.ATTACHED, record.id, record.key, info.created_at)

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the tickets with our key that search shows."""
        await self._called("find_by_key")
        found = [
            self._ticket(record)
            for record in self.records.values()
            if record.mark == key and not record.deleted and self._shown(record.created_at)
        ]
        await self._answered("find_by_key", "")
        return found
