"""The jobs of chat beside visits: late answers, replies to mentions, and looking people up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops import store
from callout.chatops.cards import answer_from_json
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.posting import Poster
from callout.chatops.visit import VISIT, visit
from callout.jobs import BudgetUse, Consumer, Job, Retry, Settle, Work
from callout.ports.chat import Answer, Card
from callout.ports.errors import (
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
)

if TYPE_CHECKING:
    from callout.chatops.store import ChatMessage
    from callout.storage import Tx

RESPOND: Final = "chat.respond"
REPLY: Final = "chat.reply"
IDENTIFY: Final = "chat.identify"
PATIENCE: Final = Retry(
    first=timedelta(seconds=1), cap=timedelta(minutes=2), max_attempts=500, deadline=timedelta(hours=24)
)
"""A chat platform may be down for hours; what happened meanwhile is still worth telling."""
BRIEFLY: Final = Retry(
    first=timedelta(seconds=1), cap=timedelta(seconds=30), max_attempts=8, deadline=timedelta(minutes=10)
)
"""The answer to a command is of no use an hour later."""

ChatHandler = Callable[[ChatContext, Work], Awaitable[Settle | None]]


async def _workspace(context: ChatContext, work: Work) -> Workspace | None:
    async def load(tx: Tx) -> Workspace | None:
        return await context.workspace(
            tx.account(work.job.account_id or ""), work.job.payload["integration_id"]
        )

    return await work.read(load)


async def respond(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.respond` job: `response`, and `text` or `answer`, which may `replace` the message it answers.

    Told to one person only; when it may have arrived it is not repeated.
    """
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    provider = await context.provider(workspace.account_id, workspace.integration_id)
    try:
        stored = payload.get("answer")
        answer = Answer(payload.get("text", "")) if stored is None else answer_from_json(stored)
        await provider.respond(payload["response"], answer, replace=bool(payload.get("replace")))
    except (OutcomeUnknownError, RecordNotFoundError, RejectedError):
        return None
    return None


async def reply(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.reply` job: `event_id`, `channel`, `thread`, `text`; posted at most once."""
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    provider = await context.provider(workspace.account_id, workspace.integration_id)
    poster = Poster(context, work, workspace)
    key = f"reply/{workspace.integration_id}/{payload['event_id']}"

    async def stored(tx: Tx) -> ChatMessage | None:
        return await store.message(tx.account(workspace.account_id), key)

    row = await work.read(stored) or poster.draft(key, "reply", "mention", thread=payload["thread"])
    card = Card(title="", text=payload["text"])
    post = partial(provider.post_message, payload["channel"], card, key=key, thread=payload["thread"])
    await poster.post(replace(row, channel=payload["channel"]), post)
    return None


async def identify(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.identify` job: `team`, `user`. The platform's own directory says name and e-mail of somebody new."""
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    provider = await context.provider(workspace.account_id, workspace.integration_id)
    try:
        person = await provider.get_person(payload["user"])
    except (PermissionDeniedError, RecordNotFoundError, RejectedError):
        return None
    if person is None:
        return None

    async def settle(tx: Tx) -> None:
        await context.identities.remember(tx, workspace.provider, payload["team"], person)

    return settle


def _budget(job: Job) -> BudgetUse:
    return BudgetUse(str(job.payload["integration_id"]))


def consumers(context: ChatContext) -> list[Consumer]:
    """Return the consumers of chat's jobs, to be registered with the worker."""
    return [
        Consumer(kind, partial(handler, context), retry=retry, timeout=timedelta(seconds=180), budget=_budget)
        for kind, (handler, retry) in CONSUMERS.items()
    ]


CONSUMERS: Final[Mapping[str, tuple[ChatHandler, Retry]]] = {
    VISIT: (visit, PATIENCE),
    RESPOND: (respond, BRIEFLY),
    REPLY: (reply, BRIEFLY),
    IDENTIFY: (identify, BRIEFLY),
}
"""Kind of job → handler and how long it is tried."""
