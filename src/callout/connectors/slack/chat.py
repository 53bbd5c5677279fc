"""Slack in the role of a chat platform."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.render import TOPIC_LIMIT, answer_body, message, metadata, plain
from callout.connectors.slack.wire import ChannelRecord, UserRecord
from callout.kit.ids import slug
from callout.ports.chat import Answer, Card, ChannelRef, MessageRef
from callout.ports.errors import ConnectorError, PermissionDeniedError, RecordNotFoundError, RejectedError
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, Unknown
from callout.ports.values import Person

NAME_LIMIT: Final = 80
NAME_ATTEMPTS: Final = 20
LARGEST_SKEW: Final = timedelta(seconds=60)

SCOPES: Final[Mapping[str, str]] = {
    "chat:write": "posting messages",
    "chat:write.public": "posting to public channels without joining them",
    "commands": "the slash command",
    "app_mentions:read": "hearing mentions",
    "channels:manage": "creating incident channels",
    "groups:write": "creating private incident channels",
    "channels:read": "finding channels by name",
    "groups:read": "finding private channels by name",
    "channels:join": "joining the channels it posts to",
    "users:read": "people's names",
    "users:read.email": "knowing people by their e-mail",
}
"""Scope → what goes missing without it."""

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{5,}")


class SlackChat:
    """A Slack workspace as :class:`~callout.ports.chat.ChatProvider`."""

    effects: Mapping[str, Effect] = {
        "post_message": Unknown(),
        "update_message": Idempotent(),
        "respond": Unknown(),
        "create_channel": Findable(),
        "invite": Idempotent(),
        "set_topic": Idempotent(),
        "archive_channel": Idempotent(),
    }

    def __init__(self, api: SlackApi, config: SlackConfig) -> None:
        self._api = api
        self._config = config

    async def check_connection(self) -> ConnectionReport:
        answer, scopes, skew = await self._api.auth_test()
        warnings = []
        if scopes is not None:
            warnings += [
                f"the scope {scope} is missing: {use} will not work; add it to the Slack app and install it again"
                for scope, use in SCOPES.items()
                if scope not in scopes
            ]
        difference = timedelta(seconds=round(skew))
        if abs(difference) > LARGEST_SKEW:
            warnings.append(
                f"this machine's clock is {abs(difference.total_seconds()):.0f} s off Slack's: "
                "beyond 300 s every command is refused; set the clock"
            )
        bot = Person(answer.get("user_id", ""), answer.get("user", ""))
        return ConnectionReport(
            ok=True,
            account=bot,
            instance=answer.get("url", "") or answer.get("team", ""),
            clock_skew=difference,
            warnings=tuple(warnings),
        )

    async def post_message(self, channel: str, card: Card, *, key: str, thread: str = "") -> MessageRef:
        """Post `card`. A public channel that the app is not in is joined once: the refusal says that nothing was posted."""
        content, ours = message(card), metadata(key)
        try:
            posted = await self._api.chat_post_message(channel, content, ours, thread_ts=thread)
        except PermissionDeniedError as error:
            if error.vendor_code != "not_in_channel":
                raise
            await self._api.conversations_join(await self.channel_id(channel))
            posted = await self._api.chat_post_message(channel, content, ours, thread_ts=thread)
        return MessageRef(posted.get("channel", channel), posted["ts"], thread)

    async def update_message(self, message_ref: MessageRef, card: Card) -> MessageRef:
        await self._api.chat_update(message_ref.channel, message_ref.id, message(card))
        return message_ref

    async def respond(self, response: str, answer: Answer, *, replace: bool = False) -> None:
        """Answer at a `response_url` (30 minutes, five times). Raises RejectedError for an address that is not Slack's."""
        if not self._config.allows_response_url(response):
            raise RejectedError("the answer address is not Slack's: nothing was sent there")
        body = answer_body(answer)
        if replace:
            body["replace_original"] = True
        await self._api.post_response(response, body)

    async def create_channel(self, name: str, *, private: bool) -> ChannelRef:
        """Create a channel. An archived channel keeps its name, so a taken one gets `-2`, `-3` …"""
        for number in range(1, NAME_ATTEMPTS + 1):
            try:
                created = await self._api.conversations_create(channel_name(name, number), is_private=private)
            except RejectedError as error:
                if error.vendor_code != "name_taken":
                    raise
            else:
                return _channel(created)
        raise RejectedError(
            f"#{channel_name(name)} and {NAME_ATTEMPTS - 1} names like it are taken",
            remediation="Change the integration's channel_name, or rename old channels.",
        )

    async def find_channel(self, name: str) -> ChannelRef | None:
        if _CHANNEL_ID.fullmatch(name):
            try:
                found = await self._api.conversations_info(name)
            except RecordNotFoundError:
                return None
            return None if found.get("is_archived") else _channel(found)
        wanted = name.removeprefix("#").lower()
        async for channel in self._api.conversations_list():
            if channel.get("name") == wanted:
                return _channel(channel)
        return None

    async def invite(self, channel: str, users: Sequence[str]) -> None:
        """Invite `users` one by one: in one call, a single person who is no good keeps all the others out."""
        refused: ConnectorError | None = None
        for user in dict.fromkeys(users):
            try:
                await self._api.conversations_invite(channel, user)
            except (RejectedError, RecordNotFoundError, PermissionDeniedError) as error:
                refused = error
        if refused is not None:
            raise refused

    async def set_topic(self, channel: str, topic: str) -> None:
        await self._api.conversations_set_topic(channel, plain(topic, TOPIC_LIMIT))

    async def archive_channel(self, channel: str) -> None:
        await self._api.conversations_archive(channel)

    async def find_person(self, *, email: str) -> Person | None:
        try:
            answer = await self._api.users_lookup_by_email(email)
        except RecordNotFoundError:
            return None
        return _person(answer.get("user", {}))

    async def get_person(self, user_id: str) -> Person | None:
        try:
            answer = await self._api.users_info(user_id)
        except RecordNotFoundError:
            return None
        return _person(answer.get("user", {}))

    async def channel_id(self, channel: str) -> str:
        """Return the id of a channel by id or name. Raises RecordNotFoundError."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        found = await self.find_channel(channel)
        if found is None:
            raise RecordNotFoundError(f"Slack knows no channel #{channel}", vendor_code="channel_not_found")
        return found.id


def channel_name(name: str, number: int = 1) -> str:
    """Return `name` as Slack allows channel names; from the second try on with `-2`, `-3` … at its end."""
    suffix = "" if number == 1 else f"-{number}"
    return (slug(name).strip("-_") or "incident")[: NAME_LIMIT - len(suffix)].rstrip("-_") + suffix


def _channel(record: ChannelRecord) -> ChannelRef:
    created = record.get("created")
    moment = datetime.fromtimestamp(created, UTC) if isinstance(created, int) else None
    return ChannelRef(record.get("id", ""), record.get("name", ""), moment)


def _person(user: UserRecord) -> Person | None:
    """Return an active human, else None."""
    if user.get("deleted") or user.get("is_bot") or not user.get("id"):
        return None
    profile = user.get("profile", {})
    name = (
        profile.get("display_name")
        or user.get("real_name")
        or profile.get("real_name")
        or user.get("name", "")
    )
    return Person(user["id"], name, profile.get("email", ""))
