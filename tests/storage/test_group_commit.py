"""Group commit: what arrives together is stored together, and everybody gets the answer of their own item."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from callout.storage import Database, DuplicateRowError, Tx
from callout.storage.group import GroupCommit
from tests.storage.conftest import add, numbers


async def test_items_that_arrive_together_share_commits_and_keep_their_results(database: Database) -> None:
    groups: list[int] = []

    async def write(tx: Tx, items: Sequence[int]) -> list[str]:
        groups.append(len(items))
        for item in items:
            await add(tx, item)
        return [f"stored {item}" for item in items]

    group = GroupCommit(database, write, largest=40)
    results = await asyncio.gather(*(group.add(n) for n in range(100)))
    assert results == [f"stored {n}" for n in range(100)]
    assert await numbers(database) == list(range(100))
    assert max(groups) <= 40
    assert len(groups) < 20
    assert group.waiting == 0


async def test_a_failed_group_tells_everybody_in_it_and_the_next_one_works(database: Database) -> None:
    async def write(tx: Tx, items: Sequence[int]) -> Sequence[int]:
        for item in items:
            await add(tx, item)
        return items

    group = GroupCommit(database, write, flushers=1)
    results = await asyncio.gather(group.add(1), group.add(1), group.add(2), return_exceptions=True)
    assert [type(result) for result in results] == [DuplicateRowError] * 3
    assert await group.add(5) == 5
    assert await numbers(database) == [5]


async def test_a_cancelled_waiter_does_not_harm_the_others(database: Database) -> None:
    async def write(tx: Tx, items: Sequence[int]) -> Sequence[int]:
        for item in items:
            await add(tx, item)
        return items

    group = GroupCommit(database, write, flushers=1)
    tasks = [asyncio.create_task(group.add(n)) for n in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [0, 1, 3, 4]
    with pytest.raises(asyncio.CancelledError):
        await tasks[2]
    assert set(await numbers(database)) >= {0, 1, 3, 4}
