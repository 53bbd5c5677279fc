"""What sync does when an incident changes: a visit to every link but the one the change came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callout.incidents import Incident
from callout.jobs import Lane
from callout.kit.ids import new_id
from callout.ports.values import Origin, Severity
from callout.sync import links
from callout.sync.context import SyncContext
from callout.sync.links import Link, LinkStatus, mark_of
from callout.sync.rules import wants_ticket

if TYPE_CHECKING:
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx

VISIT = "sync.visit"
CHANGES = "sync.changes"


URGENT_RANK = 2


def lane_of(severity: Severity) -> Lane:
    """Return the lane of work for an incident: the two worst severities overtake everything."""
    return Lane.URGENT if severity.rank <= URGENT_RANK else Lane.NORMAL


async def on_declared(context: SyncContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Make a link, and a visit that creates its ticket, for each integration whose rules want one."""
    incident = await context.incidents.get(tx, event.subject)
    existing = {link.integration_id for link in await links.of_incident(tx, incident.id)}
    for target in await context.targets(tx):
        came_from = event.origin.integration_id == target.integration_id
        if target.integration_id in existing or came_from or not wants_ticket(incident, target.settings):
            continue
        await open_link(context, tx, incident, target.integration_id, origin=event.origin)


async def open_link(
    context: SyncContext,
    tx: AccountTx,
    incident: Incident,
    integration_id: str,
    *,
    origin: Origin | None = None,
) -> Link:
    """Make a link whose ticket is still to be created, and the job that does it."""
    link_id = new_id()
    link = Link(
        id=link_id,
        account_id=tx.account_id,
        incident_id=incident.id,
        integration_id=integration_id,
        mark=mark_of(incident.key, link_id),
        status=LinkStatus.CREATING,
        created_at=context.clock.now(),
    )
    await links.insert(tx, link)
    await visit(context, tx, [link], lane_of(incident.severity), reason="declared", origin=origin)
    return link


async def on_changed(context: SyncContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for a visit of every link of the incident except the one that the change came from."""
    affected = [
        link
        for link in await links.of_incident(tx, event.subject)
        if link.id != event.origin.link_id and link.status in {LinkStatus.CREATING, LinkStatus.ACTIVE}
    ]
    severity = Severity.parse(event.data["incident"]["severity"])
    await visit(context, tx, affected, lane_of(severity), reason=event.kind, origin=event.origin)


async def visit(
    context: SyncContext,
    tx: AccountTx,
    affected: Sequence[Link],
    lane: Lane,
    *,
    reason: str,
    origin: Origin | None = None,
) -> None:
    """Enqueue one visit per link; several that wait in a partition are done as one.

    Where a change is behind it, the visit knows its `origin`: its writes are one automatic step further.
    """
    for link in affected:
        payload: dict[str, Any] = {
            "link_id": link.id,
            "integration_id": link.integration_id,
            "reason": reason,
        }
        if origin is not None:
            payload |= {"hops": origin.hops + 1, "after": origin.to_json()}
        await context.queue.enqueue(
            tx, VISIT, payload, key=link.partition(), lane=lane, account_id=tx.account_id
        )


HANDLERS = {
    "incident.declared": on_declared,
    "incident.changed": on_changed,
    "incident.noted": on_changed,
}
"""Event kind → `async (context, tx, event)`, run inside the job's own transaction; bootstrap binds them."""
