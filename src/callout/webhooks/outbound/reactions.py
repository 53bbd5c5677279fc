"""What outgoing webhooks do when an incident changes: its endpoints are told, in the order of the incident's events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import NotFoundError
from callout.ports.values import Audience
from callout.webhooks.outbound.model import INCIDENT_EVENTS, ORGANIZATION, Happening

if TYPE_CHECKING:
    from callout.incidents import Incidents
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx
    from callout.webhooks.outbound.routing import Router

TOLD = (Audience.RESPONDERS, Audience.CUSTOMER)
"""Whose notes leave the house: an internal one is for nobody's machine."""
ANY_ENDPOINT: Final = (
    f"EXISTS (SELECT 1 FROM webhook_endpoint e WHERE e.account_id IN ({{account}}, '{ORGANIZATION}'))"  # noqa: S608  # our constant
)
"""True of an account that has endpoints, or whose organization has: most have none, and every incident's events ask."""


@dataclass(frozen=True, slots=True)
class OutboundContext:
    """What the reactions need."""

    router: Router
    incidents: Incidents


async def on_incident(context: OutboundContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Tell endpoints of an incident's event; an internal note is not told of at all."""
    data = dict(event.data)
    if event.kind == "incident.noted":
        note = await _note(context, tx, event)
        if note is None:
            return
        data["note"] = note
    origin = event.origin.to_json()
    await context.router.tell(
        tx,
        [
            Happening(
                id=f"msg_{event.id}",
                event_type=event.kind,
                subject=f"incident:{event.subject}",
                occurred_at=event.occurred_at,
                body={
                    "event_type": event.kind,
                    "timestamp": event.occurred_at.isoformat(),
                    "account_id": event.account_id,
                    "data": {**data, "origin": origin},
                },
            )
        ],
    )


async def _note(context: OutboundContext, tx: AccountTx, event: EventEnvelope) -> dict[str, Any] | None:
    """Return the note that an event is about, or None when it is not for machines outside or gone."""
    try:
        notes = await context.incidents.notes(tx, event.subject, audiences=TOLD)
    except NotFoundError:
        return None
    wanted = event.data.get("note_id")
    return next(
        (
            {"id": one.id, "text": one.text, "audience": one.audience.value}
            for one in notes
            if one.id == wanted
        ),
        None,
    )


HANDLERS = dict.fromkeys(INCIDENT_EVENTS, on_incident)
"""Event kind → `async (context, tx, event)`, run inside the job's own transaction; bootstrap binds them."""
