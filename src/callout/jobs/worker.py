"""One worker: an engine, the timekeeper, the sweeper, schedules and the event sequencer on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from callout.jobs.drain import Drainer
from callout.jobs.sweeper import Retention, Sweeper
from callout.jobs.timekeeper import Timekeeper
from callout.kit.clock import Clock, SystemClock
from callout.storage.errors import StorageError

if TYPE_CHECKING:
    from callout.jobs.budgets import Budgets
    from callout.jobs.consumer import Consumers
    from callout.jobs.engine import Engine
    from callout.storage import Database

log = structlog.get_logger(__name__)
SWEEP_SECONDS = 2.0
FORGET_SECONDS = 600.0
PAUSE_AFTER_ERROR = 0.5


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker behaves.

    Args:
        concurrency: partitions drained at the same time.
        takeover: how long a silent worker's work is left to it.
        grace: how long a stopping worker waits for running jobs before it gives them back.
        remember: how long dedupe names of finished jobs are remembered.
        sweep_seconds: time between two looks for abandoned work.
        retention: how long dead letters and idle partitions are kept.
    """

    concurrency: int = 10
    takeover: timedelta = timedelta(seconds=5)
    grace: timedelta = timedelta(seconds=10)
    remember: timedelta = timedelta(hours=24)
    sweep_seconds: float = SWEEP_SECONDS
    retention: Retention = field(default_factory=Retention)


class Loop:
    """Something else a worker does again and again (schedules, the sequencer): `turn` does it and returns seconds to sleep."""

    def __init__(
        self, name: str, turn: Callable[[], Awaitable[float]], *, hint: asyncio.Event | None = None
    ) -> None:
        self.name = name
        self.turn = turn
        self.hint = hint or asyncio.Event()


class Worker:
    """Runs the consumers of this process until told to stop. Survives a database that goes away for a while."""

    def __init__(  # the parts it is made of
        self,
        database: Database,
        engine: Engine,
        consumers: Consumers,
        budgets: Budgets,
        *,
        settings: WorkerSettings | None = None,
        loops: Sequence[Loop] = (),
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings or WorkerSettings()
        clock = clock or SystemClock()
        takeover = self._settings.takeover
        self._engine = engine
        self._timekeeper = Timekeeper(database, engine, clock=clock)
        self._sweeper = Sweeper(
            database, engine, takeover=takeover, retention=self._settings.retention, clock=clock
        )
        self._drainer = Drainer(
            database,
            engine,
            consumers,
            budgets,
            clock=clock,
            takeover=takeover,
            remember=self._settings.remember,
            on_due=self._timekeeper.due,
        )
        self._loops = list(loops)
        self._forgot = 0.0

    @property
    def running(self) -> int:
        """How many partitions are being drained now."""
        return self._drainer.running

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish running jobs within the grace time or give them back; cancelled, give them back."""
        background = [
            asyncio.create_task(self._again("timekeeper", self._keep_time)),
            asyncio.create_task(self._again("sweeper", self._sweep)),
            asyncio.create_task(self._again("heartbeat", self._heartbeat)),
            *(asyncio.create_task(self._again(loop.name, self._turn(loop))) for loop in self._loops),
        ]
        engine = asyncio.create_task(
            self._engine.run(self._drainer.drain, stop, concurrency=self._settings.concurrency)
        )
        stopping = asyncio.create_task(stop.wait())
        finishing: asyncio.Task[None] | None = None
        try:
            await asyncio.wait({engine, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._drainer.stop()
            finishing = asyncio.create_task(self._finish(engine))
            await asyncio.wait({finishing}, timeout=self._settings.grace.total_seconds())
            if not finishing.done():
                self._drainer.return_running()
            await finishing
        finally:
            # Where we are cancelled ourselves, work is still under way: it ends too, before anything that it uses is closed.
            self._drainer.stop()
            self._drainer.return_running()
            ending = [*background, stopping, engine, *([finishing] if finishing is not None else [])]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await self._drainer.join()

    async def _finish(self, engine: asyncio.Task[None]) -> None:
        await asyncio.wait({engine})
        await self._drainer.join()
        engine.result()

    async def _again(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await turn()
            except StorageError as error:
                log.warning("database unavailable; trying again", loop=name, error=str(error))
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            except Exception:
                # Without its heartbeat a worker's running jobs are done a second time by others, without its timekeeper no
                # timer fires: a turn that failed, even by a fault of ours, must not be the last one.
                log.exception("a turn of a worker's loop failed; trying again", loop=name)
                await asyncio.sleep(PAUSE_AFTER_ERROR)

    async def _keep_time(self) -> None:
        await self._timekeeper.turn()
        await self._timekeeper.sleep()

    async def _sweep(self) -> None:
        lost = await self._sweeper.sweep()
        if lost:
            log.info("took over abandoned work", partitions=lost)
        if time.monotonic() - self._forgot > FORGET_SECONDS:
            await self._sweeper.forget()
            self._forgot = time.monotonic()
        await asyncio.sleep(self._settings.sweep_seconds)

    async def _heartbeat(self) -> None:
        await asyncio.sleep(self._drainer.heartbeat_seconds)
        await self._drainer.heartbeat()

    def _turn(self, loop: Loop) -> Callable[[], Awaitable[None]]:
        async def turn() -> None:
            loop.hint.clear()
            seconds = await loop.turn()
            try:
                await asyncio.wait_for(loop.hint.wait(), seconds)
            except TimeoutError:
                return

        return turn
