"""An incident's own channel, as it is to be: made, named, with topic, bookmarks and people, archived and opened again by rule.

What people do to it is respected: a name they gave stays, a channel they archived stays archived, who left is not invited again.
What was done already is known by its row, so every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import cards, routing, store
from callout.chatops.files.sending import ask_for_files
from callout.chatops.guests import GROUP, Guest
from callout.chatops.posting import ERROR_LIMIT, NOTHING_DONE, REFUSED, origin_of
from callout.chatops.store import ChannelState, IncidentChannel
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.chat import ChannelRef, FullChat
from callout.ports.errors import CalloutError
from callout.ports.values import Status

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.chatops.loading import Loaded
    from callout.jobs import Work
    from callout.storage import AccountTx, Tx

CLOCK_SLACK: Final = timedelta(minutes=10)
SUFFIXES: Final = 5
KEEP_OPEN: Final = "!open"
"""Stands among those dealt with when a person opened the channel again after it was archived."""
ARCHIVE_DUE: Final = "chat.archive_due"
"""The timer of a channel that is archived days after the close: `integration_id`, `incident_id`."""
_LOST: Final = frozenset({ChannelState.PUT_AWAY, ChannelState.GONE})


class ChannelKeeper:
    """The steps that concern the channel, for one visit."""

    def __init__(self, context: ChatContext, work: Work, loaded: Loaded, provider: FullChat) -> None:
        self._context = context
        self._work = work
        self._loaded = loaded
        self._workspace = loaded.workspace
        self._incident = loaded.incident
        self._provider = provider
        self._doubted = False
        self.row = loaded.channel
        self.outdated = False
        """Whether the cards name the channel as it is no more."""

    @property
    def open(self) -> IncidentChannel | None:
        """The channel, when it is there to be used."""
        return self.row if self.row is not None and self.row.state is ChannelState.OPEN else None

    @property
    def is_being_made(self) -> bool:
        """Whether there is to be a channel that is not there yet."""
        return self.row is not None and self.row.state is ChannelState.CREATING

    def doubt(self) -> None:
        """Note that the platform refused something in the channel: perhaps it is not what we take it for."""
        self._doubted = True

    # ------------------------------------------------------------------------------------------- being there

    async def ensure(self) -> None:
        """Make the channel where there is to be one and none is."""
        settings, row = self._workspace.settings, self.row
        if row is None:
            if not settings.incident_channels or self._incident.status is Status.CLOSED:
                return
            now, name = self._context.clock.now(), routing.channel_name(settings, self._incident)
            row = IncidentChannel(
                id=new_id(),
                integration_id=self._workspace.integration_id,
                incident_id=self._incident.id,
                name=name,
                private=routing.is_private(settings, self._incident),
                created_at=now,
                updated_at=now,
                asked=name,
            )
        if row.state is ChannelState.ARCHIVED and self._incident.status is not Status.CLOSED:
            row = await self._reopened(row)
        if row.state is ChannelState.CREATING:
            await self._create(row)

    async def _create(self, row: IncidentChannel) -> None:
        found = await self._left_behind(row) if row.attempted_at is not None else None
        if found is None:
            row = await self._save(replace(row, attempted_at=self._context.clock.now()))
            crash_point("chat.channel_recorded")
            try:
                found = await self._provider.create_channel(row.name, private=row.private)
            except NOTHING_DONE:
                self.row = await self._save(replace(row, attempted_at=None))
                raise
            except REFUSED as error:
                failed = replace(row, state=ChannelState.FAILED, error=_cut(error), attempted_at=None)
                entry = {"name": row.name, "error": f"{error.message} {error.remediation}".strip()}
                self.row = await self._save(failed, "chat_channel_failed", entry)
                return
            crash_point("chat.channel_created")
        opened = replace(
            row, state=ChannelState.OPEN, channel_id=found.id, name=found.name or row.name, attempted_at=None
        )
        self.row = await self._save(opened, "chat_channel_created", {"name": opened.name})

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

    async def _reopened(self, row: IncidentChannel) -> IncidentChannel:
        """Open an archived channel for an incident that goes on; where that is refused, a fresh one takes its place."""
        try:
            await self._provider.unarchive_channel(row.channel_id)
        except REFUSED as error:
            name = routing.channel_name(self._workspace.settings, self._incident)
            fresh = IncidentChannel(
                id=row.id,
                integration_id=row.integration_id,
                incident_id=row.incident_id,
                name=name,
                private=row.private,
                created_at=row.created_at,
                updated_at=row.updated_at,
                asked=name,
                generation=row.generation + 1,
                error=_cut(error),
            )
            self.row = await self._save(fresh)
            return self.row
        opened = replace(row, state=ChannelState.OPEN, error="")
        self.row = await self._save(opened, "chat_channel_opened", {"name": row.name})
        return self.row

    # ------------------------------------------------------------------------------------- what people did

    async def look(self, *, told: bool) -> None:
        """See how the channel stands over there: when something was `told` of it, refused in it, or it was lost before."""
        row = self.row
        if row is None or not row.channel_id or row.state in {ChannelState.CREATING, ChannelState.FAILED}:
            return
        if not (told or self._doubted or row.state in _LOST):
            return
        self._doubted = False
        try:
            found = await self._provider.read_channel(row.channel_id)
        except REFUSED:
            return
        if found is not None and found.name and found.name != row.name:
            renamed = replace(row, name=found.name, renamed=True)
            row = self.row = await self._save(
                renamed, "chat_channel_renamed", {"name": found.name, "before": row.name}
            )
        if found is not None and found.archived:
            if row.state in {ChannelState.OPEN, ChannelState.GONE}:
                away = replace(row, state=ChannelState.PUT_AWAY)
                self.row = await self._save(away, "chat_channel_put_away", {"name": row.name})
        elif found is None or not found.member:
            await self._lost(row, gone=found is None)
        elif row.state is not ChannelState.OPEN:
            kept = dict.fromkeys((*row.handled, KEEP_OPEN))
            back = replace(row, state=ChannelState.OPEN, handled=tuple(kept), error="")
            self.row = await self._save(back, "chat_channel_opened", {"name": row.name})

    async def _lost(self, row: IncidentChannel, *, gone: bool) -> None:
        if row.state is ChannelState.GONE:
            return
        why = "it was deleted, or is hidden from the app" if gone else "the app was taken out of it"
        lost = replace(row, state=ChannelState.GONE, error=why)
        self.row = await self._save(lost, "chat_channel_lost", {"name": row.name, "error": why})

    # ----------------------------------------------------------------------------------- what it looks like

    async def ensure_name(self) -> None:
        """Rename the channel when the incident's title changed and the setting says so, unless a person renamed it."""
        row, settings = self.open, self._workspace.settings
        if row is None or row.renamed or not settings.rename_on_title:
            return
        wanted = routing.channel_name(settings, self._incident)
        if wanted == (row.asked or wanted):
            return
        try:
            named = await self._provider.rename_channel(row.channel_id, wanted)
        except REFUSED as error:
            self.doubt()
            self.row = await self._save(replace(row, asked=wanted, error=_cut(error)))
            return
        self.row = await self._save(replace(row, asked=wanted, name=named.name or wanted))

    async def ensure_topic(self) -> None:
        """Keep the topic true."""
        row, wanted = self.open, cards.topic(self._incident)
        if row is None or row.topic == wanted:
            return
        try:
            await self._provider.set_topic(row.channel_id, wanted)
        except REFUSED as error:
            self.doubt()
            row = replace(row, error=_cut(error))
        self.row = await self._save(replace(row, topic=wanted))

    async def ensure_bookmarks(self) -> None:
        """Keep the bookmarks true that are ours."""
        row, wanted = self.open, self._loaded.bookmarks
        if row is None or not self._workspace.settings.bookmarks:
            return
        shown = {name: (found[1], found[2]) for name, found in row.bookmarks.items()}
        if shown == {one.name: (one.title, one.url) for one in wanted}:
            return
        known = {name: found[0] for name, found in row.bookmarks.items() if found[0]}
        try:
            ids: Mapping[str, str] = await self._provider.keep_bookmarks(row.channel_id, wanted, known)
        except REFUSED as error:
            self.doubt()
            ids, row = known, replace(row, error=_cut(error))
        stored = {one.name: (ids.get(one.name, ""), one.title, one.url) for one in wanted}
        self.row = await self._save(replace(row, bookmarks=stored))

    # --------------------------------------------------------------------------------------------- people

    async def ensure_people(self) -> None:
        """Invite who belongs into the channel, each once; who cannot be is a warning on the timeline, once."""
        row = self.open
        missing = [one for one in self._loaded.guests if row is not None and one.key not in row.handled]
        if row is None or not missing:
            return
        invited, handled = list(row.invited), list(row.handled)
        troubles: list[dict[str, str]] = []
        try:
            for guest in missing:
                users = await self._users(guest, troubles)
                if users is None:
                    continue
                for user in users:
                    if user not in invited:
                        await self._invite(row.channel_id, user, guest, troubles)
                        invited.append(user)
                handled.append(guest.key)
        finally:
            if (tuple(invited), tuple(handled)) != (row.invited, row.handled):
                entry = ("chat_people_not_invited", {"people": troubles}) if troubles else ("", None)
                told = replace(row, invited=tuple(invited), handled=tuple(handled))
                self.row = await self._save(told, *entry)

    async def _users(self, guest: Guest, troubles: list[dict[str, str]]) -> list[str] | None:
        """Return whom a guest is over there; None when there is no way to know yet."""
        title = self._workspace.title
        try:
            if guest.key.startswith(GROUP):
                return list(await self._provider.group_members(guest.name))
            if guest.user:
                return [guest.user]
            if not guest.email:
                return None
            found = await self._provider.find_person(email=guest.email)
        except REFUSED as error:
            troubles.append({"name": guest.name, "why": error.message})
            return []
        if found is None:
            troubles.append({"name": guest.name, "why": f"nobody active in {title} has their e-mail address"})
            return []
        return [found.id]

    async def _invite(self, channel: str, user: str, guest: Guest, troubles: list[dict[str, str]]) -> None:
        try:
            await self._provider.invite(channel, [user])
        except REFUSED as error:
            self.doubt()
            why = error.message
            try:
                if await self._provider.get_person(user) is None:
                    why = f"deactivated in {self._workspace.title}"
            except CalloutError:
                pass  # the first reason stands
            troubles.append({"name": guest.name or user, "why": why})

    # ------------------------------------------------------------------------------------------- the end

    async def archive(self) -> None:
        """Archive the channel of a closed incident by rule, or set the timer for it."""
        row, settings = self.open, self._workspace.settings
        if row is None or not settings.archive_on_close or self._incident.status is not Status.CLOSED:
            return
        if KEEP_OPEN in row.handled:
            return
        closed = self._incident.closed_at or self._context.clock.now()
        due = closed + timedelta(days=settings.archive_after_days)
        if due > self._context.clock.now():
            await self._set_timer(due)
            return
        try:
            await self._provider.archive_channel(row.channel_id)
        except REFUSED as error:
            self.row = await self._save(replace(row, error=_cut(error)))
            return
        self.row = await self._save(replace(row, state=ChannelState.ARCHIVED))

    async def _set_timer(self, due: datetime) -> None:
        payload = {
            "integration_id": self._workspace.integration_id,
            "incident_id": self._incident.id,
        }
        named = f"{self._workspace.integration_id}/{self._incident.id}/{due.isoformat()}"

        async def unit(tx: Tx) -> None:
            await self._context.queue.enqueue(
                tx.account(self._workspace.account_id), ARCHIVE_DUE, payload, run_at=due, dedupe=named
            )

        await self._work.transaction(unit)

    async def _save(
        self, row: IncidentChannel, entry: str = "", data: Mapping[str, Any] | None = None
    ) -> IncidentChannel:
        before = self.row
        shown_otherwise = before is not None and (_shown(before) != _shown(row))
        self.outdated = self.outdated or shown_otherwise

        async def unit(tx: Tx) -> IncidentChannel:
            account = tx.account(self._workspace.account_id)
            stored = await store.put_channel(account, row, self._context.clock.now())
            if shown_otherwise:
                await store.outdate_cards(account, row.integration_id, row.incident_id)
            if entry:
                told = {"integration": self._workspace.name, **(data or {})}
                await self._context.incidents.add_entry(
                    account, row.incident_id, entry, told, origin_of(self._workspace)
                )
            if row.state is ChannelState.OPEN and (before is None or before.state is not ChannelState.OPEN):
                await self._ask_for_files(account)
            return stored

        return await self._work.transaction(unit)

    async def _ask_for_files(self, tx: AccountTx) -> None:
        """Have files shown that were attached before there was a channel to show them in."""
        workspace = self._workspace
        if workspace.settings.show_files and await self._context.incidents.attachments(tx, self._incident.id):
            await ask_for_files(self._context, tx, workspace, self._incident)


def _shown(row: IncidentChannel) -> str:
    """Return what cards say of a channel."""
    return row.name if row.state is ChannelState.OPEN else ""


def _cut(error: CalloutError) -> str:
    return error.message[:ERROR_LIMIT]
