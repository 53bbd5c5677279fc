"""The doors for chat platforms: verify the raw bytes, hand over, answer within the platform's deadline. No vendor is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import structlog
from prometheus_client import Counter
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from callout.ports.chat import Answer, ChatInbound, ChatInput
from callout.ports.errors import CalloutError
from callout.ports.inbound import Trust
from callout.server.hooks import inbound_request, refused
from callout.server.limits import BODY_LIMIT, TooLargeError, read_body, too_large
from callout.server.problems import of_error, problem
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from callout.server.services import Services

_log = structlog.get_logger(__name__)
refused_total = Counter(
    "callout_chat_refused_total", "Chat requests refused by signature", ["provider", "reason"]
)
accepted_total = Counter("callout_chat_requests_total", "Chat requests carried out", ["provider", "kind"])


class ChatDoor(Protocol):
    """One chat integration's way in."""

    provider: str
    dialect: ChatInbound

    async def handle(self, given: ChatInput) -> Answer:
        """Carry out what a person did; return what they see at once. Raises StorageUnavailableError."""
        ...


FindChat = Callable[[str], Awaitable[ChatDoor | None]]


PATH = "/v1/chat/"


class ChatEndpoint:
    """ASGI application for a chat platform's commands, interactions and events: `/v1/chat/{integration}/{what}`.

    What a request is shows in its bytes; the last part of the path is for people who read logs. Like webhooks they come past the
    framework, which costs as much as a third of the command.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    @staticmethod
    def takes(path: str) -> bool:
        """Return whether a request to `path` comes from a chat platform."""
        integration, _, what = path[len(PATH) :].partition("/")
        return path.startswith(PATH) and bool(integration and what) and "/" not in what

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["endpoint"] = self  # as the framework says where a request went
        try:
            answer = await self._answer(scope, receive)
        except ClientDisconnect:
            return  # it left before it had said everything: nothing was done, nobody listens
        except TooLargeError as error:
            answer = too_large(error.limit)
        except CalloutError as error:
            answer = of_error(error)
        except StorageUnavailableError as error:
            _log.error("chat_not_stored", error=str(error))
            answer = problem(
                503,
                "unavailable",
                f"nothing was stored: {error}",
                remediation="Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        await answer(scope, receive, send)

    async def _answer(
        self, scope: AsgiScope, receive: Receive
    ) -> Response:  # one answer per way a request can end
        inbound = inbound_request(scope, await read_body(scope, receive, BODY_LIMIT), self._services)
        door = await self._services.chat(scope["path"][len(PATH) :].partition("/")[0])
        if door is None:
            return refused()
        verdict = door.dialect.verify(inbound)
        if verdict.trust is not Trust.SIGNED:
            refused_total.labels(door.provider, verdict.reason).inc()
            _log.warning("chat_refused", provider=door.provider, reason=verdict.reason)
            return refused()
        reply = door.dialect.reply(inbound)
        if reply is not None:
            return Response(reply.body, reply.status, media_type=reply.media_type)
        try:
            given = door.dialect.parse(inbound)
        except ValueError as error:
            return problem(
                400,
                "invalid-request",
                f"the request is not one that the platform sends: {error}",
                remediation="Point only the platform's own requests here.",
            )
        if given is None:
            return Response(status_code=200)
        accepted_total.labels(door.provider, type(given).__name__).inc()
        answer = await door.handle(given)
        body, media_type = door.dialect.render_answer(answer, given)
        return Response(body, 200, media_type=media_type if body else None)
