"""Slack in the role of a place for notifications: messages in one channel, which keep themselves what was said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field

from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.render import fallback, message
from callout.connectors.slack.wire import HistoryMessage, MessageBody, MessageMetadata
from callout.ports.chat import Card, Fact, Tone
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError
from callout.ports.notification import Notice
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent

EVENT: Final = "callout_notification"
TEXT_LIMIT: Final = 3000
"""Characters of a text that the message keeps as data; all of it is shown."""
SEARCHED: Final = 100
"""Messages looked through for our key."""
TONES: Final[Mapping[str, Tone]] = {
    "URGENT": Tone.CRITICAL,
    "CRITICAL": Tone.CRITICAL,
    "HIGH": Tone.HIGH,
    "MEDIUM": Tone.MEDIUM,
    "MODERATE": Tone.MEDIUM,
    "LOW": Tone.LOW,
    "PLANNING": Tone.LOW,
}
SHOWN: Final = ("priority", "status", "project", "issue_type", "assignee", "creator", "contact", "tags")
_ID = re.compile(r"([CGD][A-Z0-9]{5,})-(\d{1,12}\.\d{1,6})")


class SlackNotificationsConfig(SlackConfig):
    """Settings of an integration for notifications: the channel, by name or id."""

    channel: str = Field(min_length=1)
    """The channel that notifications go to, by name or id."""


class SlackNotifications:
    """One channel of a workspace."""

    effects: Mapping[str, Effect] = {"create_message": Findable(), "clear_message": Idempotent()}

    def __init__(self, api: SlackApi, config: SlackNotificationsConfig) -> None:
        self._api = api
        self._chat = SlackChat(api, config)
        self._config = config

    async def check_connection(self) -> ConnectionReport:
        """Ask Slack who we are, and look for the channel. Raises AuthFailedError."""
        report = await self._chat.check_connection()
        if await self._chat.find_channel(self._config.channel) is None:
            missing = f"there is no channel {self._config.channel!r} that the app can see: invite it, or correct the name"
            return replace(report, warnings=(*report.warnings, missing), blocking=(missing,))
        return report

    async def send_notice(self, notice: Notice, *, key: str) -> Notice:
        """Post a message. A public channel that the app is not in is joined once."""
        channel = await self._chat.channel_id(self._config.channel)
        content, data = _content(notice), _metadata(notice, key)
        try:
            posted = await self._api.chat_post_message(channel, content, data)
        except PermissionDeniedError as error:
            if error.vendor_code != "not_in_channel":
                raise
            await self._api.conversations_join(channel)
            posted = await self._api.chat_post_message(channel, content, data)
        at = _moment(posted["ts"])
        return replace(
            notice, id=f"{posted.get('channel', channel)}-{posted['ts']}", created_at=at, updated_at=at
        )

    async def find_notice(self, key: str) -> Notice | None:
        """Return the message with our key among the newest of the channel."""
        channel = await self._chat.channel_id(self._config.channel)
        for one in await self._api.conversations_history(channel, limit=SEARCHED):
            if (_payload(one) or {}).get("key") == key:
                return _notice(channel, one)
        return None

    async def read_notice(self, notice_id: str) -> Notice:
        """Read a message. Raises RecordNotFoundError."""
        return _notice(*await self._message(notice_id))

    async def clear_notice(self, notice_id: str) -> Notice:
        """Mark a message as cleared: shown in green, with its data saying so."""
        channel, found = await self._message(notice_id)
        notice = _notice(channel, found)
        if notice.closed:
            return notice
        closed = replace(notice, closed=True)
        data = _metadata(closed, str((_payload(found) or {}).get("key", "")))
        await self._api.chat_update(channel, found["ts"], _content(closed), metadata=data)
        return closed

    async def _message(self, notice_id: str) -> tuple[str, HistoryMessage]:
        match = _ID.fullmatch(notice_id)
        if match is not None:
            channel, ts = match.groups()
            found = await self._api.conversations_history(channel, limit=1, around=ts)
            if found and found[0]["ts"] == ts and _payload(found[0]) is not None:
                return channel, found[0]
        raise RecordNotFoundError(f"there is no notification {notice_id[:80]!r}")


def _content(notice: Notice) -> MessageBody:
    if not notice.closed and not any(notice.fields.values()):
        return {"text": fallback(notice.summary, TEXT_LIMIT), "blocks": [], "attachments": []}
    facts = tuple(
        Fact(name.replace("_", " ").capitalize(), ", ".join(value) if isinstance(value, list) else str(value))
        for name in SHOWN
        if (value := notice.fields.get(name))
    )
    card = Card(
        title=notice.summary,
        text=str(notice.fields.get("description") or ""),
        facts=facts,
        tone=Tone.GOOD if notice.closed else TONES.get(str(notice.fields.get("priority")), Tone.NEUTRAL),
        footer="Cleared" if notice.closed else "",
    )
    return message(card)


def _metadata(notice: Notice, key: str) -> MessageMetadata:
    kept = {
        name: value[:TEXT_LIMIT] if isinstance(value, str) else value for name, value in notice.fields.items()
    }
    told = {"summary": notice.summary[:TEXT_LIMIT], "closed": notice.closed, "fields": kept}
    return {"event_type": EVENT, "event_payload": {"key": key, "notice": json.dumps(told)}}


def _payload(found: HistoryMessage) -> dict[str, Any] | None:
    data: Any = found.get("metadata") or {}
    payload = data.get("event_payload")
    return payload if data.get("event_type") == EVENT and isinstance(payload, dict) else None


def _notice(channel: str, found: HistoryMessage) -> Notice:
    try:
        told = json.loads(str((_payload(found) or {}).get("notice", "{}")))
    except ValueError:
        told = {}
    edited: Any = found.get("edited") or {}
    created = _moment(found["ts"])
    return Notice(
        summary=str(told.get("summary", "")),
        fields=told.get("fields") or {},
        id=f"{channel}-{found['ts']}",
        closed=told.get("closed") is True,
        created_at=created,
        updated_at=_moment(str(edited.get("ts") or "")) or created,
    )


def _moment(ts: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except ValueError:
        return None
