"""Slack's JSON in Slack's words: only the members that we read or write. `Any` stops here."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Block = dict[str, Any]
"""A Block Kit block: its members depend on `type`; `render.py` is the only maker."""


class ResponseMetadata(TypedDict, total=False):
    """Paging cursor and the words that explain `invalid_blocks`."""

    next_cursor: str
    messages: list[str]


class ApiAnswer(TypedDict, total=False):
    """What every Web API method answers with HTTP 200, refused or not."""

    ok: bool
    error: str
    needed: str
    provided: str
    warning: str
    response_metadata: ResponseMetadata


class AuthTest(ApiAnswer, total=False):
    """`auth.test`."""

    url: str
    team: str
    user: str
    team_id: str
    user_id: str
    bot_id: str


class Attachment(TypedDict):
    """A legacy attachment: the only carrier of a colour bar; its content are blocks."""

    color: str
    fallback: str
    blocks: list[Block]


class MessageBody(TypedDict):
    """The content of a message; `text` is what notifications and screen readers get."""

    text: str
    blocks: list[Block]
    attachments: list[Attachment]


class MessageMetadata(TypedDict):
    """Data of ours on a message, unseen by people."""

    event_type: str
    event_payload: dict[str, str]


class HistoryMessage(TypedDict, total=False):
    """A message of `conversations.history`."""

    ts: str
    text: str
    metadata: MessageMetadata
    edited: dict[str, str]


class HistoryPage(ApiAnswer, total=False):
    """`conversations.history`."""

    messages: list[HistoryMessage]


class PostedMessage(ApiAnswer, total=False):
    """`chat.postMessage` and `chat.update`. `ts` is a string, never a number."""

    channel: str
    ts: str


class ChannelRecord(TypedDict, total=False):
    """A conversation."""

    id: str
    name: str
    created: int
    is_archived: bool
    is_member: bool
    is_private: bool


class ChannelAnswer(ApiAnswer, total=False):
    """`conversations.create`, `.info`, `.join`."""

    channel: ChannelRecord


class ChannelPage(ApiAnswer, total=False):
    """`conversations.list`."""

    channels: list[ChannelRecord]


class Profile(TypedDict, total=False):
    """The part of a user that people edit."""

    email: str
    display_name: str
    real_name: str


class UserRecord(TypedDict, total=False):
    """A member of the workspace."""

    id: str
    name: str
    real_name: str
    deleted: bool
    is_bot: bool
    profile: Profile


class UserAnswer(ApiAnswer, total=False):
    """`users.info`, `users.lookupByEmail`."""

    user: UserRecord


class ResponseBody(MessageBody):
    """What a `response_url` and a slash command's answer take."""

    response_type: Literal["ephemeral", "in_channel"]
    replace_original: NotRequired[bool]
