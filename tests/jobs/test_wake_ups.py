"""PostgreSQL: wake-ups go behind the commit. While people of the process wait for answers, those that have time are gathered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from callout.jobs import Lane, NewJob
from callout.jobs import procrastinate as engine
from callout.storage import Tx, open_database
from callout.storage.turns import Turns
from tests.jobs.support import Lab, eventually

SENT = "SELECT count(*) FROM procrastinate_jobs"


@pytest.fixture
async def lab(postgres_url: str) -> AsyncIterator[Lab]:
    database = await open_database(postgres_url)
    yield Lab(database)
    await database.close()


async def ask(lab: Lab, number: int, turns: Turns | None, lane: Lane = Lane.NORMAL) -> None:
    async def unit(tx: Tx) -> None:
        await lab.queue.enqueue_later(tx, [NewJob("note", {}, key=f"INC-{number}", lane=lane)])

    await lab.database.transaction(unit, turns=turns)


async def sent(lab: Lab) -> int:
    [(number,)] = await lab.rows(SENT)
    return int(number)


async def test_while_people_wait_wake_ups_are_gathered_until_an_urgent_one(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GATHER_SECONDS", 60)
    turns = Turns(1)
    await asyncio.gather(*(ask(lab, number, turns) for number in range(10)))
    await asyncio.sleep(2 * engine.BURST_SECONDS)
    assert await sent(lab) == 0
    await ask(lab, 10, None, Lane.URGENT)
    assert await lab.rows("SELECT count(*) FROM job_partition WHERE latch = 1") == [(11,)]
    await lab.woken()


async def test_gathered_ones_are_sent_after_a_while_though_people_still_wait(lab: Lab) -> None:
    turns = Turns(1)
    over = asyncio.Event()

    async def crowd() -> None:
        number = 0
        while not over.is_set():
            await asyncio.gather(*(ask(lab, number + one, turns) for one in range(3)))
            number += 3

    people = asyncio.create_task(crowd())
    await eventually(lambda: sent(lab), 10, "no wake-up was sent")
    over.set()
    await people


async def test_where_nobody_waits_they_are_sent_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GATHER_SECONDS", 60)
    turns = Turns(1)
    for number in range(2):
        await ask(lab, number, turns)
    await eventually(lambda: sent(lab), 10, "no wake-up was sent")
