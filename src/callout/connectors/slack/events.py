"""What happens in Slack, read from the envelopes of its Events API. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from callout.connectors.slack.files import shared_files
from callout.connectors.slack.payloads import MalformedError, object_of, required, text_of
from callout.connectors.slack.said import said
from callout.ports.chat import ChannelRef, ChatEvent, ChatEventKind, MessageRef
from callout.ports.chat_files import SharedFile
from callout.ports.values import Person

_KINDS: Final[Mapping[str, ChatEventKind]] = {
    "app_mention": ChatEventKind.MENTION,
    "app_home_opened": ChatEventKind.HOME_OPENED,
    "app_uninstalled": ChatEventKind.UNINSTALLED,
    "tokens_revoked": ChatEventKind.UNINSTALLED,
    "channel_archive": ChatEventKind.CHANNEL_ARCHIVED,
    "group_archive": ChatEventKind.CHANNEL_ARCHIVED,
    "channel_unarchive": ChatEventKind.CHANNEL_UNARCHIVED,
    "group_unarchive": ChatEventKind.CHANNEL_UNARCHIVED,
    "channel_rename": ChatEventKind.CHANNEL_RENAMED,
    "group_rename": ChatEventKind.CHANNEL_RENAMED,
    "channel_deleted": ChatEventKind.CHANNEL_GONE,
    "channel_left": ChatEventKind.CHANNEL_GONE,
    "group_deleted": ChatEventKind.CHANNEL_GONE,
    "group_left": ChatEventKind.CHANNEL_GONE,
    "user_change": ChatEventKind.PERSON_CHANGED,
    "file_deleted": ChatEventKind.FILE_DELETED,
}
_MESSAGES: Final[Mapping[str, ChatEventKind]] = {
    "": ChatEventKind.MESSAGE,
    "file_share": ChatEventKind.MESSAGE,
    "thread_broadcast": ChatEventKind.MESSAGE,
    "message_changed": ChatEventKind.MESSAGE_CHANGED,
    "message_deleted": ChatEventKind.MESSAGE_DELETED,
}
"""Subtype of a message → what it is to us; the others are Slack's own remarks (somebody joined, a topic was set)."""
_NO_MENTIONS: Final = frozenset({"message_changed", "message_deleted"})
_DIRECT: Final = "im"


def event_of(data: Mapping[str, Any]) -> ChatEvent | None:
    """Read an event with its envelope; None for what is nothing for us. Raises ValueError."""
    if text_of(data, "type") != "event_callback":
        if not text_of(data, "type"):
            raise MalformedError("type is missing")
        return None
    event = object_of(data, "event")
    vendor_event = required(text_of(event, "type"), "event.type")
    event_id = required(text_of(data, "event_id"), "event_id")
    kind = _kind(event, vendor_event)
    # An edited message comes inside the event that tells of it; a deleted one is told by what it was.
    about = event
    if kind in {ChatEventKind.MESSAGE_CHANGED, ChatEventKind.MESSAGE_DELETED}:
        inner = (
            object_of(event, "message")
            if kind is ChatEventKind.MESSAGE_CHANGED
            else object_of(event, "previous_message")
        )
        about = {**inner, "ts": text_of(inner, "ts") or text_of(event, "deleted_ts")}
    ours = _bots(data)
    if _is_a_bots_own(about, ours) or (
        kind is ChatEventKind.MENTION and text_of(event, "subtype") in _NO_MENTIONS
    ):
        return None
    if kind in {ChatEventKind.MENTION, ChatEventKind.MESSAGE} and _is_of_another_team(data, about):
        return None
    channel, user = _channel(event), _user(about)
    ts, thread = text_of(about, "ts"), text_of(about, "thread_ts")
    text, direct = text_of(about, "text"), text_of(event, "channel_type") == _DIRECT
    if kind is ChatEventKind.MESSAGE and direct:
        kind = ChatEventKind.MENTION  # whatever is said to the app alone is said to it
    if kind is ChatEventKind.MENTION:
        text = _without_leading_mention(text, ours)
    return ChatEvent(
        kind=kind,
        id=event_id,
        team=text_of(data, "team_id"),
        user=user,
        channel=channel,
        message=MessageRef(channel.id, ts, thread) if channel is not None and ts else None,
        text=said(text),
        occurred_at=_moment(data.get("event_time")),
        vendor_event=vendor_event,
        direct=direct,
        bot_ids=ours,
        files=_files(event, about, kind, ours),
    )


def _kind(event: Mapping[str, Any], vendor_event: str) -> ChatEventKind:
    if vendor_event == "message":
        return _MESSAGES.get(text_of(event, "subtype"), ChatEventKind.OTHER)
    if vendor_event == "app_home_opened" and text_of(event, "tab") not in {"", "home"}:
        return ChatEventKind.OTHER
    return _KINDS.get(vendor_event, ChatEventKind.OTHER)


def _files(
    event: Mapping[str, Any], about: Mapping[str, Any], kind: ChatEventKind, ours: frozenset[str]
) -> tuple[SharedFile, ...]:
    """Return the files of a message that are not our own, or the one that was deleted."""
    if kind is ChatEventKind.FILE_DELETED:
        return (SharedFile(required(text_of(event, "file_id"), "event.file_id"), gone=True),)
    records = about.get("files")
    theirs = [
        one
        for one in (records if isinstance(records, list) else [])
        if isinstance(one, dict) and not (isinstance(one.get("user"), str) and one["user"] in ours)
    ]
    return shared_files(theirs)


def _user(event: Mapping[str, Any]) -> Person | None:
    user = event.get("user")
    if isinstance(user, dict):  # user_change carries the object
        identity = text_of(user, "id")
        return Person(identity) if identity else None
    return Person(user) if isinstance(user, str) and user else None


def _bots(data: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of ourselves: those that the event was authorised for as a bot."""
    authorizations = data.get("authorizations")
    entries = authorizations if isinstance(authorizations, list) else []
    ids = [entry.get("user_id") for entry in entries if isinstance(entry, dict) and entry.get("is_bot")]
    return frozenset(identity for identity in ids if isinstance(identity, str) and identity)


def _is_of_another_team(data: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether it was said by somebody of another organization, in a channel that is shared with it: they command nothing here.

    From memory: the names of these members, and that they are there in shared channels.
    """
    if data.get("is_ext_shared_channel") is not True:
        return False
    team = event.get("user_team") or event.get("source_team") or event.get("team")
    return isinstance(team, str) and team != text_of(data, "team_id")


def _is_a_bots_own(event: Mapping[str, Any], ours: frozenset[str]) -> bool:
    """Whether a program wrote it. Nothing that a program says may command us: two bots could talk for ever."""
    if event.get("bot_id") or event.get("subtype") == "bot_message":
        return True
    user = event.get("user")
    return isinstance(user, str) and user in ours


def _channel(event: Mapping[str, Any]) -> ChannelRef | None:
    channel = event.get("channel")
    if isinstance(channel, dict):  # channel_rename carries the object
        identity = text_of(channel, "id")
        return ChannelRef(identity, text_of(channel, "name")) if identity else None
    return ChannelRef(channel) if isinstance(channel, str) and channel else None


def _without_leading_mention(text: str, ours: frozenset[str]) -> str:
    """Take the mention of us off the beginning. Somebody else's stays: `@bob close it, says @callout` is not said to us."""
    stripped = text.lstrip()
    if stripped.startswith("<@"):
        named, closed, rest = stripped[2:].partition(">")
        if closed and (not ours or named.partition("|")[0] in ours):
            return rest.lstrip()
    return stripped


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
