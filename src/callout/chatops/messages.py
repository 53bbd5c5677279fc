"""Messages of the platform on the timeline: put there by people, and followed when they are edited or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.chatops.files.taking import From, take
from callout.chatops.readable import readable
from callout.chatops.speakers import speaker_of
from callout.incidents import SaidInChat
from callout.ports.chat import ChatEvent, ChatEventKind, MessageRef
from callout.ports.values import Actor, Audience, Channel, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from callout.chatops.context import ChatContext, Workspace
    from callout.chatops.handlers.asked import Asked
    from callout.incidents import TimelineEntry
    from callout.ports.chat_files import SharedFile
    from callout.ports.values import Person
    from callout.storage import AccountTx, Tx

FOLLOWED = frozenset({ChatEventKind.MESSAGE_CHANGED, ChatEventKind.MESSAGE_DELETED})


def source_of(workspace: Workspace, team: str, message: MessageRef) -> str:
    """Return what a message is known by: the same on every reading of it."""
    return f"{workspace.integration_id}/{team}/{message.channel}/{message.id}"


async def add_to_timeline(
    asked: Asked,
    incident: str,
    message: MessageRef,
    text: str,
    *,
    author: Person | None = None,
    permalink: str = "",
    said_at: datetime | None = None,
    audience: Audience = Audience.RESPONDERS,
    files: Sequence[SharedFile] = (),
) -> TimelineEntry | None:
    """Put a message on the timeline of the incident (empty: the channel's own), and attach its files. `author` is the platform's user.

    Returns None for a message that has files and no words. Raises InvalidRequestError, ForbiddenError.
    """
    asked.speaker.require("incident.note.internal" if audience is Audience.INTERNAL else "incident.note")
    key = await asked.named(incident)
    person = None
    if author is not None:
        said = await speaker_of(
            asked.context, asked.tx, asked.workspace, asked.speaker.identity.team, author, judged=False
        )
        person = said.person
    settings = asked.workspace.settings
    if files and settings.take_files != "none":
        readers = Audience.INTERNAL if audience is Audience.INTERNAL else Audience(settings.file_audience)
        incident_id = (await asked.incidents.get(asked.tx, key)).id
        how = From(incident_id, asked.origin, person, readers, said_at)
        await take(asked.context, asked.tx, asked.workspace, files, how, again=True)
        if not text.strip():
            return None
    team = asked.speaker.identity.team
    source = source_of(asked.workspace, team, message)
    text = await readable(asked.context, asked.tx, asked.workspace, team, text)
    found = SaidInChat(source, text, person, permalink, said_at)
    return await asked.incidents.messages.add(asked.tx, key, found, asked.origin, audience=audience)


async def follow(context: ChatContext, workspace: Workspace, given: ChatEvent) -> None:
    """Write a correcting line wherever an edited or deleted message stands on a timeline. The same event twice does it once."""
    message = given.message
    if given.kind not in FOLLOWED or message is None:
        return

    async def unit(tx: Tx) -> None:
        account = tx.account(workspace.account_id)
        source = source_of(workspace, given.team, message)
        origin = await _origin(context, account, workspace, given)
        if given.kind is ChatEventKind.MESSAGE_DELETED:
            await context.incidents.messages.deleted(account, source, origin)
        elif given.text.strip():
            text = await readable(context, account, workspace, given.team, given.text)
            await context.incidents.messages.edited(account, source, text, origin)

    await context.database.transaction(unit)


async def _origin(context: ChatContext, tx: AccountTx, workspace: Workspace, given: ChatEvent) -> Origin:
    """Return who edited it, where the platform tells; reading along makes nobody known to us."""
    actor = Actor.system(workspace.title)
    if given.user is not None:
        found = await context.identities.find(tx.system, workspace.provider, given.team, given.user.id)
        actor = actor if found is None else found.actor
    return Origin(Channel.CHAT, actor, integration_id=workspace.integration_id)
