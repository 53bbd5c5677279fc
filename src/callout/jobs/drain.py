"""Draining a partition: count the attempt, call the handler with no transaction open, store the result under the fence.

The settlement of one batch and the claim of the next share one transaction, so a drained batch costs one commit.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from callout.jobs import partition, partitions
from callout.jobs.consumer import Consumer, Consumers, Settle, Together, Work
from callout.jobs.grouping import Done, Grouping
from callout.jobs.model import FencedOut, Lane, RetryLater
from callout.jobs.partition import NEVER, Held, Taken
from callout.jobs.steps import (
    Batch,
    Claim,
    Close,
    Next,
    Outcome,
    all_failed,
    lane_of,
    outcome_of,
    side_by_side,
)
from callout.jobs.traced import spanning, told
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.kit.lanes import in_lane
from callout.kit.priority import work_that
from callout.kit.redaction import redact_text
from callout.storage.errors import StorageUnavailableError
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.jobs.budgets import Budgets
    from callout.jobs.engine import Engine
    from callout.storage import Database, Tx

T = TypeVar("T")
log = structlog.get_logger(__name__)
MICROS = 1_000_000
UNKNOWN_KIND_WAIT = 5 * MICROS
STORAGE_RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(slots=True)
class _Running:
    since: float
    leased: bool = False
    """Whether the lease is surely there: before that, no heartbeat may conclude anything from its absence."""
    handler: asyncio.Task[Settle | Together | None] | None = None
    fenced: bool = False
    returned: bool = False


class Drainer:
    """Drains partitions for one worker; its :meth:`drain` is what the engine calls.

    Args:
        takeover: age at which another worker's lease counts as abandoned; leases here are refreshed five times as often.
        remember: how long the dedupe name of a finished job is remembered.
        time_slice: seconds after which a busy partition goes to the end of the engine's queue.
        on_due: told when a closed partition is due again, so that the timekeeper need not find out by itself.
    """

    def __init__(  # the parts it is made of
        self,
        database: Database,
        engine: Engine,
        consumers: Consumers,
        budgets: Budgets,
        *,
        clock: Clock | None = None,
        takeover: timedelta = timedelta(seconds=5),
        remember: timedelta = timedelta(hours=24),
        time_slice: float = 1.0,
        on_due: Callable[[int], None] = lambda _due: None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._consumers = consumers
        self._budgets = budgets
        self._clock = clock or SystemClock()
        self._takeover = takeover
        self._remember = remember // timedelta(microseconds=1)
        self._slice = time_slice
        self._on_due = on_due
        self._grouping = Grouping(
            database,
            engine,
            consumers,
            self._clock,
            takeover=takeover,
            remember=self._remember,
            on_due=on_due,
            alone=self._next,
        )
        self._random = random.Random()  # noqa: S311  # jitter
        self._running: dict[str, _Running] = {}
        self._apart: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def running(self) -> int:
        """How many partitions are being drained now."""
        return len(self._running)

    def stop(self) -> None:
        """Take no further batch: each drain ends after the one it is at."""
        self._stopping = True

    def return_running(self) -> None:
        """Cancel the handlers that still run; their jobs go back without a counted attempt."""
        for running in self._running.values():
            running.returned = True
            if running.handler is not None:
                running.handler.cancel()

    async def drain(self, number: int) -> None:
        """Work on the due jobs of partition `number` until none is left, the time slice is over or the worker stops.

        Where the consumer works apart, this returns when its work has begun: the place is free for another partition.
        """
        token = uuid.uuid4().hex
        running = self._running[token] = _Running(self._clock.monotonic())
        begun = False
        try:
            held, step = await self._patiently(lambda: self._grouping.begin(number, token), running)
            begun = held is not None and step is not None
            running.leased = begun
            if isinstance(step, Claim) and held is not None:
                begun = False
                step = await self._patiently(partial(self._claim_next, held), running)
                begun = step is not None
        except FencedOut:
            log.warning("partition was taken over by another worker", partition=number)
            return
        finally:
            if not begun:
                del self._running[token]
        if held is None or step is None:
            return
        if isinstance(step, Batch) and step.consumer.apart:
            task = asyncio.create_task(self._go_on(held, step, running), name=f"apart {number}")
            self._apart.add(task)
            task.add_done_callback(self._apart_done)
            return
        await self._go_on(held, step, running)

    async def _go_on(self, held: Held, step: Next, running: _Running) -> None:
        try:
            while step is not None:
                if isinstance(step, Close):
                    step = await self._patiently(partial(self._close, held, step), running)
                    continue
                if isinstance(step, Claim):
                    step = await self._patiently(partial(self._claim_next, held), running)
                    continue
                crash_point("jobs.attempt_counted")
                with work_that(has_time=step.lane is not Lane.URGENT), spanning(step, held) as span:
                    outcome = await self._call(held, step, running)
                    if outcome is None:
                        return
                    crash_point("jobs.handled")
                    told(span, outcome)
                    step = await self._settle(held, step, outcome, running)
                crash_point("jobs.settled")
        except FencedOut:
            log.warning("partition was taken over by another worker", partition=held.partition)
        finally:
            del self._running[held.token]

    def _apart_done(self, task: asyncio.Task[None]) -> None:
        self._apart.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("drain failed", error=repr(error))

    async def join(self) -> None:
        """Wait for the work that goes on apart."""
        while self._apart:
            await asyncio.wait(self._apart)

    async def heartbeat(self) -> None:
        """Refresh the leases held longer than a moment; stop the handlers of those that another worker took."""
        old = self._clock.monotonic() - self.heartbeat_seconds / 2
        tokens = [token for token, running in self._running.items() if running.leased and running.since < old]
        if not tokens:
            return
        now = self._now()

        async def refresh(tx: Tx) -> set[str]:
            held = await partitions.refresh(tx, tokens, now)
            await self._budgets.extend(tx, tokens)
            return held

        alive = await self._database.transaction(refresh)
        for token in tokens:
            running = self._running.get(token)
            if running is not None and token not in alive and running.handler is not None:
                running.fenced = True
                running.handler.cancel()

    @property
    def heartbeat_seconds(self) -> float:
        """How often :meth:`heartbeat` wants to be called."""
        return self._takeover.total_seconds() / 5

    def _now(self) -> int:
        return micros(self._clock.now())

    async def _patiently(self, step: Callable[[], Awaitable[T]], running: _Running) -> T:
        """Run a transaction until the database takes it: a restart or a lock must not make a call to the outside repeat."""
        for wait in itertools.chain(STORAGE_RETRY_SECONDS, itertools.repeat(STORAGE_RETRY_SECONDS[-1])):
            try:
                return await step()
            except StorageUnavailableError as error:
                if running.returned:
                    raise
                log.warning("database unavailable while draining; trying again", error=str(error))
                await asyncio.sleep(wait)
        raise AssertionError  # the chain has no end

    async def _claim_next(self, held: Held) -> Next:
        async def unit(tx: Tx) -> Next:
            if not await partition.renew(tx, held, self._now()):
                raise FencedOut
            return await self._next(tx, held)

        return await self._database.transaction(unit)

    async def _close(self, held: Held, step: Close) -> Next:
        async def unit(tx: Tx) -> Next:
            if not await partition.renew(tx, held, self._now()):
                raise FencedOut
            await partition.lock(tx, held, wait=True)
            return None if await self._shut(tx, held, step) else await self._next(tx, held)

        return await self._database.transaction(unit)

    async def _next(self, tx: Tx, held: Held, due: Sequence[partition.Row] | None = None) -> Next:
        """Claim the next batch, counting the attempt, or close the partition; `due` is what was found there just now."""
        while True:
            now = self._now()
            locked = False
            rows, due = due, None
            if rows is None:
                found = await partitions.look(tx, [held], now)
                rows, locked = found.due.get(held.partition), held.partition in found.locked
            if not rows:
                step = Close()
            else:
                claimed = await self._claim(tx, held, rows, now)
                if claimed is None:
                    continue  # the head was buried or cancelled meanwhile: look again
                if isinstance(claimed, Batch):
                    return claimed
                step = claimed
            if not locked and not await partition.lock(tx, held, wait=False):
                return step
            if await self._shut(tx, held, step):
                return None

    async def _shut(self, tx: Tx, held: Held, step: Close) -> bool:
        """Close the locked partition; False when it has new work."""
        crash_point("jobs.latch_off")
        now = self._now()
        if step.blocked_until > now:
            due: int | None = step.blocked_until
            await partition.close_until(tx, held, step.blocked_until, waiting_budget=step.waiting_budget)
        else:
            closed = await partitions.close(tx, [held], now)
            if held.partition not in closed:
                return False
            due = closed[held.partition]
        if due is not None:
            soonest = due
            tx.after_commit(lambda: self._on_due(soonest))
        return True

    async def _claim(
        self, tx: Tx, held: Held, rows: Sequence[partition.Row], now: int
    ) -> Batch | Close | None:
        number, kind, attempts, _ = rows[0]
        lane = lane_of(rows)
        consumer = self._consumers.get(kind)
        if consumer is None:
            await partition.note_waiting(
                tx, number, f"no handler for jobs of kind {kind!r} in this version of the worker"
            )
            return Close(now + UNKNOWN_KIND_WAIT)
        if attempts >= consumer.retry.max_attempts:
            head = await partition.read(tx, held, number)
            if head is None:
                return None
            error = (
                f"the worker died, or was killed, during attempt {attempts} of {consumer.retry.max_attempts}"
            )
            blocked = await self._bury(tx, consumer, head, error, now)
            return Close(blocked) if blocked else None
        ids = side_by_side(rows, consumer.batch)
        use = None
        if consumer.budget is not None:
            head = await partition.read(tx, held, number)
            use = None if head is None else consumer.budget(head.job)
            if use is not None and head is not None:
                refused = await self._budgets.acquire(
                    tx,
                    use.key,
                    lane=lane,
                    cost=use.cost,
                    holder=held.token,
                    partition=held.partition,
                )
                if refused is not None:
                    await partition.note_waiting(tx, number, refused.reason)
                    return Close(refused.until, refused.queue)
        taken = await partition.count_attempt(tx, held, ids, now)
        return Batch(consumer, taken, lane, None if use is None else use.key) if taken else None

    async def _call(self, held: Held, batch: Batch, running: _Running) -> Outcome | None:
        """Call the handler; None when the worker stops and the jobs have been given back."""

        async def fence(tx: Tx) -> bool:
            return await partition.renew(tx, held, self._now())

        work = Work([taken.job for taken in batch.taken], self._database, fence)

        async def handle() -> Settle | Together | None:
            with in_lane(batch.lane):
                return await batch.consumer.handle(work)

        task = running.handler = asyncio.create_task(handle())
        try:
            await asyncio.wait({task}, timeout=batch.consumer.timeout.total_seconds())
            timed_out = not task.done()
            if timed_out:
                task.cancel()
                await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})  # nothing of a worker's goes on after it
            raise
        finally:
            running.handler = None
        if running.fenced:
            raise FencedOut
        if task.cancelled() and running.returned and not timed_out:
            await self._patiently(lambda: self._give_back(held, batch), running)
            return None
        return outcome_of(batch, work, task)

    async def _give_back(self, held: Held, batch: Batch) -> None:
        async def unit(tx: Tx) -> None:
            if not await partition.renew(tx, held, self._now()):
                return
            for taken in batch.taken:
                await partition.put_off(
                    tx, taken, uncount=True, waiting_for="the worker stopped; another one goes on"
                )
            if batch.budget is not None:
                await self._budgets.release(tx, batch.budget, held.token)
            await self._requeue(tx, held, batch)

        await self._database.transaction(unit)

    async def _requeue(self, tx: Tx, held: Held, batch: Batch) -> None:
        await partition.let_go(tx, held)
        await self._engine.wake(tx, [held.partition], batch.taken[0].job.lane)

    async def _settle(self, held: Held, batch: Batch, outcome: Outcome, running: _Running) -> Next:
        if isinstance(outcome.settle, Together) and not outcome.failed and not outcome.postponed:
            done = Done(held, batch, outcome.settle, self._leaves(batch, running))
            try:
                settled = await self._patiently(lambda: self._grouping.settle(done), running)
            except StorageUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001  # whose fault it was shows when each is settled by itself, below
                log.warning(
                    "settling together failed; each by itself", kind=batch.consumer.kind, error=repr(error)
                )
            else:
                if settled.fenced:
                    raise FencedOut
                return settled.step
        while True:
            raised: list[Exception] = []
            try:
                return await self._patiently(
                    partial(self._settle_once, held, batch, outcome, raised, running), running
                )
            except (FencedOut, StorageUnavailableError):
                raise
            except Exception as error:
                if not raised:
                    raise  # ours, not the handler's
                outcome = all_failed(batch, error)

    async def _settle_once(
        self, held: Held, batch: Batch, outcome: Outcome, raised: list[Exception], running: _Running
    ) -> Next:
        async def unit(tx: Tx) -> Next:
            raised.clear()
            now = self._now()
            done = [
                t.job.id
                for t in batch.taken
                if t.job.id not in outcome.failed and t.job.id not in outcome.postponed
            ]
            ours, gone = await partitions.renew_and_finish(
                tx, [(held, done)], now, remember_until=now + self._remember
            )
            if not ours:
                raise FencedOut
            # Only the holder of the lease removes them: when none is left, an earlier try was committed after all although
            # the answer was lost, and the handler's unit of work must not run again.
            fresh = not done or bool(gone)
            if fresh and outcome.settle is not None:
                try:
                    await batch.consumer.settle(tx, outcome.settle)
                except Exception as error:
                    raised.append(error)
                    raise
            crash_point("jobs.before_settle")
            blocked = 0
            for taken in batch.taken:
                wait = await self._record(tx, batch.consumer, taken, outcome, now)
                blocked = blocked or wait
            if batch.budget is not None:
                await self._budgets.release(tx, batch.budget, held.token)
            if blocked > now:
                step = Close(blocked)
                if await partition.lock(tx, held, wait=False):
                    await self._shut(tx, held, step)
                    return None
                return step
            if self._leaves(batch, running):
                await self._requeue(tx, held, batch)
                return None
            return await self._next(tx, held)

        return await self._database.transaction(unit)

    def _leaves(self, batch: Batch, running: _Running) -> bool:
        """Return whether another batch of the partition is left to others, or to our own next turn."""
        if self._stopping or batch.consumer.apart:
            return self._stopping
        return self._clock.monotonic() - running.since > self._slice

    async def _record(self, tx: Tx, consumer: Consumer, taken: Taken, outcome: Outcome, now: int) -> int:
        """Store why a job of the batch is not done; return until when its partition waits for it."""
        later = outcome.postponed.get(taken.job.id)
        error = outcome.failed.get(taken.job.id)
        if later is not None and (not later.count or taken.job.attempt < consumer.retry.max_attempts):
            await partition.put_off(
                tx, taken, uncount=not later.count, waiting_for=later.reason or "put off by its handler"
            )
            return now + later.delay // timedelta(microseconds=1)
        if later is not None:
            error = RetryLater(later.delay, reason=later.reason)
        if error is None:
            return 0
        text = redact_text(f"{type(error).__name__}: {error}")
        asked = getattr(error, "retry_after", None)
        wait = None
        if getattr(error, "permanent", False) is not True:
            wait = consumer.retry.next_delay(
                taken.job.attempt,
                self._random,
                elapsed=timedelta(microseconds=max(0, now - taken.first_attempt_at)),
                retry_after=asked if isinstance(asked, timedelta) else None,
            )
        if wait is None:
            return await self._bury(tx, consumer, taken, text, now)
        await partition.put_off(tx, taken, uncount=False, error=text)
        return now + wait // timedelta(microseconds=1)

    async def _bury(self, tx: Tx, consumer: Consumer, taken: Taken, error: str, now: int) -> int:
        blocks = consumer.poison == "block"
        await partition.bury(
            tx, taken, error, now, state="blocked" if blocks else "dead", remember_until=now + self._remember
        )
        job = taken.job
        tx.after_commit(
            lambda: log.error("job is dead", job=job.id, kind=job.kind, attempts=job.attempt, error=error)
        )
        return NEVER if blocks else 0
