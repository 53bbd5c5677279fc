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
    ChannelAnswer,
    ChannelPage,
    ChannelRecord,
    HistoryMessage,
    HistoryPage,
    MessageBody,
    MessageMetadata,
    PostedMessage,
    ResponseBody,
    UserAnswer,
)
from callout.kit.clock import Clock
from callout.kit.http import HttpError, HttpResponse, VendorHttp
from callout.ports.errors import UnavailableError

PAGE_SIZE: Final = 200
MAX_PAGES: Final = 500

# Slack must not look for mentions or names in what is not marked up as such.
_NO_GUESSING: Final[Mapping[str, object]] = {
    "link_names": False,
    "parse": "none",
    "unfurl_links": False,
    "unfurl_media": False,
}


class SlackApi:
    """The Web API of one workspace. `http` carries the address of the API and the bot token."""

    def __init__(self, http: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    async def auth_test(self) -> tuple[AuthTest, frozenset[str] | None, float]:
        """Return who we are, the scopes we have (None: not told), and Slack's clock minus ours in seconds."""
        response = await self._send("auth.test", form={}, repeatable=True)
        answer = _checked("auth.test", response, repeatable=True)
        told = response.headers.get("x-oauth-scopes")  # from memory: the header's name
        scopes = (
            None if told is None else frozenset(scope.strip() for scope in told.split(",") if scope.strip())
        )
        return cast("AuthTest", answer), scopes, self._skew(response)

    async def chat_post_message(
        self, channel: str, content: MessageBody, metadata: MessageMetadata, *, thread_ts: str = ""
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

    async def users_info(self, user: str) -> UserAnswer:
        """Read one person by id. Raises RecordNotFoundError."""
        return cast("UserAnswer", await self._read("users.info", {"user": user}))

    async def users_lookup_by_email(self, email: str) -> UserAnswer:
        """Read one person by e-mail. Raises RecordNotFoundError."""
        return cast("UserAnswer", await self._read("users.lookupByEmail", {"email": email}))

    async def post_response(self, address: str, body: ResponseBody) -> None:
        """Answer at a `response_url`, which needs no token and is a secret in itself: the caller has checked its host."""
        try:
            await self._http.request("POST", address, json=body, route="response_url")
        except HttpError as error:
            raise http_failure("response_url", error, repeatable=False, now=self._clock.now()) from error

    async def _read(self, method: str, form: Mapping[str, str]) -> ApiAnswer:
        response = await self._send(method, form=form, repeatable=True)
        return _checked(method, response, repeatable=True)

    async def _write(self, method: str, body: Mapping[str, object], *, repeatable: bool) -> ApiAnswer:
        response = await self._send(method, json=body, repeatable=repeatable)
        return _checked(method, response, repeatable=repeatable)

    async def _send(
        self,
        method: str,
        *,
        form: Mapping[str, str] | None = None,
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
