"""Turns on PostgreSQL: so many at work at a time, in the order of asking; nobody keeps one, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from callout.storage import StorageBusyError, Turns, open_database, postgres

if TYPE_CHECKING:
    from callout.storage import Database, Tx


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = await open_database(postgres_url, pool_size=8)
    yield opened
    await opened.close()


async def test_so_many_are_at_work_at_a_time_in_the_order_of_asking(database: Database) -> None:
    turns = Turns(2)
    begun: list[int] = []
    at_work = most = 0

    async def ask(number: int) -> None:
        async def work(tx: Tx) -> None:
            nonlocal at_work, most
            begun.append(number)
            at_work += 1
            most = max(most, at_work)
            await tx.driver_all("", "SELECT pg_sleep(0.02)")
            at_work -= 1

        await database.transaction(work, turns=turns)

    await asyncio.gather(*map(ask, range(8)))
    # Two at a time: of those only may one be a little ahead of the other.
    assert [sorted(begun[at : at + 2]) for at in range(0, 8, 2)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert most == 2


async def test_a_turn_ends_where_the_commit_begins(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(1)
    commit = postgres._commit
    committing, may_commit = asyncio.Event(), asyncio.Event()

    async def held(driver: Any) -> None:
        committing.set()
        await may_commit.wait()
        await commit(driver)

    async def one(tx: Tx) -> int:
        return int((await tx.driver_all("", "SELECT 1"))[0][0])

    monkeypatch.setattr(postgres, "_commit", held)
    first = asyncio.create_task(database.transaction(one, turns=turns))
    await asyncio.wait_for(committing.wait(), 30)
    monkeypatch.setattr(postgres, "_commit", commit)
    assert await asyncio.wait_for(database.transaction(one, turns=turns), 30) == 1
    assert not first.done()
    may_commit.set()
    assert await first == 1


async def test_nobody_keeps_a_turn_and_nobody_waits_for_one_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(1)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def long(_tx: Tx) -> None:
        begun.set()
        await may_end.wait()

    async def fails(_tx: Tx) -> None:
        raise LookupError

    async def one(tx: Tx) -> int:
        return int((await tx.driver_all("", "SELECT 1"))[0][0])

    for _ in range(2):
        with pytest.raises(LookupError):
            await database.transaction(fails, turns=turns)
    given_up = asyncio.create_task(database.transaction(long, turns=turns))
    await asyncio.wait_for(begun.wait(), 30)
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 0.05)
    with pytest.raises(StorageBusyError, match="too many ask"):
        await database.transaction(one, turns=turns)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await database.transaction(one, turns=turns) == 1


async def test_a_database_remembers_for_a_while_that_somebody_had_to_wait_for_a_turn(
    database: Database,
) -> None:
    assert isinstance(database, postgres.PostgresDatabase)
    turns = Turns(1)

    async def one(tx: Tx) -> None:
        await tx.driver_all("", "SELECT pg_sleep(0.01)")

    for _ in range(2):
        await database.transaction(one, turns=turns)
    assert not database.queued_within(60)
    await asyncio.gather(*(database.transaction(one, turns=turns) for _ in range(2)))
    assert database.queued_within(60)
    await asyncio.sleep(0.05)
    assert not database.queued_within(0.01)
