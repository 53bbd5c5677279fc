"""Budgets: how much of one vendor account we may use at a time, shared by all workers.

A budget is one row per vendor account: so many calls at once, a token bucket, and a moment before which the vendor asked us not
to come; what the vendor itself allows in a window is counted beside it (`callout.jobs.quotas`). Slots are leases, so those of a
killed worker come back by themselves. Less urgent lanes leave a reserve to more urgent ones, and a freed slot is handed to the most
urgent partition that waits for it.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from callout.jobs.model import Lane
from callout.jobs.quotas import Quota, Quotas
from callout.kit.allowance import bounded, clock_time
from callout.kit.clock import Clock, SystemClock
from callout.kit.lanes import RESERVED, slots_of
from callout.storage.later import Question
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Tx

MICROS = 1_000_000
MILLI = 1_000
PROMISE = 2 * MICROS
LOOK_AGAIN = 1 * MICROS
MOST_WAITERS_COUNTED = 1_000
SHORT = timedelta(seconds=3)
"""A wait up to this is the ordinary course of things: nobody is told of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one vendor account allows: calls at once, bucket size, tokens coming back per second."""

    concurrency: int = 8
    capacity: int = 100
    refill_per_second: float = 10.0

    def slots(self, lane: Lane) -> int:
        """Return how many slots may be taken when a call of `lane` takes one more."""
        return slots_of(self.concurrency, lane)


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What one call needs: the budget's key and a number of tokens."""

    key: str
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now: when to ask again (microseconds), why in words, and the queue in which the partition waits."""

    until: int
    reason: str
    queue: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The state of a budget in words, until when calls wait (None: they do not), and how many jobs wait for it."""

    text: str
    until: datetime | None
    waiting: int = 0


_FIND = "SELECT concurrency, capacity, refill, tokens, refilled_at, blocked_until, blocked_why FROM job_budget WHERE key = {0}"
_MAKE = (
    "INSERT INTO job_budget (key, concurrency, capacity, refill, tokens, refilled_at) VALUES ({0}, {1}, {2}, {3}, {4}, {5})"
    " ON CONFLICT (key) DO {6}"
)
_UPDATE = (
    "UPDATE SET concurrency = excluded.concurrency, capacity = excluded.capacity, refill = excluded.refill,"
    " tokens = excluded.tokens, refilled_at = excluded.refilled_at"
)
_WAITING = "SELECT id, lane FROM job_partition WHERE waiting_budget = {0} AND latch = 0 ORDER BY lane, due_at LIMIT 1"
_WAITING_JOBS = (
    "SELECT kind, count(*) FROM job WHERE state = 'waiting' AND partition_id IN"
    " (SELECT id FROM job_partition WHERE waiting_budget = {0} AND latch = 0) GROUP BY kind"
)
_WAITS = "SELECT 1 FROM job_partition WHERE waiting_budget = {0} AND key = {1} AND latch = 0"
_WAKE = (
    "UPDATE job_partition SET latch = 1, woken_at = {0}, due_at = NULL, blocked_until = 0, waiting_budget = NULL"
    " WHERE id = {1}"
)
_TAKE = (
    "INSERT INTO job_budget_slot (key, holder, lane, expires_at) VALUES ({0}, {1}, {2}, {3})"
    " ON CONFLICT (key, holder) DO UPDATE SET expires_at = excluded.expires_at"
)
_CLEAR = (
    "DELETE FROM job_budget_slot WHERE key = {0} AND (expires_at < {1} OR holder = {2}) AND holder <> {3}"
)
_TAKEN = "SELECT count(*) FROM job_budget_slot WHERE key = {0} AND expires_at >= {1} AND holder <> {2}"
_IN_QUEUE = (
    "(SELECT count(*) FROM (SELECT 1 FROM job_partition WHERE waiting_budget = {} AND lane <= {{1}}"
    f" LIMIT {MOST_WAITERS_COUNTED}) AS w)"
)
_AHEAD = f"SELECT {_IN_QUEUE.format('{0}')} AS queued, {_IN_QUEUE.format('{2}')} AS waiting"
_HAND_OVER = (
    "WITH gone AS (DELETE FROM job_budget_slot WHERE key = $1 AND holder = $2 RETURNING 1),"
    f" next AS ({_WAITING.format('$1').replace('latch = 0', 'latch = 0 AND EXISTS (SELECT 1 FROM gone)')}"
    " FOR UPDATE SKIP LOCKED),"
    f" woken AS ({_WAKE.format('$3::bigint', '(SELECT id FROM next)')}),"
    " promised AS (INSERT INTO job_budget_slot (key, holder, lane, expires_at)"
    " SELECT $1, 'for ' || id, lane, $4::bigint FROM next ON CONFLICT (key, holder) DO UPDATE SET expires_at = excluded.expires_at)"
    " SELECT id, lane FROM next"
)
_Q = tuple(f"?{n}" for n in range(1, 7))
_D = tuple(f"${n}" for n in range(1, 7))


async def _run(tx: Tx, text: str, *params: object, lock: str = "") -> Sequence[Sequence[Any]]:
    return await tx.driver_all(text.format(*_Q), text.format(*_D) + lock, params)


async def _later(tx: Tx, text: str, *params: object) -> None:
    await tx.driver_later(text.format(*_Q), text.format(*_D), params)


def _row(key: str, limits: Limits, now: int) -> tuple[object, ...]:
    refill = max(1, round(limits.refill_per_second * MILLI))
    return key, limits.concurrency, limits.capacity, refill, limits.capacity * MILLI, now


def _turn(waiting: int, per_second: float) -> int:
    """Return how long it takes (microseconds) until all have come who wait already, as urgent ones or more so.

    If all of a queue asked again at one moment, nearly all were refused again, and workers would do little else. Each gets a moment
    of its own, in their order.
    """
    return int(waiting / per_second * MICROS)


class Budgets:
    """The budgets of all vendor accounts; every method works in the caller's transaction.

    `slot_lease` is the life of a slot that nobody refreshes: twice the takeover time, so that the calls of a killed worker do not
    keep its successors from the vendor. Workers refresh the slots of running jobs ten times as often.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock | None = None,
        default: Limits | None = None,
        slot_lease: timedelta = timedelta(seconds=10),
    ) -> None:
        self._slot_lease = slot_lease // timedelta(microseconds=1)
        self._engine = engine
        self._clock = clock or SystemClock()
        self._default = default or Limits()
        self.quotas = Quotas(self._clock)

    async def define(self, tx: Tx, key: str, limits: Limits) -> None:
        """Set the limits of `key`; its bucket starts full."""
        await self._make(tx, key, limits, update=True)

    async def define_many(self, tx: Tx, wanted: Mapping[str, Limits]) -> None:
        """Set the limits of many keys; their buckets start full."""
        now = micros(self._clock.now())
        text = _MAKE.replace("{6}", _UPDATE)
        rows = [_row(key, limits, now) for key, limits in sorted(wanted.items())]
        if rows:
            await tx.driver_many(text.format(*_Q), text.format(*_D), rows)

    async def acquire(
        self,
        tx: Tx,
        key: str,
        *,
        holder: str,
        lane: Lane = Lane.NORMAL,
        cost: int = 1,
        partition: int | None = None,
    ) -> Refusal | None:
        """Take a slot and `cost` tokens for `holder`, or say why not and until when. Give the slot back with `release`."""
        now = micros(self._clock.now())
        # By itself, and first: what the others took until it was ours has to be seen.
        limits, tokens, blocked_until, why = await self._state(tx, key, now)
        promised = "" if partition is None else f"for {partition}"
        quota, used, queued, told_to_wait = await self._look(tx, key, now, lane=lane, promised=promised)
        told = (blocked_until, f"{why} until {clock_time(from_micros(blocked_until))}")
        waits = told if blocked_until > now else quota.refuses(lane, now)
        if waits is not None:
            until, words = waits
            await self._pass_on(tx, key, promised)
            return Refusal(until + _turn(told_to_wait, limits.refill_per_second), words, f"#{key}")
        reserve = int(limits.capacity * RESERVED[lane])
        missing = min(cost, limits.capacity - reserve) + reserve - tokens / MILLI
        if missing > 0:
            until = now + int(missing / limits.refill_per_second * MICROS) + 1
            until += _turn(told_to_wait, limits.refill_per_second)
            await self._pass_on(tx, key, promised)
            text = f"{key}: {tokens // MILLI} of {limits.capacity} calls left, {limits.refill_per_second:g} more per second"
            return Refusal(until, text, f"#{key}")
        if used >= limits.slots(lane):
            allowed = f"{lane.name.lower()} work may use {limits.slots(lane)}"
            text = f"{key}: {used} of {limits.concurrency} calls at once are running ({allowed})"
            # A second for each call is a guess: what is handed over does not wait for it.
            until = now + LOOK_AGAIN + _turn(queued, limits.slots(lane))
            return Refusal(until, text, key)
        await _later(tx, _CLEAR, key, now, promised, holder)
        await _later(tx, _TAKE, key, holder, int(lane), now + self._slot_lease)
        await _later(
            tx,
            "UPDATE job_budget SET tokens = {0}, refilled_at = {1} WHERE key = {2}",
            *(tokens - cost * MILLI, now, key),
        )
        return None

    async def release(self, tx: Tx, key: str, holder: str) -> None:
        """Give the slot of `holder` back, and hand it to the most urgent partition that waits for one."""
        now = micros(self._clock.now())
        if tx.dialect == "postgresql":
            handed = await tx.driver_all("", _HAND_OVER, (key, holder, now, now + PROMISE))
        else:
            gone = "DELETE FROM job_budget_slot WHERE key = {0} AND holder = {1} RETURNING 1"
            handed = await _run(tx, _WAITING, key) if await _run(tx, gone, key, holder) else ()
            for number, lane in handed:
                await _run(tx, _WAKE, now, number)
                await _run(tx, _TAKE, key, f"for {number}", lane, now + PROMISE)
        for number, lane in handed:
            await self._engine.wake(tx, [int(number)], Lane(int(lane)))

    async def _pass_on(self, tx: Tx, key: str, promised: str) -> None:
        """Hand a slot on that was promised to somebody who may not call: nobody else would, and those behind would wait for nothing."""
        if promised:
            await self.release(tx, key, promised)

    async def extend(self, tx: Tx, holders: Sequence[str]) -> None:
        """Refresh the slots of `holders`, whose calls still run."""
        until = micros(self._clock.now()) + self._slot_lease
        # By one statement: all the leases of a worker are locked meanwhile.
        listed: object = orjson.dumps(list(holders)).decode() if tx.dialect == "sqlite" else list(holders)
        await tx.driver_all(
            "UPDATE job_budget_slot SET expires_at = ?1 WHERE holder IN (SELECT value FROM json_each(?2))",
            "UPDATE job_budget_slot SET expires_at = $1 WHERE holder = ANY($2::text[])",
            (until, listed),
        )

    async def penalise(
        self, tx: Tx, key: str, retry_after: timedelta, *, why: str = "the vendor asked us to wait"
    ) -> None:
        """Keep everybody away from `key` for `retry_after`, at most an hour: the vendor said 429. `why` is said before "until"."""
        now = micros(self._clock.now())
        _, _, blocked_until, _ = await self._state(tx, key, now)
        until = now + bounded(retry_after) // timedelta(microseconds=1)
        if until > blocked_until:
            await _run(
                tx,
                "UPDATE job_budget SET blocked_until = {0}, blocked_why = {1} WHERE key = {2}",
                until,
                why,
                key,
            )

    async def waits(self, tx: Tx, key: str, partition_key: str) -> bool:
        """Return whether the jobs of a partition wait for what `key` allows."""
        return bool(await _run(tx, _WAITS, f"#{key}", partition_key))

    async def blocked(self, tx: Tx, key: str) -> tuple[datetime, str] | None:
        """Return until when nobody may call `key`, and why; None when they may. Takes no lock."""
        rows = await _run(tx, _FIND, key)
        if not rows or int(rows[0][5]) <= micros(self._clock.now()):
            return None
        return from_micros(int(rows[0][5])), str(rows[0][6] or "")

    async def explain(
        self, tx: Tx, key: str, *, lane: Lane = Lane.NORMAL, beside: Collection[str] = ()
    ) -> Explanation:
        """Say in words how much of `key` is in use, what calls of `lane` wait for, and how many jobs, `beside` some kinds.

        Takes no lock and writes nothing.
        """
        now = micros(self._clock.now())
        limits, tokens, blocked_until, why = await self._state(tx, key, now, lock=False)
        quota = await self.quotas.find(tx, key)
        waiting = sum(
            int(count) for kind, count in await _run(tx, _WAITING_JOBS, f"#{key}") if kind not in beside
        )
        if blocked_until > now:
            until = from_micros(blocked_until)
            return Explanation(f"{why} until {clock_time(until)}", until, waiting)
        waits = quota.refuses(lane, now)
        if waits is not None:
            return Explanation(waits[1], from_micros(waits[0]), waiting)
        used = await self._used(tx, key)
        text = (
            f"{used} of {limits.concurrency} calls at once are running, {max(0, tokens) // MILLI} of {limits.capacity} calls left,"
            f" {limits.refill_per_second:g} more per second"
        )
        if quota.amount:
            text += f"; {quota.left} left of {quota.name} until {clock_time(from_micros(quota.ends_at))}"
        return Explanation(text, None, waiting)

    async def _state(self, tx: Tx, key: str, now: int, *, lock: bool = True) -> tuple[Limits, int, int, str]:
        """Return the limits, the tokens of now (thousandths), and the vendor's block; locks the row unless told not to."""
        rows = await _run(tx, _FIND, key, lock=" FOR UPDATE" if lock else "")
        if not rows and not lock:
            return self._default, self._default.capacity * MILLI, 0, ""
        if not rows:
            await self._make(tx, key, self._default, update=False)
            rows = await _run(tx, _FIND, key, lock=" FOR UPDATE")
        concurrency, capacity, refill, tokens, refilled_at, blocked_until, why = rows[0]
        earned = (now - int(refilled_at)) * int(refill) // MICROS
        limits = Limits(int(concurrency), int(capacity), int(refill) / MILLI)
        there = min(limits.capacity * MILLI, int(tokens) + max(0, earned))
        return limits, there, int(blocked_until), str(why or "")

    async def _look(
        self, tx: Tx, key: str, now: int, *, lane: Lane, promised: str
    ) -> tuple[Quota, int, int, int]:
        """Return the quota, how many slots are taken, and how many wait as urgently: for a slot, and for more calls."""
        [quota, [[used]], [[queued, waiting]]] = await tx.driver_together(
            self.quotas.question(key),
            Question(_TAKEN.format(*_Q), _TAKEN.format(*_D), (key, now, promised)),
            Question(_AHEAD.format(*_Q), _AHEAD.format(*_D), (key, int(lane), f"#{key}")),
        )
        return self.quotas.answer(quota), int(used), int(queued), int(waiting)

    async def _make(self, tx: Tx, key: str, limits: Limits, *, update: bool) -> None:
        text = _MAKE.replace("{6}", _UPDATE if update else "NOTHING")
        await _run(tx, text, *_row(key, limits, micros(self._clock.now())))

    async def _used(self, tx: Tx, key: str) -> int:
        rows = await _run(tx, "SELECT count(*) FROM job_budget_slot WHERE key = {0}", key)
        return int(rows[0][0])
