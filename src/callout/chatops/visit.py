"""One visit: brings a chat integration into line with an incident.

Channel, cards, topic, people, then the thread's news. What is done already is skipped by its row, so a visit may be repeated at
any point; visits of one incident on one integration come one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import cards, routing, store
from callout.chatops.conflicts import ConflictMessages, ConflictNews, Place
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.posting import ERROR_LIMIT, NOTHING_DONE, REFUSED, Poster, origin_of
from callout.chatops.store import ChannelState, ChatMessage, IncidentChannel, MessageState
from callout.incidents import Incident
from callout.jobs import RetryLater, Settle, Work
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.chat import Card, ChannelRef, ChatProvider
from callout.ports.errors import CalloutError, NotFoundError
from callout.ports.values import ActorKind, Person, Status

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

VISIT: Final = "chat.visit"
HOME: Final = "home"
CARD: Final = "card"
UPDATE: Final = "update"
PAUSE_LOOK: Final = timedelta(seconds=30)
"""How often a paused integration is looked at again when the pause has no end."""
CLOCK_SLACK: Final = timedelta(minutes=10)
SUFFIXES: Final = 5


async def visit(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.visit` job: `integration_id`, `incident_id` and perhaps `update` (`key`, `text`)."""
    payload = work.job.payload
    account_id = work.job.account_id or ""

    async def load(tx: Tx) -> _Loaded | None:
        account = tx.account(account_id)
        return await _Loaded.read(context, account, payload["integration_id"], payload["incident_id"])

    loaded = await work.read(load)
    if loaded is None:
        return None
    provider = await context.provider(account_id, loaded.workspace.integration_id)
    steps = Visit(context, work, loaded, provider)
    await steps.run(payload.get("update"))
    return None


class _Loaded:
    """What a visit starts from."""

    def __init__(
        self,
        workspace: Workspace,
        incident: Incident,
        channel: IncidentChannel | None,
        messages: list[ChatMessage],
        people: Mapping[str, str],
        *,
        news: ConflictNews,
    ) -> None:
        self.workspace = workspace
        self.incident = incident
        self.channel = channel
        self.messages = messages
        self.people = people
        """Person's id of ours → user id on the platform."""
        self.news = news

    @classmethod
    async def read(
        cls, context: ChatContext, tx: AccountTx, integration_id: str, incident_id: str
    ) -> _Loaded | None:
        """Return everything, or None when integration or incident is gone. Raises RetryLater while paused."""
        workspace = await context.workspace(tx, integration_id)
        if workspace is None:
            return None
        pause = await context.paused(tx, integration_id)
        if pause is not None:
            left = PAUSE_LOOK if pause.until is None else pause.until - context.clock.now()
            raise RetryLater(max(left, timedelta(seconds=1)), reason=f"paused: {pause.reason}", count=False)
        try:
            incident = await context.incidents.get(tx, incident_id)
        except NotFoundError:
            return None
        people: dict[str, str] = {}
        for person in (incident.declared_by, incident.commander, incident.assignee):
            if person is not None and (user := await _chat_user(context, tx, workspace, person)):
                people[person.id] = user
        told = await store.messages(tx, incident.id, integration_id)
        return cls(
            workspace,
            incident,
            await store.channel(tx, integration_id, incident.id),
            told,
            people,
            news=await ConflictNews.read(context, tx, incident.id, told),
        )


async def _chat_user(context: ChatContext, tx: AccountTx, workspace: Workspace, person: Person) -> str:
    """Return the platform's id of a person, empty when we do not know one."""
    kind, _, identity = person.id.partition(":")
    if kind == ActorKind.CHAT_USER.value:
        provider, _, rest = identity.partition("/")
        return rest.rpartition("/")[2] if provider == workspace.provider else ""
    if kind == ActorKind.MEMBER.value:
        known = await context.identities.of_member(tx.system, identity)
        return next((found.user_id for found in known if found.provider == workspace.provider), "")
    return ""


class Visit:
    """The steps of one visit."""

    def __init__(self, context: ChatContext, work: Work, loaded: _Loaded, provider: ChatProvider) -> None:
        self._context = context
        self._work = work
        self._workspace = loaded.workspace
        self._incident = loaded.incident
        self._channel = loaded.channel
        self._people = loaded.people
        self._rows = {row.key: row for row in loaded.messages}
        self._provider = provider
        self._poster = Poster(context, work, loaded.workspace)
        self._conflicts = ConflictMessages(
            self._poster, provider, loaded.incident, loaded.news, link=context.link(loaded.incident.key)
        )
        self._failure: Exception | None = None

    async def run(self, update: Mapping[str, Any] | None) -> None:
        """Do every step; one that fails for now does not hold up the others, and is raised at the end."""
        await self._try(self._ensure_channel())
        for place, channel in self._places():
            await self._try(self._ensure_card(place, channel))
        if self._open_channel() is not None:
            await self._try(self._ensure_topic())
            await self._try(self._ensure_people())
        if update is not None:
            for card in self._cards():
                await self._try(self._ensure_update(card, update["key"], update["text"]))
        await self._try(self._conflicts.ensure(self._rows, self._conflict_place()))
        if self._open_channel() is not None and self._failure is None:
            await self._try(self._archive())
        if self._failure is not None:
            raise self._failure

    async def _try(self, step: Any) -> None:  # noqa: ANN401  # a coroutine of any of the steps
        try:
            await step
        except (*NOTHING_DONE, CalloutError) as error:
            self._failure = self._failure or error

    # ------------------------------------------------------------------------------------------- channel

    async def _ensure_channel(self) -> None:
        settings = self._workspace.settings
        row = self._channel
        if row is None:
            if not settings.incident_channels or self._incident.status is Status.CLOSED:
                return
            now = self._context.clock.now()
            row = IncidentChannel(
                id=new_id(),
                integration_id=self._workspace.integration_id,
                incident_id=self._incident.id,
                name=routing.channel_name(settings, self._incident),
                private=routing.is_private(settings, self._incident),
                created_at=now,
                updated_at=now,
            )
        if row.state is not ChannelState.CREATING:
            return
        found = await self._left_behind(row) if row.attempted_at is not None else None
        if found is None:
            row = await self._save_channel(replace(row, attempted_at=self._context.clock.now()))
            crash_point("chat.channel_recorded")
            try:
                found = await self._provider.create_channel(row.name, private=row.private)
            except NOTHING_DONE:
                self._channel = await self._save_channel(replace(row, attempted_at=None))
                raise
            except REFUSED as error:
                failed = replace(
                    row, state=ChannelState.FAILED, error=error.message[:ERROR_LIMIT], attempted_at=None
                )
                entry = {"name": row.name, "error": f"{error.message} {error.remediation}".strip()}
                self._channel = await self._save_channel(failed, "chat_channel_failed", entry)
                return
            crash_point("chat.channel_created")
        opened = replace(
            row, state=ChannelState.OPEN, channel_id=found.id, name=found.name or row.name, attempted_at=None
        )
        self._channel = await self._save_channel(opened, "chat_channel_created", {"name": opened.name})

    async def _left_behind(self, row: IncidentChannel) -> ChannelRef | None:
        """Return the channel that an earlier attempt made before its answer was lost: of our name, and no older than the attempt."""
        since = (row.attempted_at or row.created_at) - CLOCK_SLACK
        for number in range(1, SUFFIXES + 1):
            name = row.name if number == 1 else f"{row.name}-{number}"
            found = await self._provider.find_channel(name)
            if found is None:
                continue
            if found.created_at is not None and found.created_at >= since:
                return found
        return None

    async def _save_channel(
        self, row: IncidentChannel, entry: str = "", data: Mapping[str, str] | None = None
    ) -> IncidentChannel:
        async def unit(tx: Tx) -> IncidentChannel:
            account = tx.account(self._workspace.account_id)
            stored = await store.put_channel(account, row, self._context.clock.now())
            if entry:
                told = {"integration": self._workspace.name, **(data or {})}
                await self._context.incidents.add_entry(
                    account, row.incident_id, entry, told, origin_of(self._workspace)
                )
            return stored

        return await self._work.transaction(unit)

    def _open_channel(self) -> IncidentChannel | None:
        row = self._channel
        return row if row is not None and row.state is ChannelState.OPEN else None

    async def _ensure_topic(self) -> None:
        row, wanted = self._open_channel(), cards.topic(self._incident)
        if row is None or row.topic == wanted:
            return
        try:
            await self._provider.set_topic(row.channel_id, wanted)
        except REFUSED as error:
            row = replace(row, error=error.message[:ERROR_LIMIT])
        self._channel = await self._save_channel(replace(row, topic=wanted))

    async def _ensure_people(self) -> None:
        row = self._open_channel()
        if row is None:
            return
        missing = sorted(set(self._people.values()) - set(row.invited))
        if not missing:
            return
        try:
            await self._provider.invite(row.channel_id, missing)
        except REFUSED as error:  # a deactivated person must not hold up the incident
            row = replace(row, error=error.message[:ERROR_LIMIT])
        self._channel = await self._save_channel(replace(row, invited=(*row.invited, *missing)))

    async def _archive(self) -> None:
        row = self._open_channel()
        if (
            row is None
            or not self._workspace.settings.archive_on_close
            or self._incident.status is not Status.CLOSED
        ):
            return
        try:
            await self._provider.archive_channel(row.channel_id)
        except REFUSED as error:
            self._channel = await self._save_channel(replace(row, error=error.message[:ERROR_LIMIT]))
            return
        self._channel = await self._save_channel(replace(row, state=ChannelState.ARCHIVED))

    # --------------------------------------------------------------------------------------------- cards

    def _places(self) -> list[tuple[str, str]]:
        """Return where cards belong: the routed channel of today's severity, those of earlier ones, and the own channel."""
        places: dict[str, str] = {}
        routed = routing.route(self._workspace.settings, self._incident)
        if routed:
            places[f"route:{routed}"] = routed
        for row in self._rows.values():
            if row.purpose == CARD and row.place not in places and row.place != HOME:
                places[row.place] = row.channel or row.place.removeprefix("route:")
        own = self._open_channel()
        if own is not None:
            places[HOME] = own.channel_id
        return list(places.items())

    def _conflict_place(self) -> Place | None:
        """Return where conflicts are told: in the own channel; where the incident is to have none, under its card."""
        own = self._channel
        if own is not None and own.state is not ChannelState.FAILED:
            return Place(own.channel_id) if own.state is ChannelState.OPEN else None
        card = next((row for row in self._cards() if row.state is MessageState.SENT), None)
        return None if card is None else Place(card.channel, card.ts)

    def _cards(self) -> list[ChatMessage]:
        return [row for row in self._rows.values() if row.purpose == CARD]

    def _card(self, place: str) -> Card:
        own = self._open_channel()
        return cards.incident_card(
            self._incident,
            link=self._context.link(self._incident.key),
            channel="" if own is None or place == HOME else own.name,
        )

    def _shown_version(self) -> int:
        """Return the version that a card posted now shows: one less while the channel it is to name is still being made."""
        making = self._channel is not None and self._channel.state is ChannelState.CREATING
        return self._incident.version - 1 if making else self._incident.version

    async def _ensure_card(self, place: str, channel: str) -> None:
        key = f"{CARD}/{self._workspace.integration_id}/{self._incident.id}/{place}"
        row = self._rows.get(key) or self._poster.draft(key, CARD, place, incident_id=self._incident.id)
        card, version = self._card(place), self._shown_version()
        if row.state is MessageState.PENDING:
            post = partial(self._provider.post_message, channel, card, key=key)
            row = await self._poster.post(replace(row, version=version, channel=row.channel or channel), post)
        elif row.state is MessageState.SENT and row.version < version:
            try:
                await self._provider.update_message(row.ref, card)
            except (
                REFUSED
            ) as error:  # deleted by a person, or too old to change: the thread still tells the news
                row = replace(row, error=error.message[:ERROR_LIMIT])
            row = await self._poster.save(replace(row, version=version))
        self._rows[key] = row

    async def _ensure_update(self, card: ChatMessage, event_key: str, text: str) -> None:
        if card.state not in {MessageState.SENT, MessageState.PERHAPS_SENT}:
            return
        key = f"{UPDATE}/{self._workspace.integration_id}/{event_key}/{card.place}"

        async def stored(tx: Tx) -> ChatMessage | None:
            return await store.message(tx.account(self._workspace.account_id), key)

        row = self._rows.get(key) or await self._work.read(stored)
        row = row or self._poster.draft(
            key, UPDATE, card.place, incident_id=self._incident.id, thread=card.ts
        )
        # A card that was perhaps sent has no place we know: its news is told in the channel itself.
        post = partial(
            self._provider.post_message, card.channel, Card(title="", text=text), key=key, thread=card.ts
        )
        self._rows[key] = await self._poster.post(replace(row, channel=card.channel), post)
