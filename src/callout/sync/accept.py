"""Tickets of theirs that become incidents by rule, each once.

A webhook or a poll that tells of a ticket nobody has linked makes a job in the ticket's own partition. The job reads the ticket (what
was told may be part of it, or old), asks the rules, and makes in one commit: the incident, its link with both bases as read, and the
ticket's comments as notes. What is told of the ticket meanwhile waits in the same partition and becomes a visit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from callout.jobs import BudgetUse, Consumer, Lane, NewJob, RetryLater, Settle, Work
from callout.kit.crash import crash_point
from callout.ports.errors import (
    CalloutError,
    ConnectorError,
    NotFoundError,
    RateLimitedError,
    RecordNotFoundError,
)
from callout.ports.provider import SupportsComments
from callout.ports.ticketing import Change, ChangeKind, Comment
from callout.sync import links
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.making import ReadTicket, is_ours, make_incidents
from callout.sync.mapping import FieldMappings
from callout.sync.provenance import cause_of
from callout.sync.reactions import VISIT
from callout.sync.rules import accepting_rule, accepts
from callout.sync.tables import sync_decided

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

ACCEPT: Final = "sync.accept"
WAIT_FIRST: Final = timedelta(seconds=2)
WAIT_MOST: Final = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


def partition(integration_id: str, ticket_id: str) -> str:
    """Return the partition of a ticket that nobody has linked."""
    return f"accept:{integration_id}:{ticket_id}"


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
            elif read is not None and target is not None:
                if await make_incidents(self._context, scoped, target, [read]):
                    return
                # Somebody else decided on it at this moment, perhaps by an older look than ours.
                known = await self._link_of(scoped, integration_id, ticket_id, read)
                if known is not None:
                    await self._visit(scoped, known, integration_id, work)

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

    async def _read(self, work: Work, target: Target, account_id: str, ticket_id: str) -> ReadTicket | None:
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
        return ReadTicket(ticket, comments, rule or {}, cause_of(work.jobs)[0])

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
        self, tx: AccountTx, integration_id: str, ticket_id: str, read: ReadTicket | None
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
