"""Faults that ended a loop, a worker or a caller's wait for good, found by reading."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callout.jobs import Consumer, Consumers, Loop, Retry, Worker
from callout.storage import StorageBusyError, StorageUnavailableError, Tx, open_database
from callout.storage.postgres import PostgresDatabase
from tests.jobs.support import QUICK, Lab, eventually, open_lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from callout.jobs import Work


@pytest.fixture
async def lab(database_url: str) -> AsyncIterator[Lab]:
    opened = await open_lab(database_url)
    yield opened
    await opened.database.close()


async def test_a_full_pool_is_a_busy_database_and_not_a_fault(postgres_url: str) -> None:
    database = await PostgresDatabase.open(postgres_url, pool_size=1)
    database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]  # five seconds, in short
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold(_tx: Tx) -> None:
        entered.set()
        await leave.wait()

    async def nothing(_tx: Tx) -> None:
        return

    holding = asyncio.create_task(database.transaction(hold))
    await entered.wait()
    with pytest.raises(StorageBusyError):
        await database.transaction(nothing)
    leave.set()
    await holding
    await database.close()


async def test_errors_of_the_database_carry_no_values(database_url: str) -> None:
    from sqlalchemy import text  # noqa: PLC0415

    database = await open_database(database_url)

    async def wrong(tx: Tx) -> None:
        await tx.execute(text("INSERT INTO no_such_table VALUES (:canary)"), {"canary": "s3cret-canary"})

    with pytest.raises(Exception) as caught:  # noqa: PT011  # each driver has its own word
        await database.transaction(wrong)
    assert "s3cret-canary" not in str(caught.value)
    await database.close()


async def test_a_turn_that_fails_by_our_fault_is_not_the_loops_last(lab: Lab) -> None:
    turns = 0

    async def turn() -> float:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise LookupError("a fault of ours")
        return 0.01

    async with lab.worker(loops=[Loop("faulty", turn)]):
        await eventually(lambda: turns > 2, 3, "the loop ended with its first fault")


async def test_a_handler_cancelled_from_within_uses_up_its_attempts(lab: Lab) -> None:
    calls = 0

    async def handle(_work: Work) -> None:
        nonlocal calls
        calls += 1
        raise asyncio.CancelledError

    retry = Retry(max_attempts=2, first=timedelta(milliseconds=1))
    await lab.enqueue("odd")
    async with lab.worker(Consumer("odd", handle, retry=retry)):
        await lab.idle()
    assert calls == 2
    assert await lab.rows("SELECT state FROM job") == [("dead",)]


async def test_a_settlement_that_waits_lets_the_other_leases_live(postgres_url: str) -> None:
    """On PostgreSQL one refresh carries all leases of a worker: it must not queue behind a single locked one."""
    lab = await open_lab(postgres_url)
    going, over = asyncio.Semaphore(0), asyncio.Event()

    async def handle(_work: Work) -> None:
        going.release()
        await over.wait()

    for number in range(2):
        await lab.enqueue("slow", {"n": number}, key=f"k{number}")
    worker = Worker(
        lab.database, lab.engine, Consumers([Consumer("slow", handle)]), lab.budgets, settings=QUICK
    )
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await going.acquire()
    await going.acquire()

    async def seen() -> tuple[str, int]:
        """Return the second lease: its holder, and when it was refreshed."""
        token, at = (await lab.rows("SELECT token, token_at FROM job_lease ORDER BY partition_id"))[1]
        return token, at

    async def lock_first_and_wait(tx: Tx) -> bool:
        statement = "SELECT token_at FROM job_lease ORDER BY partition_id LIMIT 1 FOR UPDATE"
        await tx.driver_all("", statement)
        holder, before = await seen()
        for _ in range(3_000):
            await asyncio.sleep(0.02)
            token, at = await seen()
            if at > before:
                return token == holder  # else it was taken over
        return False

    assert await lab.database.transaction(lock_first_and_wait)
    over.set()
    stop.set()
    await running
    await lab.database.close()


async def test_a_callback_that_raises_keeps_nobody_waiting(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'c.db'}")
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    def bad() -> None:
        raise LookupError

    async def with_callback(tx: Tx) -> None:
        tx.after_commit(bad)

    async def plain(_tx: Tx) -> int:
        return 1

    _, result = await asyncio.wait_for(
        asyncio.gather(database.transaction(with_callback), database.transaction(plain)), 5
    )
    await database.close()
    assert result == 1
    assert told


async def test_a_connection_lost_during_the_commit_is_said_to_leave_it_open(postgres_url: str) -> None:
    database = await PostgresDatabase.open(postgres_url)

    async def work(tx: Tx) -> None:
        [(pid,)] = await tx.driver_all("", "SELECT pg_backend_pid()")

        async def kill(other: Tx) -> None:
            await other.driver_all("", "SELECT pg_terminate_backend($1)", (pid,))

        await database.transaction(kill)
        await asyncio.sleep(0.1)

    with pytest.raises(StorageUnavailableError) as caught:
        await database.transaction(work)
    assert caught.value.maybe_committed
    await database.close()
