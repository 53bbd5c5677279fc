"""Statements that are sent later, and counters: few round trips, and nobody waits for somebody's commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from callout.storage import Database, DuplicateRowError, Question, Tx, open_database
from callout.storage.bulk import insert_rows
from callout.storage.given import FEW, Given
from callout.storage.later import MOST_PARAMETERS, OWN, Insert, Later
from tests.storage.conftest import NOTE, numbers

_COUNT = "INSERT INTO counter VALUES ({0}, {1}) ON CONFLICT (name) DO UPDATE SET last = counter.last + excluded.last RETURNING last"
_UPPER = "UPDATE note SET text = upper(text) WHERE id = {0}"
_CALL = "SELECT nextval('calls'), {0}::bigint"


async def later(tx: Tx, *ids: int) -> None:
    rows = [{"id": number, "account_id": "a", "text": f"t{number}"} for number in ids]
    await insert_rows(tx, NOTE, rows, later=True)


async def texts(database: Database) -> list[str]:
    statement = "SELECT text FROM note ORDER BY id"
    return [row[0] for row in await database.read(lambda tx: tx.driver_all(statement, statement))]


async def upper(tx: Tx, number: int) -> None:
    await tx.driver_later(_UPPER.format("?"), _UPPER.format("$1"), (number,))


async def take(tx: Tx, key: str, by: int = 1) -> int:
    return await tx.count(_COUNT.format("?1", "?2"), _COUNT.format("$1", "$2"), key, by)


async def make_counter(database: Database) -> None:
    create = "CREATE TABLE counter (name TEXT PRIMARY KEY, last INTEGER NOT NULL)"
    await database.transaction(lambda tx: tx.driver_all(create, create))


async def test_what_is_sent_later_is_stored_with_the_commit_or_not_at_all(database: Database) -> None:
    async def good(tx: Tx) -> None:
        await later(tx, 2, 1)
        await later(tx, 3)

    async def bad(tx: Tx) -> None:
        await later(tx, 4)
        raise LookupError

    await database.transaction(good)
    with pytest.raises(LookupError):
        await database.transaction(bad)
    assert await numbers(database) == [1, 2, 3]


async def test_the_next_statement_sees_what_was_to_be_sent_later(database: Database) -> None:
    async def unit(tx: Tx) -> list[int]:
        await later(tx, 1, 2)
        await upper(tx, 1)  # of its kind: does not see the rows yet on PostgreSQL
        statement = "SELECT id FROM note ORDER BY id"
        seen = [row[0] for row in await tx.driver_all(statement, statement)]
        await upper(tx, 2)
        return seen

    assert await database.transaction(unit) == [1, 2]
    assert (await texts(database))[1] == "T2"


async def test_a_row_that_is_there_already_fails_the_transaction(database: Database) -> None:
    await database.transaction(lambda tx: later(tx, 1))

    async def again(tx: Tx) -> None:
        await later(tx, 2, 1)

    with pytest.raises(DuplicateRowError):
        await database.transaction(again)
    assert await numbers(database) == [1]
    await database.transaction(lambda tx: later(tx, 2))  # the connection is as good as before
    assert await numbers(database) == [1, 2]


async def test_functions_are_called_though_nobody_wants_their_rows(database: Database) -> None:
    if database.dialect == "sqlite":
        return
    await database.transaction(lambda tx: tx.driver_all("", "CREATE SEQUENCE calls"))

    async def unit(tx: Tx) -> None:
        await later(tx, 1)
        for number in range(3):
            await tx.driver_later("", _CALL.format("$1"), (number,))
        await upper(tx, 1)

    await database.transaction(unit)
    [(called,)] = await database.read(lambda tx: tx.driver_all("", "SELECT nextval('calls')"))
    assert called == 4


def test_rows_of_one_table_stay_in_order_and_parameters_keep_their_places() -> None:
    rest, given = Later(), Given((("x", "int"), ("y", "text")))
    assert rest.takes_rows("a", Insert("INSERT INTO a (x, y)", given), [(1, "one")])
    assert rest.takes("UPDATE b SET x = $1 WHERE y = $2", (7, 8))
    assert rest.takes_rows("a", Insert("INSERT INTO a (x, y)", given), [(2, "two")])
    assert not rest.takes_rows(
        "a", Insert("INSERT INTO a (x)", Given((("x", "int"),))), [(3,)]
    )  # would run in no order
    statement, parameters, _ = rest.taken()
    assert parameters == [1, "one", 2, "two", 7, 8]
    assert "INSERT INTO a (x, y) VALUES ($1::int, $2::text), ($3::int, $4::text)" in statement
    assert "UPDATE b SET x = $5 WHERE y = $6" in statement
    assert not rest
    for number in range(FEW + 1):
        assert rest.takes_rows("a", Insert("INSERT INTO a (x, y)", given), [(number, str(number))])
    assert rest.takes("UPDATE b SET x = $1 WHERE y = $2", (7, 8))
    statement, parameters, _ = rest.taken()
    assert parameters == [list(range(FEW + 1)), [str(number) for number in range(FEW + 1)], 7, 8]
    assert "unnest($1::int[], $2::text[])" in statement
    assert "UPDATE b SET x = $3 WHERE y = $4" in statement


def test_no_statement_has_more_parameters_than_fit() -> None:
    rest, taken, insert = Later(), 0, Insert("INSERT INTO a (x)", Given((("x", "int"),)))
    while rest.takes_rows(f"a{taken}", insert, [(1,)]):
        taken += 1
    assert taken == MOST_PARAMETERS // FEW
    for number in range(taken):
        assert rest.takes_rows(f"a{number}", insert, [(2,)] * 3)
    assert len(rest.taken()[1]) <= MOST_PARAMETERS


async def test_counters_go_on_for_everybody_by_key(database: Database) -> None:
    await make_counter(database)
    amounts = [1, 2, 3, 1, 1] * 6

    async def one(key: str, by: int) -> range:
        last = await database.transaction(lambda tx: take(tx, key, by))
        return range(last - by + 1, last + 1)

    taken = await asyncio.gather(*(one(key, by) for by in amounts for key in ("a", "b")))
    for key in range(2):
        assert sorted(n for some in taken[key::2] for n in some) == list(range(1, sum(amounts) + 1))


async def test_a_counter_waits_for_no_transaction_and_for_no_connection_of_the_pool(
    database_url: str,
) -> None:
    database = await open_database(database_url, pool_size=2)
    try:
        await make_counter(database)
        if database.dialect == "sqlite":
            return
        reached, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def holds(tx: Tx) -> int:
            number = await take(tx, "a")
            reached.release()
            await go_on.wait()
            return number

        units = [asyncio.create_task(database.transaction(holds)) for _ in range(2)]
        async with asyncio.timeout(60):
            await reached.acquire()
            await reached.acquire()
        go_on.set()
        assert sorted(await asyncio.gather(*units)) == [1, 2]
    finally:
        await database.close()


async def test_a_statement_may_have_expressions_of_its_own(database: Database) -> None:
    if database.dialect == "sqlite":
        return
    move = f"@gone AS (DELETE FROM note WHERE id = $1 RETURNING text){OWN}INSERT INTO note SELECT $2, 'a', text FROM @gone"  # noqa: S608
    await database.transaction(lambda tx: later(tx, 1, 2))

    async def unit(tx: Tx) -> None:
        await later(tx, 3)
        await tx.driver_later("", move, (1, 11))
        await tx.driver_later("", move, (2, 12))

    await database.transaction(unit)
    assert await texts(database) == ["t3", "t1", "t2"]
    await database.transaction(lambda tx: tx.driver_later("", move, (11, 1)))  # all by itself
    assert await numbers(database) == [1, 3, 12]


def test_two_of_one_kind_are_not_sent_together_nor_with_rows_of_that_table() -> None:
    rest = Later()
    assert rest.takes("UPDATE b SET x = $1", (7,), kind="b")
    assert rest.holds("b")
    assert not rest.takes("UPDATE b SET x = $1", (8,), kind="b")
    given = Given((("x", "int"),))
    assert not rest.takes_rows("b", Insert("INSERT INTO b (x)", given), [(1,)])
    rest.taken()
    assert not rest.holds("b")
    assert rest.takes_rows("b", Insert("INSERT INTO b (x)", given), [(1,)])
    assert rest.holds("b")
    assert not rest.takes("UPDATE b SET x = $1", (8,), kind="b")


async def test_questions_are_answered_together_each_with_its_own_rows(database: Database) -> None:
    insert = "INSERT INTO note VALUES ({0}, {1}, 'new') ON CONFLICT DO NOTHING RETURNING id"
    look = "SELECT id, text FROM note WHERE id >= {0} ORDER BY id DESC"

    def claim(number: int) -> Question:
        return Question(insert.format("?", "?"), insert.format("$1", "$2"), (number, "a"))

    def seen(behind: str = "") -> Question:
        return Question(look.format("?"), look.format("$1"), (1,), behind=behind)

    async def unit(tx: Tx) -> list[list[tuple[object, ...]]]:
        await later(tx, 1)
        first, second, last = await tx.driver_together(claim(5), claim(5 + 1), seen(NOTE.name))
        [again], [alone] = await tx.driver_together(claim(5)), await tx.driver_together(seen())
        return [[tuple(row) for row in rows] for rows in (first, second, last, again, alone)]

    first, second, last, again, alone = await database.transaction(unit)
    assert (first, second, again) == ([(5,)], [(6,)], [])
    # What is asked at one moment is not seen by what is asked beside it, on PostgreSQL; what was to be sent before is.
    assert last[-1] == (1, "t1")
    assert alone == [(6, "new"), (5, "new"), (1, "t1")]


async def test_a_question_with_a_name_is_asked_once_in_a_transaction_until_it_is_forgotten(
    database: Database,
) -> None:
    look = "SELECT text FROM note ORDER BY id"
    plain, named = Question(look, look), Question(look, look, name="notes")

    async def unit(tx: Tx) -> list[list[str]]:
        found = [await tx.driver_together(named, plain)]
        await later(tx, 1)
        await tx.driver_all(look, look)  # it is sent before
        found += [await tx.driver_together(plain, named), await tx.driver_together(named)]
        tx.forget("notes")
        found.append(await tx.driver_together(named, plain))
        return [[row[0] for row in rows] for answers in found for rows in answers]

    assert await database.transaction(unit) == [[], [], ["t1"], [], [], ["t1"], ["t1"]]
    assert await database.transaction(lambda tx: tx.driver_together(named)) == [[("t1",)]]


async def test_who_wants_to_hear_of_rows_is_told_and_may_ask_for_more(database: Database) -> None:
    insert = "INSERT INTO note VALUES ({0}, {1}, 'new') RETURNING id, text"
    heard: list[list[tuple[object, ...]]] = []

    async def unit(tx: Tx) -> None:
        async def told(rows: Sequence[Sequence[object]]) -> None:
            heard.append([tuple(row) for row in rows])
            if len(heard) == 1:
                await upper(tx, 1)

        await later(tx, 1)
        await tx.driver_later(insert.format("?", "?"), insert.format("$1", "$2"), (2, "a"), told=told)
        await upper(tx, 3)
        await tx.driver_later(insert.format("?", "?"), insert.format("$1", "$2"), (4, "a"), told=told)

    await database.transaction(unit)
    assert heard == [[(2, "new")], [(4, "new")]]
    assert await texts(database) == ["T1", "new", "new"]
