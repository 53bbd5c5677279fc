"""On-call systems as targets of an escalation: the incident's ticket there is made, or called for again.

A ticket that is made calls whoever its own rules say, so that is the first call; later ones ask for the next level, and a named
policy is asked to join. The ticket is that of the incident's link, kept under the link's key: there is never a second one.
Asking twice would wake people twice: a call whose outcome was lost is noted as perhaps made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.escalation.pages import Page, PageState
from callout.jobs import BudgetUse, Consumer, Job, Lane, Retry, RetryLater, Settle, Work
from callout.kit.paging import Page as WalkedPage
from callout.kit.paging import PagingError, walk
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    NotFoundError,
    OperationNotSupportedError,
    PausedError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)
from callout.ports.provider import SupportsEscalationPolicies, SupportsPaging
from callout.sync import links
from callout.sync.links import LinkStatus
from callout.sync.reactions import open_link

if TYPE_CHECKING:
    from callout.incidents.escalation import Escalations
    from callout.ports.events import EventEnvelope
    from callout.ports.oncall import EscalationPolicy
    from callout.ports.provider import TicketingProvider
    from callout.storage import AccountTx, Tx
    from callout.sync.context import SyncContext, Target
    from callout.sync.links import Link

PAGE: Final = "sync.page"
"""The job of one call: `page_id`, `integration_id`, `link_id`, `words`."""
ONCALL: Final = "oncall"
JUST_MADE: Final = timedelta(minutes=5)
"""A ticket made so shortly before has called somebody just now."""
LOOK_AGAIN: Final = timedelta(seconds=2)
GIVEN_UP_AFTER: Final = timedelta(hours=1)
RETRY: Final = Retry(
    first=timedelta(seconds=1), cap=timedelta(seconds=30), max_attempts=500, deadline=timedelta(hours=2)
)
NOTHING_DONE: Final = (UnavailableError, AuthFailedError, PausedError, RetryLater)
REFUSED: Final = (PermissionDeniedError, RecordNotFoundError, RejectedError, OperationNotSupportedError)


@dataclass(frozen=True, slots=True)
class PagingContext:
    """What calls are given to work with."""

    sync: SyncContext
    escalations: Escalations


Handler = Callable[["SyncContext", "AccountTx", "EventEnvelope"], Awaitable[None]]


def handlers(escalations: Escalations) -> Mapping[str, Handler]:
    """Return event kind → handler. Bind them with sync's own: a link must not be opened twice at the same moment."""

    async def on_called(context: SyncContext, tx: AccountTx, event: EventEnvelope) -> None:
        """Find or open the link of each call to an on-call system, and ask for the call."""
        for told in event.data["pages"]:
            if told["state"] == PageState.PENDING.value and told["target"]["kind"] == ONCALL:
                await _ask(PagingContext(context, escalations), tx, event, told)

    return {"incident.escalated": on_called, "incident.paged": on_called}


async def _ask(context: PagingContext, tx: AccountTx, event: EventEnvelope, told: Mapping[str, Any]) -> None:
    name = told["target"].get("at", "")
    target = next((one for one in await context.sync.targets(tx) if one.name == name), None)
    if target is None:
        await context.escalations.untold(tx, told["id"], why=f"there is no ticketing integration {name!r}")
        return
    if target.shadow:
        why = f"{target.name} is in shadow mode: nothing is written there"
        await context.escalations.untold(tx, told["id"], why=why)
        return
    found = await links.of_incident(tx, event.subject)
    link = next((one for one in found if one.integration_id == target.integration_id), None)
    if link is None:
        incident = await context.sync.incidents.get(tx, event.subject)
        link = await open_link(context.sync, tx, incident, target.integration_id, origin=event.origin)
    reason = str(event.data.get("reason", ""))
    payload = {
        "page_id": told["id"],
        "integration_id": target.integration_id,
        "link_id": link.id,
        "words": f"{event.data['incident']['key']}: {reason or 'you are called'}",
    }
    await context.sync.queue.enqueue(tx, PAGE, payload, dedupe=str(told["id"]), lane=Lane.URGENT)


@dataclass(frozen=True, slots=True)
class _Loaded:
    page: Page
    link: Link
    target: Target
    first: bool
    """Whether this system was not called for the incident before."""


class _Uncalled(Exception):  # noqa: N818  # an outcome, not a fault
    """The call cannot be made; `why` in plain words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def page(context: PagingContext, work: Work) -> Settle | None:
    """Handle a `sync.page` job: wait for the ticket, make the call, note what became of it."""
    job = work.job
    account = job.account_id or ""
    loaded = await work.read(partial(_load, context, job))
    if not isinstance(loaded, _Loaded):
        return None if loaded is None else _untold(context, job, loaded)
    try:
        ticket = _ticket(context, loaded)
        provider = await context.sync.provider(account, loaded.target.integration_id)
        means = await _call(context, work, loaded, provider)
    except _Uncalled as error:
        return _untold(context, job, error.why)
    except REFUSED as error:
        return _untold(context, job, f"{error.message} {error.remediation}".strip())
    except NOTHING_DONE as error:
        if context.sync.clock.now() - loaded.page.asked_at < GIVEN_UP_AFTER:
            raise
        return _untold(context, job, str(error))
    except CalloutError as error:
        name, why = loaded.target.name, error.message

        async def perhaps(tx: Tx) -> None:
            await context.escalations.perhaps_told(
                tx.account(account), job.payload["page_id"], means=name, why=why
            )

        return perhaps

    async def settle(tx: Tx) -> None:
        told = f"{ticket} in {loaded.target.name}, {means}"
        await context.escalations.told(tx.account(account), job.payload["page_id"], means=told)

    return settle


def _untold(context: PagingContext, job: Job, why: str) -> Settle:
    async def settle(tx: Tx) -> None:
        await context.escalations.untold(tx.account(job.account_id or ""), job.payload["page_id"], why=why)

    return settle


async def _load(context: PagingContext, job: Job, tx: Tx) -> _Loaded | str | None:
    """Return everything, a reason why the call cannot be made, or None when there is nothing left to do."""
    account = tx.account(job.account_id or "")
    try:
        found = await context.escalations.page_of(account, job.payload["page_id"])
    except NotFoundError:
        return None
    try:
        link = await links.load(account, job.payload["link_id"])
    except NotFoundError as error:
        return error.message
    if found.state is not PageState.PENDING:
        return None
    target = await context.sync.target(account, link.integration_id)
    if target is None:
        return "the integration is gone or switched off"
    pause = await context.sync.paused(account, link.integration_id, link.id)
    if pause is not None:
        return f"writes to {target.name} are paused: {pause.reason}"
    earlier = [
        one
        for one in await context.escalations.pages(account, found.incident_id)
        if one.callee.kind == ONCALL and one.callee.at == found.callee.at and one.id < found.id
    ]
    first = not any(one.state in {PageState.TOLD, PageState.PERHAPS} for one in earlier)
    return _Loaded(found, link, target, first)


def _ticket(context: PagingContext, loaded: _Loaded) -> str:
    """Return the ticket's name once it is there. Raises RetryLater while it is being made, _Uncalled when it will not be."""
    link = loaded.link
    if link.status in {LinkStatus.STOPPED, LinkStatus.GONE}:
        raise _Uncalled(f"the ticket {link.ticket_key or 'there'} is {link.status.value}: no sync with it")
    if not link.ticket_id:
        problem = "" if link.problem is None else link.problem.message
        if context.sync.clock.now() - loaded.page.asked_at > GIVEN_UP_AFTER:
            raise _Uncalled(problem or "no ticket was made within an hour")
        raise RetryLater(LOOK_AGAIN, reason=problem or "the ticket is being made", count=False)
    return link.ticket_key or link.ticket_id


async def _call(context: PagingContext, work: Work, loaded: _Loaded, provider: TicketingProvider) -> str:
    """Make the call; return how. Raises ConnectorError and its kinds, and OutcomeUnknownError's words for a lost one."""
    page_, link, policy = loaded.page, loaded.link, loaded.page.callee.name
    made_for_it = loaded.first and link.created_at >= page_.asked_at - JUST_MADE
    if made_for_it and not policy:
        return "which calls whoever is on call"
    if not isinstance(provider, SupportsPaging):
        if made_for_it:
            return "which was made"
        raise _Uncalled(f"{loaded.target.title} cannot call anybody")
    policy_id = await _policy(loaded, provider) if policy else ""
    if page_.attempted_at is not None:
        raise LostCallError(loaded.target.title)
    account, page_id = work.job.account_id or "", page_.id
    means = f"policy {policy} asked to join" if policy else "the next level called"
    await work.transaction(lambda tx: context.escalations.attempted(tx.account(account), page_id, means))
    try:
        if policy:
            await provider.request_responders(
                link.ticket_id, policies=[policy_id], message=str(work.job.payload["words"])
            )
        else:
            await provider.escalate(link.ticket_id)
    except NOTHING_DONE:
        await work.transaction(lambda tx: context.escalations.not_attempted(tx.account(account), page_id))
        raise
    return means


class LostCallError(CalloutError):
    """A call was begun and the process ended before its outcome was known."""

    code = "OUTCOME_UNKNOWN"

    def __init__(self, title: str) -> None:
        super().__init__(f"the process stopped while {title} was being asked")


async def _policy(loaded: _Loaded, provider: TicketingProvider) -> str:
    """Return the id of the escalation policy of that id or name. Raises _Uncalled when there is none."""
    wanted = loaded.page.callee.name
    if not isinstance(provider, SupportsEscalationPolicies):
        raise _Uncalled(f"{loaded.target.title} has no escalation policies")

    async def page_at(cursor: str | None) -> WalkedPage[EscalationPolicy]:
        listed = await provider.query_escalation_policies(limit=100, cursor=cursor or "")
        return WalkedPage(listed.items, listed.cursor or None)

    names: list[str] = []
    try:
        async for one in walk(page_at):
            if wanted.casefold() in {one.id.casefold(), one.name.casefold()}:
                return one.id
            names.append(one.name)
    except PagingError as error:
        raise _Uncalled(
            f"the escalation policies of {loaded.target.title} cannot be listed: {error}"
        ) from error
    there = ", ".join(names[:10]) or "none"
    raise _Uncalled(f"{loaded.target.title} has no escalation policy {wanted!r}; there are: {there}")


def consumers(context: PagingContext) -> list[Consumer]:
    """Return the consumer of calls, to be registered with the worker."""

    def budget(job: Job) -> BudgetUse:
        return BudgetUse(str(job.payload["integration_id"]))

    return [
        Consumer(PAGE, partial(page, context), retry=RETRY, timeout=timedelta(seconds=120), budget=budget)
    ]


__all__ = ["PAGE", "PagingContext", "consumers", "handlers"]
