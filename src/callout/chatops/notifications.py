"""What chat does when an incident changes: a visit to every chat integration of its account, with the news for the threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import batching, failover, store
from callout.chatops.files.sending import on_attached
from callout.chatops.operators import WEBHOOK_DISABLED, on_webhook_disabled
from callout.chatops.visit import VISIT, partition
from callout.chatops.words import (
    TOLD_FIELDS,
    joined_update,
    note_update,
    role_update,
    task_update,
    update_text,
)
from callout.ports.chat_rules import NotificationType
from callout.ports.values import Audience, Channel, Severity, Status
from callout.sync.attach import TICKET_READ
from callout.sync.conflicts import CONFLICT_EVENT
from callout.sync.making import is_quiet
from callout.sync.reactions import lane_of

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx

READERS: Final = Audience.RESPONDERS
"""Who reads our channels: what is not for them is not put there."""
QUIET_FIELDS: Final = frozenset({"tags", "description", "service", "team"})
"""Changes of these alone can wait for each other."""
TICKET_ENTRIES: Final = frozenset({"ticket_created", "ticket_attached", "ticket_detached", "ticket_linked"})
TASK_VERBS: Final[Mapping[str, str]] = {
    "incident.task_added": "added",
    "incident.task_changed": "changed",
    "incident.task_done": "done",
    "incident.task_reopened": "open again",
}
TROUBLE_ENTRIES: Final = frozenset({"chat_message_failed", "chat_message_perhaps_sent"})
_STATUS_NEWS: Final[Mapping[str, NotificationType]] = {
    Status.ACKNOWLEDGED.value: NotificationType.ACKNOWLEDGED,
    Status.MITIGATED.value: NotificationType.MITIGATED,
    Status.RESOLVED.value: NotificationType.RESOLVED,
    Status.CLOSED.value: NotificationType.CLOSED,
}
_NEWS: Final[Mapping[str, NotificationType]] = {
    "incident.declared": NotificationType.CREATED,
    "incident.escalated": NotificationType.ESCALATED,
    "incident.paged": NotificationType.ESCALATED,
    "incident.sla_breached": NotificationType.SLA_BREACH,
}


async def on_declared(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for channel and cards of a new incident."""
    await visit_all(context, tx, event, "")


async def on_changed(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the cards to be updated and the threads to be told what changed; small changes are told together."""
    changes = event.data.get("changes", {})
    quiet = not {name for name in changes if name in TOLD_FIELDS} - QUIET_FIELDS
    await visit_all(context, tx, event, update_text(changes, event.origin), quiet=quiet)


async def on_noted(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the threads to be told of a note, unless it is not for those who read there."""
    if not Audience(event.data["audience"]).may_reach(READERS):
        return
    readable = [audience for audience in Audience if audience.may_reach(READERS)]
    notes = await context.incidents.notes(tx, event.subject, audiences=readable)
    note = next((note for note in notes if note.id == event.data["note_id"]), None)
    if note is not None:
        author = note.author.name if note.author is not None else ""
        await visit_all(context, tx, event, note_update(note.text, author, event.origin))


async def on_look(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for what the platform shows to be brought in line: conflicts, and what a ticket was read to say."""
    await visit_all(context, tx, event, "")


async def on_role(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the threads to be told who has a role now, and for that person to be invited."""
    await visit_all(context, tx, event, role_update(event.data, event.origin))


async def on_participant(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the threads to be told who joined or left, with whatever else is small."""
    left = event.kind == "incident.participant_left"
    await visit_all(context, tx, event, joined_update(event.data, left=left), quiet=True)


async def on_task(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the threads to be told of a task, with whatever else is small."""
    text = task_update(TASK_VERBS[event.kind], event.data, event.origin)
    await visit_all(context, tx, event, text, quiet=True)


async def on_entry(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """The same when a ticket came or went: the channel's bookmarks lead to them; and when a message was not sent, to tell that."""
    if event.data.get("kind") in TICKET_ENTRIES | TROUBLE_ENTRIES:
        await visit_all(context, tx, event, "")


def news_of(event: EventEnvelope) -> NotificationType:
    """Return which kind of news an event is."""
    status = event.data.get("changes", {}).get("status")
    if status is not None:
        return _STATUS_NEWS.get(str(status["after"]), NotificationType.UPDATED)
    return _NEWS.get(event.kind, NotificationType.UPDATED)


async def visit_all(
    context: ChatContext, tx: AccountTx, event: EventEnvelope, news: str, *, quiet: bool = False
) -> None:
    """Ask for a visit to every chat integration of the account, with `news` for the threads (empty: none).

    News that is `quiet` waits for more of its kind, where the integration says so.
    """
    severity = Severity.parse(event.data["incident"]["severity"])
    lane = lane_of(severity)
    workspaces = await context.workspaces(tx)
    if workspaces and await _stays_quiet(tx, event):
        return
    kind = news_of(event)
    for workspace in workspaces:
        later = bool(news) and quiet and workspace.settings.batch_seconds > 0
        payload = {
            "integration_id": workspace.integration_id,
            "incident_id": event.subject,
            "update": {"key": event.id, "text": news} if news and not later else None,
            "news": kind.value,
            "at": event.occurred_at.isoformat(),
        }
        await context.queue.enqueue(
            tx,
            VISIT,
            payload,
            key=partition(workspace.integration_id, event.subject),
            lane=lane,
            dedupe=f"{workspace.integration_id}/{event.id}",
        )
        if later:
            await batching.put(context, tx, workspace, event, text=news, lane=lane)
        await failover.watch(context, tx, workspace, event, news=kind, text=news)


async def _stays_quiet(tx: AccountTx, event: EventEnvelope) -> bool:
    """Return whether an incident of the past, taken over from a ticket, goes on without chat.

    It does until somebody here does something about it, or it becomes worse over there: else taking over ten thousand open tickets
    would end in a channel for each that anybody touches.
    """
    if event.origin.channel is not Channel.SYNC or _worse(event.data.get("changes", {})):
        return False
    return await is_quiet(tx, event.subject) and not await store.messages(tx, event.subject)


def _worse(changes: Mapping[str, Any]) -> bool:
    severity, status = changes.get("severity"), changes.get("status")
    if severity and Severity.parse(severity["after"]).rank < Severity.parse(severity["before"]).rank:
        return True
    return status is not None and status["after"] == Status.OPEN.value


Handler = Callable[["ChatContext", "AccountTx", "EventEnvelope"], Awaitable[None]]

HANDLERS: Final[Mapping[str, Handler]] = {
    "incident.declared": on_declared,
    "incident.changed": on_changed,
    "incident.noted": on_noted,
    "incident.attached": on_attached,
    "incident.entry_added": on_entry,
    "incident.participant_joined": on_participant,
    "incident.participant_left": on_participant,
    "incident.role_changed": on_role,
    **dict.fromkeys(TASK_VERBS, on_task),
    TICKET_READ: on_look,
    CONFLICT_EVENT: on_look,
    WEBHOOK_DISABLED: on_webhook_disabled,
}
"""Event kind → `async (context, tx, event)`, run inside the job's own transaction; bootstrap binds them.

Bind them as one subscription to `incident.*` (see :func:`on_event`), so that the news of one incident stays in order.
"""


async def on_event(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Handle an event of any kind; those that chat does not tell of are passed over."""
    handler = HANDLERS.get(event.kind)
    if handler is not None:
        await handler(context, tx, event)
