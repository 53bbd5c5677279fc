"""Running the product: the API, the worker, or both, until a signal asks to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import structlog

from callout.access import Watcher
from callout.bootstrap.chat_doors import ChatDoors
from callout.bootstrap.core import open_core
from callout.bootstrap.listening import Listening
from callout.bootstrap.signing_in import offer_setup
from callout.bootstrap.supervise import say_started, stop_with_parent
from callout.bootstrap.telemetry import telemetry
from callout.bootstrap.wiring import Wired, define_budgets, wire
from callout.kit import collector, priority
from callout.server.listen import GRACE_SECONDS, serve_http
from callout.server.patience import Patience
from callout.storage import StorageUnavailableError
from callout.storage.database import SESSIONS, SESSIONS_OF_WORKERS

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings

Role = Literal["all", "api", "worker"]
HEALTH_SECONDS = 2.0
NEWS_SECONDS = 0.1
"""What comes within this is written down together."""
_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings, role: Role, *, child: int | None = None, say: Callable[[str], None] | None = None
) -> None:
    """Run until SIGINT or SIGTERM. Raises NotReadyError, StorageUnavailableError, OSError for a port in use.

    With `child`, this is one of several processes on the same port: it ends with the one that started it, and says through that pipe
    when it is at work. `say` prints the set-up link of an installation that has no member yet; of several processes one has it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if child is not None:
        stop_with_parent(stop)
    if role == "worker":  # what it does has time: a person waits for the server's answer
        priority.give_way(settings.worker_nice)
    with telemetry(os.environ, role=role):
        await _serve(settings, role, stop, child=child, say=say)


async def _serve(
    settings: Settings,
    role: Role,
    stop: asyncio.Event,
    *,
    child: int | None,
    say: Callable[[str], None] | None,
) -> None:
    async with open_core(settings, name=SESSIONS_OF_WORKERS if role == "worker" else SESSIONS) as core:
        wired = wire(core)
        if say is not None and role != "worker":
            await offer_setup(core, say)
        try:
            await run(wired, role, stop, child=child, at_work=collector.settled)
        finally:
            await wired.connections.close()


async def run(
    wired: Wired,
    role: Role,
    stop: asyncio.Event,
    *,
    child: int | None = None,
    at_work: Callable[[], None] = lambda: None,
) -> None:
    """Run the parts of `role` over wired features until `stop`; a `child` shares its port with other processes.

    `at_work` is called once, when all parts have been built.
    """
    core = wired.core
    watcher = Watcher(core.database, core.version)
    budgets: set[str] = set()

    listening = None
    if role != "worker":
        listening = Listening(core, wired.connections, ChatDoors(core, wired.connections, wired.chat))

    async def changed(_number: int) -> None:
        wired.connections.forget()
        await define_budgets(core, budgets)
        if listening is not None:
            await listening.refresh()

    watcher.listen(changed)
    await watcher.look()  # before anything is read that a change would tell of
    await define_budgets(core, budgets)
    background = [
        asyncio.create_task(watcher.run(), name="settings watcher"),
        asyncio.create_task(_report_health(wired), name="health"),
    ]
    if listening is not None:
        await listening.refresh()
        background.append(asyncio.create_task(listening.failed(), name="chat connections"))
    tasks = [
        asyncio.create_task(part, name=name)
        for name, part in _parts(wired, role, stop, shared=child is not None)
    ]
    at_work()
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
        if listening is not None:
            await listening.close()
        for task in (*tasks, *background, waiting):
            task.cancel()
        await asyncio.gather(*tasks, *background, waiting, return_exceptions=True)
    _log.info("stopped", role=role)


def _parts(
    wired: Wired, role: Role, stop: asyncio.Event, *, shared: bool
) -> list[tuple[str, Coroutine[Any, Any, None]]]:
    """Return what a process of this role does until `stop`: serve HTTP, where anybody asks it, and do jobs."""
    core, settings = wired.core, wired.core.settings
    parts: list[tuple[str, Coroutine[Any, Any, None]]] = []
    # A worker serves no pages, and starts in two thirds of the time without what makes them.
    if role != "worker":
        from callout.bootstrap.web import build_web  # noqa: PLC0415

        web, patience = build_web(wired, stop), Patience(most=settings.connections)
        serving = serve_http(web, settings.host, settings.port, stop, shared=shared, patience=patience)
        parts.append(("http", serving))
    elif settings.worker_port:
        from callout.bootstrap.figures import Figures, readiness  # noqa: PLC0415
        from callout.server.health import create_health_app  # noqa: PLC0415

        health = create_health_app(partial(readiness, core.database), Figures(core.database, core.clock))
        parts.append(("http", serve_http(health, settings.host, settings.worker_port, stop, shared=shared)))
    if role != "api":
        parts.append(("worker", wired.worker().run(stop)))
    return parts


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
