"""Important news whose place is down, or refuses it, is told at another place, once, with a word why.

A timer set with the event looks whether the news was told; it survives restarts as every job does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops import cards, routing, store
from callout.chatops.places import CARD, HOME, TOLD, UPDATE
from callout.chatops.posting import Poster, origin_of
from callout.chatops.store import ChatMessage, MessageState
from callout.chatops.words import literal
from callout.jobs import Job, RetryLater, Settle, Work
from callout.ports.chat_rules import NotificationType, at_of
from callout.ports.errors import NotFoundError

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.incidents import Incident
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx, Tx

FAILOVER: Final = "chat.failover"
"""The timer of one piece of important news: `from_id` is where it belongs, `integration_id` where it goes else; `key`, `news`, `text`."""
FALLBACK: Final = "fallback"
PAUSE_LOOK: Final = timedelta(seconds=30)


async def watch(
    context: ChatContext,
    tx: AccountTx,
    workspace: Workspace,
    event: EventEnvelope,
    *,
    news: NotificationType,
    text: str,
) -> None:
    """Set the timer for news that is important, where the integration has a fallback."""
    fallback = workspace.settings.fallback
    important = event.kind != "incident.changed" and fallback is not None
    if (
        not important
        or fallback is None
        or not fallback.is_for(news, str(event.data["incident"]["severity"]))
    ):
        return
    to = await _target(context, tx, workspace)
    payload = {
        "from_id": workspace.integration_id,
        "integration_id": workspace.integration_id if to is None else to.integration_id,
        "incident_id": event.subject,
        "key": event.id,
        "news": news.value,
        "text": text,
        "at": event.occurred_at.isoformat(),
    }
    await context.queue.enqueue(
        tx,
        FAILOVER,
        payload,
        run_at=context.clock.now() + timedelta(minutes=fallback.after_minutes),
        dedupe=f"{workspace.integration_id}/{event.id}",
    )


async def _target(context: ChatContext, tx: AccountTx, workspace: Workspace) -> Workspace | None:
    """Return the integration that the fallback names, by name or id; the same one where it names none."""
    fallback = workspace.settings.fallback
    if fallback is None or not fallback.integration:
        return workspace
    named = {workspace.name, workspace.integration_id}
    if fallback.integration in named:
        return workspace
    for one in await context.workspaces(tx):
        if fallback.integration in {one.name, one.integration_id}:
            return one
    return None


@dataclass(frozen=True, slots=True)
class _Missed:
    """News that was not told, and where it is to go."""

    home: Workspace
    to: Workspace
    incident: Incident
    why: str
    row: ChatMessage | None


async def fall_back(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.failover` job: look whether the news was told, and tell it at the fallback where it was not."""
    missed = await work.read(partial(_load, context, work.job))
    if missed is None:
        return None
    job, to, incident = work.job, missed.to, missed.incident
    fallback = missed.home.settings.fallback
    if fallback is None:
        return None
    poster = Poster(context, work, to)
    row = missed.row or replace(
        poster.draft(_key(job), FALLBACK, f"{FALLBACK}:{fallback.channel}", incident_id=incident.id),
        news=str(job.payload["news"]),
    )
    if row.state is MessageState.PENDING:
        row = await _post(context, poster, missed, row, words=str(job.payload["text"]))
    if row.state is not MessageState.SENT:
        return None

    async def settle(tx: Tx) -> None:
        told = {
            "integration": missed.home.name,
            "to": to.name,
            "channel": fallback.channel,
            "news": job.payload["news"],
            "why": missed.why,
        }
        account = tx.account(job.account_id or "")
        await context.incidents.add_entry(account, incident.id, "chat_fallback_used", told, origin_of(to))

    return settle


async def _post(
    context: ChatContext, poster: Poster, missed: _Missed, row: ChatMessage, *, words: str
) -> ChatMessage:
    opening = f"**Told here because {literal(missed.home.name)} could not be told**: {literal(missed.why)}"
    card = cards.incident_card(missed.incident, link=context.link(missed.incident.key))
    text = "\n\n".join(filter(None, (opening, words, card.text)))
    provider = await context.chat(missed.to)
    channel = row.place.partition(":")[2]
    post = partial(provider.post_message, channel, replace(card, text=text), key=row.key)
    return await poster.post(replace(row, channel=channel), post)


async def _load(context: ChatContext, job: Job, tx: Tx) -> _Missed | None:
    """Return what was missed; None when the news was told, or nobody waits for it any more."""
    account, given = tx.account(job.account_id or ""), job.payload
    home = await context.workspace(account, given["from_id"])
    if home is None or home.settings.fallback is None:
        return None
    try:
        incident = await context.incidents.get(account, given["incident_id"])
    except NotFoundError:
        return None
    news, at = NotificationType(given["news"]), at_of(given["at"], context.clock.now())
    if not home.settings.incident_channels and not routing.targets(home.settings, incident, news, at):
        return None  # nobody was to hear of it
    told = await store.messages(account, incident.id, home.integration_id)
    why = _why(told, news, home, str(given["key"]))
    if why is None:
        return None
    pause = await context.paused(account, home.integration_id)
    why = f"it is paused: {pause.reason}" if pause is not None else why
    to = await _target(context, account, home)
    row = await store.message(account, _key(job))
    if to is None:
        if row is None:
            raise RetryLater(
                PAUSE_LOOK, reason=f"there is no chat integration {home.settings.fallback.integration!r}"
            )
        return None
    pause = await context.paused(account, to.integration_id)
    if pause is not None:
        raise RetryLater(PAUSE_LOOK, reason=f"{to.name} is paused: {pause.reason}", count=False)
    return _Missed(home, to, incident, why, row)


def _why(told: Sequence[ChatMessage], news: NotificationType, home: Workspace, key: str) -> str | None:
    """Return why the news was not told; None when it was, wherever it belongs."""
    if news is NotificationType.CREATED:
        rows = [row for row in told if row.purpose == CARD]
        rows = [row for row in rows if not row.place.startswith(HOME)] or rows
    else:
        opening = f"{UPDATE}/{home.integration_id}/{key}/"
        rows = [row for row in told if row.purpose == UPDATE and row.key.startswith(opening)]
    if rows and all(row.state in TOLD for row in rows):
        return None
    failed = [row for row in told if row.state not in TOLD and row.purpose in {CARD, UPDATE}]
    waited = home.settings.fallback.after_minutes if home.settings.fallback is not None else 0
    return next((row.error for row in failed if row.error), f"nothing was accepted for {waited} minutes")


def _key(job: Job) -> str:
    return f"{FALLBACK}/{job.payload['from_id']}/{job.payload['key']}"
