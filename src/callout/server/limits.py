"""The size limit of request bodies, enforced while they arrive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from callout.server.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 1024 * 1024
"""1 MiB; streamed attachments have a limit of their own."""

READ_OFF = 16 * BODY_LIMIT
READ_OFF_SECONDS = 2.0
"""So much of a body that is too large is still read, and for so long: most clients look for an answer only when all is sent, and a
connection that is closed under their hands tells them nothing."""


class TooLargeError(HTTPException):
    """A body is larger than `limit` bytes.

    An HTTPException, because the framework, where it reads the body, makes a 400 or a 500 of any other exception.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes", {"Connection": "close"})
        self.limit = limit


class LimitBody:
    """ASGI middleware: answers 413 as soon as a body is known to be too large, whatever its Content-Length said."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: Callable[[str], int] | int = BODY_LIMIT,
        refusal: Callable[[Scope, int], Response] | None = None,
    ) -> None:
        self._app = app
        self._refusal = refusal or (lambda _scope, limit: too_large(limit))
        self._limit = limit if callable(limit) else lambda _path: limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        if _announced(scope) > limit:
            await _read_off(scope, receive)
            await self._refusal(scope, limit)(scope, receive, send)
            return
        seen = 0
        started = whole = False

        async def counted() -> Message:
            nonlocal seen, whole
            message = await receive()
            if message["type"] == "http.request":
                whole = not message.get("more_body", False)
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise TooLargeError(limit)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except TooLargeError:
            if started:
                raise
            if not whole:
                await _read_off(scope, receive)
            await self._refusal(scope, limit)(scope, receive, send)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body. Raises TooLargeError beyond `limit` bytes, ClientDisconnect when it does not arrive."""
    if _announced(scope) > limit:
        await _read_off(scope, receive)
        raise TooLargeError(limit)
    parts: list[bytes] = []
    seen = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        seen += len(part)
        if seen > limit:
            if message.get("more_body", False):
                await _read_off(scope, receive)
            raise TooLargeError(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return part if len(parts) == 1 else b"".join(parts)


async def _read_off(scope: Scope, receive: Receive) -> None:
    """Read what still comes of a body and forget it, within bounds."""
    if _announced(scope) > READ_OFF:
        return
    seen = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_OFF_SECONDS):
            while seen <= READ_OFF:
                message = await receive()
                seen += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


def too_large(limit: int) -> Response:
    """Return the answer to a body that is too large."""
    return problem(
        413,
        "too-large",
        f"the body is larger than {limit} bytes",
        remediation=f"Send at most {limit} bytes at once.",
        headers={"Connection": "close"},
    )


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
