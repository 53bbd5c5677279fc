"""How long a connection may take to say what it wants, and how many there may be.

Whoever opens connections and sends a byte now and then, or nothing, would hold each for ever, and the process has only so many. A proxy
in front may do the same; here it holds without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_BEYOND: Final = 100
"""So many connections above the most are told so; what comes then is closed without a word."""
_SPARE_FILES: Final = 300
"""What a process has open beside its connections to clients."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """What a connection may take.

    Args:
        head: seconds from its first byte (or from its opening) until a request's headers are whole.
        body: seconds after which a body has to have come at `rate`.
        rate: bytes a second, on average.
        look: how often it is looked who is over the time, in seconds.
        most: connections of one process; 0: any number.
    """

    head: float = 20.0
    body: float = 30.0
    rate: float = 1024.0
    look: float = 5.0
    most: int = 0


def guarded(  # noqa: C901  # a class, whose base is there only where httptools is
    base: type[HttpToolsProtocol], patience: Patience
) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol so that it knows since when it waits for what, and answers 503 where there are too many."""

    class Guarded(base):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # as uvicorn calls it
            super().__init__(*args, **options)
            self._heard = False
            # Waits for a request's head, or its body, since then; None between two requests, which uvicorn has a time for.
            self._since: float | None = self.loop.time()
            self._in_body = False
            self._received = 0

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if patience.most and len(self.connections) > patience.most:
                if len(self.connections) > patience.most + _BEYOND:
                    transport.close()
                else:
                    self.app = _full

        def data_received(self, data: bytes) -> None:
            self._heard = True
            if self._since is None:
                self._since = self.loop.time()
            super().data_received(data)

        def on_message_begin(self) -> None:
            if self._since is None:  # it came together with the end of the one before
                self._since = self.loop.time()
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self._since, self._in_body, self._received = self.loop.time(), True, 0

        def on_body(self, body: bytes) -> None:
            self._received += len(body)
            super().on_body(body)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._since, self._in_body = None, False

        def look(self, now: float) -> None:
            """End the connection when what it is to send does not come."""
            since = self._since
            if since is None:
                return
            took = now - since
            if not self._in_body:
                if took > patience.head:
                    if self._heard:
                        self.transport.write(_TOO_SLOW)
                    self.transport.close()
            elif self.flow.read_paused:  # it is we who do not read
                self._since, self._received = now, 0
            elif took > patience.body and self._received < took * patience.rate:
                self.transport.close()

    return Guarded


async def watch(connections: Iterable[Any], patience: Patience) -> None:
    """Look at the connections for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(patience.look)
        now = loop.time()
        for one in tuple(connections):
            one.look(now)


def make_room(most: int) -> None:
    """Allow this process as many open files as its connections need, where the system lets it."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _BEYOND + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        _log.warning(
            "few_open_files",
            allowed=allowed,
            wanted=wanted,
            remediation="Raise `ulimit -n`, or set CALLOUT_CONNECTIONS lower.",
        )


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that there are too many connections."""
    from callout.server.problems import problem  # noqa: PLC0415  # a worker that serves no pages does without

    answer = problem(
        503,
        "unavailable",
        "the server has as many connections as it takes",
        remediation="Try again in a moment.",
        headers={"Retry-After": "5", "Connection": "close"},
    )
    await answer(scope, receive, send)
