"""What Slack can do with channels beside posting: names, archives, bookmarks, groups of people, direct conversations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.wire import BookmarkRecord, ChannelRecord, UserGroup
from callout.kit.ids import slug
from callout.ports.chat import Bookmark, ChannelRef, GroupRef, MessageRef
from callout.ports.errors import (
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)

FOR_PEOPLE: Final = "restricted_action"
NAME_LIMIT: Final = 80
NAME_ATTEMPTS: Final = 20
TITLE_LIMIT: Final = 255  # from memory: a bookmark's title


class SlackChannels:
    """The part of a Slack workspace that is :class:`~callout.ports.chat.ChannelKeeping`."""

    def __init__(self, api: SlackApi, *, person: SlackApi | None = None) -> None:
        """`person` is the API in the name of who installed the app, for what a rule of the workspace leaves to people."""
        self._api = api
        self._person = person

    async def read_channel(self, channel: str) -> ChannelRef | None:
        try:
            return channel_ref(await self._api.conversations_info(channel))
        except RecordNotFoundError:
            return None

    async def unarchive_channel(self, channel: str) -> None:
        """Unarchive, and join: who archives a channel stays in it, but an app may have been taken out meanwhile."""
        await self._allowed(lambda api: api.conversations_unarchive(channel))
        found = await self._api.conversations_info(channel)
        if found.get("is_member") is False and not found.get("is_private"):
            await self._api.conversations_join(channel)

    async def rename_channel(self, channel: str, name: str) -> ChannelRef:
        for number in range(1, NAME_ATTEMPTS + 1):
            try:
                return channel_ref(await self._api.conversations_rename(channel, channel_name(name, number)))
            except RejectedError as error:
                if error.vendor_code != "name_taken":
                    raise
        raise RejectedError(f"#{channel_name(name)} and {NAME_ATTEMPTS - 1} names like it are taken")

    async def keep_bookmarks(
        self, channel: str, wanted: Sequence[Bookmark], known: Mapping[str, str]
    ) -> Mapping[str, str]:
        there = {one["id"]: one for one in await self._api.bookmarks_list(channel)}
        names = {one.name for one in wanted}
        for name, bookmark_id in known.items():
            if name not in names and bookmark_id in there:
                await self._api.bookmarks_remove(channel, bookmark_id)
                del there[bookmark_id]
        ours: dict[str, str] = {}
        for one in wanted:
            found = there.get(known.get(one.name, "")) or _of_address(there.values(), one.url, ours.values())
            title = one.title[:TITLE_LIMIT]
            if found is None:
                found = await self._api.bookmarks_add(channel, title, one.url)
            elif (found.get("title"), found.get("link")) != (title, one.url):
                await self._api.bookmarks_edit(channel, found["id"], title, one.url)
            ours[one.name] = found["id"]
        return ours

    async def group_members(self, group: str) -> Sequence[str]:
        """Return the people of a user group, by its handle, name or id; a disabled one has none."""
        return await self._api.usergroups_users_list((await self._group(group))["id"])

    async def read_group(self, group: str) -> GroupRef:
        """Return a user group; one whose people Slack does not tell has its handle all the same."""
        found = await self._group(group)
        members: tuple[str, ...] | None = None
        with suppress(RecordNotFoundError, PermissionDeniedError, UnavailableError):
            members = tuple(await self._api.usergroups_users_list(found["id"]))
        return GroupRef(found["id"], found.get("handle", ""), found.get("name", ""), members)

    async def _group(self, group: str) -> UserGroup:
        wanted = group.strip().removeprefix("@").casefold()
        for one in await self._api.usergroups_list():
            names = {one.get("id", ""), one.get("handle", ""), one.get("name", "")}
            if wanted in {name.casefold() for name in names if name}:
                return one
        raise RecordNotFoundError(f"Slack knows no user group {group!r}", vendor_code="no_such_subteam")

    async def open_direct(self, user: str) -> ChannelRef:
        return channel_ref(await self._api.conversations_open(user))

    async def delete_message(self, message: MessageRef) -> None:
        await self._api.chat_delete(message.channel, message.id)

    async def _allowed(self, call: Callable[[SlackApi], Awaitable[None]]) -> None:
        """Make a call; what a rule of the workspace leaves to people is done in the name of who installed the app."""
        try:
            await call(self._api)
        except PermissionDeniedError as error:
            if self._person is None or error.vendor_code != FOR_PEOPLE:
                raise
            await call(self._person)


def channel_name(name: str, number: int = 1) -> str:
    """Return `name` as Slack allows channel names; from the second try on with `-2`, `-3` … at its end."""
    suffix = "" if number == 1 else f"-{number}"
    return (slug(name).strip("-_") or "incident")[: NAME_LIMIT - len(suffix)].rstrip("-_") + suffix


def channel_ref(record: ChannelRecord) -> ChannelRef:
    """Return a conversation as a channel of ours."""
    created = record.get("created")
    moment = datetime.fromtimestamp(created, UTC) if isinstance(created, int) else None
    return ChannelRef(
        record.get("id", ""),
        record.get("name", ""),
        moment,
        archived=record.get("is_archived") is True,
        member=record.get("is_member") is not False,
        external=record.get("is_ext_shared") is True or record.get("is_pending_ext_shared") is True,
    )


def _of_address(there: Iterable[BookmarkRecord], url: str, taken: Collection[str]) -> BookmarkRecord | None:
    """Return the bookmark of that address that is not `taken`: a lost answer left it."""
    return next((one for one in there if one.get("link") == url and one["id"] not in taken), None)
