"""Incidents with a private channel are listed in chat to those alone who are in them, and to those who run the place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from callout.chatops import routing, store
from callout.chatops.speakers import own_ids

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.incidents import Incident, IncidentFilter

ALL_SEEING: Final = frozenset({"admin", "manager"})
"""Roles that are told of every incident."""
PAGES: Final = 10
"""So many pages are looked through at most for what may be listed."""


async def listed_for(asked: Asked, wanted: IncidentFilter, *, limit: int) -> tuple[list[Incident], bool]:
    """Return the newest incidents that the speaker may be listed, at most `limit`; and whether there are more."""
    found: list[Incident] = []
    cursor = ""
    for _ in range(PAGES):
        page, cursor = await asked.incidents.search(asked.tx, wanted, limit=limit, cursor=cursor)
        found += await visible(asked, page)
        if not cursor or len(found) >= limit:
            break
    return found[:limit], bool(cursor) or len(found) > limit


async def visible(asked: Asked, incidents: Iterable[Incident]) -> list[Incident]:
    """Return those of the incidents that the speaker may be listed."""
    settings = asked.workspace.settings
    if not (settings.private_severities or settings.private_services) or asked.speaker.role in ALL_SEEING:
        return list(incidents)
    mine = await own_ids(asked)
    return [
        one for one in incidents if not routing.is_private(settings, one) or await _is_in(asked, one, mine)
    ]


async def _is_in(asked: Asked, incident: Incident, mine: tuple[str, ...]) -> bool:
    """Whether the speaker declared it, works on it, takes part in it, was invited to its channel, or asks there."""
    if any(
        one is not None and one.id in mine
        for one in (incident.declared_by, incident.commander, incident.assignee)
    ):
        return True
    own = await store.channel(asked.tx, asked.workspace.integration_id, incident.id)
    if own is not None and (
        asked.speaker.identity.user_id in own.invited or own.channel_id == asked.channel != ""
    ):
        return True
    there = await asked.incidents.participants.of(asked.tx, incident.id)
    return any(one.person.id in mine for one in there)


__all__ = ["listed_for", "visible"]
