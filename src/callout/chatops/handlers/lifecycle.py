"""Declaring and moving incidents, and writing about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from callout.chatops import words
from callout.chatops.commands import Act, AddNote, Change, Declare
from callout.incidents import ACTIONS, DeclareIncident
from callout.incidents.model import TITLE_LIMIT
from callout.ports.chat import Answer
from callout.ports.errors import IllegalTransitionError
from callout.ports.values import Audience

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked

_NOTE_PERMISSION: Final = {Audience.INTERNAL: "incident.note.internal"}
_AUDIENCES: Final = {
    Audience.INTERNAL: "us alone",
    Audience.RESPONDERS: "responders",
    Audience.CUSTOMER: "customers",
}


async def declare(asked: Asked, command: Declare) -> Answer:
    """Declare an incident."""
    title, description = command.title, command.description
    is_cut = len(title) > TITLE_LIMIT
    if is_cut:  # whoever declares at night is not sent back to count letters
        description = "\n\n".join(filter(None, (title, description)))
        title = words.cut(" ".join(title.split()), TITLE_LIMIT)
    draft = DeclareIncident(
        title=title,
        description=description,
        service=command.service,
        team=command.team,
        tags=command.tags,
    )
    if command.severity is not None:
        draft = replace(draft, severity=command.severity)
    incident = await asked.incidents.declare(asked.tx, draft, asked.origin)
    told = " The title was too long: the whole text is in the description." if is_cut else ""
    return Answer(words.declared(incident) + told, card=asked.card(incident))


async def act(asked: Asked, command: Act) -> Answer:
    """Move an incident; a comment becomes a note."""
    named = await asked.named(command.incident)
    try:
        incident = await asked.incidents.act(asked.tx, named, command.action, asked.origin)
    except IllegalTransitionError as error:
        found = await asked.incidents.get(asked.tx, named)
        if found.status is not ACTIONS[command.action][1]:
            raise
        if command.comment:
            how = f"To write down what you said: {asked.command} note {found.key} text"
        else:
            how = f"{asked.command} status {found.key} shows how it stands"
        raise IllegalTransitionError(
            f"{found.key} is {found.status.value} already", remediation=how
        ) from error
    if command.comment:
        await asked.incidents.add_note(
            asked.tx, incident.id, command.comment, Audience.RESPONDERS, asked.origin
        )
    return Answer(words.acted(incident, command.action))


async def change(asked: Asked, command: Change) -> Answer:
    """Change fields."""
    named = await asked.named(command.incident)
    incident = await asked.incidents.patch(asked.tx, named, command.values, asked.origin)
    return Answer(words.changed(incident, tuple(command.values)))


async def note(asked: Asked, command: AddNote) -> Answer:
    """Write something down, for an audience that the speaker may write for."""
    asked.speaker.require(_NOTE_PERMISSION.get(command.audience, "incident.note"))
    edit = await asked.incidents.edit(asked.tx, await asked.named(command.incident))
    edit.note(command.text, command.audience, origin=asked.origin)
    incident = await edit.save()
    return Answer(f"Noted on **{incident.key}** (for {_AUDIENCES[command.audience]}).")
