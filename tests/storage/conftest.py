from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from callout.storage import Database, Tx, open_database

NOTE = Table(
    "note",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Text, nullable=False),
    Column("text", Text, nullable=False),
)
_CREATE = "CREATE TABLE note (id BIGINT PRIMARY KEY, account_id TEXT NOT NULL, text TEXT NOT NULL)"


async def make_note_table(database: Database) -> None:
    """Make the one table of these tests."""
    await database.transaction(lambda tx: tx.driver_all(_CREATE, _CREATE))


async def add(tx: Tx, number: int, text: str = "x", account: str = "a") -> None:
    """Insert one row by hand-written SQL."""
    await tx.driver_all(
        "INSERT INTO note VALUES (?, ?, ?)", "INSERT INTO note VALUES ($1, $2, $3)", (number, account, text)
    )


async def numbers(database: Database) -> list[int]:
    """Return the ids of all rows."""
    rows = await database.read(lambda tx: tx.driver_all("SELECT id FROM note", "SELECT id FROM note"))
    return sorted(row[0] for row in rows)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of either kind with the table `note`."""
    opened = await open_database(database_url)
    await make_note_table(opened)
    yield opened
    await opened.close()
