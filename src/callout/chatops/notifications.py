"""What chat does when an incident changes: a visit to every chat integration of its account, with the news for the threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import store
from callout.chatops.visit import VISIT
from callout.chatops.words import note_update, update_text
from callout.ports.values import Audience, Channel, Severity, Status
from callout.sync.conflicts import CONFLICT_EVENT
from callout.sync.making import is_quiet
from callout.sync.reactions import lane_of

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx

READERS: Final = Audience.RESPONDERS
"""Who reads our channels: what is not for them is not put there."""


async def on_declared(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for channel and cards of a new incident."""
    await _visit_all(context, tx, event, "")


async def on_changed(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the cards to be updated and the threads to be told what changed."""
    await _visit_all(context, tx, event, update_text(event.data.get("changes", {}), event.origin))


async def on_noted(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the threads to be told of a note, unless it is not for those who read there."""
    if not Audience(event.data["audience"]).may_reach(READERS):
        return
    readable = [audience for audience in Audience if audience.may_reach(READERS)]
    notes = await context.incidents.notes(tx, event.subject, audiences=readable)
    note = next((note for note in notes if note.id == event.data["note_id"]), None)
    if note is not None:
        author = note.author.name if note.author is not None else ""
        await _visit_all(context, tx, event, note_update(note.text, author, event.origin))


async def on_conflict(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for the messages about conflicts to be posted or edited."""
    await _visit_all(context, tx, event, "")


async def _visit_all(context: ChatContext, tx: AccountTx, event: EventEnvelope, news: str) -> None:
    severity = Severity.parse(event.data["incident"]["severity"])
    lane = lane_of(severity)
    workspaces = await context.workspaces(tx)
    if workspaces and await _stays_quiet(tx, event):
        return
    for workspace in workspaces:
        payload = {
            "integration_id": workspace.integration_id,
            "incident_id": event.subject,
            "update": {"key": event.id, "text": news} if news else None,
        }
        await context.queue.enqueue(
            tx,
            VISIT,
            payload,
            key=partition(workspace.integration_id, event.subject),
            lane=lane,
            dedupe=f"{workspace.integration_id}/{event.id}",
        )


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


def partition(integration_id: str, incident_id: str) -> str:
    """Return the key that keeps the visits of one incident on one integration in order."""
    return f"chat:{integration_id}:{incident_id}"


Handler = Callable[["ChatContext", "AccountTx", "EventEnvelope"], Awaitable[None]]

HANDLERS: Final[Mapping[str, Handler]] = {
    "incident.declared": on_declared,
    "incident.changed": on_changed,
    "incident.noted": on_noted,
    CONFLICT_EVENT: on_conflict,
}
"""Event kind → `async (context, tx, event)`, run inside the job's own transaction; bootstrap binds them.

Bind them as one subscription to `incident.*` (see :func:`on_event`), so that the news of one incident stays in order.
"""


async def on_event(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Handle an event of any kind; those that chat does not tell of are passed over."""
    handler = HANDLERS.get(event.kind)
    if handler is not None:
        await handler(context, tx, event)
