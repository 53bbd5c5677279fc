"""Slack's Web API: one method per method that we use, named as Slack names it. No mapping, no policy.

Reads go out form-encoded (some of the old ones take nothing else), writes as JSON. All raise ConnectorError and its kinds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

from callout.connectors.slack.errors import SUCCESS_CODES, http_failure, refusal
from callout.connectors.slack.limits import POST
from callout.connectors.slack.wire import (
    ApiAnswer,
    AuthTest,
    BookmarkAnswer,
    BookmarkList,
    BookmarkRecord,
    ChannelAnswer,
    ChannelPage,
    ChannelRecord,
    CompletedFiles,
    FileAnswer,
    FileRecord,
    HistoryMessage,
    HistoryPage,
    MessageBody,
    MessageMetadata,
    OAuthAccess,
    PostedMessage,
    ResponseBody,
    SocketAddress,
    UploadAddress,
    UserAnswer,
    UserGroup,
    UserGroupPeople,
    UserGroups,
)
from callout.kit.clock import Clock
from callout.kit.http import Auth, HttpError, HttpResponse, VendorHttp
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError, UnavailableError

PAGE_SIZE: Final = 200
MAX_PAGES: Final = 500
RENEWABLE: Final = frozenset({"token_expired", "invalid_auth"})
"""What Slack says of a rotating token that is no longer good."""

# Slack must not look for mentions or names in what is not marked up as such.
_NO_GUESSING: Final[Mapping[str, object]] = {
    "link_names": False,
    "parse": "none",
    "unfurl_links": False,
    "unfurl_media": False,
}


class SlackApi:
    """The Web API of one workspace. `http` carries the address of the API and the bot token.

    `auth` renews that token where tokens rotate: Slack tells of an expired one with HTTP 200.
    """

    def __init__(self, http: VendorHttp, clock: Clock, *, auth: Auth | None = None) -> None:
        self._http = http
        self._clock = clock
        self._auth = auth

    async def auth_test(self) -> tuple[AuthTest, frozenset[str] | None, float]:
        """Return who we are, the scopes we have (None: not told), and Slack's clock minus ours in seconds."""
        answer, response = await self._exchange("auth.test", form={}, repeatable=True)
        told = response.headers.get("x-oauth-scopes")  # from memory: the header's name
        scopes = (
            None if told is None else frozenset(scope.strip() for scope in told.split(",") if scope.strip())
        )
        return cast("AuthTest", answer), scopes, self._skew(response)

    async def chat_post_message(
        self, channel: str, content: Mapping[str, object], metadata: MessageMetadata, *, thread_ts: str = ""
    ) -> PostedMessage:
        """Post a message; Slack has no key against doubling. Raises OutcomeUnknownError."""
        body: dict[str, object] = {"channel": channel, **content, **_NO_GUESSING, "metadata": metadata}
        if thread_ts:
            body["thread_ts"] = thread_ts
        return cast("PostedMessage", await self._write("chat.postMessage", body, repeatable=False))

    async def chat_update(
        self, channel: str, ts: str, content: MessageBody, *, metadata: MessageMetadata | None = None
    ) -> PostedMessage:
        """Replace a message's content, and its data where new ones are given."""
        body: dict[str, object] = {"channel": channel, "ts": ts, **content}
        body |= {"link_names": False, "parse": "none"}
        if metadata is not None:
            body["metadata"] = metadata
        return cast("PostedMessage", await self._write("chat.update", body, repeatable=True))

    async def views_open(self, trigger_id: str, view: Mapping[str, object]) -> None:
        """Open a modal; a trigger is good for three seconds and once. Raises RejectedError for one that is not."""
        await self._write("views.open", {"trigger_id": trigger_id, "view": view}, repeatable=False)

    async def views_publish(self, user: str, view: Mapping[str, object]) -> None:
        """Show a person's home page."""
        await self._write("views.publish", {"user_id": user, "view": view}, repeatable=True)

    async def conversations_create(self, name: str, *, is_private: bool) -> ChannelRecord:
        """Create a channel. Raises OutcomeUnknownError, and RejectedError with `name_taken`."""
        body = {"name": name, "is_private": is_private}
        answer = await self._write("conversations.create", body, repeatable=False)
        return cast("ChannelAnswer", answer).get("channel", {})

    async def conversations_info(self, channel: str) -> ChannelRecord:
        """Read one channel by its id."""
        return cast("ChannelAnswer", await self._read("conversations.info", {"channel": channel})).get(
            "channel", {}
        )

    async def conversations_list(self) -> AsyncIterator[ChannelRecord]:
        """Yield every channel that is not archived and that we may see. A page may be empty though others follow."""
        cursor = ""
        for _ in range(MAX_PAGES):
            form = {
                "types": "public_channel,private_channel",
                "exclude_archived": "true",
                "limit": str(PAGE_SIZE),
            }
            if cursor:
                form["cursor"] = cursor
            page = cast("ChannelPage", await self._read("conversations.list", form))
            for channel in page.get("channels", []):
                yield channel
            next_cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not next_cursor:
                return
            if next_cursor == cursor:
                raise UnavailableError(f"Slack repeated the page cursor {cursor!r} (conversations.list)")
            cursor = next_cursor
        raise UnavailableError(
            f"the workspace's channel list did not end after {MAX_PAGES} pages (conversations.list)"
        )

    async def conversations_history(
        self, channel: str, *, limit: int, around: str = ""
    ) -> list[HistoryMessage]:
        """Return the newest messages with their data; with `around` the one of that `ts`."""
        form = {"channel": channel, "limit": str(limit), "include_all_metadata": "true"}
        if around:
            form |= {"oldest": around, "latest": around, "inclusive": "true"}
        return cast("HistoryPage", await self._read("conversations.history", form)).get("messages", [])

    async def conversations_join(self, channel: str) -> None:
        """Join a public channel; having joined already is no error."""
        await self._write("conversations.join", {"channel": channel}, repeatable=True)

    async def conversations_invite(self, channel: str, user: str) -> None:
        """Invite one person; being in it already is no error."""
        await self._write("conversations.invite", {"channel": channel, "users": user}, repeatable=True)

    async def conversations_set_topic(self, channel: str, topic: str) -> None:
        """Set the topic."""
        await self._write("conversations.setTopic", {"channel": channel, "topic": topic}, repeatable=True)

    async def conversations_archive(self, channel: str) -> None:
        """Archive; an archived channel is no error."""
        await self._write("conversations.archive", {"channel": channel}, repeatable=True)

    async def conversations_unarchive(self, channel: str) -> None:
        """Unarchive; a channel that is open is no error."""
        await self._write("conversations.unarchive", {"channel": channel}, repeatable=True)

    async def conversations_rename(self, channel: str, name: str) -> ChannelRecord:
        """Rename. Raises RejectedError with `name_taken`."""
        answer = await self._write(
            "conversations.rename", {"channel": channel, "name": name}, repeatable=True
        )
        return cast("ChannelAnswer", answer).get("channel", {})

    async def conversations_open(self, user: str) -> ChannelRecord:
        """Open the direct conversation with a person, or return the one there is."""
        answer = await self._write("conversations.open", {"users": user}, repeatable=True)
        return cast("ChannelAnswer", answer).get("channel", {})

    async def chat_delete(self, channel: str, ts: str) -> None:
        """Delete a message; one that is gone is no error."""
        await self._write("chat.delete", {"channel": channel, "ts": ts}, repeatable=True)

    async def bookmarks_list(self, channel: str) -> list[BookmarkRecord]:
        """Return a channel's bookmarks."""
        answer = await self._read("bookmarks.list", {"channel_id": channel})
        return cast("BookmarkList", answer).get("bookmarks", [])

    async def bookmarks_add(self, channel: str, title: str, link: str) -> BookmarkRecord:
        """Add a bookmark; a repeat would add another. Raises OutcomeUnknownError."""
        body = {"channel_id": channel, "title": title, "type": "link", "link": link}
        return cast("BookmarkAnswer", await self._write("bookmarks.add", body, repeatable=False))["bookmark"]

    async def bookmarks_edit(self, channel: str, bookmark: str, title: str, link: str) -> None:
        """Change a bookmark."""
        body = {"channel_id": channel, "bookmark_id": bookmark, "title": title, "link": link}
        await self._write("bookmarks.edit", body, repeatable=True)

    async def bookmarks_remove(self, channel: str, bookmark: str) -> None:
        """Remove a bookmark; one that is gone is no error."""
        body = {"channel_id": channel, "bookmark_id": bookmark}
        await self._write("bookmarks.remove", body, repeatable=True)

    async def usergroups_list(self) -> list[UserGroup]:
        """Return the workspace's user groups that are enabled."""
        return cast("UserGroups", await self._read("usergroups.list", {})).get("usergroups", [])

    async def usergroups_users_list(self, group: str) -> list[str]:
        """Return the ids of a user group's people."""
        answer = await self._read("usergroups.users.list", {"usergroup": group})
        return cast("UserGroupPeople", answer).get("users", [])

    async def users_info(self, user: str) -> UserAnswer:
        """Read one person by id. Raises RecordNotFoundError."""
        return cast("UserAnswer", await self._read("users.info", {"user": user}))

    async def users_lookup_by_email(self, email: str) -> UserAnswer:
        """Read one person by e-mail. Raises RecordNotFoundError."""
        return cast("UserAnswer", await self._read("users.lookupByEmail", {"email": email}))

    async def files_info(self, file: str) -> FileRecord:
        """Read one file by its id. Raises RecordNotFoundError."""
        return cast("FileAnswer", await self._read("files.info", {"file": file})).get("file", {})

    async def files_get_upload_url_external(self, filename: str, length: int) -> UploadAddress:
        """Ask where to send a file's bytes; what is never completed is seen by nobody."""
        form = {"filename": filename, "length": str(length)}
        return cast("UploadAddress", await self._read("files.getUploadURLExternal", form))

    async def files_complete_upload_external(
        self, file: str, title: str, channel: str, *, thread_ts: str = "", comment: str = ""
    ) -> FileRecord:
        """Make an upload a file that a channel shows. Raises OutcomeUnknownError."""
        body: dict[str, object] = {"files": [{"id": file, "title": title}], "channel_id": channel}
        if thread_ts:
            body["thread_ts"] = thread_ts
        if comment:
            body["initial_comment"] = comment
        answer = await self._write("files.completeUploadExternal", body, repeatable=False)
        files = cast("CompletedFiles", answer).get("files", [])
        return files[0] if files else {}

    async def oauth_v2_access(self, form: Mapping[str, str | Secret]) -> OAuthAccess:
        """Exchange a consent's code, or a refresh token; both are good once. Raises AuthFailedError, OutcomeUnknownError."""
        answer, _ = await self._exchange("oauth.v2.access", form=form, repeatable=False)
        return cast("OAuthAccess", answer)

    async def apps_connections_open(self) -> str:
        """Return the address of a Socket Mode connection, good for one; a secret in itself. Needs the app-level token."""
        answer = cast("SocketAddress", await self._read("apps.connections.open", {}))
        return answer.get("url", "")

    async def post_response(self, address: str, body: ResponseBody) -> None:
        """Answer at a `response_url`, which needs no token and is a secret in itself: the caller has checked its host."""
        try:
            await self._http.request("POST", address, json=body, route="response_url")
        except HttpError as error:
            raise http_failure("response_url", error, repeatable=False, now=self._clock.now()) from error

    async def _read(self, method: str, form: Mapping[str, str]) -> ApiAnswer:
        answer, _ = await self._exchange(method, form=form, repeatable=True)
        return answer

    async def _write(self, method: str, body: Mapping[str, object], *, repeatable: bool) -> ApiAnswer:
        answer, _ = await self._exchange(method, json=body, repeatable=repeatable)
        return answer

    async def _exchange(
        self,
        method: str,
        *,
        form: Mapping[str, str | Secret] | None = None,
        json: Mapping[str, object] | None = None,
        repeatable: bool,
    ) -> tuple[ApiAnswer, HttpResponse]:
        """Call a method; a token that has expired is renewed, and the call, which did nothing, made once more."""
        response = await self._send(method, form=form, json=json, repeatable=repeatable)
        try:
            return _checked(method, response, repeatable=repeatable), response
        except AuthFailedError as error:
            if error.vendor_code not in RENEWABLE or self._auth is None or not await self._auth.rejected():
                raise
        response = await self._send(method, form=form, json=json, repeatable=repeatable)
        return _checked(method, response, repeatable=repeatable), response

    async def _send(
        self,
        method: str,
        *,
        form: Mapping[str, str | Secret] | None = None,
        json: Mapping[str, object] | None = None,
        repeatable: bool,
    ) -> HttpResponse:
        try:
            if json is None:
                return await self._http.request("POST", f"/{method}", form=form or {}, safe=repeatable)
            part = str(json.get("channel", "")) if method == POST else ""
            return await self._http.request("POST", f"/{method}", json=json, safe=repeatable, part=part)
        except HttpError as error:
            raise http_failure(method, error, repeatable=repeatable, now=self._clock.now()) from error

    def _skew(self, response: HttpResponse) -> float:
        try:
            theirs = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            return 0.0
        return 0.0 if theirs.tzinfo is None else (theirs - self._clock.now()).total_seconds()


def _checked(method: str, response: HttpResponse, *, repeatable: bool) -> ApiAnswer:
    """Return the answer when it says `ok`. Raises ConnectorError and its kinds."""
    try:
        answer: Any = response.json()
    except HttpError as error:
        raise http_failure(method, error, repeatable=repeatable) from error
    if not isinstance(answer, dict):
        raise refusal(method, {"error": "fatal_error"}, repeatable=repeatable)
    if answer.get("ok") is True or answer.get("error") in SUCCESS_CODES.get(method, frozenset()):
        return cast("ApiAnswer", answer)
    raise refusal(method, answer, repeatable=repeatable)
