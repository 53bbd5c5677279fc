"""Tickets of the past made incidents, a page in one commit: what an accept rule does for one, without anybody being told.

Values go from the ticket into rows by the shortest way, since this is done ten thousand times over: no link and no edit is made of a
ticket that has neither comments nor a state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from callout.jobs import Lane, NewJob
from callout.kit import collector
from callout.kit.ids import new_ids
from callout.ports.values import Origin, Status
from callout.sync import files, links
from callout.sync.apply import first_comments, origin_over
from callout.sync.making import PAST, ReadTicket, decide_everywhere, fit, is_ours
from callout.sync.mapping import ours_of, theirs_of

if TYPE_CHECKING:
    from callout.incidents.importing import Importing
    from callout.ports.values import Person
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target
    from callout.sync.links import AgreedLink, CommentPair
    from callout.sync.merge import FieldRule


async def import_tickets(
    context: SyncContext,
    tx: AccountTx,
    target: Target,
    reads: Sequence[ReadTicket],
    *,
    cause: str,
) -> set[str]:
    """Make incident, link and notes of each ticket, unless somebody did, or Callout made the ticket; return those it was done for.

    Args:
        cause: what had them imported.
    """
    by_id = {read.ticket.id: read for read in reads if not is_ours(read.ticket)}
    fresh: set[str] = set()
    if by_id:
        fresh = await decide_everywhere(context, tx, target, list(by_id), why=PAST)
    wanted = [read for ticket_id, read in by_id.items() if ticket_id in fresh]
    if wanted:
        batch = await context.incidents.importing(tx, len(wanted))
        page = _Page(context, target, batch)
        with collector.paused():
            for read, link_id in zip(wanted, new_ids(len(wanted)), strict=True):
                page.add(read, link_id)
        await page.save(tx, origin_over(target, "", None, cause))
    return fresh


class _Page:
    """The tickets of one page on their way."""

    def __init__(self, context: SyncContext, target: Target, batch: Importing) -> None:
        self._context = context
        self._target = target
        self._batch = batch
        self._mappings = target.mappings()
        self._rules: Mapping[str, FieldRule] = self._mappings.rules(target.integration_id)
        self._links: list[AgreedLink] = []
        self._pairs: list[tuple[str, CommentPair]] = []
        self._jobs: list[NewJob] = []
        self._origins: dict[tuple[Person | None, str], Origin] = {}

    def add(self, read: ReadTicket, link_id: str) -> None:
        ticket, target = read.ticket, self._target
        theirs = theirs_of(ticket)
        values, status, refused = fit(read, theirs, self._rules)
        origin = self._origin(ticket.creator, read.cause, link_id)
        told = {"ticket": ticket.key, "url": ticket.url, "integration": target.name, "accepted": True}
        incident = self._batch.add(values, origin=origin, began_at=ticket.created_at, told=told)
        if status not in {None, Status.OPEN} or refused or read.comments:
            edit = self._batch.edit(incident)
            if status not in {None, Status.OPEN}:
                edit.change({}, status=status, origin=origin)
            for name, why in refused.items():
                data = {"field": name, "why": why, "integration": target.name}
                edit.entry("sync_refused", data, origin=origin)
            if self._mappings.comments.inbound:
                found = first_comments(edit, link_id, read.comments, target)
                self._pairs += [(link_id, pair) for pair in found]
            incident = edit.incident
        ours = ours_of(incident)
        bases = {name: [ours[name], theirs[name]] for name in self._rules}
        self._links.append((link_id, incident, ticket, bases))
        if ticket.attachments and self._mappings.files.inbound:
            self._jobs.append(
                files.job_of(link_id, target.integration_id, reason="accepted", lane=Lane.BACKFILL)
            )

    def _origin(self, creator: Person | None, cause: str, link_id: str) -> Origin:
        """Return who declared it over there; a page has few of them."""
        like = self._origins.get((creator, cause))
        if like is None:
            self._origins[creator, cause] = like = origin_over(self._target, "", creator, cause)
        return Origin(like.channel, like.actor, like.integration_id, link_id, like.causation, like.hops)

    async def save(self, tx: AccountTx, origin: Origin) -> None:
        now = self._context.clock.now()
        await self._batch.save(origin)
        await links.insert_agreed(tx, self._target.integration_id, self._links, now)
        await links.pair_comments(tx, self._pairs, now)
        await self._context.queue.enqueue_many(tx, self._jobs)
