"""The jobs of chat beside visits: late answers, replies to mentions, and looking people up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops import batching, store
from callout.chatops.cards import answer_from_json
from callout.chatops.channels import ARCHIVE_DUE
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.failover import FAILOVER, fall_back
from callout.chatops.files.sending import SEND_FILES, send_files
from callout.chatops.files.taking import TAKE_FILE, take_file
from callout.chatops.home import HOME, show_home
from callout.chatops.lookups import IDENTIFY, NAME_HOLDER
from callout.chatops.posting import Poster, origin_of
from callout.chatops.speakers import person_behind
from callout.chatops.standing import NOBODY, ask
from callout.chatops.visit import VISIT, partition, visit
from callout.jobs import BudgetUse, Consumer, Job, Retry, Settle, Work
from callout.ports.chat import Answer, Card
from callout.ports.chat_people import DirectoryEntry
from callout.ports.errors import (
    OperationNotSupportedError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.chatops.store import ChatMessage
    from callout.storage import Tx

RESPOND: Final = "chat.respond"
REPLY: Final = "chat.reply"
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
    provider = await context.chat(workspace)
    try:
        stored = payload.get("answer")
        answer = Answer(payload.get("text", "")) if stored is None else answer_from_json(stored)
        await provider.respond(payload["response"], answer, replace=bool(payload.get("replace")))
    except (OutcomeUnknownError, RecordNotFoundError, RejectedError):
        return None
    return None


async def reply(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.reply` job: `event_id`, `channel`, `thread`, and `answer` (or `text`, of before); posted at most once."""
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    provider = await context.chat(workspace)
    poster = Poster(context, work, workspace)
    key = f"reply/{workspace.integration_id}/{payload['event_id']}"

    async def stored(tx: Tx) -> ChatMessage | None:
        return await store.message(tx.account(workspace.account_id), key)

    row = await work.read(stored) or poster.draft(key, "reply", "mention", thread=payload["thread"])
    answer = answer_from_json(payload.get("answer") or {"text": payload.get("text", "")})
    card = answer.card or Card(title="", text=answer.text)
    if answer.card is not None and answer.text:
        card = replace(answer.card, text="\n\n".join(filter(None, (answer.text, answer.card.text))))
    post = partial(provider.post_message, payload["channel"], card, key=key, thread=payload["thread"])
    await poster.post(replace(row, channel=payload["channel"]), post)
    return None


async def identify(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.identify` job: `team`, `user`. The platform's own directory says who somebody is, and whether they belong there."""
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    try:
        entry = await _entry(context, workspace, Person(payload["user"]))
    except (PermissionDeniedError, RecordNotFoundError, RejectedError):
        return None
    if entry is None:
        return None

    async def settle(tx: Tx) -> None:
        if entry.membership not in NOBODY:
            await context.identities.remember(tx, workspace.provider, payload["team"], entry.person)
        await context.identities.stand(
            tx, workspace.provider, payload["team"], payload["user"], entry.membership.value
        )

    return settle


async def _entry(context: ChatContext, workspace: Workspace, user: Person) -> DirectoryEntry | None:
    try:
        return await ask(context, workspace, user)
    except OperationNotSupportedError:
        provider = await context.chat(workspace)
        person = await provider.get_person(user.id)
        return None if person is None else DirectoryEntry(person)


async def name_holder(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.name_holder` job: who got a role by an id alone gets the name (or becomes the member) that the directory tells."""
    workspace, payload = await _workspace(context, work), work.job.payload
    if workspace is None:
        return None
    provider = await context.chat(workspace)
    try:
        person = await provider.get_person(payload["user"])
    except (PermissionDeniedError, RecordNotFoundError, RejectedError):
        return None
    if person is None:
        return None

    async def settle(tx: Tx) -> None:
        account = tx.account(work.job.account_id or "")
        known = await context.identities.remember(tx, workspace.provider, payload["team"], person)
        member = None if known.member_id is None else await context.members.get(tx, known.member_id)
        holders = await context.incidents.roles.holders(account, payload["incident_id"])
        # Somebody else may have it by now.
        if any(one.role == payload["role"] and one.person.id == payload["person_id"] for one in holders):
            named, role = person_behind(known, member), payload["role"]
            await context.incidents.roles.set(
                account, payload["incident_id"], role, named, origin_of(workspace)
            )

    return settle


async def show_files(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.send_files` job; what the channel tells of files that were not shown is brought in line by a visit."""
    if not await send_files(context, work):
        return None
    return partial(_ask_for_visit, context, work)


async def _ask_for_visit(context: ChatContext, work: Work, tx: Tx) -> None:
    integration_id, incident_id = work.job.payload["integration_id"], work.job.payload["incident_id"]
    asked = {"integration_id": integration_id, "incident_id": incident_id, "update": None}
    await context.queue.enqueue(
        tx.account(work.job.account_id or ""), VISIT, asked, key=partition(integration_id, incident_id)
    )


async def archive_due(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.archive_due` timer: a visit sees whether the incident is still closed."""
    return partial(_ask_for_visit, context, work)


def _budget(job: Job) -> BudgetUse:
    return BudgetUse(str(job.payload["integration_id"]))


def consumers(context: ChatContext) -> list[Consumer]:
    """Return the consumers of chat's jobs, to be registered with the worker."""
    return [
        *(
            Consumer(
                kind, partial(handler, context), retry=retry, timeout=timedelta(seconds=180), budget=_budget
            )
            for kind, (handler, retry) in CONSUMERS.items()
        ),
        Consumer(ARCHIVE_DUE, partial(archive_due, context), retry=PATIENCE),
        batching.consumer(context),
    ]


CONSUMERS: Final[Mapping[str, tuple[ChatHandler, Retry]]] = {
    VISIT: (visit, PATIENCE),
    RESPOND: (respond, BRIEFLY),
    REPLY: (reply, BRIEFLY),
    IDENTIFY: (identify, BRIEFLY),
    NAME_HOLDER: (name_holder, BRIEFLY),
    HOME: (show_home, BRIEFLY),
    FAILOVER: (fall_back, PATIENCE),
    TAKE_FILE: (take_file, PATIENCE),
    SEND_FILES: (show_files, PATIENCE),
}
"""Kind of job → handler and how long it is tried."""
