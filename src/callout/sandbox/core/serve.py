"""Running the sandbox on a real socket: for the command, inside a test's loop, or in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from callout.sandbox.core.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping

    from callout.sandbox.core.app import SandboxApp
    from callout.sandbox.core.twin import Twin

START_SECONDS = 10.0


class _EmbeddedServer(uvicorn.Server):
    """A uvicorn server that leaves the process's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class SandboxServer:
    """The sandbox on an ephemeral port (or `port`).

    `async with SandboxServer() as server` runs it in the current loop; `start_thread()` and
    `stop_thread()` run it in a thread of its own, for synchronous clients.
    """

    def __init__(
        self,
        *,
        only: Iterable[str] | None = None,
        faults: Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.app: SandboxApp = create_app(only, faults)
        self._socket = listening_socket(host, port)
        self.base_url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._server = _EmbeddedServer(_uvicorn_config(self.app))
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        for twin in self.app.twins.values():
            twin.learn_origin(self.base_url)

    def twin(self, name: str) -> Twin:
        """Return the twin object. Only the loop or thread that runs the server may change it."""
        return self.app.twins[name]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the sandbox stopped while starting")
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()

    def start_thread(self) -> Self:
        """Serve from a daemon thread; returns when the port answers. Raises RuntimeError if it does not."""
        self._thread = threading.Thread(target=self._run_in_thread, name="callout-sandbox", daemon=True)
        self._thread.start()
        started = threading.Event()
        for _ in range(int(START_SECONDS / 0.005)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            started.wait(0.005)
        raise RuntimeError("the sandbox did not start")

    def stop_thread(self) -> None:
        """Stop the thread started by `start_thread` and wait for it."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(START_SECONDS)
        self._socket.close()

    def _run_in_thread(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


def listening_socket(host: str, port: int = 0) -> socket.socket:
    """Return a listening TCP socket, on an ephemeral port for 0."""
    # The protocol is named on purpose: asyncio sets TCP_NODELAY only on sockets that say they are TCP, and
    # without it every answer on a kept-alive connection waits 40 ms for the peer's delayed ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(2048)
    return sock


@contextlib.asynccontextmanager
async def running_sandbox(
    only: Iterable[str] | None = None, faults: Mapping[str, Any] | None = None
) -> AsyncIterator[str]:
    """Run the sandbox in the current loop on an ephemeral port; yields its base URL."""
    async with SandboxServer(only=only, faults=faults) as server:
        yield server.base_url


@contextlib.contextmanager
def sandbox_in_thread(
    only: Iterable[str] | None = None, faults: Mapping[str, Any] | None = None
) -> Iterator[SandboxServer]:
    """Run the sandbox in a thread on an ephemeral port; yields the server."""
    server = SandboxServer(only=only, faults=faults).start_thread()
    try:
        yield server
    finally:
        server.stop_thread()


def run(
    port: int,
    host: str = "127.0.0.1",
    *,
    only: Iterable[str] | None = None,
    faults: Mapping[str, Any] | None = None,
) -> None:
    """Serve until interrupted. Raises OSError when the port is taken, KeyError and ValueError for unknown twins and faults."""
    app = create_app(only, faults)
    # Listening is done here: uvicorn would end the whole program where the port is taken.
    listening = listening_socket(host, port)
    # uvicorn stops cleanly on an interrupt and then raises it again for whoever called.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(_uvicorn_config(app)).run(sockets=[listening])


def _uvicorn_config(app: SandboxApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        ws="wsproto",
        timeout_graceful_shutdown=1,
        date_header=False,  # the application dates its answers by the clocks of the twins
    )
