"""The sweeper: finds work that nobody is on any more, and forgets what has been kept long enough.

It makes the engine never the only copy: a wake-up that was lost, or taken by a worker that died, is sent again.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from callout.jobs.timekeeper import wake_by_lane
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Database, Tx

AT_ONCE = 500
_MICROSECOND = timedelta(microseconds=1)
_ABANDONED = (
    "SELECT p.id, p.lane, l.partition_id FROM job_partition p LEFT JOIN job_lease l ON l.partition_id = p.id"
    " WHERE p.latch = 1 AND p.woken_at < {0} AND (l.token_at IS NULL OR l.token_at < {0})"
    f" ORDER BY p.woken_at LIMIT {AT_ONCE}"
)
_MARK = "UPDATE job_partition SET woken_at = {1} WHERE id {0} AND latch = 1"
_MARK_SQLITE = _MARK.format("IN (SELECT value FROM json_each(?1))", "?2")
_MARK_POSTGRES = _MARK.format("= ANY($1::bigint[])", "$2")
_FORGET_NAMES = "DELETE FROM job_dedupe WHERE until IS NOT NULL AND until < {0}"
_FORGET_DEAD = "DELETE FROM job WHERE state = 'dead' AND dead_at < {0}"
_FORGET_PARTITIONS = (
    "DELETE FROM job_partition WHERE latch = 0 AND due_at IS NULL AND idle_since < {0}"
    " AND NOT EXISTS (SELECT 1 FROM job WHERE job.partition_id = job_partition.id)"
)
_FORGET_LEASES = (
    "DELETE FROM job_lease WHERE token_at < {0}"
    " AND NOT EXISTS (SELECT 1 FROM job_partition WHERE job_partition.id = job_lease.partition_id)"
)
_FORGET_SLOTS = "DELETE FROM job_budget_slot WHERE expires_at < {0}"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept: dead letters, and partitions in which nothing happens."""

    dead: timedelta = timedelta(days=90)
    idle_partition: timedelta = timedelta(days=1)


class Sweeper:
    """Sends lost wake-ups again; every worker runs one."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        *,
        takeover: timedelta = timedelta(seconds=5),
        retention: Retention | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._takeover = takeover // _MICROSECOND
        self._retention = retention or Retention()
        self._clock = clock or SystemClock()

    async def sweep(self) -> int:
        """Wake partitions whose latch is on but whom nobody drains, and whose wake-up is lost; return how many."""
        before = micros(self._clock.now()) - self._takeover

        async def look(tx: Tx) -> bool:
            return bool(await tx.driver_all(_ABANDONED.format("?1"), _ABANDONED.format("$1"), (before,)))

        if not await self._database.read(look):
            return 0
        return await self._database.transaction(self._sweep)

    async def _sweep(self, tx: Tx) -> int:
        now = micros(self._clock.now())
        rows = await tx.driver_all(
            _ABANDONED.format("?1"),
            _ABANDONED.format("$1") + " FOR UPDATE OF p SKIP LOCKED",
            (now - self._takeover,),
        )
        missing = set(await self._engine.missing(tx, [row[0] for row in rows]))
        lost = [row for row in rows if row[0] in missing]
        if not rows:
            return 0
        numbers = [row[0] for row in rows]
        listed: object = orjson.dumps(numbers).decode() if tx.dialect == "sqlite" else numbers
        # By one statement: whoever closes one of these partitions waits until the commit.
        await tx.driver_all(_MARK_SQLITE, _MARK_POSTGRES, (listed, now))
        await wake_by_lane(self._engine, tx, lost)
        crash_point("jobs.sweep")
        return len(lost)

    async def forget(self) -> None:
        """Delete dedupe names, dead letters, idle partitions and leases that have been kept long enough."""

        async def unit(tx: Tx) -> None:
            now = micros(self._clock.now())
            for statement, before in (
                (_FORGET_NAMES, now),
                (_FORGET_SLOTS, now),
                (_FORGET_DEAD, now - self._retention.dead // _MICROSECOND),
                (_FORGET_PARTITIONS, now - self._retention.idle_partition // _MICROSECOND),
                (_FORGET_LEASES, now - 10 * self._takeover),
            ):
                await tx.driver_all(statement.format("?1"), statement.format("$1"), (before,))

        await self._database.transaction(unit)
