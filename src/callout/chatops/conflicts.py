"""Conflicts told in an incident's channel: one message each, with buttons, edited when the conflict changes or ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops import tickets
from callout.chatops.posting import ERROR_LIMIT, REFUSED, Poster
from callout.chatops.store import ChatMessage, MessageState
from callout.incidents import Incident, TimelineEntry
from callout.ports.chat import Card, ChatProvider

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.storage import AccountTx
    from callout.sync.conflicts import OpenConflict

CONFLICT: Final = "conflict"
SETTLED: Final = 0
"""The version of a message whose conflict is over; else it is made of the values that the message shows."""
OUTCOMES_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class ConflictNews:
    """What a visit knows of an incident's conflicts: those that are open, and the timeline's lines about others, newest first."""

    open: Sequence[OpenConflict] = ()
    outcomes: Sequence[TimelineEntry] = ()

    @classmethod
    async def read(
        cls, context: ChatContext, tx: AccountTx, incident_id: str, told: Sequence[ChatMessage]
    ) -> ConflictNews:
        """Return the news; `told` are the messages about the incident."""
        found = await context.conflicts.of_incident(tx, incident_id)
        if not any(_waits(row) for row in told):
            return cls(found)
        kinds = (tickets.RESOLVED, tickets.ENDED)
        outcomes = await context.incidents.newest_entries(tx, incident_id, kinds, limit=OUTCOMES_LIMIT)
        return cls(found, outcomes)


@dataclass(frozen=True, slots=True)
class Place:
    """Where conflicts are told: a channel, and a thread of it where the incident has no channel of its own."""

    channel: str
    thread: str = ""


def _waits(row: ChatMessage) -> bool:
    return row.purpose == CONFLICT and row.version != SETTLED


def _place(conflict: OpenConflict) -> str:
    return f"{conflict.link.id}/{conflict.field}"


def _version(conflict: OpenConflict) -> int:
    return int(conflict.seen[:7], 16) or 1


class ConflictMessages:
    """Brings the messages about an incident's conflicts in line with the conflicts."""

    def __init__(
        self, poster: Poster, provider: ChatProvider, incident: Incident, news: ConflictNews, *, link: str
    ) -> None:
        self._poster = poster
        self._provider = provider
        self._incident = incident
        self._news = news
        self._link = link

    async def ensure(self, rows: Mapping[str, ChatMessage], place: Place | None) -> None:
        """Edit what is not so any more, and post what is not told yet (where there is a place for it)."""
        still = {_place(one): one for one in self._news.open}
        told = [row for row in rows.values() if row.purpose == CONFLICT]
        for row in told:
            if not _waits(row):
                continue
            conflict = still.pop(row.place, None)
            if conflict is None:
                await self._edit(row, self._settled(row), SETTLED)
            elif row.state is MessageState.PENDING:
                await self._post(row, conflict)
            elif row.version != _version(conflict):
                await self._edit(row, tickets.conflict_card(conflict, link=self._link), _version(conflict))
        if place is None:
            return
        for name, conflict in still.items():
            earlier = sum(row.place == name for row in told)
            key = f"{CONFLICT}/{self._poster.integration_id}/{name}/{earlier + 1}"
            row = self._poster.draft(key, CONFLICT, name, incident_id=self._incident.id, thread=place.thread)
            await self._post(replace(row, channel=place.channel), conflict)

    async def _post(self, row: ChatMessage, conflict: OpenConflict) -> None:
        card = tickets.conflict_card(conflict, link=self._link)
        post = partial(self._provider.post_message, row.channel, card, key=row.key, thread=row.thread)
        await self._poster.post(replace(row, version=_version(conflict)), post)

    async def _edit(self, row: ChatMessage, card: Card, version: int) -> None:
        if row.state is MessageState.SENT:
            try:
                await self._provider.update_message(row.ref, card)
            except REFUSED as error:  # deleted by a person, or too old to change
                row = replace(row, error=error.message[:ERROR_LIMIT])
        elif row.state is MessageState.PENDING:
            row = replace(row, state=MessageState.FAILED, error="the conflict was over before it was told")
        await self._poster.save(replace(row, version=version))

    def _settled(self, row: ChatMessage) -> Card:
        link_id, _, field = row.place.partition("/")
        entry = next(
            (
                one
                for one in self._news.outcomes
                if (one.data.get("link_id"), one.data.get("field")) == (link_id, field)
            ),
            None,
        )
        return tickets.settled_card(self._incident, field, entry)
