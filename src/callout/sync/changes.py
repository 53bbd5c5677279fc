"""Inbound: a stored webhook becomes changes, changes are merged into incidents. Database only, no vendor is called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import TypeAdapter

from callout.incidents import IncidentEdit
from callout.jobs import Consumer, Job, Lane, NewJob, Settle, Work, transactional
from callout.ports.errors import NotFoundError
from callout.ports.inbound import Ignored, Trust
from callout.ports.ticketing import Change, ChangeKind, Comment
from callout.ports.values import Person
from callout.sync import accept, files, links
from callout.sync.apply import must_read, origin_of, take, take_comments, told_by
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.links import Link, LinkStatus
from callout.sync.provenance import asked
from callout.sync.reactions import CHANGES, VISIT, lane_of
from callout.sync.rules import accepts
from callout.webhooks import InboundEvent, load_events, mark_events

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

INBOUND = "sync.inbound"
BATCH = 64
INBOUND_BATCH = 16
"""Each job carries all webhooks of one group commit, up to 256. The more are parsed before the links are drained, the more changes of
one link are merged in one transaction: what a drained batch costs hardly depends on its size."""
PARSE_AT_ONCE = 32
"""So many are parsed before the event loop may do something else."""
HEARD_EVERY = timedelta(seconds=5)
_log = structlog.get_logger(__name__)
_codec: TypeAdapter[Change] = TypeAdapter(Change)


def change_json(change: Change) -> dict[str, Any]:
    """Return the JSON form of a change, for a job's payload."""
    data: dict[str, Any] = _codec.dump_python(change, mode="json", exclude_defaults=True)
    return data


def change_of(data: Mapping[str, Any]) -> Change:
    """Read what :func:`change_json` wrote."""
    return _codec.validate_python(data)


@dataclass(frozen=True, slots=True)
class _Parsed:
    event: InboundEvent
    changes: Sequence[Change]
    outcome: str
    detail: str = ""


class Inbound:
    """Parses stored webhooks of ticketing integrations and hands each change to the link it concerns."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._heard_at: dict[str, datetime] = {}

    async def handle(self, work: Work) -> Settle:
        """Parse a batch of one integration's webhooks; the hand-over is stored with their completion."""
        job = work.job
        account_id = _account(job)
        integration_id = str(job.payload["integration_id"])
        ids = [event_id for waiting in work.jobs for event_id in waiting.payload["event_ids"]]
        events = await work.read(lambda tx: load_events(tx.account(account_id), ids))
        try:
            dialect = await self._context.inbound(account_id, integration_id)
        except NotFoundError:
            parsed = [_Parsed(event, (), "orphan", "the integration was removed") for event in events]
        else:
            parsed = []
            for number, event in enumerate(events, 1):
                parsed.append(_parse(dialect, event))
                if number % PARSE_AT_ONCE == 0:
                    await asyncio.sleep(0)

        async def settle(tx: Tx) -> None:
            await self._hand_over(tx.account(account_id), integration_id, parsed)

        return settle

    async def _hand_over(self, tx: AccountTx, integration_id: str, parsed: Sequence[_Parsed]) -> None:
        ids = {change.ticket_id for item in parsed for change in item.changes if change.ticket_id}
        linked = await links.of_tickets(tx, integration_id, sorted(ids)) if ids else {}
        marks = {
            mark
            for item in parsed
            for change in item.changes
            if change.ticket_id not in linked and change.ticket is not None
            for mark in change.ticket.marks
        }
        marked = await links.of_marks(tx, integration_id, sorted(marks)) if marks else {}
        jobs: list[NewJob] = []
        strangers: list[tuple[Change, InboundEvent]] = []
        for item in parsed:
            for change in item.changes:
                link_id = linked.get(change.ticket_id) or _by_mark(change, marked)
                if link_id is not None:
                    jobs.append(_job(link_id, change, item.event))
                else:
                    strangers.append((change, item.event))
        jobs += await self._accepted(tx, integration_id, strangers)
        await self._context.queue.enqueue_many(tx, jobs)
        await self._heard(tx, integration_id)
        await mark_events(tx, [(item.event.id, item.outcome, item.detail) for item in parsed])

    async def _accepted(
        self, tx: AccountTx, integration_id: str, strangers: Sequence[tuple[Change, InboundEvent]]
    ) -> list[NewJob]:
        """Return the jobs that look at tickets nobody has linked and a rule may want, one for each."""
        target = await self._context.target(tx, integration_id) if strangers else None
        if target is None or not accepts(target.settings):
            return []
        mappings = target.mappings()
        return list(
            {
                change.ticket_id: accept.job(integration_id, change.ticket_id, cause=f"webhook:{event.id}")
                for change, event in strangers
                if accept.may_be_accepted(change, target, mappings, trusted=event.trust is Trust.SIGNED)
            }.values()
        )

    async def _heard(self, tx: AccountTx, integration_id: str) -> None:
        """Note that webhooks come, every few seconds: it tells silence from quiet."""
        now = self._context.clock.now()
        before = self._heard_at.get(integration_id)
        if before is None or now - before >= HEARD_EVERY:
            await self._context.standing.heard(tx, integration_id)
            self._heard_at[integration_id] = now


def _account(job: Job) -> str:
    if job.account_id is None:
        msg = f"job {job.id} of kind {job.kind} names no account"
        raise ValueError(msg)
    return job.account_id


def _parse(dialect: Any, event: InboundEvent) -> _Parsed:  # noqa: ANN401  # the dialect is one of several connectors'
    try:
        found = dialect.parse(event.request())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # Whatever a parser stumbles over: one odd webhook must not take the others of its job along.
        _log.warning("webhook_unreadable", event_id=event.id, error=str(error)[:500])
        return _Parsed(event, (), "unreadable", str(error)[:500])
    if isinstance(found, Ignored):
        return _Parsed(event, (), "ignored", f"{found.event}: {found.reason}"[:500])
    if any("\x00" in word for change in found for word in (change.ticket_id, *_marks(change))):
        return _Parsed(event, (), "unreadable", "a ticket's id or label holds a NUL character")
    return _Parsed(event, found, "parsed")


def _marks(change: Change) -> tuple[str, ...]:
    return () if change.ticket is None else change.ticket.marks


def _by_mark(change: Change, marked: Mapping[str, str]) -> str | None:
    return next((marked[mark] for mark in _marks(change) if mark in marked), None)


def _job(link_id: str, change: Change, event: InboundEvent) -> NewJob:
    payload = {
        "link_id": link_id,
        "change": change_json(change),
        "trusted": event.trust is Trust.SIGNED,
        "cause": f"webhook:{event.id}",
    }
    return NewJob(CHANGES, payload, key=links.partition(link_id), lane=Lane.NORMAL)


class Changes:
    """Merges told changes into their incident, many in one transaction; what needs a look at the ticket becomes a visit."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def merge(self, tx: Tx, jobs: Sequence[Job]) -> None:
        """Merge a batch of one link's changes. Runs inside the transaction that completes the jobs."""
        scoped = tx.account(_account(jobs[0]))
        try:
            link = await links.load(scoped, str(jobs[0].payload["link_id"]), lock=True)
        except NotFoundError:
            return  # the link was removed: nothing waits for its changes any more
        target = await self._context.target(scoped, link.integration_id)
        if target is None or link.status is LinkStatus.STOPPED:
            return
        changes = [
            (change_of(job.payload["change"]), bool(job.payload["trusted"]), job.payload.get("cause", ""))
            for job in jobs
        ]
        edit = await self._context.incidents.edit(scoped, link.incident_id)
        look, about_comments = False, False
        fresh_comments: list[tuple[Comment, Person | None]] = []
        mappings = target.mappings()
        rules = mappings.rules(target.integration_id)
        asked_by: list[tuple[str, Person | None]] = []
        now = self._context.clock.now()
        for change, trusted, cause in changes:
            if change.kind is ChangeKind.COMMENTED and change.comment is not None and trusted:
                fresh_comments.append((change.comment, change.actor))
            about_comments |= change.kind is ChangeKind.COMMENTED and (change.comment is None or not trusted)
            told = told_by(change, cause)
            if (
                link.status is LinkStatus.CREATING
                or not trusted
                or told is None
                or must_read(link, told, rules)
            ):
                asked_by.append((cause, change.actor if trusted else None))
                look |= (
                    link.status is LinkStatus.CREATING
                    or change.kind is not ChangeKind.COMMENTED
                    or not trusted
                )
                continue
            link, result = take(edit, link, told, rules, target, now=now)
            look |= bool(result.to_theirs) or change.kind is ChangeKind.ATTACHED
            look = look or await files.told_of_files(scoped, link, told.ticket, target)
            self._edited_comment(edit, change, link, target)
        if any(not comment.mark for comment, _ in fresh_comments) and await links.unsettled(scoped, link.id):
            # One of them may be ours, whose answer was lost: webhooks do not carry our mark, a read does.
            fresh_comments, about_comments = [], True
        if fresh_comments and mappings.comments.inbound:
            await take_comments(scoped, edit, link, fresh_comments, target=target, now=now)
        incident = await edit.save()
        await links.save(scoped, link, now)
        if look or about_comments:
            payload = {
                "link_id": link.id,
                "integration_id": link.integration_id,
                "reason": "changed there",
                "comments": about_comments,
                **asked(asked_by),
            }
            await self._context.queue.enqueue(
                scoped, VISIT, payload, key=link.partition(), lane=lane_of(incident.severity)
            )

    @staticmethod
    def _edited_comment(edit: IncidentEdit, change: Change, link: Link, target: Target) -> None:
        """A comment edited or deleted there is told on the timeline; notes of ours are never rewritten."""
        if change.kind is ChangeKind.COMMENT_UPDATED and change.comment is not None:
            data = {
                "comment_id": change.comment.id,
                "text": change.comment.content,
                "ticket": link.ticket_key,
            }
            origin = origin_of(target, link, change.actor)
            edit.entry("comment_edited", data, origin=origin, audience=change.comment.audience)
        elif change.kind is ChangeKind.COMMENT_DELETED:
            data = {
                "comment_id": "" if change.comment is None else change.comment.id,
                "ticket": link.ticket_key,
            }
            edit.entry("comment_deleted", data, origin=origin_of(target, link, change.actor))


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumers of inbound work, for bootstrap to bind."""
    return (
        Consumer(INBOUND, Inbound(context).handle, batch=INBOUND_BATCH, retry=RETRY),
        Consumer(CHANGES, transactional(Changes(context).merge), batch=BATCH, retry=RETRY),
    )
