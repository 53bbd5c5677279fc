"""One workspace of the Slack twin: its people, channels, files and views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import seed
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.handles import Handles
from callout.sandbox.slack.records import Channel, Message, User, UserGroup
from callout.sandbox.slack.text import notified_by
from callout.sandbox.slack.tokens import Token, TokenBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.slack.filing import File
    from callout.sandbox.slack.records import Kind
    from callout.sandbox.slack.scheduled import Scheduled


class Workspace(Handles):
    """Users, channels and handles of one team; `on_event` hears what the Events API would report."""

    def __init__(
        self,
        clock: SandboxClock,
        team: seed.TeamSeed,
        book: TokenBook,
        on_event: Callable[[Workspace, dict[str, Any]], None],
    ) -> None:
        super().__init__(clock, team)
        self.book = book
        self.installed = team.installed
        self._on_event = on_event
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.file_lag = 0.0
        self.user_groups = True
        self.scheduled: dict[str, Scheduled] = {}
        self.groups: dict[str, UserGroup] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.modal_stacks: dict[str, list[str]] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.suggestions: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._seed()

    def _seed(self) -> None:
        now = int(self.clock.now())
        for user_id, name, real, email, tz, deleted, admin in self.team.people:
            self.users[user_id] = User(
                user_id, name, real, email, tz, deleted, admin, updated=now, team=self.team.id
            )
        self.users["USLACKBOT"] = User(
            "USLACKBOT", "slackbot", "Slackbot", "", updated=now, team=self.team.id
        )
        if self.installed:
            self.install()
        for group_id, handle, name, people in self.team.groups:
            self.groups[group_id] = UserGroup(group_id, self.team.id, handle, name, list(people), now)
        for channel_id, name, private, has_bot, members in self.team.channels:
            kind: Kind = "private" if private else "public"
            self.channels[channel_id] = Channel(
                channel_id,
                name,
                kind,
                self.team.people[0][0],
                now,
                members=[*members, *([self.bot_user_id] if has_bot else [])],
                updated=now * 1000,
                team=self.team.id,
                is_general=name == "general",
            )

    @property
    def tokens(self) -> dict[str, Token]:
        """Every token of the app, of whatever team."""
        return self.book.tokens

    @property
    def bot_user_id(self) -> str:
        """The app's user in this team."""
        return self.team.bot_user_id

    @property
    def bot_id(self) -> str:
        """The app's bot in this team."""
        return self.team.bot_id

    def install(self) -> None:
        """Give the app its user in this team."""
        self.installed = True
        bot = self.users.setdefault(
            self.bot_user_id,
            User(
                self.bot_user_id,
                seed.BOT_NAME,
                "Callout",
                "",
                is_bot=True,
                bot_id=self.bot_id,
                team=self.team.id,
            ),
        )
        bot.deleted, bot.updated = False, int(self.clock.now())

    def uninstall(self) -> list[Token]:
        """Take the app out of this team: its tokens die, its user leaves, and it is told. Returns the tokens."""
        ended = self.book.end_team(self.team.id)
        event_ts = self.new_ts()
        revoked = {
            "oauth": [token.user for token in ended if token.kind == "user"],
            "bot": [token.user for token in ended if token.kind == "bot"],
        }
        self._on_event(self, {"type": "tokens_revoked", "tokens": revoked, "event_ts": event_ts})
        self._on_event(self, {"type": "app_uninstalled", "event_ts": event_ts})
        self.installed = False
        if self.bot_user_id in self.users:
            self.users[self.bot_user_id].deleted = True
        for channel in self.channels.values():
            if channel.is_named and self.bot_user_id in channel.members:
                channel.members.remove(self.bot_user_id)
        return ended

    # Looking things up.

    def user(self, user_id: str, error: str = "user_not_found") -> User:
        """Return a user. Raises SlackError `error`."""
        user = self.users.get(user_id)
        if user is None:
            raise SlackError(error)
        return user

    def channel_named(self, name: str) -> Channel | None:
        """Return the channel that holds a name, archived ones included."""
        return next((c for c in self.channels.values() if c.is_named and c.name == name), None)

    def channel_for(self, viewer: str, reference: str) -> Channel:
        """Return a channel by ID as `viewer` may see it. Raises SlackError `channel_not_found`."""
        channel = self.channels.get(reference)
        # A private conversation does not exist for someone who is not in it.
        if channel is None or (channel.kind != "public" and viewer not in channel.members):
            raise SlackError("channel_not_found")
        return channel

    def direct_channel(self, members: list[str]) -> Channel:
        """Return the direct conversation of exactly these members, opening it when it is new."""
        for channel in self.channels.values():
            if not channel.is_named and set(channel.members) == set(members):
                return channel
        kind: Kind = "im" if len(members) <= 2 else "mpim"  # noqa: PLR2004 - two people make a DM
        prefix = "D" if kind == "im" else "G"
        names = "--".join(self.users[member].name for member in members)
        now = self.clock.now()
        channel = Channel(
            self.new_id(prefix),
            f"mpdm-{names}-1",
            kind,
            members[0],
            int(now),
            members=list(members),
            team=self.team.id,
        )
        self.channels[channel.id] = channel
        return channel

    def message(self, channel: Channel, ts: str) -> Message:
        """Return a message. Raises SlackError `message_not_found`."""
        message = channel.messages.get(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    # Changing things.

    def add_message(self, channel: Channel, message: Message) -> None:
        """Store a message, work out whom it notifies and report it as an event."""
        message.notified = notified_by(message.text, message.blocks)
        message.team = self.team.id
        channel.messages[message.ts] = message
        self.report_message(channel, message)

    def say(self, channel: Channel, user: str, subtype: str, text: str, **extra: Any) -> None:
        """Add one of Slack's own lines, such as `channel_join`."""
        message = Message(self.new_ts(), user, text, subtype=subtype, team=self.team.id, extra=extra)
        channel.messages[message.ts] = message
        self.report_message(channel, message)

    def report_message(self, channel: Channel, message: Message) -> None:
        """Report a stored message as an Events API `message` event."""
        self.report(
            {
                **message.as_json(with_metadata=True),
                "channel": channel.id,
                "event_ts": message.ts,
                "channel_type": channel.channel_type,
            },
            channel=channel,
        )

    def report(self, event: dict[str, Any], *, channel: Channel | None = None) -> None:
        """Report an event, unless it is of a conversation the app is not in."""
        if self.installed and (channel is None or self.bot_user_id in channel.members):
            self._on_event(self, event)

    def join(self, channel: Channel, user: str, *, inviter: str | None = None) -> None:
        """Make someone a member, with the join line and the event."""
        channel.members.append(user)
        extra = {"inviter": inviter} if inviter else {}
        self.say(channel, user, "channel_join", f"<@{user}> has joined the channel", **extra)
        self.report(
            {
                "type": "member_joined_channel",
                "user": user,
                "channel": channel.id,
                "channel_type": "C" if channel.kind == "public" else "G",
                "team": self.team.id,
                "event_ts": self.new_ts(),
                **extra,
            },
            channel=channel,
        )

    def leave(self, channel: Channel, user: str) -> None:
        """Take someone out of a channel."""
        self.say(channel, user, "channel_leave", f"<@{user}> has left the channel")
        channel.members.remove(user)
        self.report(
            {
                "type": "member_left_channel",
                "user": user,
                "channel": channel.id,
                "channel_type": "C" if channel.kind == "public" else "G",
                "team": self.team.id,
                "event_ts": self.new_ts(),
            },
            channel=channel,
        )

    def archive(self, channel: Channel, user: str) -> None:
        """Archive a channel; it keeps its name and its members."""
        self.say(channel, user, f"{channel.channel_type}_archive", "archived the channel")
        channel.archived = True
        self.touch(channel)
        self.report_channel(channel, "archive", {"channel": channel.id, "user": user})

    def unarchive(self, channel: Channel, user: str) -> None:
        """Bring an archived channel back."""
        channel.archived = False
        self.touch(channel)
        self.say(channel, user, f"{channel.channel_type}_unarchive", "un-archived the channel")
        self.report_channel(channel, "unarchive", {"channel": channel.id, "user": user})

    def report_channel(self, channel: Channel, what: str, parts: dict[str, Any]) -> None:
        """Report `channel_<what>`, or `group_<what>` of a private channel."""
        event = {"type": f"{channel.channel_type}_{what}", **parts, "event_ts": self.new_ts()}
        self.report(event, channel=channel)

    def rename(self, channel: Channel, user: str, name: str) -> None:
        """Give a channel another name."""
        old, channel.name = channel.name, name
        channel.previous_names.insert(0, old)
        self.touch(channel)
        self.say(
            channel,
            user,
            f"{channel.channel_type}_name",
            f'has renamed the channel from "{old}" to "{name}"',
            name=name,
        )
        renamed = {"id": channel.id, "name": name, "created": channel.created}
        self.report_channel(channel, "rename", {"channel": renamed})

    def set_heading(self, channel: Channel, user: str, what: str, value: str) -> None:
        """Set the `topic` or `purpose` of a channel."""
        setattr(channel, what, {"value": value, "creator": user, "last_set": int(self.clock.now())})
        self.touch(channel)
        said = f"set the channel {what}: {value}" if value else f"cleared the channel {what}"
        self.say(channel, user, f"{channel.channel_type}_{what}", said, **{what: value})

    def touch(self, channel: Channel) -> None:
        """Note that a channel changed now (its `updated` is in milliseconds)."""
        channel.updated = int(self.clock.now() * 1000)
