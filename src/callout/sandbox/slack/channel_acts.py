"""Acts on channels: a person makes, joins, leaves, renames, archives or deletes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack.acting import Act, Acts, person, place
from callout.sandbox.slack.records import Channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class ChannelActs(Acts):
    """Acts on channels."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "join_channel": self.join_channel,
            "leave_channel": self.leave_channel,
            "invite_bot": self.invite_bot,
            "remove_bot": self.remove_bot,
            "archive_channel": self.archive_channel,
            "unarchive_channel": self.unarchive_channel,
            "delete_channel": self.delete_channel,
            "rename_channel": self.rename_channel,
            "create_channel": self.create_channel,
            "connect_channel": self.connect_channel,
            "set_topic": self.set_topic,
        }

    async def join_channel(self, act: Act) -> dict[str, Any]:
        """Join a channel (or be let into a private one)."""
        user, channel = person(self._space, act), place(self._space, act)
        if user.id not in channel.members:
            self._space.join(channel, user.id)
        return {"channel": channel.id, "members": channel.members}

    async def leave_channel(self, act: Act) -> dict[str, Any]:
        """Leave a channel."""
        user, channel = person(self._space, act), place(self._space, act)
        if user.id in channel.members:
            self._space.leave(channel, user.id)
        return {"channel": channel.id, "members": channel.members}

    async def invite_bot(self, act: Act) -> dict[str, Any]:
        """Invite the app into a channel (`/invite @callout`)."""
        user, channel = person(self._space, act), place(self._space, act)
        if self._space.bot_user_id not in channel.members:
            self._space.join(channel, self._space.bot_user_id, inviter=user.id)
        return {"channel": channel.id, "members": channel.members}

    async def connect_channel(self, act: Act) -> dict[str, Any]:
        """Share a channel with another organization, or with `off` no longer; who is in it there is not played."""
        user, channel = person(self._space, act), place(self._space, act)
        channel.external = not act.get("off")
        self._note("connect_channel", user, channel.id)
        return {"channel": channel.id, "is_ext_shared": channel.external}

    async def archive_channel(self, act: Act) -> dict[str, Any]:
        """Archive a channel."""
        user, channel = person(self._space, act), place(self._space, act)
        if channel.archived:
            raise ActError(f"{channel.name} is archived already")
        self._space.archive(channel, user.id)
        self._note("archive_channel", user, channel.id)
        return {"channel": channel.id}

    async def rename_channel(self, act: Act) -> dict[str, Any]:
        """Rename a channel to `name`."""
        user, channel = person(self._space, act), place(self._space, act)
        self._space.rename(channel, user.id, str(act.get("name")))
        self._note("rename_channel", user, channel.id)
        return {"channel": channel.id, "name": channel.name}

    async def create_channel(self, act: Act) -> dict[str, Any]:
        """Make a channel `name`, without the app in it."""
        user = person(self._space, act)
        name = str(act.get("name") or "")
        if not name or self._space.channel_named(name) is not None:
            raise ActError(f"cannot make a channel {name!r}")
        private = bool(act.get("is_private"))
        channel = Channel(
            self._space.new_id("C"),
            name,
            "private" if private else "public",
            user.id,
            int(self._space.clock.now()),
            members=[user.id],
            team=self._space.team.id,
        )
        self._space.channels[channel.id] = channel
        self._note("create_channel", user, channel.id)
        return {"channel": channel.id, "name": name}

    async def remove_bot(self, act: Act) -> dict[str, Any]:
        """Take the app out of a channel (`/remove @callout`); it hears `channel_left` or `group_left`."""
        user, channel = person(self._space, act), place(self._space, act)
        bot = self._space.bot_user_id
        if bot not in channel.members:
            raise ActError(f"the app is not in {channel.name}")
        self._space.report_channel(channel, "left", {"channel": channel.id, "actor_id": user.id})
        self._space.leave(channel, bot)
        self._note("remove_bot", user, channel.id)
        return {"channel": channel.id, "members": channel.members}

    async def unarchive_channel(self, act: Act) -> dict[str, Any]:
        """Bring an archived channel back."""
        user, channel = person(self._space, act), place(self._space, act)
        if not channel.archived:
            raise ActError(f"{channel.name} is not archived")
        self._space.unarchive(channel, user.id)
        self._note("unarchive_channel", user, channel.id)
        return {"channel": channel.id}

    async def delete_channel(self, act: Act) -> dict[str, Any]:
        """Delete a channel for good, as an admin may; its name is free again."""
        user, channel = person(self._space, act), place(self._space, act)
        if not user.is_admin or channel.is_general:
            raise ActError(f"{user.name} may not delete {channel.name}")
        self._space.report_channel(channel, "deleted", {"channel": channel.id, "actor_id": user.id})
        del self._space.channels[channel.id]
        self._note("delete_channel", user, channel.id)
        return {"channel": channel.id}

    async def set_topic(self, act: Act) -> dict[str, Any]:
        """Set the `topic` of a channel."""
        user, channel = person(self._space, act), place(self._space, act)
        self._space.set_heading(channel, user.id, "topic", str(act.get("topic") or ""))
        self._note("set_topic", user, channel.id)
        return {"channel": channel.id, "topic": channel.topic}
