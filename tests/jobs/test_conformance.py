"""What both engines must do alike: enqueue in the caller's transaction, delay, retry, dedupe, order, stop. (Processes: next file.)"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from callout.jobs import (
    Consumer,
    FencedOut,
    Job,
    Lane,
    Loop,
    NewJob,
    Retry,
    RetryLater,
    Schedule,
    Schedules,
    Settle,
    Work,
    WorkerSettings,
    transactional,
)
from callout.storage import Tx
from tests.jobs.support import QUICK, Lab, eventually, note_effect

FAST = Retry(first=timedelta(milliseconds=10), cap=timedelta(milliseconds=40), max_attempts=3)


class Seen:
    """A handler that remembers what it was called with, and when."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.times: list[float] = []

    async def __call__(self, work: Work) -> None:
        self.jobs.extend(work.jobs)
        self.times.append(time.time())

    @property
    def numbers(self) -> list[int]:
        return [job.payload["n"] for job in self.jobs]


class Refused(Exception):  # noqa: N818
    """A fault that no retry can heal."""

    permanent = True


async def test_a_rolled_back_enqueue_leaves_nothing_even_as_the_first_statement(lab: Lab) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue(tx, "a", {"n": 1}, dedupe="once")
        raise LookupError

    with pytest.raises(LookupError):
        await lab.database.transaction(unit)
    tables = ["job", "job_partition", "job_dedupe"]
    tables.append("job_engine" if lab.database.dialect == "sqlite" else "procrastinate_jobs")
    for table in tables:
        assert await lab.rows(f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608

    seen = Seen()
    async with lab.worker(Consumer("a", seen)):
        assert await lab.enqueue("a", {"n": 1}, dedupe="once") is not None
        await lab.idle()
    assert seen.numbers == [1]


async def test_of_repeated_dedupe_names_the_first_wins_and_the_transaction_stays_usable(lab: Lab) -> None:
    async def unit(tx: Tx) -> list[int | None]:
        await lab.queue.enqueue(tx, "a", {"n": 0}, dedupe="x")
        jobs = [NewJob("a", {"n": n}, dedupe=name) for n, name in enumerate(["x", "y", "y", "z"], start=1)]
        numbers = await lab.queue.enqueue_many(tx, jobs)
        await note_effect(tx, 99, None)
        return numbers

    numbers = await lab.database.transaction(unit)
    assert [number is not None for number in numbers] == [False, True, False, True]
    assert await lab.effects() == [(99, None)]
    # Another kind, and another account, have names of their own.
    assert await lab.enqueue("b", dedupe="x") is not None
    assert await lab.enqueue("a", {"n": 7}, dedupe="x", account_id="other") is not None


async def test_a_dedupe_name_is_remembered_after_the_job_is_finished_and_then_forgotten(lab: Lab) -> None:
    seen = Seen()
    short = WorkerSettings(remember=timedelta(milliseconds=300), sweep_seconds=0.2)
    async with lab.worker(Consumer("a", seen), settings=short):
        await lab.enqueue("a", {"n": 1}, dedupe="x")
        await lab.idle()
        assert await lab.enqueue("a", {"n": 2}, dedupe="x") is None
        await asyncio.sleep(0.35)
        assert await lab.enqueue("a", {"n": 3}, dedupe="x") is not None
        await lab.idle()
    assert seen.numbers == [1, 3]


async def test_run_at_is_not_early_and_at_most_a_second_late(lab: Lab) -> None:
    seen = Seen()
    moments = [datetime.now(UTC) + timedelta(milliseconds=ms) for ms in (900, 500, 700)]
    for n, moment in enumerate(moments):
        await lab.enqueue("a", {"n": n}, run_at=moment)
    async with lab.worker(Consumer("a", seen)):
        await lab.idle()
    assert seen.numbers == [1, 2, 0]
    for job, at in zip(seen.jobs, seen.times, strict=True):
        assert 0 <= at - moments[job.payload["n"]].timestamp() < 1


async def test_urgent_work_goes_first_among_what_is_ready(lab: Lab) -> None:
    seen = Seen()
    lanes = [Lane.BACKFILL, Lane.NORMAL, Lane.URGENT, Lane.NORMAL, Lane.URGENT]
    for n, lane in enumerate(lanes):
        await lab.enqueue("a", {"n": n}, lane=lane)
    await lab.woken()
    async with lab.worker(Consumer("a", seen), settings=WorkerSettings(concurrency=1)):
        await lab.idle()
    assert [job.lane for job in seen.jobs] == sorted(lanes)
    assert seen.numbers == [2, 4, 1, 3, 0]


async def test_an_urgent_job_makes_its_waiting_partition_urgent(lab: Lab) -> None:
    seen = Seen()
    await lab.enqueue("a", {"n": 0}, key="k", lane=Lane.BACKFILL)
    await lab.enqueue("a", {"n": 1}, lane=Lane.NORMAL)
    await lab.enqueue("a", {"n": 2}, key="k", lane=Lane.URGENT)
    async with lab.worker(Consumer("a", seen), settings=WorkerSettings(concurrency=1)):
        await lab.idle()
    assert seen.numbers == [0, 2, 1]


async def test_failures_are_retried_then_dead_and_can_be_replayed(lab: Lab) -> None:
    calls: list[tuple[int, str]] = []
    fixed = False

    async def handle(work: Work) -> None:
        calls.append((work.job.attempt, work.job.idempotency_key))
        if not fixed:
            msg = "the vendor is on fire"
            raise ConnectionError(msg)

    async with lab.worker(Consumer("a", handle, retry=FAST)):
        number = await lab.enqueue("a", {"n": 1})
        assert number is not None
        await lab.idle()
        assert [attempt for attempt, _ in calls] == [1, 2, 3]

        [dead] = await lab.database.read(lab.admin.dead)
        assert (dead.id, dead.attempts, dead.blocking) == (number, 3, False)
        assert dead.error == "ConnectionError: the vendor is on fire"
        described = await lab.database.read(lambda tx: lab.admin.describe(tx, number))
        assert described is not None
        assert "on fire" in described.explanation

        fixed = True
        assert await lab.database.transaction(lambda tx: lab.admin.replay(tx, [number])) == 1
        await lab.idle()
    assert calls[-1] == (1, calls[0][1])
    assert await lab.database.read(lab.admin.dead) == []


async def test_a_permanent_error_is_dead_at_once(lab: Lab) -> None:
    async def handle(work: Work) -> None:
        raise Refused(work.job.kind)

    async with lab.worker(Consumer("a", handle)):
        await lab.enqueue("a")
        await lab.idle()
    [dead] = await lab.database.read(lab.admin.dead)
    assert dead.attempts == 1


async def test_retry_waits_follow_the_rule_and_retry_later_is_obeyed(lab: Lab) -> None:
    times: dict[str, list[float]] = {"a": [], "b": []}
    attempts: list[int] = []

    async def backoff(_work: Work) -> None:
        times["a"].append(time.time())
        msg = "no"
        raise ConnectionError(msg)

    async def later(work: Work) -> None:
        times["b"].append(time.time())
        attempts.append(work.job.attempt)
        if len(times["b"]) < 3:
            raise RetryLater(timedelta(milliseconds=300), count=len(times["b"]) == 2)

    retry = Retry(first=timedelta(milliseconds=200), factor=2, max_attempts=3)
    async with lab.worker(Consumer("a", backoff, retry=retry), Consumer("b", later)):
        await lab.enqueue("a")
        await lab.enqueue("b")
        await lab.idle()
    waits = [second - first for first, second in itertools.pairwise(times["a"])]
    assert waits[0] < 0.2 + 1
    assert waits[1] < 0.4 + 1
    for wait in (second - first for first, second in itertools.pairwise(times["b"])):
        assert 0.3 <= wait < 1.3
    assert attempts == [1, 1, 2]  # the first was none, the second counted


async def test_a_retry_after_of_the_error_is_never_undercut(lab: Lab) -> None:
    times: list[float] = []

    class Limited(Exception):  # noqa: N818
        retry_after = timedelta(milliseconds=400)

    async def handle(_work: Work) -> None:
        times.append(time.time())
        if len(times) == 1:
            raise Limited

    async with lab.worker(Consumer("a", handle, retry=FAST)):
        await lab.enqueue("a")
        await lab.idle()
    assert times[1] - times[0] >= 0.4


async def test_a_handler_that_hangs_is_stopped_and_retried(lab: Lab) -> None:
    attempts: list[int] = []

    async def handle(work: Work) -> None:
        attempts.append(work.job.attempt)
        if work.job.attempt == 1:
            await asyncio.sleep(60)

    async with lab.worker(Consumer("a", handle, retry=FAST, timeout=timedelta(milliseconds=100))):
        await lab.enqueue("a")
        await lab.idle()
    assert attempts == [1, 2]


async def test_jobs_of_one_key_keep_their_order_and_never_overlap_though_some_fail(lab: Lab) -> None:
    running: set[str | None] = set()
    done: dict[str | None, list[int]] = {}

    async def handle(work: Work) -> None:
        key = work.job.key
        assert key not in running
        running.add(key)
        await asyncio.sleep(0.002)
        running.discard(key)
        if work.job.payload["n"] % 3 == 0 and work.job.attempt == 1:
            msg = "first time unlucky"
            raise ConnectionError(msg)
        done.setdefault(key, []).append(work.job.payload["n"])

    await lab.enqueue_many([NewJob("a", {"n": n}, key=f"k{n % 4}") for n in range(40)])
    async with lab.worker(Consumer("a", handle, retry=FAST)):
        await lab.idle()
    assert done == {f"k{k}": list(range(k, 40, 4)) for k in range(4)}


async def test_kinds_of_one_partition_are_done_in_order_each_by_its_handler(lab: Lab) -> None:
    order: list[str] = []

    async def push(work: Work) -> None:
        order.append("push " + "".join(job.payload["c"] for job in work.jobs))

    async def pull(work: Work) -> None:
        order.append("pull " + "".join(job.payload["c"] for job in work.jobs))

    kinds = ["push", "push", "pull", "push", "pull", "pull", "pull", "pull"]
    await lab.enqueue_many(
        [NewJob(kind, {"c": letter}, key="link") for kind, letter in zip(kinds, "abcdefgh", strict=True)]
    )
    async with lab.worker(Consumer("push", push, batch=10), Consumer("pull", pull, batch=3)):
        await lab.idle()
    assert order == ["push ab", "pull c", "push d", "pull efg", "pull h"]


async def test_a_poison_job_is_parked_or_blocks_its_partition_as_its_kind_says(lab: Lab) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        if work.job.payload["n"] == 1:
            raise Refused
        await seen(work)

    async with lab.worker(Consumer("park", handle), Consumer("block", handle, poison="block")):
        await lab.enqueue_many([NewJob("park", {"n": n}, key="p") for n in range(3)])
        numbers = await lab.enqueue_many([NewJob("block", {"n": n}, key="b") for n in range(3)])
        await eventually(lambda: seen.numbers.count(2) == 1 and seen.numbers.count(0) == 2, 5, "park went on")
        await asyncio.sleep(0.3)
        assert seen.numbers.count(2) == 1
        waiting = numbers[2]
        assert waiting is not None
        described = await lab.database.read(lambda tx: lab.admin.describe(tx, waiting))
        assert described is not None
        assert f"waits for job {numbers[1]}" in described.explanation
        dead = await lab.database.read(lab.admin.dead)
        [blocking] = [job.id for job in dead if job.blocking]
        assert await lab.database.transaction(lambda tx: lab.admin.discard(tx, [blocking])) == 1
        await eventually(lambda: seen.numbers.count(2) == 2, 5, "discarding did not free the partition")


async def test_one_bad_job_does_not_take_its_batch_along(lab: Lab) -> None:
    async def handle(tx: Tx, jobs: Sequence[Job]) -> None:
        for job in jobs:
            await note_effect(tx, job.payload["n"], job.key)
            if job.payload["n"] == 7:
                msg = "seven"
                raise ValueError(msg)

    await lab.enqueue_many([NewJob("a", {"n": n}, key="k") for n in range(20)])
    async with lab.worker(Consumer("a", transactional(handle), batch=20, retry=FAST)):
        await lab.idle()
    assert [n for n, _ in await lab.effects()] == [n for n in range(20) if n != 7]
    [dead] = await lab.database.read(lab.admin.dead)
    assert dead.payload["n"] == 7


async def test_a_handler_settles_fails_and_puts_off_single_jobs_of_a_batch(lab: Lab) -> None:
    calls: list[list[int]] = []

    async def handle(work: Work) -> Settle:
        calls.append([job.payload["n"] for job in work.jobs])
        first = len(calls) == 1
        for job in work.jobs:
            if first and job.payload["n"] == 1:
                work.fail(job, ConnectionError("no"))
            if first and job.payload["n"] == 2:
                work.later(job, timedelta(milliseconds=10))

        async def settle(tx: Tx) -> None:
            for job in work.jobs:
                if not (first and job.payload["n"] in {1, 2}):
                    await note_effect(tx, job.payload["n"], job.key)

        return settle

    await lab.enqueue_many([NewJob("a", {"n": n}, key="k") for n in range(4)])
    async with lab.worker(Consumer("a", handle, batch=10, retry=FAST)):
        await lab.idle()
    assert sorted(await lab.effects()) == [(n, "k") for n in range(4)]
    assert calls == [[0, 1, 2, 3], [1], [2]]


async def test_work_transaction_is_refused_once_the_partition_was_taken_over(lab: Lab) -> None:
    outcome: list[str] = []

    async def handle(work: Work) -> None:
        await work.transaction(lambda tx: note_effect(tx, 1, "before"))
        steal = "UPDATE job_lease SET token = 'thief'"
        await lab.database.transaction(lambda tx: tx.driver_all(steal, steal))
        try:
            await work.transaction(lambda tx: note_effect(tx, 2, "after"))
        except FencedOut:
            outcome.append("refused")
            raise

    async with lab.worker(Consumer("a", handle)):
        await lab.enqueue("a", key="k")
        await eventually(lambda: outcome, 5, "the handler was not called")
    assert await lab.effects() == [(1, "before")]
    assert await lab.rows("SELECT count(*) FROM job") == [(1,)]  # left to the thief


async def test_a_timer_can_be_cancelled_until_it_starts(lab: Lab) -> None:
    seen = Seen()
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    await lab.enqueue("a", {"n": 1}, run_at=soon, dedupe="t1", key="k")
    await lab.enqueue("a", {"n": 2}, run_at=soon, dedupe="t2", key="k")

    async def cancel(tx: Tx) -> tuple[bool, bool]:
        return await lab.queue.cancel(tx, "a", "t1"), await lab.queue.cancel(tx, "a", "t3")

    assert await lab.database.transaction(cancel) == (True, False)
    async with lab.worker(Consumer("a", seen)):
        assert (
            await lab.enqueue("a", {"n": 3}, run_at=soon, dedupe="t1", key="k") is not None
        )  # the name is free again
        await lab.idle()
        assert await lab.database.transaction(cancel) == (False, False)
    assert seen.numbers == [2, 3]


async def test_schedules_make_one_job_per_tick_with_two_workers(lab: Lab) -> None:
    seen = Seen()
    plan = [Schedule("tick", "a", every=timedelta(milliseconds=300))]
    loops = [[Loop("schedules", Schedules(lab.database, lab.queue, plan).turn)] for _ in range(2)]
    async with (
        lab.worker(Consumer("a", seen), loops=loops[0]),
        lab.worker(Consumer("a", seen), loops=loops[1]),
    ):
        await asyncio.sleep(1.6)
    ticks = [datetime.fromisoformat(job.payload["scheduled_for"]) for job in seen.jobs]
    assert 4 <= len(ticks) <= 6
    assert all(second - first == timedelta(milliseconds=300) for first, second in itertools.pairwise(ticks))


async def test_cron_expressions_are_read_in_utc_and_nonsense_is_refused() -> None:
    schedule = Schedule("nightly", "a", cron="30 2 * * *")
    assert schedule.after(datetime(2026, 3, 1, 2, 30, tzinfo=UTC)) == datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="cron expression"):
        Schedule("bad", "a", cron="every now and then")
    with pytest.raises(ValueError, match="either"):
        Schedule("bad", "a")


async def test_a_graceful_stop_finishes_running_jobs_and_leaves_nothing_claimed(lab: Lab) -> None:
    started = asyncio.Event()

    async def handle(work: Work) -> Settle:
        started.set()
        await asyncio.sleep(0.3)
        return lambda tx: note_effect(tx, work.job.payload["n"], work.job.key)

    await lab.enqueue_many([NewJob("a", {"n": n}, key="k") for n in range(3)])
    async with lab.worker(Consumer("a", handle)):
        await asyncio.wait_for(started.wait(), 5)
    assert await lab.effects() == [(0, "k")]
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]
    async with lab.worker(
        Consumer("a", handle)
    ):  # the others were returned to the engine: no takeover time passes
        await lab.idle(4)
    assert [n for n, _ in await lab.effects()] == [0, 1, 2]


async def test_a_stop_gives_back_what_outlasts_the_grace_time_without_counting_an_attempt(lab: Lab) -> None:
    attempts: list[int] = []

    async def handle(work: Work) -> None:
        attempts.append(work.job.attempt)
        if len(attempts) == 1:
            await asyncio.sleep(60)

    hasty = WorkerSettings(grace=timedelta(milliseconds=100), sweep_seconds=0.2)
    await lab.enqueue("a")
    async with lab.worker(Consumer("a", handle), settings=hasty):
        await eventually(lambda: attempts, 5, "not started")
    assert await lab.rows("SELECT count(*) FROM job_lease") == [(0,)]
    async with lab.worker(Consumer("a", handle), settings=QUICK):
        await lab.idle(4)
    assert attempts == [1, 1]


async def test_work_of_an_unknown_kind_waits_and_says_so(lab: Lab) -> None:
    async with lab.worker():
        number = await lab.enqueue("from-the-future")
        assert number is not None

        async def explained() -> bool:
            described = await lab.database.read(lambda tx: lab.admin.describe(tx, number))
            return described is not None and "no handler" in described.explanation

        await eventually(explained, 5, "no explanation")


async def test_no_job_is_stranded_when_work_arrives_while_drains_end(lab: Lab) -> None:
    seen = Seen()
    async with lab.worker(Consumer("a", seen, batch=5)):
        for first in range(0, 600, 10):
            await asyncio.gather(
                *(lab.enqueue("a", {"n": n}, key=f"k{n % 7}") for n in range(first, first + 10))
            )
        await lab.idle(5)
    assert sorted(seen.numbers) == list(range(600))


async def test_drains_that_enqueue_for_each_other_do_not_wait_in_a_circle(lab: Lab) -> None:
    rounds = 30

    async def handle(work: Work) -> Settle:
        n = work.job.payload["n"]

        async def settle(tx: Tx) -> None:
            await note_effect(tx, n, work.job.key)
            if n < rounds:
                other = "b" if work.job.key == "a" else "a"
                await lab.queue.enqueue(tx, "a", {"n": n + 1}, key=other)

        return settle

    started = time.monotonic()
    async with lab.worker(Consumer("a", handle)):
        await lab.enqueue("a", {"n": 0}, key="a")
        await lab.enqueue("a", {"n": 0}, key="b")
        await lab.idle(20)
    assert len(await lab.effects()) == 2 * (rounds + 1)
    assert time.monotonic() - started < 8  # a deadlock costs a second each
