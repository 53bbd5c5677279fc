"""Budgets: calls at once, tokens, waiting as told by the vendor, urgent before backfill, slots that come back after a crash."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.jobs import (
    Budgets,
    BudgetUse,
    Consumer,
    Lane,
    Limits,
    NewJob,
    Refusal,
    RetryLater,
    Work,
    WorkerSettings,
)
from callout.kit.clock import ManualClock
from callout.storage import Tx
from callout.storage.schema import from_micros
from tests.jobs.support import Lab, eventually

KEY = "jira:acme"
START = datetime(2026, 1, 1, tzinfo=UTC)


async def define(lab: Lab, budgets: Budgets, limits: Limits) -> None:
    await lab.database.transaction(lambda tx: budgets.define(tx, KEY, limits))


async def take(
    lab: Lab, budgets: Budgets, holder: str, lane: Lane = Lane.NORMAL, cost: int = 1
) -> Refusal | None:
    return await lab.database.transaction(
        lambda tx: budgets.acquire(tx, KEY, holder=holder, lane=lane, cost=cost)
    )


async def test_slots_are_limited_keep_a_reserve_for_urgent_work_and_come_back(lab: Lab) -> None:
    clock = ManualClock(START)
    budgets = Budgets(lab.engine, clock=clock)
    await define(lab, budgets, Limits(concurrency=4, capacity=1000, refill_per_second=100))
    answers = [await take(lab, budgets, f"b{n}", Lane.BACKFILL) for n in range(3)]
    assert [answer is None for answer in answers] == [True, True, False]
    assert await take(lab, budgets, "n") is None
    assert await take(lab, budgets, "n2") is not None
    assert await take(lab, budgets, "u", Lane.URGENT) is None
    refused = await take(lab, budgets, "u2", Lane.URGENT)
    assert refused is not None
    assert "4 of 4 calls at once" in refused.reason
    await lab.database.transaction(lambda tx: budgets.release(tx, KEY, "u"))
    assert await take(lab, budgets, "u2", Lane.URGENT) is None
    clock.advance(timedelta(seconds=11))  # the holders died: their slots are leases of 10 s
    assert await take(lab, budgets, "later") is None


async def test_tokens_run_out_refill_and_keep_a_reserve(lab: Lab) -> None:
    clock = ManualClock(START)
    budgets = Budgets(lab.engine, clock=clock)
    await define(lab, budgets, Limits(concurrency=100, capacity=10, refill_per_second=2))
    taken = [await take(lab, budgets, f"b{n}", Lane.BACKFILL) is None for n in range(9)]
    assert taken == [True] * 7 + [False] * 2
    assert await take(lab, budgets, "u1", Lane.URGENT, cost=3) is None
    refused = await take(lab, budgets, "u2", Lane.URGENT)
    assert refused is not None
    assert "0 of 10 calls left" in refused.reason
    clock.advance(timedelta(seconds=0.6))
    assert await take(lab, budgets, "u2", Lane.URGENT) is None


async def test_the_vendors_word_keeps_everybody_away_and_is_explained(lab: Lab) -> None:
    clock = ManualClock(START)
    budgets = Budgets(lab.engine, clock=clock)
    await lab.database.transaction(lambda tx: budgets.penalise(tx, KEY, timedelta(seconds=30)))
    await lab.database.transaction(
        lambda tx: budgets.penalise(tx, KEY, timedelta(seconds=5))
    )  # never shortens
    refused = await take(lab, budgets, "u", Lane.URGENT)
    assert refused is not None
    explanation = await lab.database.transaction(lambda tx: budgets.explain(tx, KEY))
    assert explanation.until == START + timedelta(seconds=30)
    assert explanation.text == "the vendor asked us to wait until 00:00:30Z"
    clock.advance(timedelta(seconds=31))
    assert await take(lab, budgets, "u", Lane.URGENT) is None
    await lab.database.transaction(lambda tx: budgets.penalise(tx, KEY, timedelta(days=9)))
    explanation = await lab.database.transaction(lambda tx: budgets.explain(tx, KEY))
    assert explanation.until == clock.now() + timedelta(hours=1), "we look again after an hour at most"


async def test_who_is_refused_comes_again_when_it_is_their_turn(lab: Lab) -> None:
    clock = ManualClock(START)
    budgets = Budgets(lab.engine, clock=clock)
    await define(lab, budgets, Limits(concurrency=4, capacity=10, refill_per_second=2))
    await lab.enqueue_many(
        [NewJob("call", {}, lane=lane) for lane in (Lane.URGENT, Lane.NORMAL, Lane.NORMAL, Lane.BACKFILL)]
    )

    async def wait_for(queue: str) -> None:
        text = f"UPDATE job_partition SET latch = 0, waiting_budget = '{queue}'"  # noqa: S608
        await lab.database.transaction(lambda tx: tx.driver_all(text, text))

    async def refused(lane: Lane, cost: int = 1) -> float:
        answer = await take(lab, budgets, "next", lane, cost)
        assert answer is not None
        return (from_micros(answer.until) - START).total_seconds()

    # For a slot: a second for each that waits before it, by as many as may run; who is more urgent does not stand behind the others.
    await wait_for(KEY)
    for number in range(4):
        assert await take(lab, budgets, f"u{number}", Lane.URGENT) is None
    assert await refused(Lane.URGENT) == 1 + 1 / 4
    assert await refused(Lane.NORMAL) == 1 + 3 / 3
    assert await refused(Lane.BACKFILL) == 1 + 4 / 2
    # For tokens: as fast as they come back.
    await wait_for(f"#{KEY}")
    assert await refused(Lane.URGENT, cost=7) == pytest.approx(1 / 2 + 1 / 2, abs=0.001)
    # For the end of what the vendor asked for: not all at that moment.
    await lab.database.transaction(lambda tx: budgets.penalise(tx, KEY, timedelta(seconds=30)))
    assert await refused(Lane.NORMAL) == 30 + 3 / 2


async def test_a_long_queue_for_a_slot_does_not_keep_workers_busy(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    acquire = lab.budgets.acquire

    async def counted(tx: Tx, key: str, **more: Any) -> Refusal | None:
        nonlocal asked
        asked += 1
        return await acquire(tx, key, **more)

    async def handle(_work: Work) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(lab.budgets, "acquire", counted)
    await define(lab, lab.budgets, Limits(concurrency=1, capacity=1000, refill_per_second=1000))
    assert await take(lab, lab.budgets, "somebody else") is None
    asked = 0
    await lab.enqueue_many([NewJob("call", {"n": n}) for n in range(60)])
    async with lab.worker(Consumer("call", handle, budget=lambda _job: BudgetUse(KEY))):
        await eventually(lambda: asked >= 60, 10, "not all were tried")
        await asyncio.sleep(2.5)  # in which each would look twice again, if they looked every second
        assert asked < 60 + 10
        await lab.database.transaction(lambda tx: lab.budgets.release(tx, KEY, "somebody else"))
        await lab.idle()  # handed from one to the next, long before their time
    assert asked < 2 * 60 + 10


async def test_who_is_handed_a_slot_and_may_not_call_hands_it_on(lab: Lab) -> None:
    await define(lab, lab.budgets, Limits(concurrency=1, capacity=10, refill_per_second=2))
    await lab.enqueue_many([NewJob("call", {"n": n}) for n in range(3)])
    waits = f"UPDATE job_partition SET latch = 0, waiting_budget = '{KEY}', due_at = id"  # noqa: S608
    await lab.database.transaction(lambda tx: tx.driver_all(waits, waits))
    first, second, third = [row[0] for row in await lab.rows("SELECT id FROM job_partition ORDER BY id")]
    assert await take(lab, lab.budgets, "before") is None

    async def holders() -> list[str]:
        return [row[0] for row in await lab.rows("SELECT holder FROM job_budget_slot")]

    async def refused(partition: int, cost: int = 1) -> str:
        async def unit(tx: Tx) -> Refusal | None:
            return await lab.budgets.acquire(tx, KEY, holder="t", cost=cost, partition=partition)

        answer = await lab.database.transaction(unit)
        assert answer is not None
        return answer.queue

    await lab.database.transaction(lambda tx: lab.budgets.release(tx, KEY, "before"))
    assert await holders() == [f"for {first}"]
    assert await refused(first, cost=10) == f"#{KEY}"  # there are not so many tokens
    assert await holders() == [f"for {second}"]
    await lab.database.transaction(lambda tx: lab.budgets.penalise(tx, KEY, timedelta(seconds=30)))
    assert await refused(second) == f"#{KEY}"
    assert await holders() == [f"for {third}"]
    assert await refused(third) == f"#{KEY}"
    assert await holders() == []


async def test_jobs_share_a_budget_and_urgent_ones_overtake_backfill(lab: Lab) -> None:
    running = most = 0
    order: list[Lane] = []

    async def handle(work: Work) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(work.job.lane)
        await asyncio.sleep(0.03)
        running -= 1

    await define(lab, lab.budgets, Limits(concurrency=2, capacity=1000, refill_per_second=1000))
    consumer = Consumer("call", handle, budget=lambda _job: BudgetUse(KEY))
    await lab.enqueue_many([NewJob("call", {"n": n}, lane=Lane.BACKFILL) for n in range(12)])
    async with lab.worker(consumer, settings=WorkerSettings(concurrency=6)):
        await eventually(lambda: order, 5, "nothing started")
        await lab.enqueue_many([NewJob("call", {"n": n}, lane=Lane.URGENT) for n in range(4)])
        await lab.idle()
    assert most <= 2
    assert len(order) == 16
    assert max(at for at, lane in enumerate(order) if lane is Lane.URGENT) < 12
    assert await lab.rows("SELECT count(*) FROM job_budget_slot") == [(0,)]


async def test_a_refused_job_waits_without_counting_an_attempt_and_says_why(lab: Lab) -> None:
    attempts: list[int] = []

    async def handle(work: Work) -> None:
        attempts.append(work.job.attempt)
        if len(attempts) == 1:

            async def told(tx: Tx) -> None:
                await lab.budgets.penalise(tx, KEY, timedelta(seconds=2), why="429 from the vendor")

            await work.transaction(told)
            raise RetryLater(timedelta(milliseconds=1), count=False)

    consumer = Consumer("call", handle, budget=lambda _job: BudgetUse(KEY))
    async with lab.worker(consumer):
        number = await lab.enqueue("call", key="k")
        assert number is not None

        async def explained() -> bool:
            described = await lab.database.read(lambda tx: lab.admin.describe(tx, number))
            return described is not None and "429 from the vendor" in described.explanation

        await eventually(explained, 5, "no explanation")
        await lab.idle()
    assert attempts == [1, 1]
