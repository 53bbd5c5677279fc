"""The job engine of a simulation: the promises of :mod:`callout.jobs` without its tables, one step at a time.

Jobs of one partition run one after the other, in order; an attempt is stored before the handler is called; a handler's unit of work
and the completion of its jobs are one commit; after a crash what was not completed runs again. A running handler stops at every
*boundary* (before and after a call to a vendor, after each commit): there the scheduler may let others go on, or let the process die.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from callout.jobs import Consumer, Job, Lane, NewJob, Queue, RetryLater, Settle, Work
from callout.storage.tx import AccountTx

if TYPE_CHECKING:
    from callout.jobs.consumer import Handler
    from callout.kit.clock import ManualClock
    from callout.storage import Tx

TAKEOVER = timedelta(seconds=5)
"""How long the work of a process that died lies still."""


class Boundary:
    """A place where a handler can be stopped."""

    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def __await__(self) -> Generator[str, None, None]:
        yield self.label


def boundary(label: str) -> Boundary:
    """Return something to await: others may go on before this handler does, or the process may die here."""
    return Boundary(label)


@dataclass(slots=True)
class StoredJob:
    """A job as it is stored."""

    id: int
    new: NewJob
    payload: bytes
    enqueued_at: datetime
    attempts: int = 0
    first_attempt_at: datetime | None = None
    mark: str = ""


@dataclass(slots=True)
class Partition:
    """The jobs of one key, in order."""

    key: str
    jobs: list[StoredJob] = field(default_factory=list)
    blocked_until: datetime | None = None
    running: Running | None = None


@dataclass(slots=True)
class Running:
    """A handler at work, and the boundary where it stands."""

    partition: Partition
    kind: str
    coroutine: Coroutine[Any, Any, None]
    label: str


class MemoryQueue(Queue):
    """The way in for jobs: with the commit of the caller's transaction."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def enqueue_many(self, tx: Tx | AccountTx, jobs: Sequence[NewJob]) -> list[int | None]:
        """See :meth:`Queue.enqueue_many <callout.jobs.queue.Queue.enqueue_many>`."""
        if isinstance(tx, AccountTx):
            account = tx.account_id
            jobs = [job if job.account_id is not None else replace(job, account_id=account) for job in jobs]
            tx = tx.system
        return [self._dispatcher.stage(job, tx) for job in jobs]

    async def enqueue_later(self, tx: Tx | AccountTx, jobs: Sequence[NewJob]) -> None:
        """See :meth:`Queue.enqueue_later <callout.jobs.queue.Queue.enqueue_later>`."""
        await self.enqueue_many(tx, jobs)

    async def cancel(
        self, tx: Tx | AccountTx, kind: str, dedupe: str, *, account_id: str | None = None
    ) -> bool:
        """See :meth:`Queue.cancel <callout.jobs.queue.Queue.cancel>`."""
        if isinstance(tx, AccountTx):
            account_id, tx = tx.account_id, tx.system
        return self._dispatcher.cancel(kind, dedupe, account_id)

    async def waiting(self, tx: Tx | AccountTx, keys: Sequence[str]) -> set[str]:
        """See :meth:`Queue.waiting <callout.jobs.queue.Queue.waiting>`."""
        return {key for key in keys if self._dispatcher.waits(key)}


class Dispatcher:
    """Partitions, the handlers that run, and the choice of who goes next."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.partitions: dict[str, Partition] = {}
        self.faults_of_ours: list[str] = []
        """Errors of handlers that are no trouble of a vendor: each is a failure of the history."""
        self.crashes: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.slow: dict[str, datetime] = {}
        self._consumers: Mapping[str, Consumer] = {}
        self._database: Any = None
        self._dedupe: set[tuple[str | None, str, str]] = set()
        self._number = 0
        self._random = Random(0)  # noqa: S311  # jitter

    def bind(self, consumers: Sequence[Consumer], database: Any) -> None:  # noqa: ANN401
        """Say who does which kind of job."""
        self._consumers = {one.kind: one for one in consumers}
        self._database = database

    # ------------------------------------------------------------------ jobs in

    def stage(self, new: NewJob, tx: Any) -> int | None:  # noqa: ANN401  # the simulation's own transaction
        """Take one job that will be there after the commit of `tx`; None when its `dedupe` name is known."""
        if new.dedupe is not None:
            name = (new.account_id, new.kind, new.dedupe)
            if name in self._dedupe or name in tx.names:
                return None
            tx.names.add(name)
            tx.staged.append(lambda: self._dedupe.add(name))
        self._number += 1
        job = StoredJob(
            self._number, new, orjson.dumps(dict(new.payload)), self.clock.now(), mark=f"job-{self._number}"
        )
        tx.staged.append(lambda: self._put(job))
        return job.id

    def _put(self, job: StoredJob) -> None:
        key = job.new.key or f"~{job.id}"
        partition = self.partitions.get(key)
        if partition is None:
            partition = self.partitions[key] = Partition(key)
        partition.jobs.append(job)

    def cancel(self, kind: str, dedupe: str, account_id: str | None) -> bool:
        """Remove a job that has not begun."""
        for partition in self.partitions.values():
            for job in partition.jobs:
                known = (job.new.kind, job.new.dedupe, job.new.account_id)
                if known == (kind, dedupe, account_id) and not job.attempts:
                    partition.jobs.remove(job)
                    self._dedupe.discard((account_id, kind, dedupe))
                    return True
        return False

    def waits(self, key: str) -> bool:
        """Return whether a job of `key` waits or runs."""
        partition = self.partitions.get(key)
        return partition is not None and bool(partition.jobs)

    # ------------------------------------------------------------------ scheduling

    def choices(self) -> list[Partition]:
        """Return the partitions that can go on now: those that run, and those with due jobs."""
        now = self.clock.now()
        return [p for p in self.partitions.values() if p.running is not None or self._due(p, now)]

    def _due(self, partition: Partition, now: datetime) -> bool:
        if partition.blocked_until is not None and partition.blocked_until > now:
            return False
        return any(job.new.run_at is None or job.new.run_at <= now for job in partition.jobs)

    def next_due(self) -> datetime | None:
        """Return when the next job is due; None when none waits."""
        moments: list[datetime] = []
        for partition in self.partitions.values():
            if partition.jobs:
                soonest = min(job.new.run_at or job.enqueued_at for job in partition.jobs)
                moments.append(max(soonest, partition.blocked_until or soonest))
        return min(moments, default=None)

    def advance(self, partition: Partition) -> None:
        """Let one partition go on to its next boundary."""
        running = partition.running
        if running is None:
            running = self._begin(partition)
            if running is None:
                return
            partition.running = running
        try:
            running.label = running.coroutine.send(None) or "between two webhooks"
        except StopIteration:
            partition.running = None
            if not partition.jobs:
                self.partitions.pop(partition.key, None)

    def crash(self) -> int:
        """Let the process die: whatever runs is gone, what is stored stays. Returns how many handlers were at work."""
        until = self.clock.now() + TAKEOVER
        died = [p for p in self.partitions.values() if p.running is not None]
        for partition in died:
            running = partition.running
            assert running is not None  # noqa: S101  # chosen so
            self.crashes[f"{running.kind}, {running.label}"] += 1
            running.coroutine.close()
            partition.running = None
            partition.blocked_until = until
        return len(died)

    def _begin(self, partition: Partition) -> Running | None:
        """Claim the next batch of a partition, counting the attempt."""
        now = self.clock.now()
        due = [job for job in partition.jobs if job.new.run_at is None or job.new.run_at <= now]
        head = due[0]
        consumer = self._consumers[head.new.kind]
        if head.attempts >= consumer.retry.max_attempts:
            self.faults_of_ours.append(
                f"a job of kind {head.new.kind} was given up after {head.attempts} attempts"
            )
            partition.jobs.remove(head)
            return None
        if consumer.budget is not None:
            use = consumer.budget(_job(head, partition))
            until = None if use is None else self.slow.get(use.key)
            if until is not None and until > now:
                partition.blocked_until = until
                return None
        batch = [head]
        if not head.attempts:
            for other in due[1 : consumer.batch]:
                if other.new.kind != head.new.kind or other.attempts:
                    break
                batch.append(other)
        for job in batch:
            job.attempts += 1
            job.first_attempt_at = job.first_attempt_at or now
        partition.blocked_until = None
        return Running(partition, head.new.kind, self._work(partition, batch, consumer), "begun")

    async def _work(self, partition: Partition, batch: list[StoredJob], consumer: Consumer) -> None:
        async def fence(_tx: Tx) -> bool:
            return True

        work = Work([_job(job, partition) for job in batch], self._database, fence)
        handle: Handler = consumer.handle
        try:
            done = await handle(work)
        except RetryLater as later:
            self._again(partition, batch, later)
            return
        except Exception as error:  # noqa: BLE001  # what a handler raises is the history's outcome
            self._failed(partition, batch, consumer, error)
            return
        await boundary("before the completion")

        async def settle(tx: Any) -> None:  # noqa: ANN401  # the simulation's own
            if done is not None:
                await consumer.settle(tx, done)

        try:
            self._database.run(lambda tx: self._complete(tx, partition, batch, settle))
        except Exception as error:  # noqa: BLE001
            self._failed(partition, batch, consumer, error)
            return
        self.done[consumer.kind] += len(batch)

    async def _complete(
        self,
        tx: Any,  # noqa: ANN401  # the simulation's own
        partition: Partition,
        batch: list[StoredJob],
        settle: Settle,
    ) -> None:
        await settle(tx)
        gone = {job.id for job in batch}

        def remove() -> None:
            partition.jobs[:] = [job for job in partition.jobs if job.id not in gone]

        tx.staged.append(remove)

    def _again(self, partition: Partition, batch: list[StoredJob], later: RetryLater) -> None:
        partition.blocked_until = self.clock.now() + later.delay
        if not later.count:
            for job in batch:
                job.attempts -= 1

    def _failed(
        self, partition: Partition, batch: list[StoredJob], consumer: Consumer, error: Exception
    ) -> None:
        self.faults_of_ours.append(f"a job of kind {consumer.kind} failed: {type(error).__name__}: {error}")
        wait = consumer.retry.next_delay(batch[0].attempts, self._random, elapsed=timedelta())
        if wait is None or getattr(error, "permanent", False) is True:
            gone = {job.id for job in batch}
            partition.jobs[:] = [job for job in partition.jobs if job.id not in gone]
        else:
            partition.blocked_until = self.clock.now() + wait


def _job(stored: StoredJob, partition: Partition) -> Job:
    return Job(
        id=stored.id,
        kind=stored.new.kind,
        key=partition.key,
        payload=orjson.loads(stored.payload),
        attempt=stored.attempts,
        idempotency_key=stored.mark,
        account_id=stored.new.account_id,
        lane=Lane(stored.new.lane),
        enqueued_at=stored.enqueued_at,
    )


__all__ = ["Boundary", "Dispatcher", "MemoryQueue", "Partition", "boundary"]
