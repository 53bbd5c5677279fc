"""Running the product: the API, the worker, or both, until a signal asks to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from typing import TYPE_CHECKING, Literal

import structlog

from callout.access import Watcher
from callout.bootstrap.core import open_core
from callout.bootstrap.supervise import say_started, stop_with_parent
from callout.bootstrap.wiring import Wired, define_budgets, wire
from callout.server.listen import GRACE_SECONDS, serve_http
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings

Role = Literal["all", "api", "worker"]
HEALTH_SECONDS = 2.0
NEWS_SECONDS = 0.1
"""What comes within this is written down together."""
_log = structlog.get_logger(__name__)


async def serve(settings: Settings, role: Role, *, child: int | None = None) -> None:
    """Run until SIGINT or SIGTERM. Raises NotReadyError, StorageUnavailableError, OSError for a port in use.

    With `child`, this is one of several processes on the same port: it ends with the one that started it, and says through that pipe
    when it is at work.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if child is not None:
        stop_with_parent(stop)
    async with open_core(settings) as core:
        wired = wire(core)
        try:
            await run(wired, role, stop, child=child)
        finally:
            await wired.connections.close()


async def run(wired: Wired, role: Role, stop: asyncio.Event, *, child: int | None = None) -> None:
    """Run the parts of `role` over wired features until `stop`; a `child` shares its port with other processes."""
    core = wired.core
    watcher = Watcher(core.database, core.version)
    budgets: set[str] = set()

    async def changed(_number: int) -> None:
        wired.connections.forget()
        await define_budgets(core, budgets)

    watcher.listen(changed)
    await define_budgets(core, budgets)
    background = [
        asyncio.create_task(watcher.run(), name="settings watcher"),
        asyncio.create_task(_report_health(wired), name="health"),
    ]
    tasks = []
    if role != "worker":
        # A worker serves no pages, and starts in two thirds of the time without what makes them.
        from callout.bootstrap.web import build_web  # noqa: PLC0415

        tasks.append(
            asyncio.create_task(
                serve_http(
                    build_web(wired), core.settings.host, core.settings.port, stop, shared=child is not None
                ),
                name="http",
            )
        )
    if role != "api":
        tasks.append(asyncio.create_task(wired.worker().run(stop), name="worker"))
    # What was built at start lives for ever: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    if child is not None:
        say_started(child)
    _log.info("started", role=role, database=core.database.dialect, address=core.settings.address)
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({*tasks, *background, waiting}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.wait(tasks, timeout=GRACE_SECONDS + 5)
        for task in done - {waiting}:
            task.result()
    finally:
        for task in (*tasks, *background, waiting):
            task.cancel()
        await asyncio.gather(*tasks, *background, waiting, return_exceptions=True)
    _log.info("stopped", role=role)


async def _report_health(wired: Wired) -> None:
    """Write the integrations' health down every few seconds, and a vendor's refusal at once.

    While the database is away the news is kept.
    """
    news = wired.connections.news
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), HEALTH_SECONDS)
        if news.is_set():
            await asyncio.sleep(NEWS_SECONDS)
        news.clear()
        with contextlib.suppress(StorageUnavailableError):
            await wired.connections.report_health()
