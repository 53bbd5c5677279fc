"""Running the product: the API, the worker, or both, until a signal asks to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from typing import TYPE_CHECKING, Literal

import structlog
import uvicorn

from callout.access import Watcher
from callout.bootstrap.core import open_core
from callout.bootstrap.web import build_web
from callout.bootstrap.wiring import Wired, define_budgets, wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callout.bootstrap.settings import Settings

Role = Literal["all", "api", "worker"]
GRACE_SECONDS = 10
_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us, since a worker may run beside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, role: Role) -> None:
    """Run until SIGINT or SIGTERM. Raises NotReadyError, StorageUnavailableError, OSError for a port in use."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with open_core(settings) as core:
        wired = wire(core)
        try:
            await run(wired, role, stop)
        finally:
            await wired.connections.close()


async def run(wired: Wired, role: Role, stop: asyncio.Event) -> None:
    """Run the parts of `role` over wired features until `stop`."""
    core = wired.core
    watcher = Watcher(core.database, core.version)

    async def changed(_number: int) -> None:
        wired.connections.forget()
        await define_budgets(core)

    watcher.listen(changed)
    await define_budgets(core)
    tasks = [asyncio.create_task(watcher.run(), name="settings watcher")]
    if role != "worker":
        tasks.append(asyncio.create_task(_serve_http(wired, stop), name="http"))
    if role != "api":
        tasks.append(asyncio.create_task(wired.worker().run(stop), name="worker"))
    # What was built at start lives for ever: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    _log.info("started", role=role, database=core.database.dialect, version=core.settings.address)
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.wait(tasks[1:], timeout=GRACE_SECONDS + 5)
        for task in done - {waiting}:
            task.result()
    finally:
        for task in (*tasks, waiting):
            task.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
    _log.info("stopped", role=role)


async def _serve_http(wired: Wired, stop: asyncio.Event) -> None:
    settings = wired.core.settings
    config = uvicorn.Config(
        build_web(wired),
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        lifespan="off",
    )
    server = _Server(config)
    listening = listen(settings.host, settings.port)
    _log.info("listening", url=f"http://{settings.host}:{listening.getsockname()[1]}")
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        waiting.cancel()
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(2048)
    return listening
