"""The migrations build what the code's tables say, on both databases, and may be run by several processes at once."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from callout.audit.tables import TRIGGERS
from callout.bootstrap.tables import METADATA
from callout.storage import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def _differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def _triggers(connection: Connection) -> set[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT DISTINCT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    return {row[0] for row in connection.exec_driver_sql(query)}


async def test_the_migrated_schema_is_the_one_the_code_uses(database_url: str) -> None:
    await migrate.upgrade(database_url)
    assert await migrate._on(database_url, _differences) == []
    assert await migrate.current(database_url) == migrate.head()


async def test_the_audit_record_is_append_only_in_the_migrated_database(database_url: str) -> None:
    await migrate.upgrade(database_url)
    names = {
        text.split()[2] for texts in TRIGGERS.values() for text in texts if text.startswith("CREATE TRIGGER")
    }
    found = await migrate._on(database_url, _triggers)
    assert found
    assert found <= names


async def test_several_processes_may_migrate_at_once(database_url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CALLOUT_DATABASE_URL": database_url,
        "CALLOUT_DATA_DIR": str(tmp_path / "data"),
    }
    command = (sys.executable, "-m", "callout", "migrate")
    running = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(3)]
    assert [await process.wait() for process in running] == [0, 0, 0]
    assert await migrate.current(database_url) == migrate.head()
