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
    is_ext_shared: bool
    is_pending_ext_shared: bool


class ChannelAnswer(ApiAnswer, total=False):
    """`conversations.create`, `.info`, `.join`."""

    channel: ChannelRecord


class ChannelPage(ApiAnswer, total=False):
    """`conversations.list`."""

    channels: list[ChannelRecord]


class BookmarkRecord(TypedDict):
    """A bookmark of a channel."""

    id: str
    title: str
    link: str


class BookmarkAnswer(ApiAnswer, total=False):
    """`bookmarks.add`."""

    bookmark: BookmarkRecord


class BookmarkList(ApiAnswer, total=False):
    """`bookmarks.list`."""

    bookmarks: list[BookmarkRecord]


class UserGroup(TypedDict, total=False):
    """A user group."""

    id: str
    handle: str
    name: str


class UserGroups(ApiAnswer, total=False):
    """`usergroups.list`."""

    usergroups: list[UserGroup]


class UserGroupPeople(ApiAnswer, total=False):
    """`usergroups.users.list`."""

    users: list[str]


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
    is_stranger: bool
    is_restricted: bool
    is_ultra_restricted: bool
    team_id: str
    enterprise_user: dict[str, Any]
    profile: Profile


class UserAnswer(ApiAnswer, total=False):
    """`users.info`, `users.lookupByEmail`."""

    user: UserRecord


class OAuthTeam(TypedDict, total=False):
    """The workspace that an app was installed into."""

    id: str
    name: str


class OAuthPerson(TypedDict, total=False):
    """Who installed the app, with a token of their own where user scopes were asked for."""

    id: str
    access_token: str
    refresh_token: str


class OAuthAccess(ApiAnswer, total=False):
    """`oauth.v2.access`: after a consent, and after a renewal."""

    access_token: str
    refresh_token: str
    expires_in: int
    scope: str
    team: OAuthTeam | None
    authed_user: OAuthPerson | None


class FileShare(TypedDict, total=False):
    """A message that shows a file."""

    ts: str
    thread_ts: str


class FileShares(TypedDict, total=False):
    """Where a file is shown: channel → messages, public channels and private ones apart."""

    public: dict[str, list[FileShare]]
    private: dict[str, list[FileShare]]


class FileRecord(TypedDict, total=False):
    """A file object; of a deleted or hidden one little more than the id is there."""

    id: str
    name: str
    title: str
    mimetype: str
    pretty_type: str
    mode: str
    size: int
    user: str
    is_external: bool
    external_type: str
    file_access: str
    url_private: str
    url_private_download: str
    permalink: str
    channels: list[str]
    groups: list[str]
    shares: FileShares


class FileAnswer(ApiAnswer, total=False):
    """`files.info`."""

    file: FileRecord


class UploadAddress(ApiAnswer, total=False):
    """`files.getUploadURLExternal`: an address that is good for one upload, and a secret in itself."""

    upload_url: str
    file_id: str


class CompletedFiles(ApiAnswer, total=False):
    """`files.completeUploadExternal`."""

    files: list[FileRecord]


class SocketAddress(ApiAnswer, total=False):
    """`apps.connections.open`."""

    url: str


class ResponseBody(MessageBody):
    """What a `response_url` and a slash command's answer take."""

    response_type: Literal["ephemeral", "in_channel"]
    replace_original: NotRequired[bool]
