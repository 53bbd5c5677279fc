"""Slack in the role of a chat platform."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from callout.connectors.slack.app import SCOPES
from callout.connectors.slack.channels import (
    FOR_PEOPLE,
    NAME_ATTEMPTS,
    SlackChannels,
    channel_name,
    channel_ref,
)
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.file_host import FileHost
from callout.connectors.slack.files import SlackFiles
from callout.connectors.slack.render import TOPIC_LIMIT, answer_body, legacy_message, message, metadata, plain
from callout.connectors.slack.views import home, modal
from callout.connectors.slack.wire import ChannelRecord, MessageMetadata, PostedMessage, UserRecord
from callout.ports.chat import Answer, Card, ChannelRef, MessageRef
from callout.ports.chat_forms import Form
from callout.ports.chat_people import DirectoryEntry, Membership
from callout.ports.errors import ConnectorError, PermissionDeniedError, RecordNotFoundError, RejectedError
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, Unknown
from callout.ports.values import Person

BLOCKS_REFUSED: Final = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
"""Codes that say that a message was not posted because of its blocks: it is told without them."""
SHOWN_LATE: Final = timedelta(seconds=30)
"""From memory: where a file is shown is told some seconds after it is."""
LARGEST_SKEW: Final = timedelta(seconds=60)

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{5,}")


class SlackChat(SlackChannels, SlackFiles):
    """A Slack workspace as :class:`~callout.ports.chat.ChatProvider`."""

    effects: Mapping[str, Effect] = {
        "post_message": Unknown(),
        "update_message": Idempotent(),
        "respond": Unknown(),
        "open_form": Unknown(),
        "publish_home": Idempotent(),
        "create_channel": Findable(),
        "invite": Idempotent(),
        "set_topic": Idempotent(),
        "archive_channel": Idempotent(),
        "unarchive_channel": Idempotent(),
        "rename_channel": Idempotent(),
        "keep_bookmarks": Findable(),
        "open_direct": Idempotent(),
        "delete_message": Idempotent(),
        "put_file": Idempotent(),
        "share_file": Findable(lag=SHOWN_LATE),
    }

    def __init__(
        self,
        api: SlackApi,
        config: SlackConfig,
        *,
        person: SlackApi | None = None,
        files: FileHost | None = None,
    ) -> None:
        """`person` is the API in the name of who installed the app, for what a rule of the workspace leaves to people."""
        SlackChannels.__init__(self, api, person=person)
        SlackFiles.__init__(self, api, files)
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
        ours = metadata(key)
        try:
            posted = await self._post(channel, message(card), ours, thread)
        except RejectedError as error:
            if error.vendor_code not in BLOCKS_REFUSED:
                raise
            posted = await self._post(channel, legacy_message(card), ours, thread)
        return MessageRef(posted.get("channel", channel), posted["ts"], thread)

    async def _post(
        self, channel: str, content: Mapping[str, object], ours: MessageMetadata, thread: str
    ) -> PostedMessage:
        try:
            return await self._api.chat_post_message(channel, content, ours, thread_ts=thread)
        except PermissionDeniedError as error:
            if error.vendor_code != "not_in_channel":
                raise
            await self._api.conversations_join(await self.channel_id(channel))
            return await self._api.chat_post_message(channel, content, ours, thread_ts=thread)

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

    async def open_form(self, trigger: str, form: Form) -> None:
        await self._api.views_open(trigger, modal(form))

    async def publish_home(self, user: str, home_card: Card) -> None:
        await self._api.views_publish(user, home(home_card))

    async def create_channel(self, name: str, *, private: bool) -> ChannelRef:
        """Create a channel. An archived channel keeps its name, so a taken one gets `-2`, `-3` …"""
        for number in range(1, NAME_ATTEMPTS + 1):
            try:
                return channel_ref(await self._create(channel_name(name, number), private=private))
            except RejectedError as error:
                if error.vendor_code != "name_taken":
                    raise
        raise RejectedError(
            f"#{channel_name(name)} and {NAME_ATTEMPTS - 1} names like it are taken",
            remediation="Change the integration's channel_name, or rename old channels.",
        )

    async def _create(self, name: str, *, private: bool) -> ChannelRecord:
        """Create a channel that the app is in."""
        try:
            return await self._api.conversations_create(name, is_private=private)
        except PermissionDeniedError as error:
            if self._person is None or error.vendor_code != FOR_PEOPLE:
                raise
            created = await self._person.conversations_create(name, is_private=private)
            bot, _, _ = await self._api.auth_test()
            await self._person.conversations_invite(created["id"], bot["user_id"])
            return created

    async def find_channel(self, name: str) -> ChannelRef | None:
        if _CHANNEL_ID.fullmatch(name):
            try:
                found = await self._api.conversations_info(name)
            except RecordNotFoundError:
                return None
            return None if found.get("is_archived") else channel_ref(found)
        wanted = name.removeprefix("#").lower()
        async for channel in self._api.conversations_list():
            if channel.get("name") == wanted:
                return channel_ref(channel)
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
        text = plain(topic, TOPIC_LIMIT)
        await self._allowed(lambda api: api.conversations_set_topic(channel, text))

    async def archive_channel(self, channel: str) -> None:
        await self._allowed(lambda api: api.conversations_archive(channel))

    async def find_person(self, *, email: str) -> Person | None:
        try:
            answer = await self._api.users_lookup_by_email(email)
        except RecordNotFoundError:
            return None
        return person_of(answer.get("user", {}), team=self._config.team)

    async def look_up(self, user_id: str) -> DirectoryEntry | None:
        """Return whoever has this id, with how they belong to the workspace; None for one hidden from the app."""
        try:
            answer = await self._api.users_info(user_id)
        except RecordNotFoundError:
            return None
        user = answer.get("user", {})
        membership = membership_of(user, team=self._config.team)
        person = person_of(user, team=self._config.team) or Person(user_id, user.get("name", ""))
        return DirectoryEntry(person, membership)

    async def get_person(self, user_id: str) -> Person | None:
        try:
            answer = await self._api.users_info(user_id)
        except RecordNotFoundError:
            return None
        return person_of(answer.get("user", {}), team=self._config.team)

    async def channel_id(self, channel: str) -> str:
        """Return the id of a channel by id or name. Raises RecordNotFoundError."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        found = await self.find_channel(channel)
        if found is None:
            raise RecordNotFoundError(f"Slack knows no channel #{channel}", vendor_code="channel_not_found")
        return found.id


def person_of(user: UserRecord, *, team: str) -> Person | None:
    """Return an active human, else None; `team` is our workspace, where that is known.

    An e-mail address makes somebody a member here. One that stands in the directory of another organization, which has its people in a
    channel that is shared with it, was written there by whoever runs that: such a person comes without.
    """
    if user.get("deleted") or user.get("is_bot") or not user.get("id"):
        return None
    profile = user.get("profile", {})
    name = (
        profile.get("display_name")
        or user.get("real_name")
        or profile.get("real_name")
        or user.get("name", "")
    )
    return Person(user["id"], name, "" if _is_foreign(user, team) else profile.get("email", ""))


def membership_of(user: UserRecord, *, team: str) -> Membership:
    """Return how somebody belongs to the workspace `team`."""
    if user.get("is_bot"):
        return Membership.PROGRAM
    if user.get("deleted"):
        return Membership.GONE
    if _is_foreign(user, team):
        return Membership.EXTERNAL
    # from memory: both are there on guests, of several channels and of one
    is_guest = user.get("is_restricted") is True or user.get("is_ultra_restricted") is True
    return Membership.GUEST if is_guest else Membership.MEMBER


def _is_foreign(user: UserRecord, team: str) -> bool:
    # from memory: `is_stranger`, and that within one Enterprise Grid, where teams differ too, the record holds `enterprise_user`
    home = user.get("team_id", "")
    return user.get("is_stranger") is True or bool(
        team and home and home != team and not user.get("enterprise_user")
    )
