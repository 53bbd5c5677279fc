"""What a visit starts from: the incident, and what is known of its channel, its messages and its people on one integration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.chatops import store
from callout.chatops.conflicts import ConflictNews
from callout.chatops.guests import Guest, guests, places_named
from callout.chatops.pausing import paused_for
from callout.ports.chat import Bookmark
from callout.ports.errors import NotFoundError

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.chatops.store import ChatMessage, IncidentChannel
    from callout.incidents import Incident
    from callout.storage import AccountTx

PAGE: Final = "page"
"""Our name of the bookmark that leads to the incident's page."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything, as it was in one transaction."""

    workspace: Workspace
    incident: Incident
    channel: IncidentChannel | None
    messages: Sequence[ChatMessage]
    guests: Sequence[Guest]
    places: Mapping[str, str | Guest]
    """A routing rule's word → the channel or person that it means."""
    bookmarks: Sequence[Bookmark]
    news: ConflictNews

    @classmethod
    async def read(
        cls, context: ChatContext, tx: AccountTx, integration_id: str, incident_id: str
    ) -> Loaded | None:
        """Return everything, or None when integration or incident is gone. Raises RetryLater while paused."""
        workspace = await context.workspace(tx, integration_id)
        if workspace is None:
            return None
        await paused_for(context, tx, integration_id)
        try:
            incident = await context.incidents.get(tx, incident_id)
        except NotFoundError:
            return None
        told = await store.messages(tx, incident.id, integration_id)
        return cls(
            workspace,
            incident,
            await store.channel(tx, integration_id, incident.id),
            told,
            await guests(context, tx, workspace, incident),
            await places_named(context, tx, workspace, incident),
            await _bookmarks(context, tx, incident) if workspace.settings.bookmarks else (),
            await ConflictNews.read(context, tx, incident.id, told),
        )


async def _bookmarks(context: ChatContext, tx: AccountTx, incident: Incident) -> list[Bookmark]:
    """Return the links that belong at the head of the channel: the incident's page, and its tickets as far as they can be opened."""
    found = [Bookmark(PAGE, f"{incident.key} in Callout", context.link(incident.key))]
    for link, name in await context.conflicts.tickets(tx, incident.id):
        if link.ticket_url.startswith(("https://", "http://")):
            found.append(Bookmark(f"ticket:{link.id}", f"{name} {link.ticket_key}".strip(), link.ticket_url))
    return found
