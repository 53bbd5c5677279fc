"""Tickets of an incident, from chat: link one, have one made, see how they stand, ask why a field is as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.chatops import words
from callout.chatops.commands import Explain, LinkTicket, MakeTicket, ShowTickets
from callout.chatops.tickets import conflicts_card, tickets_card
from callout.ports.chat import Answer, Card
from callout.sync.why import plain_lines, why

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked


async def link(asked: Asked, command: LinkTicket) -> Answer:
    """Link a ticket that exists; it is read by a job."""
    incident = await asked.incident(command.incident)
    tickets = asked.context.tickets
    integration, key = await tickets.named(asked.tx, command.ticket, integration=command.integration)
    await tickets.attach(
        asked.tx,
        incident.id,
        integration=integration,
        ticket=key,
        prefer=command.prefer,
        origin=asked.origin,
    )
    return Answer("", card=await card_of(asked, incident.id))


async def make(asked: Asked, command: MakeTicket) -> Answer:
    """Have a ticket made; a job makes it."""
    incident = await asked.incident(command.incident)
    await asked.context.tickets.make(
        asked.tx, incident.id, integration=command.integration, origin=asked.origin
    )
    return Answer("", card=await card_of(asked, incident.id))


async def show(asked: Asked, command: ShowTickets) -> Answer:
    """Show how the tickets of an incident stand; in no incident's channel the conflicts of all."""
    found = await asked.named(command.incident, optional=True)
    if not found:
        return Answer("", card=conflicts_card(await asked.context.conflicts.of_account(asked.tx)))
    return Answer("", card=await card_of(asked, found))


async def card_of(asked: Asked, incident_id: str) -> Card:
    """Return the card with an incident's tickets and conflicts."""
    incident = await asked.incidents.get(asked.tx, incident_id)
    return tickets_card(
        incident,
        await asked.context.conflicts.tickets(asked.tx, incident.id),
        await asked.context.conflicts.of_incident(asked.tx, incident.id),
        link=asked.context.link(incident.key),
    )


async def explain(asked: Asked, command: Explain) -> Answer:
    """Tell why a field has its value."""
    asked.speaker.require("incident.read")
    incident = await asked.incident(command.incident)
    names = dict(await asked.context.tickets.names(asked.tx))
    names |= {one.integration_id: one.name for one in await asked.context.workspaces(asked.tx)}
    found = await why(asked.tx, incident.id, command.field, names)
    first, *rest = plain_lines(found.to_json())
    lines = [f"**{words.literal(first)}**", "", *(f"- {words.literal(line)}" for line in rest)]
    return Answer("\n".join(lines))
