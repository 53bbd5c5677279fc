"""The size limit of request bodies, enforced while they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from callout.server.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 1024 * 1024
"""1 MiB; streamed attachments have a limit of their own."""


class _TooLargeError(Exception):
    pass


class LimitBody:
    """ASGI middleware: answers 413 as soon as a body is known to be too large, whatever its Content-Length said."""

    def __init__(self, app: ASGIApp, *, limit: Callable[[str], int] | int = BODY_LIMIT) -> None:
        self._app = app
        self._limit = limit if callable(limit) else lambda _path: limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                await self._refuse(limit)(scope, receive, send)
                return
        seen = 0
        started = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLargeError:
            if started:
                raise
            await self._refuse(limit)(scope, receive, send)

    @staticmethod
    def _refuse(limit: int) -> ASGIApp:
        return problem(
            413,
            "too-large",
            f"the body is larger than {limit} bytes",
            remediation=f"Send at most {limit} bytes at once.",
            headers={"Connection": "close"},
        )
