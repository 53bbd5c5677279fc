from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callout.access import SettingsVersion, Watcher
from callout.storage import StorageUnavailableError, open_database

if TYPE_CHECKING:
    from tests.access.services import Access


async def test_another_connection_sees_a_change(access: Access) -> None:
    other = await open_database(access.database.url)
    try:
        seen: asyncio.Queue[int] = asyncio.Queue()
        watcher = Watcher(other, SettingsVersion(), every=timedelta(milliseconds=10))
        watcher.listen(seen.put_nowait)
        assert not await watcher.look()
        task = asyncio.create_task(watcher.run())
        start = await access(access.version.current)
        await access(access.version.bump)
        async with asyncio.timeout(60):
            assert await seen.get() == start + 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        await other.close()


async def test_a_change_that_a_listener_could_not_take_is_told_again(access: Access) -> None:
    watcher = Watcher(access.database, SettingsVersion())
    told: list[int] = []

    async def reads(number: int) -> None:
        told.append(number)
        if len(told) == 1:
            raise StorageUnavailableError("away for a moment")

    watcher.listen(reads)
    assert not await watcher.look()
    await access(access.version.bump)
    with pytest.raises(StorageUnavailableError):
        await watcher.look()
    assert await watcher.look()
    assert told == [told[0]] * 2
    assert not await watcher.look()


async def test_concurrent_changes_all_count(access: Access) -> None:
    start = await access(access.version.current)
    await asyncio.gather(*(access(access.version.bump) for _ in range(10)))
    assert await access(access.version.current) == start + 10
