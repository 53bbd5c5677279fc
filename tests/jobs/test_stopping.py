"""A worker that is stopped leaves nothing for others to take over: whoever comes next goes on at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.jobs import Consumer, Consumers, NewJob, Worker, WorkerSettings
from callout.jobs.drain import Drainer
from callout.kit.clock import ManualClock

if TYPE_CHECKING:
    from callout.jobs import Settle, Work
    from tests.jobs.support import Lab


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2, 0.35])
async def test_whoever_comes_after_a_stopped_worker_goes_on_at_once(lab: Lab, seconds: float) -> None:
    async def handle(_work: Work) -> Settle | None:
        await asyncio.sleep(0.03)
        return None

    await lab.enqueue_many([NewJob("slow", {}, key=f"k{number % 40}") for number in range(400)])
    await lab.woken()  # or the first to come would be missing because they were never sent
    async with lab.worker(Consumer("slow", handle, batch=2)):
        await asyncio.sleep(seconds)
    [(left,)] = await lab.rows("SELECT count(*) FROM job")
    assert left > 0, "the worker was stopped too late to show anything"

    await lab.woken()
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]


async def test_a_heartbeat_of_before_a_lease_does_not_end_what_began_under_it(lab: Lab) -> None:
    """On a slow database a drain may get its lease between a heartbeat's look at the leases and its verdict."""
    clock = ManualClock(datetime.now(UTC) + timedelta(minutes=1))
    begun, done = asyncio.Event(), asyncio.Event()

    async def handle(_work: Work) -> Settle | None:
        begun.set()
        await asyncio.wait_for(done.wait(), 5)
        return None

    drainer = Drainer(
        lab.database, lab.engine, Consumers([Consumer("slow", handle)]), lab.budgets, clock=clock
    )
    await lab.enqueue("slow", key="k")
    [(number,)] = await lab.rows("SELECT id FROM job_partition")
    may_begin, begin = asyncio.Event(), drainer._grouping.begin

    async def slow_begin(partition: int, token: str) -> Any:
        await may_begin.wait()
        return await begin(partition, token)

    drainer._grouping.begin = slow_begin  # type: ignore[method-assign, assignment]
    transaction = lab.database.transaction

    async def look_then_wait(work: Any) -> Any:
        seen = await transaction(work)
        lab.database.transaction = transaction  # type: ignore[method-assign]
        may_begin.set()
        await asyncio.wait_for(begun.wait(), 5)
        return seen

    draining = asyncio.create_task(drainer.drain(number))
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=4))  # it has waited for long
    lab.database.transaction = look_then_wait  # type: ignore[method-assign,assignment]
    heartbeat = asyncio.create_task(drainer.heartbeat())
    await asyncio.sleep(0.05)
    lab.database.transaction = transaction  # type: ignore[method-assign]
    may_begin.set()
    await heartbeat
    await asyncio.wait_for(begun.wait(), 5)
    done.set()
    await draining
    assert await lab.rows("SELECT count(*) FROM job") == [(0,)]
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]


@pytest.mark.parametrize("apart", [False, True])
async def test_nothing_of_a_cancelled_worker_goes_on_after_it(lab: Lab, *, apart: bool) -> None:
    """One that outlived its grace time is cancelled: its handlers must not use connections that are closed next."""
    begun, going_on = asyncio.Event(), []

    async def handle(_work: Work) -> Settle | None:
        going_on.append(1)
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)  # a handler may have to tidy up
            going_on.pop()
        return None

    worker = Worker(
        lab.database,
        lab.engine,
        Consumers([Consumer("slow", handle, apart=apart)]),
        lab.budgets,
        settings=WorkerSettings(grace=timedelta(seconds=60)),
    )
    running = asyncio.create_task(worker.run(asyncio.Event()))
    await lab.enqueue("slow", key="k")
    await asyncio.wait_for(begun.wait(), 10)
    assert worker.running == 1
    running.cancel()
    await asyncio.wait({running}, timeout=10)
    assert running.cancelled()
    assert (going_on, worker.running) == ([], 0)
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]
    names = {str(getattr(task.get_coro(), "__qualname__", "")) for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith(("Drainer.", "Worker."))], names
