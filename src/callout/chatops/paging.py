"""Calling people in chat: pages become direct messages and messages in channels, each at most once, each with its outcome noted.

Who cannot be found on one platform is looked for on the next; who is deactivated or known to none is a warning on the timeline, and
the escalation goes on without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import cards, store
from callout.chatops.guests import chat_user
from callout.chatops.notifications import visit_all
from callout.chatops.posting import NOTHING_DONE, REFUSED, Poster
from callout.chatops.store import ChatMessage, MessageState
from callout.chatops.words import literal
from callout.incidents.escalation.pages import Page, PageState
from callout.jobs import BudgetUse, Consumer, Job, Lane, Retry, RetryLater, Settle, Work
from callout.ports.errors import NotFoundError
from callout.ports.values import ActorKind, Person

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.incidents import Incident
    from callout.incidents.escalation import Escalations
    from callout.ports.chat import Card, ChatProvider
    from callout.ports.events import EventEnvelope
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Tx

PAGE: Final = "chat.page"
"""The job of one page on one platform: `page_id`, `integration_id`, `words`, `rest` (where to look next), `tried` (why not so far)."""
PURPOSE: Final = "page"
GIVEN_UP_AFTER: Final = timedelta(hours=1)
"""A call that could not be made for so long is given up, and said to have failed."""
PAUSE_LOOK: Final = timedelta(seconds=30)
RETRY: Final = Retry(
    first=timedelta(seconds=1), cap=timedelta(seconds=30), max_attempts=500, deadline=timedelta(hours=2)
)
_HERE: Final = frozenset({"person", "channel"})
"""Kinds of callees that chat reaches; the others are somebody else's."""
_OVERDUE: Final[Mapping[str, str]] = {
    "acknowledge": "an acknowledgement",
    "update": "an update",
    "resolve": "the resolution",
}


@dataclass(frozen=True, slots=True)
class PagingContext:
    """What paging is given to work with."""

    chat: ChatContext
    escalations: Escalations


# ------------------------------------------------------------------------------------------------ reactions


async def on_called(context: PagingContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for a message to everybody who is called here, and tell the threads who is."""
    places = await context.chat.workspaces(tx)
    words = call_words(event)
    for told in event.data["pages"]:
        if told["state"] != PageState.PENDING.value or told["target"]["kind"] not in _HERE:
            continue
        at = told["target"].get("at", "")
        fitting = [one for one in places if at in {"", one.name}]
        if not fitting:
            why = f"there is no chat integration {at!r}" if at else "no chat platform is connected"
            await context.escalations.untold(tx, told["id"], why=why)
            continue
        page = await context.escalations.page_of(tx, told["id"])
        known = {one.integration_id for one in fitting if await _user(context.chat, tx, one, page)}
        order = sorted(fitting, key=lambda one: one.integration_id not in known)
        if told["target"]["kind"] == "channel":
            order = order[:1]
        await _ask(context.chat, tx, told["id"], [one.integration_id for one in order], words=words)
    await visit_all(context.chat, tx, event, news(event))


async def on_clock(context: PagingContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Tell the threads that something is due soon, or was missed."""
    await visit_all(context.chat, tx, event, clock_words(event))


async def _ask(
    chat: ChatContext,
    tx: AccountTx,
    page_id: str,
    places: Sequence[str],
    *,
    words: str,
    tried: Sequence[str] = (),
) -> None:
    payload = {
        "page_id": page_id,
        "integration_id": places[0],
        "rest": list(places[1:]),
        "words": words,
        "tried": list(tried),
    }
    await chat.queue.enqueue(tx, PAGE, payload, dedupe=f"{page_id}/{places[0]}", lane=Lane.URGENT)


async def _user(chat: ChatContext, tx: AccountTx, workspace: Workspace, page: Page) -> str:
    """Return the platform's id of the person who is called, empty when we do not know one."""
    callee = page.callee
    known = f"{ActorKind.MEMBER.value}:{callee.member_id}" if callee.member_id else callee.person_id
    return await chat_user(chat, tx, workspace, Person(known, callee.name, callee.email)) if known else ""


# ------------------------------------------------------------------------------------------------- the job


@dataclass(frozen=True, slots=True)
class _Loaded:
    page: Page
    incident: Incident
    workspace: Workspace
    paused: str
    user: str
    together: tuple[tuple[str, str], ...]
    """Platform id, where we know it, and e-mail of all people who are called with it."""
    row: ChatMessage | None


class _Unreachable(Exception):  # noqa: N818  # not a fault: the next place is tried
    """Nobody is reached here; `why` in plain words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def page(context: PagingContext, work: Work) -> Settle | None:
    """Handle a `chat.page` job: post the message, and note on the page what became of it."""
    loaded = await work.read(partial(_load, context, work.job))
    if loaded is None:
        return None
    chat, job = context.chat, work.job
    if isinstance(loaded, str):
        return _next_place(context, job, loaded)
    try:
        if loaded.paused:
            raise RetryLater(PAUSE_LOOK, reason=loaded.paused, count=False)
        provider = await chat.chat(loaded.workspace)
        row = await _post(context, work, loaded, provider)
    except _Unreachable as error:
        return _next_place(context, job, error.why)
    except NOTHING_DONE as error:
        if not job.payload["rest"] and chat.clock.now() - loaded.page.asked_at < GIVEN_UP_AFTER:
            raise
        return _next_place(context, job, str(error) or "it cannot be reached")
    return _outcome(context, job, loaded, row)


async def _load(context: PagingContext, job: Job, tx: Tx) -> _Loaded | str | None:
    """Return everything, a reason why nobody can be reached here, or None when there is nothing left to do."""
    account = tx.account(job.account_id or "")
    try:
        found = await context.escalations.page_of(account, job.payload["page_id"])
    except NotFoundError:
        return None
    if found.state is not PageState.PENDING:
        return None
    incident = await context.chat.incidents.get(account, found.incident_id)
    workspace = await context.chat.workspace(account, job.payload["integration_id"])
    if workspace is None:
        return "the chat integration is gone or switched off"
    pause = await context.chat.paused(account, workspace.integration_id)
    together = [
        (await _user(context.chat, account, workspace, one), one.callee.email)
        for one in await context.escalations.pages(account, incident.id)
        if one.call_id == found.call_id and one.callee.kind == "person"
    ]
    return _Loaded(
        found,
        incident,
        workspace,
        paused="" if pause is None else f"{workspace.name} is paused: {pause.reason}",
        user=await _user(context.chat, account, workspace, found),
        together=tuple(together),
        row=await store.message(account, _key(found, workspace)),
    )


def _key(found: Page, workspace: Workspace) -> str:
    return f"{PURPOSE}/{workspace.integration_id}/{found.id}"


async def _post(context: PagingContext, work: Work, loaded: _Loaded, provider: ChatProvider) -> ChatMessage:
    found, workspace = loaded.page, loaded.workspace
    poster = Poster(context.chat, work, workspace)
    key = _key(found, workspace)
    if loaded.row is not None and loaded.row.state is not MessageState.PENDING:
        return loaded.row
    place = found.callee.name
    if found.callee.kind == "person":
        try:
            place = await _person(loaded, provider)
        except REFUSED as error:
            raise _Unreachable(f"{workspace.title}: {error.message}") from error
    mentions = await _mentions(loaded, provider) if found.callee.kind == "channel" else ()
    row = loaded.row or poster.draft(key, PURPOSE, place, incident_id=loaded.incident.id)
    card = _card(context.chat, loaded.incident, work.job.payload["words"], mentions)
    return await poster.post(
        replace(row, channel=row.channel or place), partial(provider.post_message, place, card, key=key)
    )


async def _mentions(loaded: _Loaded, provider: ChatProvider) -> tuple[str, ...]:
    """Return the platform's ids of the people who are called with it, as far as they are known there."""
    users: list[str] = []
    for user, email in loaded.together:
        known = None if user or not email else await provider.find_person(email=email)
        users.append(user if known is None else known.id)
    return tuple(dict.fromkeys(user for user in users if user))


async def _person(loaded: _Loaded, provider: ChatProvider) -> str:
    """Return the id of the person on the platform, active there. Raises _Unreachable."""
    callee, title = loaded.page.callee, loaded.workspace.title
    if loaded.user and await provider.get_person(loaded.user) is not None:
        return loaded.user
    if callee.email and (known := await provider.find_person(email=callee.email)) is not None:
        return known.id
    if loaded.user:
        raise _Unreachable(f"{callee.name} is deactivated in {title}")
    if callee.email:
        raise _Unreachable(f"nobody in {title} has the e-mail {callee.email}")
    raise _Unreachable(f"{callee.name} is not known in {title}, and has no e-mail to be found by")


def _card(chat: ChatContext, incident: Incident, words: str, mentions: tuple[str, ...]) -> Card:
    card = cards.incident_card(incident, link=chat.link(incident.key), mentions=mentions)
    return replace(card, text=f"{words}\n\n{card.text}".strip())


def _next_place(context: PagingContext, job: Job, why: str) -> Settle:
    """Return what looks for the person on the next platform, or notes that none is left."""
    payload = job.payload
    tried = [*payload["tried"], why]

    async def settle(tx: Tx) -> None:
        account = tx.account(job.account_id or "")
        if payload["rest"]:
            await _ask(
                context.chat,
                account,
                payload["page_id"],
                payload["rest"],
                words=payload["words"],
                tried=tried,
            )
        else:
            await context.escalations.untold(account, payload["page_id"], why="; ".join(tried))

    return settle


def _outcome(context: PagingContext, job: Job, loaded: _Loaded, row: ChatMessage) -> Settle:
    if row.state is MessageState.FAILED:
        return _next_place(context, job, f"{loaded.workspace.title}: {row.error}")
    person = loaded.page.callee.kind == "person"
    means = f"{'direct message' if person else 'message'} in {loaded.workspace.name}"

    async def settle(tx: Tx) -> None:
        account = tx.account(job.account_id or "")
        if row.state is MessageState.SENT:
            await context.escalations.told(account, loaded.page.id, means=means)
        else:
            await context.escalations.perhaps_told(account, loaded.page.id, means=means, why=row.error)

    return settle


# ----------------------------------------------------------------------------------------------------- words


def call_words(event: EventEnvelope) -> str:
    """Return what somebody reads who is called."""
    data, by = event.data, _asked_by(event.origin)
    reason = literal(str(data.get("reason", "")))
    if event.kind == "incident.paged":
        return f"**You are called** by {by or 'Callout'}" + (f": {reason}" if reason else ".")
    step = f"step {data['step']} of {data['steps']} of the policy {literal(data['policy'])}"
    asked = f", asked for by {by}" if by else ""
    why = f": {reason}." if reason else "."
    return f"**You are called** ({step}{asked}){why}{_late(data)}"


def news(event: EventEnvelope) -> str:
    """Return what the threads read when somebody is called."""
    data, by = event.data, _asked_by(event.origin)
    whom = ", ".join(literal(page["who"]) for page in data["pages"]) or "nobody"
    reason = f" ({literal(str(data['reason']))})" if data.get("reason") else ""
    asked = f"\nby {by}" if by else ""
    if event.kind == "incident.paged":
        return f"**Called**: {whom}{reason}{asked}"
    return (
        f"**Escalated**, step {data['step']} of {data['steps']} of {literal(data['policy'])}: {whom}{reason}"
        f"{_late(data)}{asked}"
    )


def clock_words(event: EventEnvelope) -> str:
    """Return what the threads read of a clock."""
    data = event.data
    what = _OVERDUE.get(str(data["clock"]), str(data["clock"]))
    due = _moment(data["due_at"], data["told_at"])
    rule = f"{literal(data['rule'])}, within {data['limit']}"
    if event.kind == "incident.sla_breached":
        return f"**Missed**: {what} was due {due} ({rule}).{_late(data)}"
    return f"**Due soon**: {what} by {due} ({rule})."


def _asked_by(origin: Origin) -> str:
    return "" if origin.actor.kind is ActorKind.SYSTEM else literal(origin.actor.name or "somebody")


def _late(data: Mapping[str, Any]) -> str:
    if not data.get("late_seconds"):
        return ""
    due, told = _moment(data["due_at"], data["told_at"]), _moment(data["told_at"], data["told_at"])
    return f" Due {due}, told {told} because Callout was not running."


def _moment(value: str, near: str) -> str:
    """Return a time for people, with its day where that is another one."""
    at, now = datetime.fromisoformat(value), datetime.fromisoformat(near)
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"


# --------------------------------------------------------------------------------------------------- binding

HANDLERS: Final = {
    "incident.escalated": on_called,
    "incident.paged": on_called,
    "incident.sla_warning": on_clock,
    "incident.sla_breached": on_clock,
}
"""Event kind → `async (context, tx, event)`, run inside the job's own transaction; bootstrap binds them."""


def _budget(job: Job) -> BudgetUse:
    return BudgetUse(str(job.payload["integration_id"]))


def consumers(context: PagingContext) -> list[Consumer]:
    """Return the consumer of pages, to be registered with the worker."""
    return [
        Consumer(PAGE, partial(page, context), retry=RETRY, timeout=timedelta(seconds=120), budget=_budget)
    ]


__all__ = ["HANDLERS", "PAGE", "PagingContext", "call_words", "clock_words", "consumers", "news"]
