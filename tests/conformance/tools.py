"""What the contract's tests share: tickets made, files attached and queries walked."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence

from callout.ports.provider import SupportsAttachments
from callout.ports.ticketing import (
    AttachmentInfo,
    FileIdentity,
    Ticket,
    TicketDraft,
    TicketFilter,
    TicketOrder,
    TicketQuery,
)
from tests.conformance.harness import Harness

BODY = "Checkout is slow.\n\nThe 95th percentile is **4.1 s**."


async def all_pages(harness: Harness, query: TicketQuery) -> list[Ticket]:
    """Walk a query to its end."""
    found: list[Ticket] = []
    cursor = ""
    while True:
        page = await harness.provider.query_tickets(
            TicketQuery(query.filters, query.order, query.limit, cursor)
        )
        assert page.items or not page.cursor, "a page that is not the last must not be empty"
        found += page.items
        if not page.cursor:
            return found
        assert page.cursor != cursor
        cursor = page.cursor


def only(
    *conditions: tuple[str, str, str], order: Sequence[TicketOrder] = (), limit: int = 100
) -> TicketQuery:
    """Return a query of simple conditions."""
    filters = tuple(
        TicketFilter(name, operator, tuple(value.split(","))) for name, operator, value in conditions
    )
    return TicketQuery(filters, tuple(order), limit)


async def make(harness: Harness, title: str = "DB is down", **fields: object) -> Ticket:
    """Create a ticket in the harness's project."""
    draft = TicketDraft(title, **{"project": harness.project, **fields})  # type: ignore[arg-type]
    return await harness.provider.create_ticket(draft)


async def attach(
    provider: SupportsAttachments, ticket: str, name: str, content: bytes, media_type: str = "text/plain"
) -> AttachmentInfo:
    """Upload a file, in two pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content[:3]
        yield content[3:]

    return await provider.create_attachment(ticket, file_name=name, content=pieces(), media_type=media_type)


def identity(name: str, content: bytes) -> FileIdentity:
    """Return what a file is known by."""
    return FileIdentity(name, len(content), hashlib.sha256(content).hexdigest())
