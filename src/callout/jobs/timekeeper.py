"""The timekeeper: turns partitions whose time has come into engine wake-ups. Delayed work never sits in the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callout.jobs.model import Lane
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Database, Tx

AT_ONCE = 500
LONGEST_SLEEP = 0.25
MICROS = 1_000_000
_SOONEST = "SELECT min(due_at) FROM job_partition WHERE latch = 0 AND due_at IS NOT NULL"
_DUE = (
    "UPDATE job_partition SET latch = 1, woken_at = {0}, due_at = NULL, waiting_budget = NULL WHERE id IN ("
    " SELECT id FROM job_partition WHERE latch = 0 AND due_at IS NOT NULL AND due_at <= {0} ORDER BY due_at LIMIT {1}{2}"
    ") RETURNING id, lane"
)
_DUE_SQLITE = _DUE.format("?1", AT_ONCE, "")
_DUE_POSTGRES = _DUE.format("$1", AT_ONCE, " FOR UPDATE SKIP LOCKED")


class Timekeeper:
    """Wakes due partitions; every worker runs one, and they share the work."""

    def __init__(self, database: Database, engine: Engine, *, clock: Clock | None = None) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock or SystemClock()
        self._hint = asyncio.Event()
        self._next: int | None = None

    def due(self, moment: int) -> None:
        """Hear that something is due at `moment` (microseconds): sleep no longer than that."""
        if self._next is None or moment < self._next:
            self._next = moment
            self._hint.set()

    async def turn(self) -> int:
        """Wake what is due; return how many partitions."""
        self._next = await self._database.read(_soonest)
        if self._next is None or self._next > micros(self._clock.now()):
            return 0
        return await self._database.transaction(self._wake_due)

    async def sleep(self) -> None:
        """Sleep until the next known time, at most a quarter of a second."""
        self._hint.clear()
        seconds = LONGEST_SLEEP
        if self._next is not None:
            seconds = min(seconds, max(0.0, (self._next - micros(self._clock.now())) / MICROS))
        try:
            await asyncio.wait_for(self._hint.wait(), seconds + 0.000_5)
        except TimeoutError:
            return

    async def _wake_due(self, tx: Tx) -> int:
        now = micros(self._clock.now())
        rows = await tx.driver_all(_DUE_SQLITE, _DUE_POSTGRES, (now,))
        await wake_by_lane(self._engine, tx, rows)
        if rows:
            crash_point("jobs.timer_due")
        return len(rows)


async def _soonest(tx: Tx) -> int | None:
    found: int | None = (await tx.driver_all(_SOONEST, _SOONEST))[0][0]
    return found


async def wake_by_lane(engine: Engine, tx: Tx, rows: Sequence[Sequence[Any]]) -> None:
    """Wake the partitions of `rows` (id, lane), each in its lane."""
    for lane in Lane:
        if numbers := [row[0] for row in rows if row[1] == lane]:
            await engine.wake(tx, numbers, lane)
