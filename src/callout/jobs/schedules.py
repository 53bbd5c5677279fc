"""Schedules that survive restarts: one job per tick, however many workers there are.

The next tick is a row; who moves it on enqueues the job in the same transaction. After a time in which no worker ran, a schedule
is due once, not once per missed tick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.jobs.cron import Cron
from callout.jobs.model import Lane
from callout.kit.clock import Clock, SystemClock
from callout.storage.schema import EPOCH, from_micros, micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callout.jobs.queue import Queue
    from callout.storage import Database, Tx

LONGEST_SLEEP = 1.0
_ADD = (
    "INSERT INTO job_schedule (name, kind, rule, next_at) VALUES ({0}, {1}, {2}, {3}) ON CONFLICT (name) DO UPDATE SET"
    " kind = excluded.kind, rule = excluded.rule,"
    " next_at = CASE WHEN job_schedule.rule = excluded.rule THEN job_schedule.next_at ELSE excluded.next_at END"
)
_DUE = "SELECT name, next_at FROM job_schedule WHERE next_at <= {0}"
_MOVE = "UPDATE job_schedule SET next_at = {0}, last_at = {1} WHERE name = {2} AND next_at = {3} RETURNING 1"
_NEXT = "SELECT min(next_at) FROM job_schedule"
_Q = tuple(f"?{n}" for n in range(1, 5))
_D = tuple(f"${n}" for n in range(1, 5))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that comes again and again: every so often (counted from 1970), or by a cron expression in UTC.

    Raises ValueError when not exactly one of `every` and `cron` is given, or the expression cannot be read.
    """

    name: str
    kind: str
    every: timedelta | None = None
    cron: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.NORMAL

    def __post_init__(self) -> None:
        if (self.every is None) == (self.cron is None):
            msg = f"schedule {self.name!r} needs either `every` or `cron`"
            raise ValueError(msg)
        if self.every is not None and self.every <= timedelta(0):
            msg = f"schedule {self.name!r}: `every` must be positive"
            raise ValueError(msg)
        if self.cron is not None:
            Cron.parse(self.cron)

    @property
    def rule(self) -> str:
        """The rule as text; a changed rule starts afresh."""
        return f"cron {self.cron}" if self.cron is not None else f"every {self.every}"

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`."""
        if self.every is not None:
            return EPOCH + ((moment - EPOCH) // self.every + 1) * self.every
        return Cron.parse(self.cron or "").after(moment.astimezone(UTC))


class Schedules:
    """The schedules that this version of the program knows; rows of others are left alone, for a neighbour of another version."""

    def __init__(
        self, database: Database, queue: Queue, schedules: Iterable[Schedule], *, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock or SystemClock()
        self._by_name: dict[str, Schedule] = {}
        self._declared = False
        for schedule in schedules:
            if schedule.name in self._by_name:
                msg = f"two schedules are named {schedule.name!r}"
                raise ValueError(msg)
            self._by_name[schedule.name] = schedule

    async def turn(self) -> float:
        """Enqueue what is due; return how many seconds to sleep. Raises StorageError."""
        if not self._by_name:
            return LONGEST_SLEEP
        if not self._declared:
            await self._database.transaction(self._declare)
            self._declared = True
        soonest = await self._database.read(_soonest)
        now = micros(self._clock.now())
        if soonest is not None and soonest <= now:
            await self._database.transaction(self._tick)
            soonest = await self._database.read(_soonest)
        wait = LONGEST_SLEEP if soonest is None else (soonest - micros(self._clock.now())) / 1_000_000
        return min(LONGEST_SLEEP, max(0.001, wait))

    async def _declare(self, tx: Tx) -> None:
        now = self._clock.now()
        for name in sorted(self._by_name):
            schedule = self._by_name[name]
            params = (name, schedule.kind, schedule.rule, micros(schedule.after(now)))
            await tx.driver_all(_ADD.format(*_Q), _ADD.format(*_D), params)

    async def _tick(self, tx: Tx) -> None:
        now = self._clock.now()
        for name, due in sorted(
            map(tuple, await tx.driver_all(_DUE.format(*_Q), _DUE.format(*_D), (micros(now),)))
        ):
            schedule = self._by_name.get(name)
            if schedule is None:
                continue
            params = (micros(schedule.after(now)), due, name, due)
            if not await tx.driver_all(_MOVE.format(*_Q), _MOVE.format(*_D), params):
                continue  # another worker has just done it
            payload = {**schedule.payload, "scheduled_for": from_micros(due).isoformat()}
            await self._queue.enqueue(
                tx, schedule.kind, payload, key=f"schedule:{name}", dedupe=f"{name}@{due}", lane=schedule.lane
            )


async def _soonest(tx: Tx) -> int | None:
    found: int | None = (await tx.driver_all(_NEXT, _NEXT))[0][0]
    return found
