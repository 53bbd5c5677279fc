"""A visit: read the ticket, merge, write what is ours to write, read back. The only place where sync calls a vendor.

Several visits waiting for one link are one visit. Everything that must survive a kill is stored before the call that follows it:
the begun creation, the pending field writes, the begun comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from callout.incidents import Incident, Note
from callout.jobs import BudgetUse, Consumer, Job, Lane, RetryLater, Settle, Work
from callout.kit.crash import crash_point
from callout.ports.errors import (
    CalloutError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    StaleRecordError,
)
from callout.ports.provider import (
    SupportsComments,
    SupportsFindByKey,
    SupportsHistory,
)
from callout.ports.ticketing import Comment, Ticket, TicketDraft
from callout.ports.values import Audience
from callout.sync import breaker, files, given, learning, links, shadow
from callout.sync.apply import Told, draft_bases, drafted, fold_traced, take, take_comments
from callout.sync.attach import finish_attaching
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.links import CommentPair, Link, LinkStatus
from callout.sync.mapping import ours_of, theirs_of, ticket_value
from callout.sync.merge import LinkState
from callout.sync.outcomes import SEARCH_AGAIN, creation_in_doubt, shown_at
from callout.sync.overwritten import accounted_for, nothing_written, trace
from callout.sync.provenance import cause_of
from callout.sync.reactions import VISIT
from callout.sync.sending import Sender
from callout.sync.shadow import ShadowKind
from callout.sync.trouble import Troubles, system_origin, with_comments
from callout.sync.visiting import Visit
from callout.sync.writing import Writer

if TYPE_CHECKING:
    from callout.incidents import IncidentEdit
    from callout.storage import AccountTx, Tx
    from callout.sync.merge import FieldRule

COMMENT_READERS = Audience.RESPONDERS
"""Who reads a ticket's comments at least; a connector refuses a draft where more would."""
STALE_TRIES = 4
PAUSE_STEP = 5
"""Seconds."""
_log = structlog.get_logger(__name__)


class _WritesPausedError(Exception):
    """Somebody paused the writes after the visit began."""

    def __init__(self, until: datetime) -> None:
        super().__init__("paused")
        self.until = until


class Visits:
    """Carries out visits."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._troubles = Troubles(context)
        self._writer = Writer(context)

    async def handle(self, work: Work) -> Settle | None:
        """Make one visit for a batch of jobs of one link. Raises RetryLater when the other side is in trouble."""
        account_id = work.job.account_id or ""
        link_id = str(work.job.payload["link_id"])
        begun = await work.read(lambda tx: self._begin(tx.account(account_id), link_id, work.lane))
        if begun is None:
            return None
        if isinstance(begun, datetime):
            return self._later(work, account_id, link_id, begun)
        link, incident, target = begun
        try:
            provider = await self._context.provider(account_id, link.integration_id)
            visit = Visit(
                work=work,
                account_id=account_id,
                link=link,
                incident=incident,
                target=target,
                mappings=target.mappings(),
                provider=provider,
                with_comments=with_comments(work.jobs),
            )
            return await self._by_status(visit)
        except _WritesPausedError as paused:
            return self._later(work, account_id, link_id, paused.until)
        except CalloutError as error:
            return self._troubles.settle(work, account_id, link, target, error)

    async def _by_status(self, visit: Visit) -> Settle:
        if visit.link.status is LinkStatus.ATTACHING:
            return await finish_attaching(self._context, visit.work, visit.link, visit.target, visit.provider)
        if visit.link.status is LinkStatus.CREATING:
            return await self._create(visit)
        return await self._step(visit)

    def _later(self, work: Work, account_id: str, link_id: str, moment: datetime) -> Settle:
        """Put the visit off until `moment`. Not by RetryLater: that would hold up what comes from the other side, too."""
        # In steps, so that the visits put off within one step come back as one.
        step = int(moment.timestamp() // PAUSE_STEP) + 1
        dedupe = f"later:{link_id}:{step}:{with_comments(work.jobs)}"
        due = datetime.fromtimestamp(step * PAUSE_STEP, UTC)

        async def settle(tx: Tx) -> None:
            await self._troubles.visit_at(tx.account(account_id), work, link_id, due, dedupe=dedupe)

        return settle

    async def _begin(
        self, tx: AccountTx, link_id: str, lane: Lane
    ) -> tuple[Link, Incident, Target] | datetime | None:
        """Return what a visit works with, until when it has to wait, or None when there is nothing to do."""
        try:
            link = await links.load(tx, link_id)
        except NotFoundError:
            return None
        target = await self._context.target(tx, link.integration_id)
        if target is None or link.status is LinkStatus.STOPPED:
            return None
        paused_until = await self._paused_until(tx, link)
        if paused_until is not None:
            return paused_until
        if link.retry_at is not None and self._context.clock.now() < link.retry_at:
            # A vendor's limit keeps a reserve for urgent work; whether it holds for that, too, the budget knows.
            limited = link.problem is not None and link.problem.code == RateLimitedError.code
            if lane is not Lane.URGENT or not limited:
                return link.retry_at
        return link, await self._context.incidents.get(tx, link.incident_id), target

    async def _paused_until(self, tx: AccountTx, link: Link) -> datetime | None:
        """Return when to look again at a link whose writes are paused; None when they are not."""
        pause = await self._context.paused(tx, link.integration_id, link.id)
        if pause is None:
            return None
        now = self._context.clock.now()
        left = timedelta(seconds=5) if pause.until is None else pause.until - now
        return now + min(max(left, timedelta(seconds=1)), timedelta(seconds=30))

    # ------------------------------------------------------------------ creation

    async def _create(self, visit: Visit) -> Settle:
        """Create the ticket, once: after an unknown outcome our mark is searched for, past the vendor's index lag, first."""
        ticket = await self._earlier(visit)
        found_later = ticket is not None
        if ticket is None:
            now = self._context.clock.now()
            held_back = await visit.work.transaction(
                lambda tx: self._mark_begun(tx.account(visit.account_id), visit, now)
            )
            if held_back:
                return self._not_created(visit)
            crash_point("sync.create_begun")
            ticket = await visit.provider.create_ticket(self._draft(visit))
            crash_point("sync.created")
        created = ticket

        async def settle(tx: Tx) -> None:
            await self._created(tx.account(visit.account_id), visit, created, found_later=found_later)

        return settle

    def _not_created(self, visit: Visit) -> Settle:
        draft = {"title": visit.incident.title, "project": visit.target.default_project}

        async def settle(tx: Tx) -> None:
            scoped, now = tx.account(visit.account_id), self._context.clock.now()
            await shadow.keep(scoped, visit.link, ShadowKind.CREATE, {"ticket": draft}, now)

        return settle

    async def _earlier(self, visit: Visit) -> Ticket | None:
        """Return the ticket that an earlier attempt made, or None when it surely made none."""
        begun = visit.link.create_begun_at
        if begun is None:
            return None
        if not isinstance(visit.provider, SupportsFindByKey):
            raise creation_in_doubt(visit.incident.key, visit.target.name)
        found = await visit.provider.find_by_key(visit.link.mark)
        if found:
            return min(found, key=lambda t: (t.created_at or self._context.clock.now(), t.id))
        left = shown_at(begun, visit.provider.effects["create_ticket"]) - self._context.clock.now()
        if left > timedelta():
            reason = "the outcome of the creation is unknown; waiting until the search index must show it"
            raise RetryLater(min(left, SEARCH_AGAIN), reason=reason, count=False)
        return None

    async def _shadowed(self, tx: AccountTx, visit: Visit) -> bool:
        """Return whether writes are held back now, whatever the settings were when the visit began."""
        target = await self._context.target(tx, visit.target.integration_id)
        return target is not None and target.shadow

    async def _mark_begun(self, tx: AccountTx, visit: Visit, now: datetime) -> bool:
        """Remember that the creation begins; return True instead where it is held back."""
        if await self._shadowed(tx, visit):
            return True
        link = await links.load(tx, visit.link.id, lock=True)
        asked = drafted(ours_of(visit.incident), visit.mappings, visit.target)
        await links.save(tx, replace(link, create_begun_at=now, merge=asked), now)
        return False

    def _draft(self, visit: Visit) -> TicketDraft:
        rules = visit.mappings.rules(visit.target.integration_id)
        ours = ours_of(visit.incident)
        sent = {name: rules[name].encode(ours[name]) for name in rules if rules[name].direction.outbound}
        assignee = sent.get("assignee")
        return TicketDraft(
            title=visit.incident.title,
            description=visit.incident.description,
            project=visit.target.default_project,
            issue_type=visit.target.default_issue_type,
            priority=ticket_value("severity", sent.get("severity")),
            assignee=ticket_value("assignee", assignee),
            key=visit.link.mark,
            back_link=f"{self._context.public_url}/incidents/{visit.incident.key}"
            if self._context.public_url
            else "",
        )

    async def _created(self, tx: AccountTx, visit: Visit, ticket: Ticket, *, found_later: bool) -> None:
        link = await links.load(tx, visit.link.id, lock=True)
        now = self._context.clock.now()
        # What was asked for then, not what the incident is now: edits since the first attempt are still to be pushed.
        today = drafted(ours_of(visit.incident), visit.mappings, visit.target)
        asked = LinkState(pending={**today.pending, **link.merge.pending})
        bases = draft_bases(asked, ticket, visit.mappings, visit.target, found_later=found_later)
        known = nothing_written(ticket, bases) if isinstance(visit.provider, SupportsHistory) else {}
        link = replace(
            link,
            # A link that a person stopped meanwhile stays so.
            status=LinkStatus.STOPPED if link.status is LinkStatus.STOPPED else LinkStatus.ACTIVE,
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            ticket_url=ticket.url,
            project=ticket.project,
            merge=LinkState(bases, accounted=known),
            seen_at=ticket.updated_at,
            ticket_version=ticket.version,
            create_begun_at=None,
            problem=None,
            failures=0,
            retry_at=None,
        )
        await links.save(tx, link, now)
        data = {"ticket": ticket.key, "url": ticket.url, "integration": visit.target.name}
        await self._context.incidents.add_entry(
            tx, link.incident_id, "ticket_created", data, system_origin(link)
        )
        # The incident may have moved on while the ticket was being made: look again, and carry its notes over.
        payload = {
            "link_id": link.id,
            "integration_id": link.integration_id,
            "reason": "created",
            "comments": False,
        }
        await self._context.queue.enqueue(tx, VISIT, payload, key=link.partition(), lane=visit.work.lane)

    # ------------------------------------------------------------------ both directions

    async def _step(self, visit: Visit) -> Settle:
        ticket = await self._read(visit, unfinished=bool(visit.link.merge.pending))
        found: list[Comment] = []
        if visit.with_comments and isinstance(visit.provider, SupportsComments):
            found = list(await visit.provider.list_comments(visit.link.ticket_id))
        refused: RejectedError | None = None
        for _ in range(STALE_TRIES):
            read = ticket
            to_theirs, notes = await visit.work.transaction(
                lambda tx, read=read: self._merge(tx.account(visit.account_id), visit, read, found)  # type: ignore[misc]
            )
            crash_point("sync.pending_recorded")
            try:
                written = await self._writer.write(visit, read, to_theirs)
            except RejectedError as error:
                refused = error  # the notes go on all the same
                break
            except StaleRecordError:
                # A person was quicker: merge with what they did. Of several writes the first may have been done.
                ticket = await self._read(visit, unfinished=True)
                continue
            if written is None:
                break
            ticket = written  # somebody edited around our write: merge with that, too
        else:
            raise StaleRecordError(
                f"{visit.link.ticket_key} changes faster than it can be written; trying again in a while"
            )
        sender = Sender(self._context.clock, visit.work, visit.account_id, visit.link, visit.provider)
        await sender.send(notes)

        if refused is not None:
            raise refused

        async def settle(tx: Tx) -> None:
            await self._finish(tx.account(visit.account_id), visit)

        return settle

    async def _read(self, visit: Visit, *, unfinished: bool) -> Ticket:
        """Read the ticket; with its history where the fate of a write is open: what that met there, nothing else tells."""
        if unfinished and isinstance(visit.provider, SupportsHistory):
            return await visit.provider.get_ticket_with_edits(visit.link.ticket_id)
        return await visit.provider.get_ticket(visit.link.ticket_id)

    async def _merge(
        self, tx: AccountTx, visit: Visit, ticket: Ticket, found: list[Comment]
    ) -> tuple[Mapping[str, Any], list[Note]]:
        """Return what to send, and the notes to send; nothing where something answers every write, which stops the link.

        Raises _WritesPausedError, which leaves everything as it was.
        """
        link = await links.load(tx, visit.link.id, lock=True)
        if link.status is LinkStatus.STOPPED:
            return {}, []  # a person stopped it after the visit began
        now = self._context.clock.now()
        edit = await self._context.incidents.edit(tx, link.incident_id)
        rules = visit.mappings.rules(visit.target.integration_id)
        cause, actor = cause_of(visit.work.jobs)
        told = Told(ticket, read=True, actor=actor, cause=cause)
        link = self._arrived(edit, link, told, rules, visit.target, now)
        before = link.merge
        link, result = take(edit, link, told, rules, visit.target, now=now)
        if link.given and given.is_over(edit.incident.status, theirs_of(ticket)["status"], rules["status"]):
            link = replace(link, given={})
        shadowed = await self._shadowed(tx, visit)
        if shadowed:
            link = replace(link, merge=shadow.unsent_state(link.merge, result.to_theirs, rules))
        if found and visit.mappings.comments.inbound:
            await take_comments(tx, edit, link, [(c, c.author) for c in found], target=visit.target, now=now)
        await edit.save()
        await links.save(tx, link, now)
        # Files go their own way: no field waits for one.
        await files.look(
            self._context, tx, link, ticket, visit.provider, target=visit.target, jobs=visit.work.jobs
        )
        if shadowed:
            notes = {note.id: note.text for note in (await self._unsent(tx, visit, link, now))[0]}
            await shadow.keep(tx, link, ShadowKind.PATCH, result.to_theirs, now)
            await shadow.keep(tx, link, ShadowKind.COMMENT, notes, now)
            return {}, []
        unsent, fresh = await self._unsent(tx, visit, link, now)
        if result.to_theirs or unsent:
            # Asked after the incident was read: what somebody changes after they paused is never sent by a visit of before.
            paused_until = await self._paused_until(tx, link)
            if paused_until is not None:
                raise _WritesPausedError(paused_until)
            step = breaker.Step(before, theirs_of(ticket), result.to_theirs, fresh, visit.work.jobs)
            if await breaker.trips(self._context, tx, link, visit.target, step):
                return {}, []  # what came from them was taken
        return result.to_theirs, unsent

    @staticmethod
    def _arrived(  # noqa: PLR0917  # the parts of one merge
        edit: IncidentEdit,
        link: Link,
        told: Told,
        rules: Mapping[str, FieldRule],
        target: Target,
        now: datetime,
    ) -> Link:
        """Fold writes whose answer was lost and of which the history says that they were done."""
        if told.ticket.edits is None or not link.merge.pending:
            return link
        names = link.merge.pending.keys() & rules.keys()
        found = trace(told.ticket, link.merge, names, rules, done=False)
        if found.arrived or found.replaced:
            link = fold_traced(edit, link, told, found, found.arrived, rules, target, now=now)
        return replace(link, merge=accounted_for(link.merge, told.ticket, names))

    async def _finish(self, tx: AccountTx, visit: Visit) -> None:
        link = await links.load(tx, visit.link.id, lock=True)
        await learning.after_visit(self._context, tx, link, visit.target)
        if link.status is not LinkStatus.STOPPED and (link.problem is not None or link.failures):
            if link.problem is not None:
                data = {
                    "code": link.problem.code,
                    "ticket": link.ticket_key,
                    "integration": visit.target.name,
                }
                await self._context.incidents.add_entry(
                    tx, link.incident_id, "sync_recovered", data, system_origin(link)
                )
            await links.save(
                tx, replace(link, problem=None, failures=0, retry_at=None), self._context.clock.now()
            )

    # ------------------------------------------------------------------ comments

    async def _unsent(
        self, tx: AccountTx, visit: Visit, link: Link, now: datetime
    ) -> tuple[list[Note], list[Note]]:
        """Return the notes that have to become comments, each remembered before anything is sent, and those of them that are new here."""
        if not visit.mappings.comments.outbound or not isinstance(visit.provider, SupportsComments):
            return [], []
        pairs = {pair.note_id: pair for pair in await links.comments(tx, link.id)}
        unsent: list[Note] = []
        fresh: list[Note] = []
        for note in await self._context.incidents.notes(tx, link.incident_id):
            pair = pairs.get(note.id)
            if pair is not None and pair.comment_id is not None:
                continue
            if (
                not note.audience.may_reach(COMMENT_READERS)
                or note.origin.integration_id == link.integration_id
            ):
                continue
            if pair is None:
                await links.pair_comment(tx, link.id, CommentPair(note.id, None, f"note-{note.id}"), now)
                fresh.append(note)
            unsent.append(note)
        return unsent, fresh


def _budget(job: Job) -> BudgetUse | None:
    integration_id = job.payload.get("integration_id")
    return None if integration_id is None else BudgetUse(str(integration_id))


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumer of visits, for bootstrap to bind."""
    return (
        Consumer(
            VISIT,
            Visits(context).handle,
            batch=32,
            retry=RETRY,
            timeout=timedelta(seconds=120),
            budget=_budget,
        ),
    )
