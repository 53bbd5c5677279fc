"""Quotas: what a vendor allows in a window, counted once for all processes, with a reserve for more urgent lanes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from callout.jobs import Budgets, BudgetUse, Consumer, Grant, Lane, Limits, Quota, Quotas, Told, Work
from callout.kit.clock import ManualClock
from callout.storage import Tx, open_database
from tests.jobs.support import Lab, eventually

KEY = "int-servicenow"
START = datetime(2026, 1, 1, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = "ServiceNow's limit of 500 calls per hour (rule a1)"


def told(
    limit: int = 500, *, ends_in: timedelta = HOUR, at: datetime = START, left: int | None = None
) -> Told:
    return Told(RULE, limit, HOUR, at + ends_in, left)


class Counter:
    """The quotas of one database, at a time that a test sets."""

    def __init__(self, lab: Lab) -> None:
        self.clock = ManualClock(START)
        self.quotas = Quotas(self.clock)
        self._lab = lab

    async def learn(self, what: Told, *, spent: int = 0, held: int = 0) -> Quota:
        return await self._lab.database.transaction(
            lambda tx: self.quotas.learn(tx, KEY, "", what, spent=spent, held=held)
        )

    async def take(self, lane: Lane = Lane.NORMAL, most: int = 10, spent: int = 0) -> Grant:
        return await self._lab.database.transaction(
            lambda tx: self.quotas.take(tx, KEY, "", lane=lane, most=most, spent=spent)
        )

    async def drained(self, lane: Lane) -> int:
        """Take calls until there are none; return how many there were."""
        total = 0
        while (grant := await self.take(lane, 25)).calls:
            total += grant.calls
        return total


@pytest.fixture
def counter(lab: Lab) -> Counter:
    return Counter(lab)


async def test_each_lane_leaves_its_reserve_and_the_urgent_are_never_turned_away_by_our_counting(
    counter: Counter,
) -> None:
    await counter.learn(told())
    assert await counter.drained(Lane.BACKFILL) == 350
    assert await counter.drained(Lane.NORMAL) == 100
    urgent = [(await counter.take(Lane.URGENT, 25)).calls for _ in range(4)]
    assert urgent == [25, 25, 1, 1]
    now = int(START.timestamp() * 1e6)
    quota = (await counter.take(Lane.NORMAL)).quota
    refused = quota.refuses(Lane.NORMAL, now)
    assert refused is not None
    assert refused[1] == f"{RULE} is used up until 15:00:00Z"
    assert quota.refuses(Lane.URGENT, now) is None


async def test_the_next_window_is_whole_again(counter: Counter) -> None:
    await counter.learn(told())
    await counter.drained(Lane.NORMAL)
    counter.clock.advance(timedelta(minutes=59, seconds=59))
    assert (await counter.take()).calls == 0
    counter.clock.advance(timedelta(hours=3))
    grant = await counter.take()
    assert (grant.calls, grant.quota.left) == (10, 490)
    assert grant.quota.ends_at == int((START + timedelta(hours=4)).timestamp() * 1e6)


async def test_what_the_vendor_says_is_left_counts_and_its_limit_may_change(counter: Counter) -> None:
    await counter.learn(told(left=400))
    assert (await counter.learn(told(left=399), held=20)).left == 379
    assert (await counter.learn(told(left=480))).left == 379, "others may have calls under way"
    assert (await counter.learn(told(600))).left == 479, "the customer raised the limit"
    assert (await counter.learn(told(600), spent=9)).left == 470
    assert (await counter.learn(told(600, left=0))).left == 0


async def test_the_last_words_of_a_window_that_is_over_are_not_taken_for_the_next(counter: Counter) -> None:
    await counter.learn(told())
    counter.clock.advance(HOUR + timedelta(seconds=2))
    assert (await counter.take()).calls == 10
    kept = await counter.learn(told(left=3), spent=1)
    assert kept.left == 490


async def test_an_end_beyond_an_hour_is_no_longer_than_an_hour(counter: Counter) -> None:
    quota = await counter.learn(told(ends_in=timedelta(days=400)))
    assert quota.ends_at == int((START + HOUR).timestamp() * 1e6)


async def test_two_processes_that_hear_of_a_limit_at_once_count_as_one(
    lab: Lab, database_url: str, counter: Counter
) -> None:
    other = await open_database(database_url)
    try:

        async def hears(database: object) -> None:
            await database.transaction(  # type: ignore[attr-defined]
                lambda tx: counter.quotas.learn(tx, KEY, "", told(), spent=7)
            )

        await asyncio.gather(hears(lab.database), hears(other))
        assert (await counter.take(most=1)).quota.left == 500 - 14 - 1
    finally:
        await other.close()


async def test_jobs_wait_for_the_window_and_urgent_ones_do_not(lab: Lab) -> None:
    clock = ManualClock(START)
    budgets = Budgets(lab.engine, clock=clock)
    quotas = budgets.quotas

    async def unit(tx: Tx) -> list[str | None]:
        await quotas.learn(tx, KEY, "", told(ends_in=timedelta(minutes=20)))
        await quotas.take(tx, KEY, "", lane=Lane.BACKFILL, most=350)
        answers = [
            await budgets.acquire(tx, KEY, holder=f"h{int(lane)}", lane=lane)
            for lane in (Lane.BACKFILL, Lane.NORMAL, Lane.URGENT)
        ]
        return [None if one is None else one.reason for one in answers]

    reserve = f"{RULE} is used up until 14:20:00Z, but for what is kept for more urgent work"
    assert await lab.database.transaction(unit) == [reserve, None, None]
    explained = await lab.database.transaction(lambda tx: budgets.explain(tx, KEY, lane=Lane.BACKFILL))
    assert (explained.text, explained.until) == (reserve, START + timedelta(minutes=20))
    well = await lab.database.transaction(lambda tx: budgets.explain(tx, KEY))
    assert well.until is None
    assert f"150 left of {RULE} until 14:20:00Z" in well.text


async def test_an_urgent_job_wakes_its_partition_that_waits_for_a_budget_and_lends_it_its_lane(
    lab: Lab,
) -> None:
    done: list[tuple[int, Lane]] = []

    async def handle(work: Work) -> None:
        done.extend((job.payload["n"], job.lane) for job in work.jobs)

    now = datetime.now(UTC)

    async def used_up(tx: Tx) -> None:
        await lab.budgets.define(tx, KEY, Limits(concurrency=4, capacity=1000, refill_per_second=1000))
        await lab.budgets.quotas.learn(tx, KEY, "", Told(RULE, 10, HOUR, now + timedelta(minutes=20), 1))

    await lab.database.transaction(used_up)
    consumer = Consumer("call", handle, budget=lambda _job: BudgetUse(KEY))
    async with lab.worker(consumer):
        await lab.enqueue("call", {"n": 1}, key="link:1")
        await lab.enqueue("call", {"n": 2}, key="link:2")

        async def waiting() -> bool:
            explained = await lab.database.transaction(lambda tx: lab.budgets.explain(tx, KEY))
            return explained.waiting == 2 and "is used up until" in explained.text

        await eventually(waiting, 5, "two jobs do not wait")
        await lab.enqueue("call", {"n": 3}, key="link:1", lane=Lane.URGENT)
        await eventually(lambda: len(done) == 2, 5, "the urgent job waits")
    assert done == [(1, Lane.NORMAL), (3, Lane.URGENT)], "what was before it comes before it"
