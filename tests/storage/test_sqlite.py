"""SQLite alone: the writer thread, a full disk, a locked file, two processes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from callout.storage import (
    Database,
    StorageBusyError,
    StorageFullError,
    StorageUnavailableError,
    Tx,
    open_database,
)
from callout.storage.sqlite import SqliteDatabase
from tests.storage.conftest import add, make_note_table, numbers


@pytest.fixture
async def file(sqlite_path: Path) -> Database:
    opened = await open_database(f"sqlite:///{sqlite_path}")
    await make_note_table(opened)
    return opened


async def test_a_full_database_fails_as_full_stores_nothing_and_recovers(file: Database) -> None:
    async def limit(tx: Tx, pages: int) -> None:
        await tx.driver_all(f"PRAGMA max_page_count={pages}", "")

    async def too_much(tx: Tx) -> None:
        await add(tx, 1, "small")
        await add(tx, 2, "x" * 1_000_000)

    await file.transaction(lambda tx: limit(tx, 20))
    with pytest.raises(StorageFullError):
        await file.transaction(too_much)
    assert await numbers(file) == []
    await file.transaction(lambda tx: limit(tx, 1_000_000))
    await file.transaction(too_much)
    assert await numbers(file) == [1, 2]
    await file.close()


async def test_a_file_locked_by_another_process_is_busy_and_nothing_is_lost_or_half_done(
    file: Database,
) -> None:
    assert isinstance(file, SqliteDatabase)
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    results = await asyncio.gather(
        *(file.transaction(lambda tx, n=n: add(tx, n)) for n in range(5)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {StorageBusyError}
    assert time.monotonic() - started < 6
    assert await numbers(file) == []  # reading goes on meanwhile
    other.execute("COMMIT")
    other.close()
    await file.transaction(lambda tx: add(tx, 9))
    assert await numbers(file) == [9]
    await file.close()


async def test_a_unit_that_awaits_something_else_is_refused_by_name(file: Database) -> None:
    async def dawdling(tx: Tx) -> None:
        await add(tx, 1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="dawdling awaited something other"):
        await file.transaction(dawdling)
    assert await numbers(file) == []
    await file.close()


async def test_readers_cannot_write(file: Database) -> None:
    with pytest.raises(StorageUnavailableError):
        await file.read(lambda tx: add(tx, 1))
    await file.close()


async def test_the_change_counter_moves_with_commits_of_others(file: Database) -> None:
    assert isinstance(file, SqliteDatabase)
    before = file.change_counter()
    assert file.change_counter() == before
    other = sqlite3.connect(file.path)
    other.execute("INSERT INTO note VALUES (1, 'a', 'x')")
    other.commit()
    other.close()
    assert file.change_counter() != before
    await file.close()


async def test_closing_commits_what_was_accepted_and_refuses_more(file: Database, sqlite_path: Path) -> None:
    tasks = [asyncio.create_task(file.transaction(lambda tx, n=n: add(tx, n))) for n in range(20)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await file.close()
    await asyncio.gather(*tasks)
    with pytest.raises(StorageUnavailableError):
        await file.transaction(lambda tx: add(tx, 99))
    again = await open_database(f"sqlite:///{sqlite_path}")
    assert await numbers(again) == list(range(20))
    await again.close()
