"""What only a poll found is told to endpoints, too: a lost webhook, or a change that the provider has no webhook for.

The provider's webhook is given a moment, since it carries the provider's own body; what it told meanwhile is not told again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import func, or_, select

from callout.jobs import Consumer, NewJob, Retry, Settle, Work
from callout.kit.ids import new_id
from callout.webhooks.outbound.model import ORGANIZATION, Happening
from callout.webhooks.outbound.tickets import NAMES, TICKETS, news_of
from callout.webhooks.outbound.told import News
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.ticketing import Change
    from callout.storage import AccountTx, Tx
    from callout.webhooks.outbound.interest import Interest
    from callout.webhooks.outbound.routing import Router
    from callout.webhooks.outbound.told import Told

POLLED: Final = "webhooks.polled"
GRACE: Final = timedelta(seconds=20)
"""So long a webhook may still come by itself."""
_AT_ONCE: Final = 200
_SAME: Final = timedelta(seconds=1)
"""A comment moves its ticket's time stamp to about its own."""


class Polled:
    """Hears what polls found, and tells what no webhook told."""

    def __init__(
        self,
        router: Router,
        told: Told,
        interest: Interest,
        queue: Queue,
        clock: Clock,
        *,
        grace: timedelta = GRACE,
    ) -> None:
        self._router = router
        self._told = told
        self._interest = interest
        self._queue = queue
        self._clock = clock
        self._grace = grace

    async def found(self, tx: AccountTx, integration_id: str, changes: Sequence[Change]) -> None:
        """Hear what a poll found, in the transaction in which the poll moves on."""
        if not changes or not await self._interest.wanted(tx.system, tx.account_id, integration_id):
            return
        since = await self._listening_since(tx, integration_id)
        facts = [
            fact
            for change in changes
            if (fact := _fact(change)) is not None and since is not None and _at(fact) > since
        ]
        names = await self._told.first_time(
            tx.system, tx.account_id, integration_id, [_news(one) for one in facts], polled=True, keep=False
        )
        facts = [one for one, name in zip(facts, names, strict=True) if name is not None]
        jobs = [
            NewJob(
                POLLED,
                {"integration_id": integration_id, "facts": some},
                # One after the other with what webhooks tell of the integration: they share a ledger.
                key=f"inbound:{TICKETS}:{integration_id}",
                run_at=self._clock.now() + self._grace,
                # Each poll looks back, and finds it again meanwhile.
                dedupe=hashlib.sha256(orjson.dumps([integration_id, some])).hexdigest(),
            )
            for some in (facts[at : at + _AT_ONCE] for at in range(0, len(facts), _AT_ONCE))
        ]
        await self._queue.enqueue_many(tx, jobs)

    async def handle(self, work: Work) -> Settle | None:
        """Tell what is news still."""
        job = work.job
        account_id, integration_id = str(job.account_id), str(job.payload["integration_id"])
        facts: list[Mapping[str, Any]] = list(job.payload["facts"])
        commented = [(one["ticket_id"], _at(one)) for one in facts if one["comment_id"]]

        def by_comment(fact: Mapping[str, Any]) -> bool:
            """Whether a ticket was found changed because somebody commented on it, which is told already."""
            return any(one == fact["ticket_id"] and abs(at - _at(fact)) <= _SAME for one, at in commented)

        async def settle(tx: Tx) -> None:
            names = await self._told.first_time(
                tx, account_id, integration_id, [_news(one) for one in facts], polled=True
            )
            happenings = [
                self._happening(integration_id, one, name)
                for one, name in zip(facts, names, strict=True)
                if name is not None and not (name == "TicketUpdated" and by_comment(one))
            ]
            await self._router.tell(tx.account(account_id), happenings)

        return settle

    def _happening(self, integration_id: str, fact: Mapping[str, Any], name: str) -> Happening:
        body = {**fact["body"], "event_type": name, "integration_id": integration_id}
        return Happening(
            id=f"msg_{new_id()}",
            event_type=name,
            subject=f"{integration_id}:{fact['ticket_id']}",
            occurred_at=_at(fact),
            body={key: value for key, value in body.items() if value},
            integration_id=integration_id,
        )

    @staticmethod
    async def _listening_since(tx: AccountTx, integration_id: str) -> datetime | None:
        """Return since when there has been an endpoint: nobody asked to be told of what was before."""
        columns = webhook_endpoint.c
        found: datetime | None = await tx.system.scalar(
            select(func.min(columns.created_at)).where(
                columns.account_id.in_((tx.account_id, ORGANIZATION)),
                or_(columns.integration_id == "", columns.integration_id == integration_id),
            )
        )
        return found


def _fact(change: Change) -> dict[str, Any] | None:
    """Return what is kept of a change until it is told; None for what has no name or no time."""
    name = NAMES.get(change.kind, "")
    news = news_of(change, name, None)
    if not news.subject or news.at is None:
        return None
    ticket = change.ticket
    return {
        "ticket_id": change.ticket_id,
        "name": name,
        "at": news.at.isoformat(),
        "comment_id": news.comment_id,
        "body": {
            "ticket_id": change.ticket_key or change.ticket_id,
            "entity_date": news.at.isoformat(),
            "priority": "" if ticket is None or ticket.priority is None else ticket.priority.value,
            "short_description": "" if ticket is None else ticket.title,
        },
    }


def _news(fact: Mapping[str, Any]) -> News:
    return News(fact["ticket_id"], fact["name"], _at(fact), fact["comment_id"])


def _at(fact: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(fact["at"])


def consumer(polled: Polled) -> Consumer:
    """Return the consumer, for bootstrap to bind."""
    return Consumer(POLLED, polled.handle, retry=Retry(max_attempts=20))
