"""The state of the Slack twin: one workspace with its people, channels, views and short-lived handles."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import seed
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import Channel, Message, User
from callout.sandbox.slack.text import notified_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.slack.records import Kind

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60
RESPONSE_URL_USES = 5
HANDLE_LIMIT = 20_000


@dataclass(slots=True)
class Trigger:
    """A `trigger_id`: good for one view within three seconds."""

    id: str
    user: str
    created: float
    used: bool = False
    view_id: str | None = None


@dataclass(slots=True)
class ResponseUrl:
    """A `response_url`: five uses within thirty minutes; `source_ts` is the message it came from."""

    path: str
    user: str
    channel: str
    created: float
    source_ts: str | None = None
    thread_ts: str | None = None
    uses: int = 0


@dataclass(slots=True)
class Token:
    """A token the Web API knows; `expires_at` in Unix seconds when rotation is on."""

    value: str
    kind: str
    scopes: tuple[str, ...]
    expires_at: float | None = None
    revoked: bool = False


@dataclass(slots=True)
class Shown:
    """Something a user saw on the screen that is not a stored channel message."""

    user: str
    channel: str | None
    kind: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


class Workspace:
    """Users, channels and handles of team `T01ACC`; `on_event` hears what the Events API would report."""

    def __init__(self, clock: SandboxClock, on_event: Callable[[dict[str, Any]], None]) -> None:
        self.clock = clock
        self._on_event = on_event
        self._last_micros = 0
        self._serial = itertools.count(1)
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.tokens: dict[str, Token] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.modal_stacks: dict[str, list[str]] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.screen: list[Shown] = []
        self.oauth_codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: dict[str, tuple[str, ...]] = {}
        self._seed()

    def _seed(self) -> None:
        now = int(self.clock.now())
        for user_id, name, real, email, tz, deleted, admin in seed.PEOPLE:
            self.users[user_id] = User(
                user_id, name, real, email, tz=tz, deleted=deleted, is_admin=admin, updated=now
            )
        self.users["USLACKBOT"] = User("USLACKBOT", "slackbot", "Slackbot", "", updated=now)
        self.users[seed.BOT_USER_ID] = User(
            seed.BOT_USER_ID, seed.BOT_NAME, "Callout", "", is_bot=True, bot_id=seed.BOT_ID, updated=now
        )
        for channel_id, name, private, has_bot, members in seed.CHANNELS:
            kind: Kind = "private" if private else "public"
            self.channels[channel_id] = Channel(
                channel_id,
                name,
                kind,
                "U0ADMIN",
                now,
                members=[*members, *([seed.BOT_USER_ID] if has_bot else [])],
                updated=now * 1000,
            )
        self.tokens[seed.BOT_TOKEN] = Token(seed.BOT_TOKEN, "bot", seed.ALL_SCOPES)
        self.tokens[seed.APP_TOKEN] = Token(seed.APP_TOKEN, "app", ("connections:write",))

    # Identity and time.

    def new_ts(self) -> str:
        """Return a fresh message timestamp: unique and rising, as text with six decimals."""
        micros = max(int(self.clock.now() * 1_000_000), self._last_micros + 1)
        self._last_micros = micros
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """Return an ID in Slack's form: a letter and ten capitals or digits."""
        return f"{prefix}{next(self._serial):03d}{secrets.token_hex(4).upper()}"

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
            self.new_id(prefix), f"mpdm-{names}-1", kind, members[0], int(now), members=list(members)
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
        channel.messages[message.ts] = message
        self.report_message(channel, message)

    def say(self, channel: Channel, user: str, subtype: str, text: str, **extra: Any) -> None:
        """Add one of Slack's own lines, such as `channel_join`."""
        message = Message(self.new_ts(), user, text, subtype=subtype, extra=extra)
        channel.messages[message.ts] = message
        self.report_message(channel, message)

    def report_message(self, channel: Channel, message: Message) -> None:
        """Report a stored message as an Events API `message` event."""
        kinds = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}
        self.report(
            {
                **message.as_json(with_metadata=True),
                "channel": channel.id,
                "event_ts": message.ts,
                "channel_type": kinds[channel.kind],
            },
            channel=channel,
        )

    def report(self, event: dict[str, Any], *, channel: Channel | None = None) -> None:
        """Report an event, unless it is of a conversation the app is not in."""
        if channel is None or seed.BOT_USER_ID in channel.members:
            self._on_event(event)

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
                "team": seed.TEAM_ID,
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
                "team": seed.TEAM_ID,
                "event_ts": self.new_ts(),
            },
            channel=channel,
        )

    def archive(self, channel: Channel, user: str) -> None:
        """Archive a channel; it keeps its name and its members."""
        self.say(channel, user, "channel_archive", "archived the channel")
        channel.archived = True
        self.touch(channel)
        self.report(
            {"type": "channel_archive", "channel": channel.id, "user": user, "event_ts": self.new_ts()},
            channel=channel,
        )

    def rename(self, channel: Channel, user: str, name: str) -> None:
        """Give a channel another name."""
        old, channel.name = channel.name, name
        channel.previous_names.insert(0, old)
        self.touch(channel)
        self.say(
            channel, user, "channel_name", f'has renamed the channel from "{old}" to "{name}"', name=name
        )
        renamed = {"id": channel.id, "name": name, "created": channel.created}
        self.report(
            {"type": "channel_rename", "channel": renamed, "event_ts": self.new_ts()}, channel=channel
        )

    def touch(self, channel: Channel) -> None:
        """Note that a channel changed now (its `updated` is in milliseconds)."""
        channel.updated = int(self.clock.now() * 1000)

    # Short-lived handles.

    def new_trigger(self, user: str, *, view_id: str | None = None) -> Trigger:
        """Return a fresh trigger for a user; `view_id` is the open view it came from."""
        serial = next(self._serial)
        trigger = Trigger(
            f"{serial}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}", user, self.clock.now()
        )
        trigger.view_id = view_id
        self.triggers[trigger.id] = trigger
        _forget_oldest(self.triggers)
        return trigger

    def use_trigger(self, trigger_id: str) -> Trigger:
        """Spend a trigger. Raises SlackError `invalid_`, `exchanged_` or `expired_trigger_id`."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.clock.now() - trigger.created > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def new_response_url(
        self,
        kind: str,
        user: str,
        channel: str,
        *,
        source_ts: str | None = None,
        thread_ts: str | None = None,
    ) -> ResponseUrl:
        """Return a response URL of `kind` `commands` or `actions`; `path` is below the twin's mount."""
        path = f"/{kind}/{seed.TEAM_ID}/{secrets.randbelow(10**12)}/{secrets.token_urlsafe(18)}"
        url = ResponseUrl(path, user, channel, self.clock.now(), source_ts=source_ts, thread_ts=thread_ts)
        self.response_urls[path] = url
        _forget_oldest(self.response_urls)
        return url


def _forget_oldest(handles: dict[str, Any]) -> None:
    if len(handles) > HANDLE_LIMIT:
        del handles[next(iter(handles))]
