"""A prepared SELECT finds what the same SELECT finds, in the same types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Boolean, Column, LargeBinary, MetaData, Table, Text, bindparam, select

from callout.storage.prepared import Prepared
from callout.storage.schema import Json, UtcTime

if TYPE_CHECKING:
    from callout.storage import Database, Tx

_MOMENT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)
_KINDS = Table(
    "kinds",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("at", UtcTime),
    Column("document", Json),
    Column("yes", Boolean),
    Column("raw", LargeBinary),
)
_CREATE = "CREATE TABLE kinds (id TEXT PRIMARY KEY, at BIGINT, document TEXT, yes BOOLEAN, raw {})"
_FULL = {"id": "full", "at": _MOMENT, "document": {"a": [1, None]}, "yes": True, "raw": b"\x00\xff"}
_EMPTY: dict[str, Any] = {"id": "empty", "at": None, "document": None, "yes": None, "raw": None}
_SINCE = select(_KINDS, _KINDS.c.id.label("again")).where(
    _KINDS.c.at >= bindparam("since"), _KINDS.c.yes.is_(True), _KINDS.c.id != "other"
)


async def test_it_finds_what_the_same_select_finds(database: Database) -> None:
    async def unit(tx: Tx) -> None:
        await tx.driver_all(_CREATE.format("BLOB"), _CREATE.format("BYTEA"))
        for row in (_FULL, _EMPTY):
            await tx.execute(_KINDS.insert(), row)

    await database.transaction(unit)
    every, since = Prepared(select(_KINDS).order_by(_KINDS.c.id)), Prepared(_SINCE)
    for _ in range(2):
        assert await database.read(every.all) == [_EMPTY, _FULL]
        assert await database.read(lambda tx: since.one(tx, since=_MOMENT)) == {**_FULL, "again": "full"}
        later = _MOMENT.replace(year=2027)
        assert await database.read(lambda tx, later=later: since.one(tx, since=later)) is None  # type: ignore[misc]
        plain = await database.read(lambda tx: tx.all(_SINCE, {"since": _MOMENT}))
        assert [dict(row) for row in plain] == [{**_FULL, "again": "full"}]


async def test_a_parameter_that_is_not_given_is_no_null(database: Database) -> None:
    with pytest.raises(KeyError, match="since"):
        await database.read(Prepared(_SINCE).all)
