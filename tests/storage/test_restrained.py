"""Work that has time waits before it begins while its process gives way; other work does not, nor behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import pytest

from callout.kit.priority import work_that
from callout.storage import open_database
from callout.storage.group import GroupCommit
from callout.storage.postgres import PostgresDatabase
from tests.storage.conftest import add, make_note_table, numbers

if TYPE_CHECKING:
    from callout.storage import Database, Tx


@pytest.fixture
async def open_gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def database(postgres_url: str, open_gate: asyncio.Event) -> AsyncIterator[Database]:
    opened = await open_database(postgres_url)
    await make_note_table(opened)
    assert isinstance(opened, PostgresDatabase)

    async def pause() -> None:
        await open_gate.wait()

    opened.restrained_by(pause)
    yield opened
    await opened.close()


async def ends(task: asyncio.Task[object]) -> bool:
    """Return whether a task ends by itself, soon."""
    return bool((await asyncio.wait({task}, timeout=0.1))[0])


async def test_a_unit_of_work_that_has_time_waits_and_others_do_not(
    database: Database, open_gate: asyncio.Event
) -> None:
    async def store(number: int, *, has_time: bool) -> None:
        with work_that(has_time=has_time):
            await database.transaction(lambda tx: add(tx, number))

    with work_that(has_time=True):
        reading = asyncio.create_task(numbers(database))
    leisurely = asyncio.create_task(store(1, has_time=True))
    await store(2, has_time=False)
    assert not await ends(leisurely)
    assert not await ends(reading)
    assert await numbers(database) == [2]
    open_gate.set()
    await leisurely
    assert sorted(await reading) in ([2], [1, 2])
    assert await numbers(database) == [1, 2]


async def test_when_nobody_restrains_it_any_more_work_begins_at_once(database: Database) -> None:
    assert isinstance(database, PostgresDatabase)
    database.restrained_by(None)
    with work_that(has_time=True):
        await database.transaction(lambda tx: add(tx, 1))
    assert await numbers(database) == [1]


async def test_in_a_group_nothing_waits_behind_what_has_time(
    database: Database, open_gate: asyncio.Event
) -> None:
    groups: list[list[int]] = []

    async def write(tx: Tx, items: Sequence[int]) -> Sequence[int]:
        groups.append(list(items))
        for item in items:
            await add(tx, item)
        return items

    group = GroupCommit(database, write, flushers=1)
    with work_that(has_time=True):
        leisurely = [asyncio.create_task(group.add(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert await group.add(7) == 7
    assert group.waiting + sum(not task.done() for task in leisurely) >= 3
    open_gate.set()
    assert await asyncio.gather(*leisurely) == [0, 1, 2]
    assert groups == [[7], [0, 1, 2]]
    assert await numbers(database) == [0, 1, 2, 7]
