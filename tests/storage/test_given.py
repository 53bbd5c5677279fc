"""Rows in one statement: few as values, more as arrays, many by COPY; what is stored, and in which order, is the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from callout.storage import Database, Tx
from callout.storage.bulk import COPIED, insert_rows
from callout.storage.given import FEW
from callout.storage.schema import Json, UtcTime

THING = Table(
    "thing",
    MetaData(),
    Column("nth", BigInteger, primary_key=True),
    Column("name", Text),
    Column("at", UtcTime),
    Column("size", Integer),
    Column("data", Json),
)
_SQLITE = "CREATE TABLE thing (nth INTEGER PRIMARY KEY, name TEXT, at BIGINT, size INTEGER, data TEXT)"
_POSTGRES = "CREATE TABLE thing (nth BIGSERIAL PRIMARY KEY, name TEXT, at BIGINT, size INTEGER, data TEXT)"
AT = datetime(2026, 11, 22, 1, tzinfo=UTC)


def row(number: int) -> dict[str, Any]:
    return {
        "name": None if number % 3 == 1 else f"thing $1 {{{number}}} @asked ü",
        "at": AT + timedelta(microseconds=number),
        "size": None if number % 2 else number,
        "data": {"rows": [number, None]},
    }


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("count", [1, 2, FEW, FEW + 1, COPIED - 1, COPIED])
async def test_every_number_of_rows_is_stored_in_order(
    database: Database, count: int, *, later: bool
) -> None:
    rows = [row(number) for number in range(count)]

    async def unit(tx: Tx) -> None:
        await tx.driver_all(_SQLITE, _POSTGRES)
        await insert_rows(tx, THING, rows, later=later)
        await insert_rows(tx, THING, [row(count)], later=later)

    await database.transaction(unit)
    found = await database.read(lambda tx: tx.all(THING.select().order_by(THING.c.nth)))
    assert [{name: one[name] for name in row(0)} for one in found] == [*rows, row(count)]
