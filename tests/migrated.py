"""For folders whose tests begin with the product's tables: with these, `sqlite_path`, `postgres_url` and `database_url` have the schema.

A conftest imports them; a copy costs a tenth of migrating anew.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from callout.storage import Database, open_database

__all__ = ["database", "postgres_url", "sqlite_path"]
FIRST_WITH_STRATEGIES = 150000


@pytest.fixture
def sqlite_path(sqlite_path: Path, migrated_file: Path) -> Path:
    """A SQLite file with the schema and nothing in it."""
    shutil.copy(migrated_file, sqlite_path)
    return sqlite_path


@pytest.fixture
def postgres_url(
    postgres_server: str, postgres_admin: psycopg.Connection, migrated_database: str
) -> Iterator[str]:
    """`postgresql://...` of a database with the schema and nothing in it."""
    name = f"test_{uuid4().hex}"
    # Copying files takes half of the time that writing each page to the log takes; before 15 there was no other way.
    how = "STRATEGY FILE_COPY" if postgres_admin.info.server_version >= FIRST_WITH_STRATEGIES else ""
    postgres_admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_database}" {how}')
    yield f"{postgres_server.rpartition('/')[0]}/{name}"
    postgres_admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of either kind with the schema and nothing in it, open."""
    database = await open_database(database_url)
    try:
        yield database
    finally:
        await database.close()
