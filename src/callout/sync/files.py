"""Files on both sides of a link: theirs come here with their bytes, ours go there, each once.

A partition of its own carries the files of a link one after the other, beside the visits: a large file never holds up a field. What
survives a kill is stored before the call that follows it: the facts of a file of theirs before its bytes are fetched, the begun upload
before it is sent. Nothing is taken away: a file that is deleted there stays here, and the timeline says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.incidents import Attachment, AttachmentState, IncidentEdit, NewFile
from callout.incidents.attachments import size_words
from callout.jobs import BudgetUse, Consumer, Job, Lane, NewJob, RetryLater, Work
from callout.kit.crash import crash_point
from callout.ports.errors import (
    CalloutError,
    ConnectorError,
    NotFoundError,
    RateLimitedError,
    RecordNotFoundError,
)
from callout.ports.provider import Findable, SupportsAttachments, TicketingProvider
from callout.ports.values import Audience
from callout.sync import file_pairs, links
from callout.sync.apply import origin_of
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.file_pairs import FilePair, FileState
from callout.sync.file_sending import FileSender, Run, WritesPausedError
from callout.sync.links import Link, LinkStatus
from callout.sync.loops import MAX_HOPS
from callout.sync.mapping import person_prefix
from callout.sync.outcomes import CALL_LIMIT

if TYPE_CHECKING:
    from datetime import datetime

    from callout.incidents import Incidents
    from callout.ports.events import EventEnvelope
    from callout.ports.ticketing import AttachmentInfo, Ticket
    from callout.storage import AccountTx

FILES: Final = "sync.files"
WAIT_FIRST: Final = timedelta(seconds=2)
WAIT_MOST: Final = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


def job_for(link: Link, *, reason: str, again: bool = False, lane: Lane = Lane.NORMAL) -> NewJob:
    """Return the job that looks after the files of a link; `again` tries what the vendor refused once more."""
    return job_of(link.id, link.integration_id, reason=reason, again=again, lane=lane)


def job_of(
    link_id: str, integration_id: str, *, reason: str, again: bool = False, lane: Lane = Lane.NORMAL
) -> NewJob:
    """Return the same by the ids of link and integration."""
    payload = {"link_id": link_id, "integration_id": integration_id, "reason": reason, "again": again}
    return NewJob(FILES, payload, key=f"files:{link_id}", lane=lane)


async def look(
    context: SyncContext,
    tx: AccountTx,
    link: Link,
    ticket: Ticket,
    provider: TicketingProvider,
    *,
    target: Target,
    jobs: Sequence[Job] = (),
) -> None:
    """Ask for a look after the files of a link whose `ticket` was just read, where there is anything to do."""
    if link.status is not LinkStatus.ACTIVE or not isinstance(provider, SupportsAttachments):
        return
    again = any(job.payload.get("reason") in {"retry", "resume"} for job in jobs)
    if again or await _due(context, tx, link, ticket, target):
        await context.queue.enqueue_many(tx, [job_for(link, reason="seen on a visit", again=again)])


async def _due(context: SyncContext, tx: AccountTx, link: Link, ticket: Ticket, target: Target) -> bool:
    way = target.mappings().files
    pairs = await file_pairs.of_link(tx, link.id)
    there = {info.id for info in ticket.attachments}
    known = {pair.remote_id for pair in pairs.values() if pair.remote_id is not None}
    if way.inbound and there - known:
        return True
    if any(pair.state is FileState.PAIRED and pair.remote_id not in there for pair in pairs.values()):
        return True
    if not way.outbound:
        return False
    ours = await context.incidents.attachments(tx, link.incident_id)
    return any(one.id not in pairs and to_send(one, link) for one in ours)


async def told_of_files(tx: AccountTx, link: Link, ticket: Ticket, target: Target) -> bool:
    """Return whether what was told of a ticket names a file that nobody here has heard of."""
    if not ticket.attachments or not target.mappings().files.inbound:
        return False
    known = {pair.remote_id for pair in (await file_pairs.of_link(tx, link.id)).values()}
    return any(info.id not in known for info in ticket.attachments)


def to_send(one: Attachment, link: Link) -> bool:
    """Return whether a file is one that the link's ticket should have: here with its bytes, and not from there."""
    return one.state is AttachmentState.STORED and one.origin.integration_id != link.integration_id


async def on_attached(context: SyncContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Have a file that is here now sent to every ticket but the one it came from."""
    if event.origin.hops > MAX_HOPS:
        return
    affected = [
        job_for(link, reason="attached")
        for link in await links.of_incident(tx, event.subject)
        if link.id != event.origin.link_id and link.status is LinkStatus.ACTIVE
    ]
    await context.queue.enqueue_many(tx, affected)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be done after the ticket's files were compared with ours."""

    fetch: tuple[tuple[Attachment, str], ...]
    """Ours whose bytes are still there, with the id there."""
    send: tuple[Attachment, ...]


class Files:
    """Carries the files of links both ways."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def handle(self, work: Work) -> None:
        """Look after the files of one link; several jobs that wait are one look. Raises RetryLater while it cannot be finished."""
        account_id, link_id = work.job.account_id or "", str(work.job.payload["link_id"])
        begun = await work.read(lambda tx: self._begin(tx.account(account_id), link_id))
        if begun is None:
            return
        link, target, until = begun
        if link.status is LinkStatus.GONE:
            await work.transaction(lambda tx: self._lost(tx.account(account_id), link, target))
            return
        now = self._context.clock.now()
        if until is not None and until > now:
            raise RetryLater(
                until - now, reason="writes are paused, or the other side is left alone", count=False
            )
        try:
            provider = await self._context.provider(account_id, link.integration_id)
            if not isinstance(provider, SupportsAttachments):
                return
            await self._look_after(Run(self._context, work, account_id, link, target, provider))
        except NotFoundError:
            return  # the integration was removed
        except RecordNotFoundError:
            # A visit finds that the ticket is gone, and says so; what was to be fetched from it is lost.
            await work.transaction(lambda tx: self._lost(tx.account(account_id), link, target))
        except WritesPausedError as paused:
            raise RetryLater(paused.wait, reason="writes are paused", count=False) from paused
        except CalloutError as error:
            await self._trouble(work, target, error)

    async def _begin(self, tx: AccountTx, link_id: str) -> tuple[Link, Target, datetime | None] | None:
        """Return the link, its integration and until when to wait; None when there is nothing to do."""
        try:
            link = await links.load(tx, link_id)
        except NotFoundError:
            return None
        target = await self._context.target(tx, link.integration_id)
        if target is not None and link.status is LinkStatus.GONE:
            return link, target, None
        if target is None or link.status is not LinkStatus.ACTIVE:
            # A link that is not at work yet gets a visit when it is, and the visit looks for files.
            return None
        pause = await self._context.paused(tx, link.integration_id, link.id)
        if pause is None:
            return link, target, link.retry_at
        now = self._context.clock.now()
        return link, target, min(pause.until or now + WAIT_MOST, now + timedelta(seconds=30))

    async def _lost(self, tx: AccountTx, link: Link, target: Target) -> None:
        """Say of the files that were on their way here that they do not come: their ticket is gone."""
        pairs = await file_pairs.of_link(tx, link.id)
        for one in await self._context.incidents.attachments(tx, link.incident_id):
            if one.id in pairs and one.state is AttachmentState.FETCHING:
                why = f"it was not fetched before {link.ticket_key} was taken away from {target.name}"
                await self._context.incidents.file_stays(tx, one, why)

    async def _trouble(self, work: Work, target: Target, error: CalloutError) -> None:
        """Put the rest off, longer with its age; what time cannot heal waits for the next reason to look. Raises RetryLater."""
        _log.warning("file_trouble", integration=target.name, code=error.code, error=error.message)
        if error.permanent:
            return
        told = error.retry_after if isinstance(error, ConnectorError) else None
        if isinstance(error, RateLimitedError) and told is not None:
            await work.transaction(lambda tx: self._context.slow_down(tx, target.integration_id, told))
        age = self._context.clock.now() - work.job.enqueued_at
        wait = told or min(max(WAIT_FIRST, age / 2), WAIT_MOST)
        raise RetryLater(wait, reason=f"{error.code}: {error.message}", count=False) from error

    async def _look_after(self, run: Run) -> None:
        sender = FileSender(run)
        there = await run.provider.list_attachments(run.link.ticket_id)
        # First what we may have sent ourselves: it must not be taken for somebody else's.
        await sender.settle()
        found = await run.commit(lambda tx: self._compare(tx, run, there))
        for attachment, remote_id in found.fetch:
            await self._fetch(run, attachment, remote_id)
        await sender.send(found.send)

    # ------------------------------------------------------------------ theirs

    async def _compare(self, tx: AccountTx, run: Run, there: Sequence[AttachmentInfo]) -> _Found:
        """Take what is new there, note what is gone; return what is left to fetch and to send."""
        link = await links.load(tx, run.link.id, lock=True)
        if link.status is not LinkStatus.ACTIVE:
            return _Found((), ())  # a person stopped it meanwhile
        now = self._context.clock.now()
        way = run.target.mappings().files
        edit = await self._context.incidents.edit(tx, link.incident_id)
        here = {one.id: one for one in await self._context.incidents.attachments(tx, link.incident_id)}
        pairs = await file_pairs.of_link(tx, link.id)
        known = {pair.remote_id: pair for pair in pairs.values() if pair.remote_id is not None}
        fetch = [
            (here[pair.attachment_id], remote_id)
            for remote_id, pair in known.items()
            if pair.attachment_id in here and here[pair.attachment_id].state is AttachmentState.FETCHING
        ]
        if way.inbound:
            for info in there:
                if info.id not in known:
                    added = self._take(edit, run, info)
                    await file_pairs.put(tx, link.id, FilePair(added.id, info.id, FileState.PAIRED), now)
                    if added.state is AttachmentState.FETCHING:
                        fetch.append((added, info.id))
        both = [(pair, here[pair.attachment_id]) for pair in known.values() if pair.attachment_id in here]
        await self._gone(tx, edit, run, there={info.id for info in there}, both=both)
        await edit.save()
        unsent = [one for one in here.values() if to_send(one, link)] if way.outbound else []
        again = any(job.payload.get("again") for job in run.work.jobs)
        return _Found(tuple(fetch), tuple(one for one in unsent if _unsent(pairs.get(one.id), again=again)))

    def _take(self, edit: IncidentEdit, run: Run, info: AttachmentInfo) -> Attachment:
        limit = self._context.incidents.attachment_limit
        where = f"{run.link.ticket_key} in {run.target.name}"
        why = ""
        if info.size is not None and info.size > limit:
            why = f"it has {size_words(info.size)}, and at most {size_words(limit)} are kept here: it stays at {where}"
        elif info.size == 0:
            why = f"it is empty: it stays at {where}"
        author = info.creator
        if author is not None:
            author = replace(author, id=person_prefix(run.target.integration_id) + author.id)
        return edit.attach(
            NewFile(info.file_name, info.media_type, size=info.size, why=why),
            info.audience,
            origin=origin_of(run.target, run.link, info.creator),
            author=author,
            at=info.created_at,
        )

    async def _gone(
        self,
        tx: AccountTx,
        edit: IncidentEdit,
        run: Run,
        *,
        there: set[str],
        both: Iterable[tuple[FilePair, Attachment]],
    ) -> None:
        """Tell of files that were taken away there; ours stay. What was paired just now may not be listed yet."""
        now = self._context.clock.now()
        effect = run.provider.effects.get("create_attachment")
        lag = CALL_LIMIT + (effect.lag if isinstance(effect, Findable) else timedelta())
        for pair, one in both:
            if pair.state is FileState.GONE and pair.remote_id in there:
                await file_pairs.put(tx, run.link.id, replace(pair, state=FileState.PAIRED), now)
            elif pair.state is FileState.PAIRED and pair.remote_id not in there:
                if pair.updated_at is not None and now - pair.updated_at < lag:
                    continue
                await file_pairs.put(tx, run.link.id, replace(pair, state=FileState.GONE), now)
                data = {"attachment_id": one.id, "name": one.name, **run.where()}
                origin = origin_of(run.target, run.link, None)
                edit.entry("file_removed_there", data, origin=origin, audience=one.audience)

    async def _fetch(self, run: Run, attachment: Attachment, remote_id: str) -> None:
        """Bring the bytes of a file here, or say why they stay there."""
        where = f"{run.link.ticket_key} in {run.target.name}"
        limit = self._context.incidents.attachment_limit
        content = bytearray()
        why = ""
        try:
            async for chunk in run.provider.download_attachment(run.link.ticket_id, remote_id):
                content += chunk
                if len(content) > limit:
                    why = f"it has more than {size_words(limit)}, which is all that is kept here: it stays at {where}"
                    break
        except RecordNotFoundError:
            why = f"it was taken away from {where} before it was fetched"
        except ConnectorError as error:
            if not error.permanent:
                raise
            why = f"it cannot be fetched from {where}: {error.message}"
        if not why and not content:
            why = f"it is empty: it stays at {where}"
        crash_point("sync.file_fetched")
        incidents = self._context.incidents
        if why:
            await run.commit(lambda tx: incidents.file_stays(tx, attachment, why))
        else:
            await run.commit(lambda tx: incidents.file_arrived(tx, attachment, bytes(content)))


def _unsent(pair: FilePair | None, *, again: bool) -> bool:
    """Return whether a file of ours is still to be sent; what was withheld is judged anew."""
    if pair is None:
        return True
    tried_again = again and pair.state in {FileState.REFUSED, FileState.IN_DOUBT}
    return pair.state in {FileState.WAITING, FileState.WITHHELD} or tried_again


async def shown(
    incidents: Incidents, tx: AccountTx, incident_id: str, link_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return, by link, how each of the incident's files stands to its ticket; an internal file's name is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    pairs = await file_pairs.of_links(tx, link_ids) if link_ids else []
    if not pairs:
        return found
    here = {one.id: one for one in await incidents.attachments(tx, incident_id)}
    for link_id, pair in pairs:
        one = here.get(pair.attachment_id)
        if one is None:
            continue
        facts = {"attachment_id": one.id, "name": "" if one.audience is Audience.INTERNAL else one.name}
        found.setdefault(link_id, []).append({**facts, "state": pair.state.value, "why": pair.why})
    return found


HANDLERS = {"incident.attached": on_attached}
"""Event kind → `async (context, tx, event)`; bound beside those of `reactions`."""


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumer of files, for bootstrap to bind."""
    return (
        Consumer(
            FILES,
            Files(context).handle,
            batch=32,
            retry=RETRY,
            timeout=timedelta(minutes=10),
            budget=lambda job: BudgetUse(str(job.payload["integration_id"])),
        ),
    )


__all__ = [
    "FILES",
    "HANDLERS",
    "Files",
    "consumers",
    "job_for",
    "look",
    "on_attached",
    "shown",
    "told_of_files",
]
