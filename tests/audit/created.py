"""A database with every table that is defined so far."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from callout.storage import open_database
from callout.storage.postgres import PostgresDatabase
from callout.storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.storage import Database


@asynccontextmanager
async def created(url: str) -> AsyncIterator[Database]:
    database = await open_database(url)
    try:
        if isinstance(database, PostgresDatabase):
            async with database.engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
        else:
            engine = create_engine(url)
            metadata.create_all(engine)
            engine.dispose()
        yield database
    finally:
        await database.close()
