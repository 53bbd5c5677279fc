"""Tickets: what a provider's webhook told becomes deliveries with the contract's payload, the provider's own body untouched in it.

A subscriber of intake beside sync's: an integration without any incident tells its endpoints as well. What only a poll found
(`callout.webhooks.outbound.polled`) is told by the same names, without a body of the provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.jobs import Consumer, Retry, Settle, Work
from callout.ports.errors import NotFoundError
from callout.ports.inbound import Ignored, SaysWhen
from callout.ports.ticketing import Change, ChangeKind
from callout.webhooks.events import InboundEvent, load_events
from callout.webhooks.outbound.model import Happening
from callout.webhooks.outbound.told import News

if TYPE_CHECKING:
    from datetime import datetime

    from callout.storage import Tx
    from callout.webhooks.outbound.routing import Router
    from callout.webhooks.outbound.told import Told

TICKETS: Final = "webhooks.tickets"
NAMES: Final[Mapping[ChangeKind, str]] = {
    ChangeKind.CREATED: "TicketCreated",
    ChangeKind.UPDATED: "TicketUpdated",
    ChangeKind.MOVED: "TicketUpdated",
    ChangeKind.ATTACHED: "TicketUpdated",
    ChangeKind.DELETED: "TicketDeleted",
    ChangeKind.COMMENTED: "TicketCommentCreated",
    ChangeKind.COMMENT_DELETED: "TicketCommentDeleted",
}
"""What happened to a ticket → the contract's name; an edited comment has none, and goes only to endpoints without a filter."""
_OF_THE_TICKET: Final = frozenset(
    {ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.MOVED, ChangeKind.ATTACHED}
)
_BATCH: Final = 16
_PARSE_AT_ONCE: Final = 32
_log = structlog.get_logger(__name__)
FindDialect = Callable[[str, str], Awaitable[Any]]
"""Account and integration id → the connector's webhook dialect."""


class Tickets:
    """Tells endpoints of the tickets of one integration, in the order in which its webhooks came."""

    def __init__(self, router: Router, told: Told, inbound: FindDialect) -> None:
        self._router = router
        self._told = told
        self._inbound = inbound

    async def handle(self, work: Work) -> Settle | None:
        """Parse a batch of stored webhooks; their deliveries are stored with the batch's completion."""
        job = work.job
        account_id, integration_id = str(job.account_id), str(job.payload["integration_id"])
        ids = [event_id for waiting in work.jobs for event_id in waiting.payload["event_ids"]]
        events = await work.read(lambda tx: load_events(tx.account(account_id), ids))
        try:
            dialect = await self._inbound(account_id, integration_id)
        except NotFoundError:
            return None  # the integration was removed, and its endpoints with it
        found: list[tuple[News, Happening]] = []
        for number, event in enumerate(events, 1):
            found += happenings_of(dialect, event)
            if number % _PARSE_AT_ONCE == 0:
                await asyncio.sleep(0)

        async def settle(tx: Tx) -> None:
            names = await self._told.first_time(
                tx, account_id, integration_id, [news for news, _ in found], polled=False
            )
            happenings = [one for (_, one), name in zip(found, names, strict=True) if name is not None]
            await self._router.tell(tx.account(account_id), happenings)

        return settle


def happenings_of(dialect: Any, event: InboundEvent) -> list[tuple[News, Happening]]:  # noqa: ANN401  # one of several connectors'
    """Return what a stored webhook tells, one for each thing that happened to a ticket; at least one."""
    request = event.request()
    try:
        parsed = dialect.parse(request)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # Sync writes down why it cannot be read; who wants everything of the provider gets it as it is.
        _log.info("webhook_forwarded_unread", event_id=event.id, error=str(error)[:200])
        parsed = ()
    changes: Sequence[Change] = () if isinstance(parsed, Ignored) else parsed
    told: dict[tuple[str, str], Change] = {}
    for change in changes:
        told.setdefault((change.ticket_id, NAMES.get(change.kind, "")), change)
    if not told:
        return [(News("", "", None), _happening(event, None, "", 0, ""))]
    # It was parsed a moment ago: nothing here can stumble over it any more.
    when = dialect.entity_date(request) if isinstance(dialect, SaysWhen) else ""
    return [
        (news_of(change, name, event.received_at), _happening(event, change, name, number, when))
        for number, ((_, name), change) in enumerate(told.items())
    ]


def news_of(change: Change, name: str, at_latest: datetime | None) -> News:
    """Return a change as the ledger of what was told knows it; `at_latest` is when it was heard of."""
    ticket, comment = change.ticket, change.comment
    at = None if ticket is None else ticket.updated_at
    if at is None or change.kind not in _OF_THE_TICKET:
        written = None if comment is None else comment.updated_at or comment.created_at
        at = max((one for one in (at, written, change.occurred_at) if one is not None), default=at_latest)
    return News(change.ticket_id, name, at, "" if comment is None else comment.id)


def _happening(event: InboundEvent, change: Change | None, name: str, number: int, when: str) -> Happening:
    ticket = None if change is None else change.ticket
    body = {
        "ticket_id": "" if change is None else change.ticket_key or change.ticket_id,
        "entity_date": when,
        "priority": "" if ticket is None or ticket.priority is None else ticket.priority.value,
        "short_description": "" if ticket is None else ticket.title,
        "event_type": name,
        "integration_id": event.integration_id,
    }
    ticket_id = "" if change is None else change.ticket_id
    return Happening(
        id=f"msg_{event.id}" + (f"_{number}" if number else ""),
        event_type=name,
        subject=f"{event.integration_id}:{ticket_id or '~' + event.id}",
        occurred_at=event.received_at,
        body={key: value for key, value in body.items() if value},
        raw=event.body,
        integration_id=event.integration_id,
    )


def consumer(tickets: Tickets) -> Consumer:
    """Return the consumer, for bootstrap to bind."""
    return Consumer(TICKETS, tickets.handle, batch=_BATCH, retry=Retry(max_attempts=20))
