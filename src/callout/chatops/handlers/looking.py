"""What only tells: one incident, many, what happened, how to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.chatops import grammar, telling, words
from callout.chatops.commands import Help, ListIncidents, Show, ShowChanges, ShowTimeline, Unclear
from callout.chatops.handlers.asked import READABLE
from callout.chatops.periods import since
from callout.chatops.private import listed_for, visible
from callout.chatops.speakers import own_ids
from callout.incidents import IncidentFilter
from callout.ports.chat import Answer, Card, Section

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked

LINES = 25
LOOKED_AT = 200


async def show(asked: Asked, command: Show) -> Answer:
    """Show an incident; in no incident's channel what is active."""
    found = await asked.named(command.incident, optional=True)
    if not found:
        return await listing(asked, ListIncidents())
    return Answer("", card=asked.card(await asked.incidents.get(asked.tx, found)))


async def listing(asked: Asked, command: ListIncidents) -> Answer:
    """List incidents."""
    began = since(command.period, asked.context.clock.now()) if command.period else None
    wanted = IncidentFilter(
        statuses=command.statuses,
        severities=command.severities,
        service=command.service,
        team=command.team,
        created_from=began,
        person_ids=await own_ids(asked) if command.mine else (),
    )
    found, more = await listed_for(asked, wanted, limit=words.LIST_LIMIT)
    return Answer(words.listed(found, more=more))


async def timeline(asked: Asked, command: ShowTimeline) -> Answer:
    """Show what happened in an incident: all of it that fits, the newest last."""
    incident = await asked.incident(command.incident)
    began = since(command.period, asked.context.clock.now()) if command.period else incident.created_at
    lines = await asked.incidents.recent_entries(
        asked.tx, began, audiences=READABLE, incident_id=incident.id, limit=LOOKED_AT
    )
    told = [line for entry in lines if (line := telling.line_of(entry))]
    title = f"{incident.key} {incident.title}"
    return Answer("", card=_told(title, told, link=asked.context.link(incident.key)))


async def changes(asked: Asked, command: ShowChanges) -> Answer:
    """Show what changed lately: in the incident that was named, or in all."""
    began = since(command.period, asked.context.clock.now())
    incident_id = ""
    title = f"Changes since {began:%b %d %H:%M} UTC"
    link = ""
    if command.incident:
        incident = await asked.incident(command.incident)
        incident_id, title, link = (
            incident.id,
            f"{incident.key}: {title[0].lower()}{title[1:]}",
            asked.context.link(incident.key),
        )
    lines = await asked.incidents.recent_entries(
        asked.tx, began, audiences=READABLE, incident_id=incident_id, limit=LOOKED_AT
    )
    keys: dict[str, str] = {}
    if not incident_id:
        about = [
            await asked.incidents.get(asked.tx, one)
            for one in dict.fromkeys(entry.incident_id for entry in lines)
        ]
        keys = {one.id: one.key for one in await visible(asked, about)}
        lines = [entry for entry in lines if entry.incident_id in keys]
    told = [line for entry in lines if (line := telling.line_of(entry, key=keys.get(entry.incident_id, "")))]
    return Answer("", card=_told(title, told, link=link))


def _told(title: str, newest_first: list[str], *, link: str) -> Card:
    shown = newest_first[:LINES]
    text = "\n".join(f"- {line}" for line in reversed(shown)) or "Nothing."
    if len(newest_first) > LINES:
        text = f"The newest {LINES}:\n\n{text}"
    return Card(title=title, text=text, link=link)


async def help_(asked: Asked, command: Help) -> Answer:
    """Explain the commands, or one of them."""
    name = asked.command
    if command.topic:
        return Answer(grammar.help_text(name, command.topic))
    sections = tuple(Section(f"**{group}**\n\n{grammar.overview(name, group)}") for group in grammar.GROUPS)
    return Answer(
        "",
        card=Card(title="What you can type", sections=sections, footer=grammar.CLOSING.format(command=name)),
    )


async def unclear(asked: Asked, command: Unclear) -> Answer:
    """Say what was not understood, and what was probably meant."""
    hints = [
        grammar.usage(grammar.BY_WORD[line], asked.command)
        if line in grammar.BY_WORD
        else f"{asked.command} {line}"
        if line.partition(" ")[0] in grammar.BY_WORD
        else line
        for line in command.suggestions
    ]
    return Answer(words.unclear(command.problem, hints))
