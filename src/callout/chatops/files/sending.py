"""Files of an incident that came from elsewhere are shown in its own channel, in the thread of its card, each once.

The bytes go to the platform first, where nobody sees them; a repeat of that does no harm. Showing them is stored as begun before it is
asked for: after a kill or a lost answer the platform is asked whether it shows the file, before anything is done again. What was sent is a
message like any other: pending, sent, failed or perhaps sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from callout.chatops import store
from callout.chatops.files import rows
from callout.chatops.files.rows import ChatFile, Way
from callout.chatops.pausing import paused_for
from callout.chatops.places import CARD, home_of
from callout.chatops.posting import NOTHING_DONE, REFUSED, TROUBLE, Poster
from callout.chatops.store import ChannelState, ChatMessage, IncidentChannel, MessageState
from callout.chatops.words import called, literal, who
from callout.incidents import Attachment, AttachmentState
from callout.incidents.attachments import size_words
from callout.jobs import RetryLater
from callout.kit.crash import crash_point
from callout.ports.chat_files import (
    FilePlace,
    ShownFile,
    SupportsFileSharing,
    SupportsFindSharedFile,
    file_abilities,
)
from callout.ports.errors import CalloutError, NotFoundError
from callout.ports.values import Audience, Channel
from callout.sync.outcomes import shown_at
from callout.sync.reactions import lane_of

if TYPE_CHECKING:
    from datetime import datetime

    from callout.chatops.context import ChatContext, Workspace
    from callout.incidents import Incident
    from callout.jobs import Work
    from callout.ports.events import EventEnvelope
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Tx

SEND_FILES: Final = "chat.send_files"
FILE: Final = "file"
"""The purpose of a message that shows a file."""
READERS: Final = Audience.RESPONDERS
"""Who reads an incident's own channel; where people of another organization do, too, it is the customer."""
CARD_LOOK: Final = timedelta(seconds=2)
CARD_PATIENCE: Final = timedelta(minutes=10)
"""How long the card is waited for, in whose thread files belong."""
LATEST: Final = timedelta(seconds=1)


async def ask_for_files(
    context: ChatContext,
    tx: AccountTx,
    workspace: Workspace,
    incident: Incident,
    *,
    dedupe: str | None = None,
) -> None:
    """Have the files of an incident shown that its channel does not show yet."""
    payload = {"integration_id": workspace.integration_id, "incident_id": incident.id}
    key = f"chat-files:{workspace.integration_id}:{incident.id}"
    await context.queue.enqueue(
        tx, SEND_FILES, payload, key=key, lane=lane_of(incident.severity), dedupe=dedupe
    )


def is_from(origin: Origin, workspace: Workspace) -> bool:
    """Return whether something came from that very chat."""
    return origin.channel is Channel.CHAT and origin.integration_id == workspace.integration_id


async def on_attached(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Ask for a file that is here now to be shown in the incident's channels, but for the one it came from."""
    if not Audience(event.data["audience"]).may_reach(READERS):
        return
    incident: Incident | None = None
    for workspace in await context.workspaces(tx):
        if not workspace.settings.show_files or is_from(event.origin, workspace):
            continue
        own = await store.channel(tx, workspace.integration_id, event.subject)
        if own is None:
            continue  # should it get one later, its files are shown then
        incident = incident or await context.incidents.get(tx, event.subject)
        await ask_for_files(context, tx, workspace, incident, dedupe=f"{workspace.integration_id}/{event.id}")


@dataclass(frozen=True, slots=True)
class _Loaded:
    workspace: Workspace
    incident: Incident
    channel: IncidentChannel
    messages: Mapping[str, ChatMessage]
    files: Sequence[Attachment]
    uploads: Mapping[str, ChatFile]
    """Our id of a file → what was put on the platform for it."""

    @property
    def place(self) -> str:
        return home_of(self.channel.generation)

    def key(self, one: Attachment) -> str:
        """Return what the message that shows a file is known by."""
        return f"{FILE}/{self.workspace.integration_id}/{one.id}"

    def card(self) -> ChatMessage | None:
        """Return the channel's card."""
        mine = (row for row in self.messages.values() if row.purpose == CARD and row.place == self.place)
        return next(mine, None)

    def unsent(self) -> list[Attachment]:
        """Return the files that are still to be shown, oldest first."""
        found = []
        for one in self.files:
            row = self.messages.get(self.key(one))
            if row is None or row.state is MessageState.PENDING:
                found.append(one)
        return found


async def send_files(context: ChatContext, work: Work) -> bool:
    """Do a `chat.send_files` job: show what is to be shown and is not, one file after the other.

    Returns whether the channel tells of something that was not shown, which may be otherwise now. Raises RetryLater while a file's fate
    is open, and ConnectorError where a later try may go better.
    """
    payload, account_id = work.job.payload, work.job.account_id or ""
    loaded = await work.read(lambda tx: _load(context, tx.account(account_id), payload))
    if loaded is None or not loaded.unsent():
        return False
    raw = await context.provider(account_id, loaded.workspace.integration_id)
    able = file_abilities(raw)
    if "show_files" not in able:
        return False
    card, age = loaded.card(), context.clock.now() - work.job.enqueued_at
    if age < CARD_PATIENCE and (card is None or card.state is MessageState.PENDING):
        raise RetryLater(
            CARD_LOOK, reason="the card in whose thread files belong is not there yet", count=False
        )
    thread = card.ts if card is not None and card.state is MessageState.SENT else ""
    provider = await context.chat(loaded.workspace)
    found = await provider.read_channel(loaded.channel.channel_id)
    if found is None or found.archived:
        return False
    readers = Audience.CUSTOMER if found.external else READERS
    place = FilePlace(loaded.channel.channel_id, thread)
    effect = raw.effects.get("share_file")
    finder = cast("SupportsFindSharedFile", provider) if "find_shown_files" in able else None
    shower = _Shower(
        context, work, loaded, place, provider=cast("SupportsFileSharing", provider), finder=finder
    )
    for one in loaded.unsent():
        await shower.show(one, readers, settled_after=lambda begun: shown_at(begun, effect))
    return any(row.purpose == TROUBLE for row in loaded.messages.values())


async def _load(context: ChatContext, tx: AccountTx, payload: Mapping[str, Any]) -> _Loaded | None:
    """Return everything, or None where there is no channel to show anything in. Raises RetryLater while paused."""
    workspace = await context.workspace(tx, payload["integration_id"])
    if workspace is None or not workspace.settings.show_files:
        return None
    await paused_for(context, tx, workspace.integration_id)
    try:
        incident = await context.incidents.get(tx, payload["incident_id"])
    except NotFoundError:
        return None
    channel = await store.channel(tx, workspace.integration_id, incident.id)
    if channel is None or channel.state is not ChannelState.OPEN:
        return None
    readable = [audience for audience in Audience if audience.may_reach(READERS)]
    files = await context.incidents.attachments(tx, incident.id, audiences=readable)
    told = await store.messages(tx, incident.id, workspace.integration_id)
    return _Loaded(
        workspace,
        incident,
        channel,
        {row.key: row for row in told},
        [one for one in files if one.state is AttachmentState.STORED and not is_from(one.origin, workspace)],
        {
            row.attachment_id: row
            for row in await rows.of_incident(tx, workspace.integration_id, incident.id)
            if row.way is Way.SHOWN
        },
    )


class _Shower:
    """Shows files of one incident in one channel. `finder` is the platform where it can tell what it shows."""

    def __init__(
        self,
        context: ChatContext,
        work: Work,
        loaded: _Loaded,
        place: FilePlace,
        *,
        provider: SupportsFileSharing,
        finder: SupportsFindSharedFile | None,
    ) -> None:
        self._context = context
        self._work = work
        self._loaded = loaded
        self._place = place
        self._provider = provider
        self._finder = finder
        self._poster = Poster(context, work, loaded.workspace)

    async def show(
        self, one: Attachment, readers: Audience, *, settled_after: Callable[[datetime], datetime]
    ) -> None:
        """Show a file. Raises RetryLater while nobody can know whether it is shown; ConnectorError when a later try may go better."""
        row = self._loaded.messages.get(self._loaded.key(one)) or self._draft(one)
        if not one.audience.may_reach(readers):
            why = (
                f"a file for {one.audience.value} stays here: people of another organization read the channel"
            )
            await self._poster.refuse(row, why)
            return
        if row.attempted_at is not None:
            row = await self._settled(row, one, settled_after(row.attempted_at))
        if row.state is MessageState.PENDING:
            await self._send(one, replace(row, channel=self._place.channel, thread=self._place.thread))

    def _draft(self, one: Attachment) -> ChatMessage:
        row = self._poster.draft(
            self._loaded.key(one), FILE, self._loaded.place, incident_id=self._loaded.incident.id
        )
        return replace(row, text=one.name)

    async def _settled(self, row: ChatMessage, one: Attachment, surely_told: datetime) -> ChatMessage:
        """Return the row of a file whose showing was begun and never answered: shown, perhaps shown, or to be shown anew."""
        upload = self._loaded.uploads.get(one.id)
        try:
            if self._finder is None:
                return await self._poster.doubt(row, "the process stopped while it was being shown")
            place = FilePlace(row.channel, row.thread)
            shown = await self._finder.find_shared_file(
                place, upload="" if upload is None else upload.file_id, key=row.key
            )
        except REFUSED as error:
            return await self._poster.doubt(row, f"nobody can tell whether it is shown: {error.message}")
        if shown is not None:
            return await self._shown(row, shown)
        left = surely_told - self._context.clock.now()
        if left > timedelta():
            raise RetryLater(
                max(left / 2, LATEST), reason="waiting until it is told whether a file is shown", count=False
            )
        return await self._poster.save(replace(row, attempted_at=None))

    async def _send(self, one: Attachment, row: ChatMessage) -> None:
        incidents = self._context.incidents
        account_id = self._loaded.workspace.account_id
        _, content = await self._work.read(
            lambda tx: incidents.attachment(tx.account(account_id), one.incident_id, one.id)
        )
        file = ShownFile(one.name, one.media_type, content, _comment(one))
        try:
            upload = await self._provider.put_file(file, self._place)
            row = await self._begin(row, one, upload)
            crash_point("chat.file_put")
            shown = await self._provider.share_file(file, self._place, upload=upload, key=row.key)
        except NOTHING_DONE:
            if row.attempted_at is not None:
                await self._poster.save(replace(row, attempted_at=None))
            raise
        except REFUSED as error:
            await self._poster.refuse(row, f"{error.message} {error.remediation}".strip())
            return
        except CalloutError as error:
            if row.attempted_at is None:
                raise
            raise RetryLater(LATEST, reason=f"{error.code}: {error.message}", count=False) from error
        crash_point("chat.file_shown")
        await self._shown(row, shown)

    async def _begin(self, row: ChatMessage, one: Attachment, upload: str) -> ChatMessage:
        """Commit that a file is about to be shown, with what it is called there."""
        row = replace(row, attempted_at=self._context.clock.now())
        mine = ChatFile(row.integration_id, upload, one.incident_id, one.id, Way.SHOWN)

        async def unit(tx: Tx) -> ChatMessage:
            account, now = tx.account(self._loaded.workspace.account_id), self._context.clock.now()
            await rows.forget_shown(account, row.integration_id, one.id)
            if upload:
                await rows.claim(account, mine, now)
            return await store.put_message(account, row, now)

        return await self._work.transaction(unit)

    async def _shown(self, row: ChatMessage, message_id: str) -> ChatMessage:
        return await self._poster.save(
            replace(row, state=MessageState.SENT, ts=message_id, error="", attempted_at=None)
        )


def _comment(one: Attachment) -> str:
    """Return what is said with a file: what it is, and whom it is from."""
    author = called(one.author) if one.author is not None else who(one.origin)
    return f"**{literal(one.name)}** ({size_words(one.size or 0)}), attached by {literal(author)}"


__all__ = ["FILE", "SEND_FILES", "ask_for_files", "on_attached", "send_files"]
