"""Cards of an incident and the news in their threads: in the places that the rules name, in its own channel, to people directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from callout.chatops import cards, routing, store
from callout.chatops.conflicts import Place
from callout.chatops.guests import Guest
from callout.chatops.posting import ERROR_LIMIT, NOTHING_DONE, REFUSED, Poster
from callout.chatops.store import ChannelState, ChatMessage, MessageState
from callout.ports.chat import Card, FullChat
from callout.ports.chat_rules import NotificationType
from callout.ports.errors import CalloutError

if TYPE_CHECKING:
    from callout.chatops.channels import ChannelKeeper
    from callout.chatops.context import ChatContext
    from callout.chatops.loading import Loaded
    from callout.jobs import Work
    from callout.storage import Tx

HOME: Final = "home"
CARD: Final = "card"
UPDATE: Final = "update"
TOLD: Final = frozenset({MessageState.SENT, MessageState.PERHAPS_SENT})


@dataclass(frozen=True, slots=True)
class News:
    """What a visit is about: `kind` and `at` decide who hears of it; `text` (empty: none) is said in the threads, under `key`."""

    kind: NotificationType
    at: datetime
    key: str = ""
    text: str = ""


class Places:
    """The steps that concern cards and threads, for one visit."""

    def __init__(
        self,
        context: ChatContext,
        work: Work,
        loaded: Loaded,
        *,
        provider: FullChat,
        keeper: ChannelKeeper,
        poster: Poster,
    ) -> None:
        self._context = context
        self._work = work
        self._workspace = loaded.workspace
        self._incident = loaded.incident
        self._named = loaded.places
        self._provider = provider
        self._keeper = keeper
        self._poster = poster
        self.rows = {row.key: row for row in loaded.messages}

    def conflict_place(self) -> Place | None:
        """Return where conflicts are told: in the own channel; where the incident has none, under its card."""
        own = self._keeper.row
        if own is not None and own.state is ChannelState.OPEN:
            return Place(own.channel_id)
        if self._keeper.is_being_made:
            return None
        card = next((row for row in self._cards() if row.state is MessageState.SENT), None)
        return None if card is None else Place(card.channel, card.ts)

    def own_place(self) -> Place | None:
        """Return the thread of the own channel's card, None where there is none."""
        own = self._keeper.open
        if own is None:
            return None
        card = next((row for row in self._cards() if row.place == home_of(own.generation)), None)
        return None if card is None or card.state is not MessageState.SENT else Place(card.channel, card.ts)

    # --------------------------------------------------------------------------------------------- cards

    def wanted(self, news: News) -> Mapping[str, str | Guest]:
        """Return where cards belong: the places of this news, those of before, and the own channel; with where that is."""
        settings, places = self._workspace.settings, dict[str, str | Guest]()
        for word in routing.targets(settings, self._incident, news.kind, news.at):
            meant = self._named.get(word, "" if word.startswith(("@", "dm:")) else word)
            if meant:
                places[_place(meant)] = meant
        for row in self._cards():
            if row.place not in places and not _is_home(row.place):
                places[row.place] = row.channel or row.place.partition(":")[2]
        own = self._keeper.open
        if own is not None:
            places[home_of(own.generation)] = own.channel_id
        return places

    async def ensure_card(self, place: str, where: str | Guest, news: News) -> None:
        """Post the card of a place, or bring it up to date."""
        key = f"{CARD}/{self._workspace.integration_id}/{self._incident.id}/{place}"
        row = self.rows.get(key) or self._poster.draft(key, CARD, place, incident_id=self._incident.id)
        card, version = self._card(place), self._shown_version()
        if row.state is MessageState.PENDING:
            row = replace(row, version=version, news=row.news or news.kind.value)
            row = await self._post_card(row, where, card)
        elif row.state is MessageState.SENT and (row.version < version or self._keeper.outdated):
            try:
                await self._provider.update_message(row.ref, card)
            except (
                REFUSED
            ) as error:  # deleted by a person, or too old to change: the thread still tells the news
                row = replace(row, error=error.message[:ERROR_LIMIT])
                self._doubt(place)
            row = await self._poster.save(replace(row, version=version))
        self.rows[key] = row

    async def _post_card(self, row: ChatMessage, where: str | Guest, card: Card) -> ChatMessage:
        channel = row.channel
        if not channel:
            try:
                channel = where if isinstance(where, str) else await self._direct(where)
            except REFUSED as error:
                return await self._poster.refuse(row, f"{error.message} {error.remediation}".strip())
            if not channel:
                return await self._poster.refuse(row, f"nobody active in {self._workspace.title} is meant")
        row = await self._poster.post(
            replace(row, channel=channel),
            partial(self._provider.post_message, channel, card, key=row.key),
        )
        if row.state is MessageState.FAILED:
            self._doubt(row.place)
        return row

    async def _direct(self, guest: Guest) -> str:
        """Return the direct conversation with somebody; empty when nobody active is meant."""
        user = guest.user
        if not user and guest.email:
            found = await self._provider.find_person(email=guest.email)
            user = "" if found is None else found.id
        return (await self._provider.open_direct(user)).id if user else ""

    def _cards(self) -> list[ChatMessage]:
        return [row for row in self.rows.values() if row.purpose == CARD]

    def _card(self, place: str) -> Card:
        own = self._keeper.open
        return cards.incident_card(
            self._incident,
            link=self._context.link(self._incident.key),
            channel="" if own is None or _is_home(place) else own.name,
        )

    def _shown_version(self) -> int:
        """Return the version that a card posted now shows: one less while the channel it is to name is still being made."""
        return self._incident.version - 1 if self._keeper.is_being_made else self._incident.version

    # ------------------------------------------------------------------------------------------ the threads

    async def tell(self, news: News) -> Exception | None:
        """Say the news in the threads that it is for, and what waits to be said again; return the first failure."""
        failure: Exception | None = None
        for card in self._cards():
            if not self._is_for(card, news):
                continue
            try:
                if news.text:
                    await self._ensure_update(card, news)
                await self._again(card.place)
            except (*NOTHING_DONE, CalloutError) as error:
                failure = failure or error
        return failure

    async def _ensure_update(self, card: ChatMessage, news: News) -> None:
        key = f"{UPDATE}/{self._workspace.integration_id}/{news.key}/{card.place}"

        async def stored(tx: Tx) -> ChatMessage | None:
            return await store.message(tx.account(self._workspace.account_id), key)

        row = self.rows.get(key) or await self._work.read(stored)
        row = row or self._poster.draft(
            key, UPDATE, card.place, incident_id=self._incident.id, thread=card.ts
        )
        # A card that was perhaps sent has no place we know: its news is told in the channel itself.
        row = replace(row, channel=card.channel, text=row.text or news.text, news=news.kind.value)
        self.rows[key] = await self._post(row)

    async def _again(self, place: str) -> None:
        """Say what a person wants said again."""
        for row in list(self.rows.values()):
            waits = row.purpose == UPDATE and row.place == place and row.state is MessageState.PENDING
            if waits and row.text and row.attempted_at is None:
                self.rows[row.key] = await self._post(row)

    async def _post(self, row: ChatMessage) -> ChatMessage:
        said = Card(title="", text=row.text)
        post = partial(self._provider.post_message, row.channel, said, key=row.key, thread=row.thread)
        row = await self._poster.post(row, post)
        if row.state is MessageState.FAILED:
            self._doubt(row.place)
        return row

    def _is_for(self, card: ChatMessage, news: News) -> bool:
        if card.state not in TOLD:
            return False
        own = self._keeper.open
        if _is_home(card.place):
            return own is not None and card.place == home_of(own.generation)

        def is_place(word: str) -> bool:
            meant = self._named.get(word, word)
            return bool(meant) and _place(meant) == card.place

        return routing.tells(self._workspace.settings, self._incident, news.kind, news.at, is_place=is_place)

    def _doubt(self, place: str) -> None:
        if _is_home(place):
            self._keeper.doubt()


def home_of(generation: int) -> str:
    """Return how an incident's own channel is called as a place: each that took another's place by its own number."""
    return HOME if generation == 1 else f"{HOME}-{generation}"


def _is_home(place: str) -> bool:
    return place == HOME or place.startswith(f"{HOME}-")


def _place(meant: str | Guest) -> str:
    if isinstance(meant, str):
        return f"{routing.ROUTE_PREFIX}{meant}"
    return f"{routing.DIRECT_PREFIX}{meant.user or meant.email or meant.key}"
