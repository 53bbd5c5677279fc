"""Who does the work: one consumer per kind of job, and what a handler sees while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from callout.jobs.model import FencedOut, Job, Lane, Poison, Retry

if TYPE_CHECKING:
    from callout.jobs.budgets import BudgetUse
    from callout.storage import Database, Tx

T = TypeVar("T")
Settle = Callable[["Tx"], Awaitable[object]]
"""A unit of work that is stored together with the completion of its jobs, or not at all. It may run more than once."""
SettleMany = Callable[["Tx", Sequence[Any]], Awaitable[object]]
LARGEST_BATCH = 64


@dataclass(frozen=True, slots=True)
class Together:
    """What a handler returns in place of a unit of work: its consumer's `settle_many` stores it, with those of other partitions
    that are done at the same moment.
    """

    item: Any


Handler = Callable[["Work"], Awaitable[Settle | Together | None]]

Fence = Callable[["Tx"], Awaitable[bool]]


@dataclass(slots=True)
class Later:
    """What a handler decided about one job: again after `delay`; `count` says whether this was an attempt."""

    delay: timedelta
    count: bool
    reason: str


class Work:
    """A batch of jobs of one partition and kind, in order, and the way to the database while they are worked on.

    No transaction is open while a handler runs: outside calls may take their time.
    """

    def __init__(self, jobs: Sequence[Job], database: Database, fence: Fence) -> None:
        self.jobs = jobs
        self.failed: dict[int, BaseException] = {}
        self.postponed: dict[int, Later] = {}
        self._database = database
        self._fence = fence

    @property
    def job(self) -> Job:
        """The first job: the only one for consumers with a batch of 1."""
        return self.jobs[0]

    @property
    def lane(self) -> Lane:
        """The most urgent lane of its jobs."""
        return min(job.lane for job in self.jobs)

    async def transaction(self, unit: Callable[[Tx], Awaitable[T]]) -> T:
        """Commit `unit` now, while the jobs go on. Raises FencedOut, and stores nothing, when they are no longer ours."""

        async def fenced(tx: Tx) -> T:
            if not await self._fence(tx):
                msg = "another worker has taken this partition over"
                raise FencedOut(msg)
            return await unit(tx)

        return await self._database.transaction(fenced)

    async def read(self, unit: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `unit` on a read-only snapshot."""
        return await self._database.read(unit)

    def fail(self, job: Job, error: BaseException) -> None:
        """Count `job` as failed with `error`; the others of the batch may still succeed."""
        self.failed[job.id] = error

    def later(self, job: Job, delay: timedelta, *, reason: str = "", count: bool = False) -> None:
        """Put `job` off by `delay`, by default without counting an attempt; its partition waits with it."""
        self.postponed[job.id] = Later(delay, count, reason)


@dataclass(frozen=True, slots=True)
class Consumer:
    """How jobs of one kind are done.

    Args:
        kind: the kind of job.
        handle: does a batch; the unit of work it returns is stored with the completion. What it raises fails the jobs.
        batch: most jobs in one call; 1 to 5 where the outside world is touched, since a crash repeats a whole batch.
        retry: waits between attempts, and when to give up.
        poison: `park` sets a job that failed for good aside and goes on, `block` holds its partition until an operator acts.
        timeout: longest time of one call.
        budget: what one call needs of a vendor account's budget; asked with the first job of the batch.
        apart: its calls wait for somebody else for long, and hold no place among the partitions of the worker; how many
            run at a time is for the handler to limit.
        settle_many: stores what handlers returned as `Together`: those of many partitions in one transaction, or, should that
            fail, each in its own.

    Raises:
        ValueError: a batch outside 1 to 64, or a batch with a single attempt (one bad job would take the others with it), or
            `settle_many` with a budget.
    """

    kind: str
    handle: Handler
    batch: int = 1
    retry: Retry = field(default_factory=Retry)
    poison: Poison = "park"
    timeout: timedelta = timedelta(seconds=60)  # a setting, not an argument of a coroutine
    budget: Callable[[Job], BudgetUse | None] | None = None
    apart: bool = False
    settle_many: SettleMany | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= LARGEST_BATCH:
            msg = f"a batch holds 1 to {LARGEST_BATCH} jobs, not {self.batch}"
            raise ValueError(msg)
        if self.batch > 1 and self.retry.max_attempts == 1:
            msg = f"{self.kind}: a batch needs at least 2 attempts, so that a bad job can be told from its neighbours"
            raise ValueError(msg)
        if self.settle_many is not None and self.budget is not None:
            msg = f"{self.kind}: what is settled together has no budget to give back"
            raise ValueError(msg)

    async def settle(self, tx: Tx, done: Settle | Together) -> None:
        """Store what a handler returned, by itself."""
        if not isinstance(done, Together):
            await done(tx)
        elif self.settle_many is None:
            msg = f"{self.kind}: nobody settles together"
            raise TypeError(msg)
        else:
            await self.settle_many(tx, [done.item])


class Consumers:
    """The consumers of this process by kind. Raises ValueError when a kind is registered twice."""

    def __init__(self, consumers: Iterable[Consumer] = ()) -> None:
        self._by_kind: dict[str, Consumer] = {}
        for consumer in consumers:
            self.add(consumer)

    def add(self, consumer: Consumer) -> None:
        """Register `consumer`. Raises ValueError when its kind has one."""
        if consumer.kind in self._by_kind:
            msg = f"jobs of kind {consumer.kind!r} have a consumer already"
            raise ValueError(msg)
        self._by_kind[consumer.kind] = consumer

    def get(self, kind: str) -> Consumer | None:
        """Return the consumer of `kind`, or None when this process knows none."""
        return self._by_kind.get(kind)

    def __iter__(self) -> Iterator[Consumer]:
        return iter(self._by_kind.values())


def transactional(work: Callable[[Tx, Sequence[Job]], Awaitable[object]]) -> Handler:
    """Return a handler whose whole effect is `work`, inside the completion's own transaction: done exactly once."""

    async def handle(batch: Work) -> Settle:
        jobs = batch.jobs

        async def settle(tx: Tx) -> None:
            await work(tx, jobs)

        return settle

    return handle
