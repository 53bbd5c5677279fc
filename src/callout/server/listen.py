"""Listening: the HTTP server around an application, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Literal

import structlog
import uvicorn

from callout.server.patience import Patience, guarded, make_room, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

GRACE_SECONDS = 10
"""How long requests under way may take to end once we are asked to stop."""
_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us, since a worker may run beside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _OneWrite:
    """A transport that gathers what is written within one turn of the event loop, so that head and body of an answer leave together."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts and not self._transport.is_closing():
            self._transport.write(b"".join(self._parts))
        self._parts.clear()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever else a transport can do
        return getattr(self._transport, name)


def _protocol(patience: Patience) -> type[asyncio.Protocol] | Literal["auto"]:
    """Return uvicorn's faster protocol, writing each answer at once; its own choice where httptools is missing."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415  # not on Windows
    except ImportError:
        return "auto"

    class Protocol(guarded(HttpToolsProtocol, patience)):  # type: ignore[misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(_OneWrite(transport, self.loop))

    return Protocol


async def serve_http(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    shared: bool = False,
    patience: Patience | None = None,
) -> None:
    """Serve `app` until `stop`; `shared` with other processes of ours. Raises OSError when the port is taken."""
    patience = patience or Patience()
    make_room(patience.most)
    protocol = _protocol(patience)
    config = uvicorn.Config(
        app,
        http=protocol,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # the application asks for them where it needs them, which is not for webhooks
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        lifespan="off",
    )
    server = _Server(config)
    listening = listen(host, port, shared=shared)
    _log.info("listening", url=f"http://{host}:{listening.getsockname()[1]}")
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    waiting = asyncio.create_task(stop.wait())
    watching: asyncio.Task[None] | None = None
    if protocol != "auto":
        watching = asyncio.create_task(watch(server.server_state.connections, patience))
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        waiting.cancel()
        if watching is not None:
            watching.cancel()
        listening.close()


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket; others of ours may listen beside a `shared` one. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    listening.listen(2048)
    return listening
