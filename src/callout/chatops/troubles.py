"""What could not be said is told in the incident's own channel, with a button that has it said again: one message per place, edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops.conflicts import CONFLICT
from callout.chatops.files.sending import FILE
from callout.chatops.places import CARD, HOME, UPDATE
from callout.chatops.posting import ERROR_LIMIT, REFUSED, TROUBLE, Poster
from callout.chatops.store import ChatMessage, MessageState
from callout.chatops.words import cut, literal
from callout.ports.chat import Button, Card

if TYPE_CHECKING:
    from callout.chatops.conflicts import Place
    from callout.incidents import Incident
    from callout.ports.chat import ChatProvider

SEND_AGAIN: Final = "chat.send_again"
"""The button's action; its value is the incident's id and the place, with a bar between them."""
FAILED: Final = frozenset({MessageState.PERHAPS_SENT, MessageState.FAILED})
WHY_LIMIT: Final = 300
SAID: Final = "What was not sent before is sent now."
_PLACES: Final = {
    "route": "#{}",
    "direct": "direct message to {}",
    "fallback": "#{}, in place of another",
}


def where_of(row: ChatMessage) -> str:
    """Return where a message belongs, in words."""
    kind, _, name = row.place.partition(":")
    if row.purpose in {CONFLICT, TROUBLE} or _is_home(row):
        return "the incident's channel"
    return _PLACES[kind].format(name) if kind in _PLACES and name else row.place


def can_be_said_again(row: ChatMessage) -> bool:
    """Return whether a person may have a message said again."""
    known = row.purpose in {CARD, CONFLICT, FILE} or (row.purpose == UPDATE and row.text != "")
    return known and row.state in FAILED


def of_place(rows: Sequence[ChatMessage], place: str) -> list[ChatMessage]:
    """Return what of a place may be said again."""
    return [row for row in rows if row.place == place and can_be_said_again(row)]


def _is_home(row: ChatMessage) -> bool:
    return row.place == HOME or row.place.startswith(f"{HOME}-")


def _waits(rows: Mapping[str, ChatMessage], place: str) -> bool:
    """Return whether something of a place is to be sent, so that nobody can say yet what became of it."""
    mine = (row for row in rows.values() if row.place == place and row.purpose != TROUBLE)
    return any(row.state is MessageState.PENDING for row in mine)


class Troubles:
    """Brings the messages about what was not said in line with how it stands."""

    def __init__(self, poster: Poster, provider: ChatProvider, incident: Incident) -> None:
        self._poster = poster
        self._provider = provider
        self._incident = incident

    async def ensure(self, rows: Mapping[str, ChatMessage], place: Place | None) -> None:
        """Tell in `place` what was not said elsewhere; edit what is not so any more."""
        told = {row.place: row for row in rows.values() if row.purpose == TROUBLE}
        # A card that its own channel refused has nowhere else to be told of.
        failing = [
            row
            for row in rows.values()
            if can_be_said_again(row) and not (row.purpose == CARD and _is_home(row))
        ]
        for name in dict.fromkeys([*told, *(row.place for row in failing)]):
            card = self._card(name, of_place(failing, name))
            row = told.get(name)
            if row is None and place is not None:
                key = f"{TROUBLE}/{self._poster.integration_id}/{self._incident.id}/{name}"
                row = self._poster.draft(
                    key, TROUBLE, name, incident_id=self._incident.id, thread=place.thread
                )
                row = replace(row, channel=place.channel)
            if row is None:
                continue
            if row.state is MessageState.PENDING:
                post = partial(self._provider.post_message, row.channel, card, key=row.key, thread=row.thread)
                await self._poster.post(replace(row, text=card.text), post)
            elif row.state is MessageState.SENT and row.text != card.text and not _waits(rows, name):
                await self._edit(replace(row, text=card.text), card)

    def _card(self, place: str, failing: Sequence[ChatMessage]) -> Card:
        if not failing:
            return Card(title="", text=SAID)
        newest = max(failing, key=lambda row: row.created_at)
        more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        doubt = " Sent again, it may be there twice." if newest.state is MessageState.PERHAPS_SENT else ""
        how = "Perhaps sent" if newest.state is MessageState.PERHAPS_SENT else "Not sent"
        text = (
            f"**{how}** to {literal(where_of(newest))}: {literal(self._what(newest))}{more}."
            f" {literal(cut(newest.error, WHY_LIMIT))}{doubt}"
        )
        return Card(
            title="", text=text, buttons=(Button(SEND_AGAIN, "Send again", f"{self._incident.id}|{place}"),)
        )

    def _what(self, row: ChatMessage) -> str:
        return f"file {row.text}" if row.purpose == FILE else {UPDATE: "news"}.get(row.purpose, row.purpose)

    async def _edit(self, row: ChatMessage, card: Card) -> None:
        try:
            await self._provider.update_message(row.ref, card)
        except REFUSED as error:  # deleted by a person, or too old to change
            row = replace(row, error=error.message[:ERROR_LIMIT])
        await self._poster.save(row)


__all__ = ["FAILED", "SEND_AGAIN", "TROUBLE", "Troubles", "can_be_said_again", "of_place", "where_of"]
