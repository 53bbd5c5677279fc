"""Jobs that are stored together with what else a transaction has to send: the same as one by one, by fewer round trips."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.jobs import Consumer, Lane, NewJob, Settle, Work
from callout.storage import Tx
from tests.jobs.support import Lab, eventually, note_effect
from tests.round_trips import trips

__all__ = ["trips"]


async def handle(work: Work) -> Settle:
    async def settle(tx: Tx) -> None:
        for job in work.jobs:
            await note_effect(tx, int(job.payload["n"]), job.key)

    return settle


def jobs(*numbers: int, key: str | None = "a", dedupe: str | None = None) -> list[NewJob]:
    return [NewJob("k", {"n": n}, key=key, dedupe=dedupe) for n in numbers]


async def test_jobs_of_a_key_stay_in_order_however_they_were_stored(lab: Lab) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx, jobs(1, 2))
        await lab.queue.enqueue(tx, "k", {"n": 3}, key="a")
        await lab.queue.enqueue_later(tx, jobs(4))
        await lab.queue.enqueue_later(tx, [*jobs(5), *jobs(100, key="b"), *jobs(200, key=None)])
        await lab.queue.enqueue_later(tx, [])

    async with lab.worker(Consumer("k", handle)):
        await lab.database.transaction(unit)
        await lab.idle()
        await lab.database.transaction(unit)  # the partitions are there by now
        await lab.idle()
    effects = await lab.effects()
    assert [n for n, key in effects if key == "a"] == [1, 2, 3, 4, 5] * 2
    assert sorted(n for n, key in effects if key != "a") == [100, 100, 200, 200]


async def test_what_is_rolled_back_leaves_nothing(lab: Lab) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx, jobs(1, dedupe="once"))
        raise LookupError

    with pytest.raises(LookupError):
        await lab.database.transaction(unit)
    count = "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM job_dedupe) + (SELECT count(*) FROM job_partition)"
    assert await lab.rows(count) == [(0,)]


async def test_the_first_of_a_name_wins_within_a_call_and_across_transactions(lab: Lab) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx, [*jobs(1, 2, dedupe="once"), *jobs(3)])

    await lab.database.transaction(unit)
    await lab.database.transaction(unit)
    async with lab.worker(Consumer("k", handle)):
        await lab.idle()
    assert [n for n, _ in await lab.effects()] == [1, 3, 3]


@pytest.mark.parametrize("count", [3, 9, 40])
async def test_a_wake_up_is_on_its_way_with_the_commit_for_whoever_is_due(lab: Lab, count: int) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    async def unit(tx: Tx) -> None:
        wanted = [NewJob("k", {"n": n}, key=f"p{n}", lane=Lane(n % 3)) for n in range(count)]
        await lab.queue.enqueue_later(tx, [*wanted, NewJob("k", {"n": -1}, key="timer", run_at=later)])

    await lab.database.transaction(unit)
    rows = await lab.rows("SELECT id, key FROM job_partition")
    assert len(rows) == count + 1

    async def missing(tx: Tx) -> list[int]:
        return await lab.engine.missing(tx, [number for number, _ in rows])

    if lab.database.dialect == "postgresql":
        [timer] = [number for number, key in rows if key == "timer"]

        async def on_its_way() -> bool:
            return await lab.database.read(missing) == [timer]

        await eventually(on_its_way, 10, "no wake-up came")
        # Those of an event share a wake-up: fetching one costs as much as draining a partition.
        [(waking,)] = await lab.rows("SELECT count(*) FROM procrastinate_jobs")
        assert waking <= 3 * -(-count // 12)
    async with lab.worker(Consumer("k", handle)):

        async def done() -> bool:
            return len(await lab.effects()) == count

        await eventually(done, 30, "not everybody was woken")


async def test_a_timer_is_cancelled_and_its_name_is_free_again(lab: Lab) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    async def unit(tx: Tx) -> None:
        account = tx.account("default")
        for n in (1, 2):  # moved there and back within one transaction
            await lab.queue.enqueue_later(account, [NewJob("t", {"n": n}, run_at=later, dedupe="first")])
            await lab.queue.cancel_later(account, "t", "first")
            await lab.queue.enqueue_later(account, [NewJob("t", {"n": n}, run_at=later, dedupe="second")])
            await lab.queue.cancel_later(account, "t", "second")
        await lab.queue.cancel_later(account, "t", "never was")
        await lab.queue.enqueue_later(account, [NewJob("t", {"n": 3}, run_at=later, dedupe="first")])

    await lab.database.transaction(unit)
    assert len(await lab.rows("SELECT id FROM job WHERE dedupe = 'first'")) == 1
    assert await lab.rows("SELECT dedupe FROM job_dedupe") == [("first",)]


async def test_a_timer_that_has_begun_is_not_cancelled_and_keeps_its_name(lab: Lab) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx.account("default"), [NewJob("t", {"n": 1}, dedupe="begun")])

    async def begun(tx: Tx) -> None:
        begin = "UPDATE job SET attempts = 1"
        await tx.driver_all(begin, begin)
        await lab.queue.cancel_later(tx.account("default"), "t", "begun")

    await lab.database.transaction(unit)
    await lab.database.transaction(begun)
    assert await lab.rows("SELECT dedupe FROM job") == [("begun",)]
    assert await lab.rows("SELECT dedupe FROM job_dedupe") == [("begun",)]


async def test_what_is_stored_and_cancelled_in_one_transaction_leaves_nothing(lab: Lab) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    async def unit(tx: Tx) -> None:
        account = tx.account("default")
        await lab.queue.enqueue_later(account, [NewJob("t", {}, run_at=later, dedupe="first")])
        await lab.queue.cancel_later(account, "t", "first")
        await lab.queue.cancel_later(account, "t", "second")

    await lab.database.transaction(unit)
    assert await lab.rows("SELECT dedupe FROM job UNION ALL SELECT dedupe FROM job_dedupe") == []


@pytest.mark.parametrize("later_too", [True, False])
async def test_a_name_that_was_freed_is_taken_again_in_the_same_transaction(
    lab: Lab, *, later_too: bool
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    async def put(tx: Tx) -> None:
        await lab.queue.enqueue_later(
            tx.account("default"), [NewJob("t", {"n": 1}, run_at=later, dedupe="name")]
        )

    async def moved(tx: Tx) -> None:
        account = tx.account("default")
        await lab.queue.cancel_later(account, "t", "name")
        enqueue = lab.queue.enqueue_later if later_too else lab.queue.enqueue_many
        await enqueue(account, [NewJob("t", {"n": 2}, run_at=later, dedupe="name")])

    await lab.database.transaction(put)
    await lab.database.transaction(moved)
    assert await lab.rows("SELECT payload FROM job") == [('{"n":2}',)]
    assert await lab.rows("SELECT dedupe FROM job_dedupe") == [("name",)]


async def test_jobs_that_come_one_after_the_other_are_one_statement(lab: Lab, trips: list[str]) -> None:
    if lab.database.dialect == "sqlite":
        return

    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx, [*jobs(1, 2), *jobs(3, key=None, dedupe="once")])
        await lab.queue.enqueue_later(tx, [*jobs(4, 5), *jobs(6, key=None, dedupe="once")])

    await lab.database.transaction(unit)
    del trips[:]
    await lab.database.transaction(unit)
    assert len([one for one in trips if "INSERT INTO job " in one]) == 1
    async with lab.worker(Consumer("k", handle)):
        await lab.idle()
    effects = await lab.effects()
    assert [n for n, key in effects if key == "a"] == [1, 2, 4, 5] * 2
    assert [n for n, key in effects if key != "a"] == [3]
