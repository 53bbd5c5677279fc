"""Units of work on both databases: all or nothing, visible after the commit, refused when they would lie."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select

from callout.storage import Database, DuplicateRowError, Tx, open_database
from callout.storage.tx import ScopeError
from tests.storage.conftest import NOTE, add, numbers


async def test_a_unit_of_work_is_stored_whole_or_not_at_all(database: Database) -> None:
    async def good(tx: Tx) -> str:
        await add(tx, 1)
        await tx.execute(insert(NOTE).values(id=2, account_id="a", text="x"))
        return "done"

    async def bad(tx: Tx) -> None:
        await add(tx, 3)
        raise LookupError

    assert await database.transaction(good) == "done"
    with pytest.raises(LookupError):
        await database.transaction(bad)
    assert await numbers(database) == [1, 2]


async def test_a_raw_statement_first_is_inside_the_transaction_too(database: Database) -> None:
    async def raw_first(tx: Tx) -> None:
        await tx.driver_many(
            "INSERT INTO note VALUES (?, ?, ?)", "INSERT INTO note VALUES ($1, $2, $3)", [(1, "a", "x")]
        )
        raise LookupError

    with pytest.raises(LookupError):
        await database.transaction(raw_first)
    assert await numbers(database) == []


async def test_units_that_wait_together_do_not_share_their_fate(database: Database) -> None:
    async def unit(number: int) -> int:
        async def work(tx: Tx) -> int:
            await add(tx, number)
            if number % 3 == 0:
                raise LookupError(number)
            return number

        return await database.transaction(work)

    results = await asyncio.gather(*(unit(number) for number in range(30)), return_exceptions=True)
    assert [number for number in results if isinstance(number, int)] == [n for n in range(30) if n % 3]
    assert await numbers(database) == [n for n in range(30) if n % 3]


@pytest.mark.parametrize("hand_written", [True, False])
async def test_a_duplicate_row_is_an_error_of_its_own(database: Database, *, hand_written: bool) -> None:
    async def twice(tx: Tx) -> None:
        for _ in range(2):
            if hand_written:
                await add(tx, 1)
            else:
                await tx.execute(insert(NOTE).values(id=1, account_id="a", text="x"))

    with pytest.raises(DuplicateRowError):
        await database.transaction(twice)
    assert await numbers(database) == []


async def test_after_commit_callbacks_run_only_for_what_was_committed(database: Database) -> None:
    heard: list[str] = []

    async def good(tx: Tx) -> None:
        tx.after_commit(lambda: heard.append("good"))

    async def bad(tx: Tx) -> None:
        tx.after_commit(lambda: heard.append("bad"))
        raise LookupError

    await database.transaction(good)
    with pytest.raises(LookupError):
        await database.transaction(bad)
    await asyncio.sleep(0)
    assert heard == ["good"]


async def test_a_cancelled_waiter_leaves_the_database_usable_and_its_unit_whole(database: Database) -> None:
    async def both(tx: Tx) -> None:
        await add(tx, 1)
        await add(tx, 2)

    task = asyncio.create_task(database.transaction(both))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.transaction(lambda tx: add(tx, 3))
    assert await numbers(database) in ([3], [1, 2, 3])


async def test_an_account_sees_and_writes_only_its_own_rows(database: Database) -> None:
    await database.transaction(lambda tx: add(tx, 1, "mine", "a"))
    await database.transaction(lambda tx: add(tx, 2, "theirs", "b"))

    async def unit(tx: Tx) -> list[int]:
        mine = tx.account("a")
        await mine.execute(mine.insert(NOTE).values(id=3, text="new"))
        await mine.execute(mine.update(NOTE).values(text="changed"))
        await mine.execute(mine.delete(NOTE).where(NOTE.c.id == 2))
        return [row["id"] for row in await mine.all(mine.select(NOTE).order_by(NOTE.c.id))]

    assert await database.transaction(unit) == [1, 3]
    rows = await database.read(lambda tx: tx.all(select(NOTE.c.id, NOTE.c.text).order_by(NOTE.c.id)))
    assert [(row["id"], row["text"]) for row in rows] == [(1, "changed"), (2, "theirs"), (3, "changed")]


async def test_a_statement_without_the_account_rule_is_refused_before_it_runs(database: Database) -> None:
    other = NOTE.alias("other")
    statements = [
        select(NOTE),
        insert(NOTE).values(id=1, account_id="b", text="x"),
        select(NOTE.c.id).join(other, other.c.id == NOTE.c.id),
    ]
    for statement in statements:

        async def unit(tx: Tx, statement: object = statement) -> None:
            await tx.account("a").execute(statement)  # type: ignore[arg-type]

        with pytest.raises(ScopeError):
            await database.transaction(unit)
    assert await numbers(database) == []


async def test_a_url_of_another_kind_is_refused_with_a_word() -> None:
    with pytest.raises(ValueError, match="sqlite:/// or postgresql://"):
        await open_database("mysql://localhost/x")
