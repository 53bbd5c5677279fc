"""The engine on SQLite: wake-ups are rows of a table, taken by whichever process looks first.

A process learns of its own wake-ups at the commit and of other processes' by the file's change counter, asked every 10 ms.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from callout.jobs.model import Lane
from callout.kit.crash import crash_point
from callout.storage.errors import StorageUnavailableError

if TYPE_CHECKING:
    from callout.jobs.engine import Drain
    from callout.storage import Tx
    from callout.storage.sqlite import SqliteDatabase

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.01
LOOK_ANYWAY_SECONDS = 1.0
BUSY_PAUSE_SECONDS = 0.25
_PLACES = 500
_WAKE = (
    "INSERT INTO job_engine (partition_id, lane) VALUES (?, ?)"
    " ON CONFLICT (partition_id) DO UPDATE SET lane = min(lane, excluded.lane)"
)
_TAKE = (
    "DELETE FROM job_engine WHERE id IN (SELECT id FROM job_engine ORDER BY lane, id LIMIT ?)"
    " RETURNING lane, id, partition_id"
)


class EmbeddedEngine:
    """The engine port on one SQLite file, shared by the processes of one host."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._hint = asyncio.Event()

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """See :class:`~callout.jobs.engine.Engine`."""
        await tx.driver_many(_WAKE, "", [(number, int(lane)) for number in partitions])
        tx.after_commit(self._tell)

    def _tell(self) -> None:
        crash_point("jobs.unwoken")
        self._hint.set()

    async def missing(self, tx: Tx, partitions: Sequence[int]) -> list[int]:
        """See :class:`~callout.jobs.engine.Engine`."""
        there: set[int] = set()
        for at in range(0, len(partitions), _PLACES):
            some = partitions[at : at + _PLACES]
            marks = ", ".join("?" * len(some))
            rows = await tx.driver_all(
                f"SELECT partition_id FROM job_engine WHERE partition_id IN ({marks})", "", some
            )
            there.update(row[0] for row in rows)
        return [number for number in partitions if number not in there]

    async def run(self, drain: Drain, stop: asyncio.Event, *, concurrency: int) -> None:
        """See :class:`~callout.jobs.engine.Engine`."""
        running: set[asyncio.Task[None]] = set()

        async def run_one(number: int) -> None:
            await drain(number)

        def done(task: asyncio.Task[None]) -> None:
            running.discard(task)
            self._hint.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("drain failed", error=repr(error))

        try:
            while not stop.is_set():
                self._hint.clear()
                # Asked before looking, so that a commit between the look and the wait is not slept through.
                seen = self._database.change_counter()
                free = concurrency - len(running)
                taken = await self._take(free) if free > 0 else []
                if taken:
                    crash_point("jobs.claimed")
                for number in taken:
                    task = asyncio.create_task(run_one(number), name=f"drain {number}")
                    running.add(task)
                    task.add_done_callback(done)
                if not taken or len(taken) == free:
                    await self._wait(stop, seen if free > 0 else None)
        finally:
            if running:
                await asyncio.gather(*running, return_exceptions=True)

    async def _take(self, free: int) -> list[int]:
        async def look(tx: Tx) -> bool:
            return bool(await tx.driver_all("SELECT 1 FROM job_engine LIMIT 1", ""))

        async def take(tx: Tx) -> list[int]:
            return [row[2] for row in sorted(map(tuple, await tx.driver_all(_TAKE, "", (free,))))]

        try:
            # Reading first keeps an idle process from taking the write lock away from a busy one.
            return await self._database.transaction(take) if await self._database.read(look) else []
        except StorageUnavailableError as error:
            log.warning("cannot look for work", error=str(error))
            await asyncio.sleep(BUSY_PAUSE_SECONDS)
            self._hint.set()
            return []

    async def _wait(self, stop: asyncio.Event, seen: int | None) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + LOOK_ANYWAY_SECONDS
        while not stop.is_set() and loop.time() < end:
            try:
                await asyncio.wait_for(self._hint.wait(), POLL_SECONDS)
            except TimeoutError:
                if seen is not None and self._database.change_counter() != seen:
                    return
            else:
                return
