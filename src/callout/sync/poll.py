"""Polling: what a lost webhook would have told is found within one interval.

Each poll asks for everything changed since the newest change seen *minus an overlap*, because vendors' clocks, indexes and minute-wide
filters let a bare watermark skip changes; what was seen already is dropped by a ledger of (ticket, version).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from callout.jobs import (
    BudgetUse,
    Consumer,
    Job,
    Lane,
    NewJob,
    RetryLater,
    Settle,
    Work,
    transactional,
)
from callout.ports.errors import CalloutError, NotFoundError
from callout.ports.provider import PollPosition, SupportsChanges
from callout.ports.ticketing import Change
from callout.storage.upsert import insert_or_ignore
from callout.sync import accept, links
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.links import SyncProblem
from callout.sync.reactions import VISIT
from callout.sync.rules import accepts
from callout.sync.silence import Silence
from callout.sync.tables import sync_link, sync_poll, sync_seen

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

POLL = "sync.poll"
POLL_ALL = "sync.poll_all"
AGAIN_MOST = timedelta(seconds=30)
"""A poll that failed is tried again no later than this, however rarely is polled."""
OVERLAP = timedelta(minutes=5)
REMEMBER = timedelta(days=2)
SETTLED = timedelta(minutes=3)
"""So long after its time stamp another change can no longer have the same stamp: the widest tick, the lag of searches, and some more."""
AT_ONCE = 5_000
"""Most changes taken in one poll; the next goes on from there."""
_log = structlog.get_logger(__name__)


def _key(integration_id: str) -> str:
    return f"poll:{integration_id}"


class Polls:
    """Polls ticketing integrations that have linked tickets, whose tickets may become incidents, or of which somebody is told."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._silence = Silence(context)

    async def spread(self, tx: Tx, jobs: Sequence[Job]) -> None:  # one tick is like another
        """Enqueue one poll for each integration with links, accepting rules or somebody who listens; none is doubled."""
        rows = await tx.all(select(sync_link.c.account_id, sync_link.c.integration_id).distinct())
        wanted = {row["integration_id"]: row["account_id"] for row in rows}
        wanted |= {one.integration_id: one.account_id for one in await self._context.standing.accepting(tx)}
        wanted |= await self._context.standing.listened(tx)
        busy = await self._context.queue.waiting(tx, [_key(integration_id) for integration_id in wanted])
        await self._context.queue.enqueue_many(
            tx,
            [
                NewJob(
                    POLL,
                    {"integration_id": integration_id},
                    key=_key(integration_id),
                    lane=Lane.BACKFILL,
                    account_id=account_id,
                )
                for integration_id, account_id in wanted.items()
                if _key(integration_id) not in busy
            ],
        )

    async def handle(self, work: Work) -> Settle | None:
        """Poll one integration; several waiting ticks are one poll. Raises RetryLater when it cannot be reached."""
        account_id, integration_id = work.job.account_id or "", str(work.job.payload["integration_id"])
        begun = self._context.clock.now()
        on, high_water = await work.read(lambda tx: self._position(tx.account(account_id), integration_id))
        if not on:
            return None  # nothing is asked of one that is switched off, and its position stays
        try:
            provider = await self._context.provider(account_id, integration_id)
            if not isinstance(provider, SupportsChanges):
                return None
            found: list[Change] = []
            async for change in provider.changes_since(PollPosition(high_water), overlap=OVERLAP):
                found.append(change)
                if len(found) >= AT_ONCE:
                    break
        except NotFoundError:
            return None  # the integration was removed: its links stay, for people to read
        except CalloutError as error:
            problem = SyncProblem.of(error, begun)
            await work.transaction(
                lambda tx: self._moved(tx.account(account_id), integration_id, high_water, problem)
            )
            wait = getattr(error, "retry_after", None) or min(AGAIN_MOST, self._context.poll_every)
            raise RetryLater(wait, reason=f"{error.code}: {error.message}", count=False) from error
        newest = max((c.occurred_at for c in found if c.occurred_at is not None), default=high_water)
        if len(found) >= AT_ONCE and newest is not None:
            # There is more: the next poll goes on from here and not from before the overlap, or it would never get further.
            newest += OVERLAP

        async def settle(tx: Tx) -> None:
            scoped = tx.account(account_id)
            target = await self._context.target(scoped, integration_id)
            news = await self._visit_changed(scoped, integration_id, found, target)
            await self._context.standing.polled(scoped, integration_id, found)
            await self._moved(scoped, integration_id, newest, None)
            if target is not None:
                await self._silence.judge(scoped, target, news)

        return settle

    async def _position(self, tx: AccountTx, integration_id: str) -> tuple[bool, datetime]:
        """Return whether the integration is switched on, and from when on changes are asked for."""
        on = await self._is_on(tx, integration_id)
        known: datetime | None = await tx.scalar(
            tx.select(sync_poll.c.high_water).where(sync_poll.c.integration_id == integration_id)
        )
        if known is not None:
            return on, known
        # The first poll looks back to the first link: nothing older can concern one.
        oldest = (
            tx.select(sync_link.c.created_at)
            .where(sync_link.c.integration_id == integration_id)
            .order_by(sync_link.c.created_at)
        )
        first: datetime | None = await tx.scalar(oldest.limit(1))
        # Without any link only tickets that change from now on are of interest: the vendor's whole past is no incident.
        return on, first or self._context.clock.now()

    async def _is_on(self, tx: AccountTx, integration_id: str) -> bool:
        try:
            return await self._context.target(tx, integration_id) is not None
        except CalloutError:
            return True  # its settings are wrong, which the poll tells

    async def _moved(
        self, tx: AccountTx, integration_id: str, high_water: datetime | None, problem: SyncProblem | None
    ) -> None:
        now = self._context.clock.now()
        values = {
            "high_water": high_water,
            "polled_at": now,
            "problem": None if problem is None else problem.to_json(),
        }
        row = {"integration_id": integration_id, "account_id": tx.account_id, **values}
        if not await tx.system.execute(insert_or_ignore(tx.system, sync_poll, row)):
            await tx.execute(
                tx.update(sync_poll).where(sync_poll.c.integration_id == integration_id).values(**values)
            )

    async def _visit_changed(
        self, tx: AccountTx, integration_id: str, found: Sequence[Change], target: Target | None
    ) -> list[Change]:
        """Have linked tickets visited, and others looked at that a rule may want; return the changes that are news."""
        linked = await links.of_tickets(tx, integration_id, sorted({c.ticket_id for c in found}))
        now = self._context.clock.now()
        mappings = target.mappings() if target is not None and accepts(target.settings) else None
        jobs: dict[tuple[str, ...], NewJob] = {}
        news: list[Change] = []
        for change in found:
            link_id = linked.get(change.ticket_id)
            if link_id is None and (
                target is None
                or mappings is None
                or not accept.may_be_accepted(change, target, mappings, trusted=True)
            ):
                continue
            if not await self._first_time(tx, integration_id, change, now):
                continue
            news.append(change)
            if link_id is None:
                jobs["", change.ticket_id] = accept.job(integration_id, change.ticket_id, cause="polled")
                continue
            payload = {
                "link_id": link_id,
                "integration_id": integration_id,
                "reason": "polled",
                "comments": True,
            }
            jobs[link_id, str(len(jobs))] = NewJob(
                VISIT, payload, key=links.partition(link_id), lane=Lane.NORMAL
            )
        await self._context.queue.enqueue_many(tx, list(jobs.values()))
        await tx.execute(tx.delete(sync_seen).where(sync_seen.c.seen_at < now - REMEMBER))
        return news

    @staticmethod
    async def _first_time(tx: AccountTx, integration_id: str, change: Change, now: datetime) -> bool:
        version = f"{change.kind}:{change.ticket.version if change.ticket else change.occurred_at}"
        if _may_come_again(change, now):
            version += ":fresh"
        row = {
            "integration_id": integration_id,
            "ticket_id": change.ticket_id,
            "version": version,
            "account_id": tx.account_id,
            "seen_at": now,
        }
        return bool(await tx.system.execute(insert_or_ignore(tx.system, sync_seen, row)))


def _may_come_again(change: Change, now: datetime) -> bool:
    """Return whether another change may get the same time stamp, and with it the same version: then it is looked at once more later.

    Clocks that tell parts of a second are fine enough.
    """
    at = change.occurred_at
    return at is not None and not at.microsecond and now - at < SETTLED


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumers of polling, for bootstrap to bind."""
    polls = Polls(context)
    return (
        Consumer(POLL_ALL, transactional(polls.spread), batch=32, retry=RETRY),
        Consumer(
            POLL,
            polls.handle,
            batch=32,
            retry=RETRY,
            timeout=timedelta(seconds=120),
            budget=lambda job: BudgetUse(str(job.payload["integration_id"])),
        ),
    )
