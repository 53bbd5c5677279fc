"""Draining many partitions at one moment: they share the transactions in which they begin, and in which they are settled.

A thousand partitions with a little to do in each would else cost a thousand times two commits and some twenty round trips.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from callout.jobs import partition, partitions
from callout.jobs.consumer import Consumer, Consumers, Together
from callout.jobs.steps import Batch, Claim, Close, Next, lane_of, side_by_side
from callout.kit.crash import crash_point
from callout.storage.group import GroupCommit
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.jobs.model import Lane
    from callout.jobs.partition import Held, Row
    from callout.kit.clock import Clock
    from callout.storage import Database, Tx

LARGEST: Final = 64
_MICROSECOND: Final = timedelta(microseconds=1)


class Beginning(NamedTuple):
    """A partition that is to be drained, under which token."""

    partition: int
    token: str


class Begun(NamedTuple):
    """What came of a beginning: the partition as held, None when there is nothing to do for us, and what is next."""

    held: Held | None
    step: Next


class Done(NamedTuple):
    """A batch that was handled, to be settled together with others. `leave`: another job of its partition is not begun."""

    held: Held
    batch: Batch
    result: Together
    leave: bool


class Settled(NamedTuple):
    """What came of settling: what is next; `fenced` when the partition was another worker's by then."""

    step: Next
    fenced: bool = False


class Grouping:
    """Begins and settles for one worker, many partitions to a transaction."""

    def __init__(  # the parts it is made of
        self,
        database: Database,
        engine: Engine,
        consumers: Consumers,
        clock: Clock,
        *,
        takeover: timedelta,
        remember: int,
        on_due: Callable[[int], None],
        alone: Callable[[Tx, Held, Sequence[Row] | None], Awaitable[Next]],
    ) -> None:
        self._engine = engine
        self._consumers = consumers
        self._clock = clock
        self._takeover = takeover // _MICROSECOND
        self._remember = remember
        self._on_due = on_due
        self._alone = alone
        self._begins = GroupCommit[Beginning, Begun](database, self._begin, largest=LARGEST)
        self._settles = GroupCommit[Done, Settled](database, self._settle, largest=LARGEST)

    async def begin(self, number: int, token: str) -> Begun:
        """Become the one who drains a partition, and claim its first batch. Raises what storage raises."""
        return await self._begins.add(Beginning(number, token))

    async def settle(self, done: Done) -> Settled:
        """Store a batch's result, and claim the next. Raises what its consumer's `settle_many`, and storage, raise."""
        return await self._settles.add(done)

    # ----------------------------------------------------------------------------------------------- beginning

    async def _begin(self, tx: Tx, wanted: Sequence[Beginning]) -> list[Begun]:
        now = micros(self._clock.now())
        tokens: dict[int, str] = {}
        for number, token in wanted:
            tokens.setdefault(number, token)  # woken twice: the first of them drains it
        ours, due = await partitions.hold(tx, tokens, now, stale_before=now - self._takeover)
        if len(wanted) == 1:
            return [Begun(one, await self._alone(tx, one, due.get(one.partition))) for one in ours] or [
                Begun(None, None)
            ]
        steps = await self._claim(tx, ours, due, now)
        held_by = {one.token: one for one in ours}
        return [
            Begun(held, None if held is None else steps[held.partition])
            for held in (held_by.get(token) for _, token in wanted)
        ]

    async def _next(self, tx: Tx, held: Sequence[Held], now: int) -> dict[int, Next]:
        """Claim the next batch of each, or close it; what needs more than that is left to a transaction of its own."""
        found = await partitions.look(tx, held, now)
        steps = await self._claim(tx, held, found.due, now)
        locked = [one for one in held if one.partition in found.locked]
        if locked:
            steps.update(await self._close(tx, locked, now))
        return steps

    async def _claim(
        self, tx: Tx, held: Sequence[Held], rows: Mapping[int, Sequence[Row]], now: int
    ) -> dict[int, Next]:
        steps: dict[int, Next] = {}
        plain: list[tuple[Held, list[int]]] = []
        for one in held:
            due = rows.get(one.partition)
            if not due:
                steps[one.partition] = Close()
                continue
            steps[one.partition] = Claim()
            consumer = self._plain(due)
            if consumer is not None:
                plain.append((one, side_by_side(due, consumer.batch)))
        if plain:
            taken = await partitions.count_attempts(tx, plain, now)
            for one, _ids in plain:
                due = rows[one.partition]
                consumer = self._consumers.get(due[0][1])
                if consumer is not None and taken[one.partition]:
                    steps[one.partition] = Batch(consumer, taken[one.partition], lane_of(due))
        return steps

    async def _close(self, tx: Tx, locked: Sequence[Held], now: int) -> dict[int, Next]:
        crash_point("jobs.latch_off")
        closed = await partitions.close(tx, locked, now)
        soonest = min((due for due in closed.values() if due is not None), default=None)
        if soonest is not None:
            tx.after_commit(partial(self._on_due, soonest))
        return dict.fromkeys(closed)

    def _plain(self, due: Sequence[Row]) -> Consumer | None:
        """Return the consumer of the head where it may just be begun: known, no budget to ask, not killed too often before."""
        consumer = self._consumers.get(due[0][1])
        if consumer is None or consumer.budget is not None or due[0][2] >= consumer.retry.max_attempts:
            return None
        return consumer

    # ------------------------------------------------------------------------------------------------ settling

    async def _settle(self, tx: Tx, dones: Sequence[Done]) -> list[Settled]:
        now = micros(self._clock.now())
        # Only the holder of the lease removes jobs: when none is left, an earlier try was committed after all although its
        # answer was lost, and what it stored must not be stored again.
        ours, gone = await partitions.renew_and_finish(
            tx,
            [(done.held, [taken.job.id for taken in done.batch.taken]) for done in dones],
            now,
            remember_until=now + self._remember,
        )
        mine = [done for done in dones if done.held.partition in ours]
        if mine:
            by_consumer: dict[str, list[Done]] = {}
            for done in mine:
                if any(taken.job.id in gone for taken in done.batch.taken):
                    by_consumer.setdefault(done.batch.consumer.kind, []).append(done)
            for some in by_consumer.values():
                settle_many = some[0].batch.consumer.settle_many
                if settle_many is None:
                    msg = f"{some[0].batch.consumer.kind}: nobody settles together"
                    raise TypeError(msg)
                await settle_many(tx, [done.result.item for done in some])
        crash_point("jobs.before_settle")
        steps = await self._next(tx, [done.held for done in mine if not done.leave], now)
        left: dict[Lane, list[int]] = {}
        for done in mine:
            if done.leave:
                await partition.let_go(tx, done.held)
                left.setdefault(done.batch.taken[0].job.lane, []).append(done.held.partition)
        for lane, numbers in left.items():
            await self._engine.wake(tx, numbers, lane)
        return [
            Settled(steps.get(done.held.partition))
            if done.held.partition in ours
            else Settled(None, fenced=True)
            for done in dones
        ]
