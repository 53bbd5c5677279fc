"""Many partitions at one moment: begun and settled together, and by themselves where that cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from callout.jobs import Consumer, NewJob, Retry, Together, Work
from callout.storage import Tx
from tests.jobs.support import Lab, eventually, note_effect

MANY = 150
"""More than what is woken one by one, and than one group holds."""


async def store(tx: Tx, items: Sequence[int]) -> None:
    for number in items:
        await note_effect(tx, number, None)


async def test_many_partitions_are_begun_and_settled_in_few_transactions_each_once(lab: Lab) -> None:
    groups: list[int] = []
    release = asyncio.Event()

    async def handle(work: Work) -> Together:
        await release.wait()
        return Together(work.job.payload["n"])

    async def settle(tx: Tx, items: Sequence[int]) -> None:
        groups.append(len(items))
        await store(tx, items)

    consumer = Consumer("many", handle, apart=True, settle_many=settle)
    await lab.enqueue_many([NewJob("many", {"n": number}, key=f"k{number}") for number in range(MANY)])
    async with lab.worker(consumer) as worker:
        await eventually(lambda: worker.running == MANY, 10, "not all were begun")
        release.set()
        await lab.idle()
    assert sorted(n for n, _ in await lab.effects()) == list(range(MANY))
    assert len(groups) < MANY / 4, "hardly anything was settled together"
    assert await lab.rows("SELECT count(*) FROM job_partition WHERE due_at IS NOT NULL") == [(0,)]


async def test_one_that_cannot_be_stored_takes_no_other_along(lab: Lab) -> None:
    release = asyncio.Event()

    async def handle(work: Work) -> Together:
        await release.wait()
        return Together(work.job.payload["n"])

    async def settle(tx: Tx, items: Sequence[int]) -> None:
        await store(tx, items)
        if 3 in items:
            raise ValueError("three is refused")

    retry = Retry(first=timedelta(milliseconds=10), max_attempts=2)
    consumer = Consumer("many", handle, apart=True, settle_many=settle, retry=retry)
    await lab.enqueue_many([NewJob("many", {"n": number}, key=f"k{number}") for number in range(10)])
    async with lab.worker(consumer) as worker:
        await eventually(lambda: worker.running == 10, 10, "not all were begun")
        release.set()
        await lab.idle()
    assert sorted(n for n, _ in await lab.effects()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    [(error, attempts)] = await lab.rows("SELECT last_error, attempts FROM job WHERE state = 'dead'")
    assert "three is refused" in error
    assert attempts == 2


async def test_a_partition_taken_over_meanwhile_is_not_stored_and_the_others_are(lab: Lab) -> None:
    release = asyncio.Event()
    begun: list[int] = []

    async def handle(work: Work) -> Together:
        begun.append(work.job.payload["n"])
        await release.wait()
        return Together(work.job.payload["n"])

    consumer = Consumer("many", handle, apart=True, settle_many=store)
    await lab.enqueue_many([NewJob("many", {"n": number}, key=f"k{number}") for number in range(5)])
    async with lab.worker(consumer) as worker:
        await eventually(lambda: len(begun) == 5, 10, "not all were begun")
        # Its next heartbeat is far off, so that it is not taken over in its turn where the machine is slow.
        taken = (
            "UPDATE job_lease SET token = 'another', token_at = token_at + 60000000"
            " WHERE partition_id = (SELECT id FROM job_partition WHERE key = 'k2')"
        )

        async def take_over(tx: Tx) -> None:
            await tx.driver_all(taken, taken)

        await lab.database.transaction(take_over)
        release.set()
        await eventually(lambda: worker.running == 0, 10, "it did not end")
        assert sorted(n for n, _ in await lab.effects()) == [0, 1, 3, 4]
        gone = "DELETE FROM job_lease WHERE token = 'another'"

        async def let_go(tx: Tx) -> None:
            await tx.driver_all(gone, gone)

        await lab.database.transaction(let_go)  # the other one died
        await lab.idle()
    assert sorted(n for n, _ in await lab.effects()) == [0, 1, 2, 3, 4]


async def test_later_jobs_of_partitions_closed_together_are_done_when_their_time_comes(lab: Lab) -> None:
    seen: list[int] = []

    async def handle(work: Work) -> Together:
        seen.extend(job.payload["n"] for job in work.jobs)
        return Together(0)

    async def settle(_tx: Tx, _items: Sequence[int]) -> None:
        return

    consumer = Consumer("many", handle, apart=True, settle_many=settle)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    jobs = [NewJob("many", {"n": number}, key=f"k{number}") for number in range(MANY)]
    jobs += [NewJob("many", {"n": MANY + number}, key=f"k{number}", run_at=soon) for number in range(MANY)]
    await lab.enqueue_many(jobs)
    async with lab.worker(consumer):
        await eventually(lambda: len(seen) == 2 * MANY, 10, "a later job was forgotten")
        assert sorted(seen) == list(range(2 * MANY))
        assert all(seen.index(number) < seen.index(MANY + number) for number in range(MANY))
        await lab.idle()


async def test_a_lost_wake_up_of_a_set_is_noticed_and_one_on_its_way_is_not_sent_again(lab: Lab) -> None:
    await lab.enqueue_many([NewJob("many", {"n": number}, key=f"k{number}") for number in range(MANY)])
    numbers = [row[0] for row in await lab.rows("SELECT id FROM job_partition ORDER BY id")]

    async def missing(tx: Tx) -> list[int]:
        return await lab.engine.missing(tx, [*numbers, 10**9])

    async def on_their_way() -> bool:
        return await lab.database.read(missing) == [10**9]

    # On PostgreSQL they are sent behind the commit.
    await eventually(on_their_way, 10, "those that were woken count as lost")


def test_what_is_settled_together_has_no_budget() -> None:
    async def handle(_work: Work) -> Together:
        return Together(0)

    with pytest.raises(ValueError, match="no budget"):
        Consumer("many", handle, settle_many=store, budget=lambda _job: None)
