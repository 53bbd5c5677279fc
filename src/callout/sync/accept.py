"""Tickets of theirs that become incidents by rule, each once.

A webhook or a poll that tells of a ticket nobody has linked makes a job in the ticket's own partition. The job reads the ticket (what
was told may be part of it, or old), asks the rules, and makes in one commit: the incident, its link with both bases as read, and the
ticket's comments as notes. What is told of the ticket meanwhile waits in the same partition and becomes a visit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.incidents import DeclareIncident, Incident
from callout.incidents.model import DEFAULT_SEVERITY, FIELDS, TAG_LIMIT, WORD_LIMIT
from callout.jobs import BudgetUse, Consumer, Lane, NewJob, RetryLater, Settle, Work
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.errors import (
    CalloutError,
    ConnectorError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RecordNotFoundError,
)
from callout.ports.provider import SupportsComments
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket
from callout.ports.values import Status
from callout.storage.upsert import insert_or_ignore
from callout.sync import links
from callout.sync.apply import origin_of, take_comments
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.links import Link, LinkStatus, mark_of
from callout.sync.mapping import FieldMappings, incident_values, ours_of, theirs_of
from callout.sync.merge import NO_MEANING, Base, LinkState
from callout.sync.provenance import cause_of
from callout.sync.reactions import VISIT
from callout.sync.rules import Rule, accepting_rule, accepts
from callout.sync.tables import sync_decided

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

ACCEPT: Final = "sync.accept"
OUR_MARK: Final = "callout-"
"""So begins our key on every ticket that Callout made, this installation or another."""
WAIT_FIRST: Final = timedelta(seconds=2)
WAIT_MOST: Final = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


def partition(integration_id: str, ticket_id: str) -> str:
    """Return the partition of a ticket that nobody has linked."""
    return f"accept:{integration_id}:{ticket_id}"


def is_ours(ticket: Ticket) -> bool:
    """Return whether Callout made the ticket: then it has its incident, here or in another installation."""
    return any(mark.startswith(OUR_MARK) for mark in ticket.marks)


def may_be_accepted(change: Change, target: Target, mappings: FieldMappings, *, trusted: bool) -> bool:
    """Return whether a ticket that nobody has linked is worth a look.

    Only what a signature covers, or we asked for ourselves, may rule it out.
    """
    if not change.ticket_id or change.kind is ChangeKind.DELETED:
        return False
    if not trusted or change.ticket is None:
        return True
    if is_ours(change.ticket):
        return False
    known = change.known if change.partial else None
    return accepting_rule(change.ticket, target.settings, mappings, known=known) is not None


def job(integration_id: str, ticket_id: str, *, cause: str) -> NewJob:
    """Return the job that looks at a ticket; `cause` is what told of it."""
    payload = {"integration_id": integration_id, "ticket_id": ticket_id, "cause": cause}
    return NewJob(ACCEPT, payload, key=partition(integration_id, ticket_id), lane=Lane.NORMAL)


async def decide(
    context: SyncContext, tx: AccountTx, integration_id: str, ticket_id: str, *, why: str
) -> bool:
    """Remember that a ticket has its incident, or was taken off it: no rule takes it again. Returns False when that was known."""
    row = {
        "integration_id": integration_id,
        "ticket_id": ticket_id,
        "account_id": tx.account_id,
        "why": why,
        "at": context.clock.now(),
    }
    # Whoever inserts the same row at this moment is waited for: that makes one incident of two readers.
    return bool(await tx.system.execute(insert_or_ignore(tx.system, sync_decided, row)))


@dataclass(frozen=True, slots=True)
class _Read:
    """A ticket as it was read, with the rule by which it becomes an incident."""

    target: Target
    mappings: FieldMappings
    ticket: Ticket
    comments: Sequence[Comment]
    rule: Rule
    cause: str


class Accepts:
    """Makes incidents of tickets."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def handle(self, work: Work) -> Settle | None:
        """Look at one ticket; all that told of it are one look. Raises RetryLater when it cannot be read now."""
        account_id = work.job.account_id or ""
        integration_id = str(work.job.payload["integration_id"])
        ticket_id = str(work.job.payload["ticket_id"])
        target = await work.read(lambda tx: self._wanted(tx.account(account_id), integration_id, ticket_id))
        read = None if target is None else await self._read(work, target, account_id, ticket_id)
        crash_point("sync.accept_read")

        async def settle(tx: Tx) -> None:
            scoped = tx.account(account_id)
            known = await self._link_of(scoped, integration_id, ticket_id, read)
            if known is not None:
                await self._visit(scoped, known, integration_id, work)
            elif read is not None:
                await self._make(scoped, read)

        return settle

    async def _wanted(self, tx: AccountTx, integration_id: str, ticket_id: str) -> Target | None:
        """Return the integration when the ticket has to be read, or None when there is no need."""
        target = await self._context.target(tx, integration_id)
        if target is None or not accepts(target.settings):
            return None
        if await links.of_tickets(tx, integration_id, [ticket_id]):
            return None
        decided = tx.select(sync_decided.c.why).where(
            sync_decided.c.integration_id == integration_id, sync_decided.c.ticket_id == ticket_id
        )
        return target if await tx.one(decided) is None else None

    async def _read(self, work: Work, target: Target, account_id: str, ticket_id: str) -> _Read | None:
        """Read the ticket; return None when it is gone or no rule fits. Raises RetryLater."""
        mappings = target.mappings()
        try:
            provider = await self._context.provider(account_id, target.integration_id)
            ticket = await provider.get_ticket(ticket_id)
            rule = accepting_rule(ticket, target.settings, mappings)
            if rule is None and not is_ours(ticket):
                return None
            comments: Sequence[Comment] = ()
            if mappings.comments.inbound and isinstance(provider, SupportsComments) and not is_ours(ticket):
                comments = await provider.list_comments(ticket_id)
        except (NotFoundError, RecordNotFoundError):
            return None  # the integration was removed, or the ticket is gone again
        except CalloutError as error:
            await self._trouble(work, target, error)
            return None
        return _Read(target, mappings, ticket, comments, rule or {}, cause_of(work.jobs)[0])

    async def _trouble(self, work: Work, target: Target, error: CalloutError) -> None:
        """Put the look off, longer with its age; what time cannot heal is let go. Raises RetryLater."""
        _log.warning("accept_trouble", integration=target.name, code=error.code, error=error.message)
        if error.permanent:
            return
        told = error.retry_after if isinstance(error, ConnectorError) else None
        if isinstance(error, RateLimitedError) and told is not None:
            await work.transaction(lambda tx: self._context.slow_down(tx, target.integration_id, told))
        age = self._context.clock.now() - work.job.enqueued_at
        wait = told or min(max(WAIT_FIRST, age / 2), WAIT_MOST)
        raise RetryLater(wait, reason=f"{error.code}: {error.message}", count=False) from error

    async def _link_of(
        self, tx: AccountTx, integration_id: str, ticket_id: str, read: _Read | None
    ) -> str | None:
        linked = await links.of_tickets(tx, integration_id, [ticket_id])
        if linked:
            return linked[ticket_id]
        if read is None or not read.ticket.marks:
            return None
        # We made it, and its creation is not recorded yet: the link's own visit will find it.
        marked = await links.of_marks(tx, integration_id, read.ticket.marks)
        return next(iter(marked.values()), None)

    async def _visit(self, tx: AccountTx, link_id: str, integration_id: str, work: Work) -> None:
        payload = {
            "link_id": link_id,
            "integration_id": integration_id,
            "reason": "changed there",
            "comments": True,
            "cause": cause_of(work.jobs)[0],
        }
        await self._context.queue.enqueue(tx, VISIT, payload, key=links.partition(link_id))

    async def _make(self, tx: AccountTx, read: _Read) -> None:
        """Make incident, link and notes of a ticket, unless somebody did, or Callout made the ticket."""
        ticket, target = read.ticket, read.target
        if is_ours(ticket):
            return
        link = Link(
            id=new_id(),
            account_id=tx.account_id,
            incident_id="",
            integration_id=target.integration_id,
            mark="",
            status=LinkStatus.ACTIVE,
            created_at=self._context.clock.now(),
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            ticket_url=ticket.url,
            project=ticket.project,
            seen_at=ticket.updated_at,
            ticket_version=ticket.version,
        )
        origin = origin_of(target, link, ticket.creator, read.cause)
        if not await decide(self._context, tx, target.integration_id, ticket.id, why="accepted"):
            return
        draft, status, refused = _draft(read)
        incident = await self._context.incidents.declare(tx, draft, origin)
        link = replace(link, incident_id=incident.id, mark=mark_of(incident.key, link.id))
        await links.insert(tx, link)
        edit = await self._context.incidents.edit(tx, incident.id)
        edit.change({}, status=status, origin=origin)
        for name, why in refused.items():
            edit.entry("sync_refused", {"field": name, "why": why, "integration": target.name}, origin=origin)
        data = {"ticket": ticket.key, "url": ticket.url, "integration": target.name, "accepted": True}
        edit.entry("ticket_linked", data, origin=origin)
        found = [(comment, comment.author) for comment in read.comments]
        now = self._context.clock.now()
        await take_comments(tx, edit, link, found, target=target, now=now)
        stored = await edit.save()
        await links.save(tx, replace(link, merge=_as_read(stored, read)), now)


def _draft(read: _Read) -> tuple[DeclareIncident, Status | None, dict[str, str]]:
    """Return what to declare, the status to walk to, and the fields that an incident cannot hold, with the reason.

    What the ticket is called and what it says is taken in any case: it is what the incident is about. Else the field's direction counts.
    """
    ticket, target = read.ticket, read.target
    rules = read.mappings.rules(target.integration_id)
    theirs = theirs_of(ticket)
    taken: dict[str, Any] = {}
    for name, rule in rules.items():
        value = rule.decode(theirs[name])
        if value is not NO_MEANING and (rule.direction.inbound or name in {"title", "description"}):
            taken[name] = value
    values, status = incident_values(taken)
    sets: Mapping[str, Any] = read.rule.get("set", {})
    values |= {name: sets[name] for name in ("service", "team") if name in sets}
    tags = [tag for tag in (*sets.get("tags", ()), *ticket.tags) if len(tag) <= WORD_LIMIT]
    values["tags"] = tuple(dict.fromkeys(tags))[:TAG_LIMIT]
    values["title"] = values.get("title") or ticket.key
    refused: dict[str, str] = {}
    for name, value in values.items():
        try:
            FIELDS[name](value)
        except InvalidRequestError as error:
            refused[name] = error.message
    fit = {name: value for name, value in values.items() if name not in refused}
    draft = DeclareIncident(
        title=fit.get("title", ticket.key),
        severity=fit.get("severity", DEFAULT_SEVERITY),
        description=fit.get("description", ""),
        service=fit.get("service", ""),
        team=fit.get("team", ""),
        assignee=fit.get("assignee"),
        tags=fit.get("tags", ()),
    )
    return draft, status, refused


def _as_read(incident: Incident, read: _Read) -> LinkState:
    """Return both bases: what the incident holds now, and what the ticket told. Neither side has changed since."""
    ours, theirs = ours_of(incident), theirs_of(read.ticket)
    names = read.mappings.rules(read.target.integration_id)
    return LinkState({name: Base(ours[name], theirs[name]) for name in names})


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumer of tickets that nobody has linked, for bootstrap to bind."""
    return (
        Consumer(
            ACCEPT,
            Accepts(context).handle,
            batch=32,
            retry=RETRY,
            timeout=timedelta(seconds=120),
            budget=lambda one: BudgetUse(str(one.payload["integration_id"])),
        ),
    )
