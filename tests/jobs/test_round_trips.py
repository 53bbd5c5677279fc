"""How often a drain goes to PostgreSQL and back, which is most of what a job costs a worker: pinned, so that it cannot grow unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from callout.jobs import BudgetUse, Consumer, Consumers, Limits, NewJob, Outbox, Subscription, Subscriptions
from callout.jobs.drain import Drainer
from callout.storage import Tx, open_database
from tests.jobs.support import Lab, create_effects
from tests.jobs.test_outbox import event, handle
from tests.round_trips import trips

__all__ = ["trips"]

KEY = "jira:acme"
NOT_THE_DRAINS = ("INSERT INTO effect", "typeinfo", "set_config")
"""What a handler of these tests does itself, and what a connection asks that meets a type for the first time."""


@pytest.fixture
async def lab(postgres_url: str) -> AsyncIterator[Lab]:
    database = await open_database(postgres_url)
    await create_effects(database)
    yield Lab(database)
    await database.close()


async def drained(lab: Lab, trips: list[str], *consumers: Consumer) -> list[str]:
    """Drain every partition that is latched, as one worker at one moment; return what went to the server."""
    drainer = Drainer(lab.database, lab.engine, Consumers(consumers), lab.budgets)
    numbers = [row[0] for row in await lab.rows("SELECT id FROM job_partition WHERE latch = 1 ORDER BY id")]
    del trips[:]
    await asyncio.gather(*map(drainer.drain, numbers))
    return [one for one in trips if not any(word in one for word in NOT_THE_DRAINS)]


async def publish(lab: Lab, subscriptions: Subscriptions, *subjects: str) -> None:
    outbox = Outbox(lab.queue, subscriptions)

    async def unit(tx: Tx) -> None:
        await outbox.publish(tx, *(event(n, subject=subject) for n, subject in enumerate(subjects)))

    await lab.database.transaction(unit)


def heard() -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.bind(Subscription("sync", "incident.*", handle))
    return subscriptions


async def test_events_of_a_record_are_begun_and_settled_in_ten_round_trips(
    lab: Lab, trips: list[str]
) -> None:
    subscriptions = heard()
    found: list[int] = []
    for _ in range(3):
        await publish(lab, subscriptions, "INC-1", "INC-1", "INC-1")
        found.append(len(await drained(lab, trips, *subscriptions.consumers())))
    await lab.idle()
    assert len(await lab.effects()) == 9
    assert found[-1] <= 10


async def test_events_of_many_records_share_them(lab: Lab, trips: list[str]) -> None:
    subscriptions = heard()
    found: list[int] = []
    for _ in range(3):
        await publish(lab, subscriptions, *(f"INC-{n}" for n in range(10)))
        found.append(len(await drained(lab, trips, *subscriptions.consumers())))
    await lab.idle()
    assert len(await lab.effects()) == 30
    # As ten tasks come at one moment, so they are settled: by one transaction or two.
    assert found[-1] <= 20


async def test_a_job_that_takes_a_slot_costs_fifteen_round_trips_and_one_that_is_refused_nine(
    lab: Lab, trips: list[str]
) -> None:
    consumer = Consumer("call", lambda _work: asyncio.sleep(0), budget=lambda _job: BudgetUse(KEY))
    await lab.database.transaction(
        lambda tx: lab.budgets.define(tx, KEY, Limits(concurrency=1, capacity=1000))
    )
    taken: list[int] = []
    for _ in range(3):
        await lab.enqueue_many([NewJob("call", key="k")])
        taken.append(len(await drained(lab, trips, consumer)))
    await lab.idle()
    assert taken[-1] <= 15
    assert await lab.database.transaction(lambda tx: lab.budgets.acquire(tx, KEY, holder="busy")) is None
    refused: list[int] = []
    for number in range(3):
        await lab.enqueue_many([NewJob("call", key=f"k{number}")])
        refused.append(len(await drained(lab, trips, consumer)))
    assert refused[-1] <= 9
