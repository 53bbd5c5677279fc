"""PostgreSQL ends a connection in the middle of things: the unit of work is done on another one, and nobody hears of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import insert, text

from callout.storage import StorageUnavailableError, open_database
from callout.storage import postgres as storage_postgres
from tests.storage.conftest import NOTE, add, make_note_table, numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.storage import Database, Tx


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = await open_database(postgres_url, pool_size=2)
    await make_note_table(opened)
    yield opened
    await opened.close()


async def _end(tx: Tx, admin: psycopg.Connection[Any], looks: int) -> None:
    """End the transaction's connection while this process stands still; then let the event loop look `looks` times."""
    [(pid,)] = await tx.driver_all("", "SELECT pg_backend_pid()")
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    for _ in range(looks):
        await asyncio.sleep(0)


# With so many looks the driver has read nothing, what the server said last, that it hung up.
@pytest.mark.parametrize("looks", range(5))
@pytest.mark.parametrize("hand_written", [True, False])
async def test_a_unit_of_work_is_done_again_on_another_connection(
    postgres_url: str, database: Database, looks: int, *, hand_written: bool
) -> None:
    attempts: list[int] = []
    with psycopg.connect(postgres_url, autocommit=True) as admin:

        async def write(tx: Tx) -> None:
            attempts.append(1)
            await add(tx, 1)
            if len(attempts) == 1:
                await _end(tx, admin, looks)
            await (
                add(tx, 2) if hand_written else tx.execute(insert(NOTE).values(id=2, account_id="a", text=""))
            )

        await database.transaction(write)
        assert (len(attempts), await numbers(database)) == (2, [1, 2])

        attempts.clear()
        query = "SELECT count(*) FROM note"

        async def read(tx: Tx) -> Any:
            attempts.append(1)
            if len(attempts) == 1:
                await _end(tx, admin, looks)
            return (await tx.driver_all("", query))[0][0] if hand_written else await tx.scalar(text(query))

        assert (await database.read(read), len(attempts)) == (2, 2)


async def test_a_commit_that_was_not_sent_is_done_again_and_any_other_is_left_open(
    postgres_url: str, database: Database
) -> None:
    again: list[int] = []
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for looks in range(5):
            attempts: list[int] = []

            async def write(tx: Tx, looks: int = looks, attempts: list[int] = attempts) -> None:
                await add(tx, looks)
                attempts.append(1)
                if len(attempts) == 1:
                    await _end(tx, admin, looks)

            [ended] = await asyncio.gather(database.transaction(write), return_exceptions=True)
            if ended is None:
                again.append(looks)
            assert ended is None or (isinstance(ended, StorageUnavailableError) and ended.maybe_committed)
            assert len(attempts) == (2 if ended is None else 1)
    assert again
    assert await numbers(database) == again


async def test_a_server_that_ends_every_connection_is_away(postgres_url: str, database: Database) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:

        async def write(tx: Tx) -> None:
            await _end(tx, admin, 2)
            await add(tx, 1)

        with pytest.raises(StorageUnavailableError):
            await database.transaction(write)
    assert await numbers(database) == []


async def test_a_process_that_stood_still_in_a_transaction_does_it_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_postgres, "IDLE_IN_TRANSACTION_SECONDS", 1)
    database = await open_database(postgres_url)
    await make_note_table(database)
    attempts: list[int] = []
    with psycopg.connect(postgres_url, autocommit=True) as admin:

        async def write(tx: Tx) -> None:
            await add(tx, len(attempts))
            attempts.append(1)
            if len(attempts) == 1:
                admin.execute("SELECT pg_sleep(1.5)")  # in which the event loop stands still, too

        for looks in range(3):

            async def unit(tx: Tx, looks: int = looks) -> None:
                await write(tx)
                for _ in range(looks):
                    await asyncio.sleep(0)
                await tx.driver_all("", "SELECT 1")

            attempts.clear()
            await database.transaction(unit)
            assert await numbers(database) == [1]
            await database.transaction(lambda tx: tx.driver_all("", "DELETE FROM note"))
    await database.close()


async def test_a_statement_that_took_too_long_ends_with_its_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What asks the server to give a statement up may reach it only when the next one runs there: of somebody else.
    monkeypatch.setattr(storage_postgres, "STATEMENT_SECONDS", 0.2)
    database = await open_database(postgres_url, pool_size=1)

    async def who(tx: Tx) -> Any:
        return (await tx.driver_all("", "SELECT pg_backend_pid()"))[0][0]

    async def long(tx: Tx) -> None:
        await tx.driver_all("", "SELECT pg_sleep(5)")

    for run in (database.transaction, database.read):
        before = await run(who)
        with pytest.raises(StorageUnavailableError):
            await run(long)
        assert await run(who) != before
    await database.close()
