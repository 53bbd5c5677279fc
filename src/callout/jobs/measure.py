"""Measures of the job machinery itself, for `callout bench drain`: no vendor, no feature, only enqueue, drain and wake-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callout.jobs.budgets import Budgets
from callout.jobs.consumer import Consumer, Consumers, Work, transactional
from callout.jobs.model import Job, NewJob
from callout.jobs.queue import Queue
from callout.jobs.worker import Worker, WorkerSettings

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Database, Tx

KIND = "bench"
ENQUEUE_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class DrainFigures:
    """Items per second put in (500 to a transaction) and drained by one worker."""

    items: int
    enqueued_per_second: float
    drained_per_second: float


async def fill(database: Database, queue: Queue, *, items: int, keys: int) -> float:
    """Enqueue `items` no-op jobs over `keys` partitions; return the seconds it took."""
    started = time.perf_counter()
    payload = {"text": "x" * 400}
    for first in range(0, items, ENQUEUE_TOGETHER):
        jobs = [
            NewJob(KIND, {"n": n, **payload}, key=f"bench-{n % keys}")
            for n in range(first, min(items, first + ENQUEUE_TOGETHER))
        ]

        async def put(tx: Tx, jobs: Sequence[NewJob] = jobs) -> None:
            await queue.enqueue_many(tx, jobs)

        await database.transaction(put)
    return time.perf_counter() - started


async def measure_drain(
    database: Database,
    engine: Engine,
    *,
    items: int = 50_000,
    keys: int = 200,
    batch: int = 50,
    concurrency: int = 10,
) -> DrainFigures:
    """Fill the queue, then drain it with one worker of this process."""
    filled = await fill(database, Queue(engine), items=items, keys=keys)
    stop = asyncio.Event()
    left = items

    async def nothing(_tx: Tx, jobs: Sequence[Job]) -> None:
        nonlocal left
        left -= len(jobs)
        if left <= 0:
            loop.call_soon_threadsafe(stop.set)

    loop = asyncio.get_running_loop()
    consumers = Consumers([Consumer(KIND, transactional(nothing), batch=batch)])
    worker = Worker(
        database, engine, consumers, Budgets(engine), settings=WorkerSettings(concurrency=concurrency)
    )
    started = time.perf_counter()
    await worker.run(stop)
    drained = time.perf_counter() - started
    return DrainFigures(items, items / filled, items / drained)


def latency_consumer(started: list[float]) -> Consumer:
    """Return a consumer that notes, per job, the milliseconds from just before its enqueue to the start of its handler."""

    async def handle(work: Work) -> None:
        started.append((time.time() - float(work.job.payload["at"])) * 1000)

    return Consumer(KIND, handle)


async def send_one_by_one(database: Database, queue: Queue, *, count: int, pause: float) -> None:
    """Enqueue one job at a time, `pause` seconds apart, each in a transaction of its own."""
    for _ in range(count):
        at = time.time()

        async def put(tx: Tx, at: float = at) -> None:
            await queue.enqueue(tx, KIND, {"at": at})

        await database.transaction(put)
        await asyncio.sleep(pause)
