"""The migrations build what the code's tables say, on both databases, and may be run by several processes at once."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from callout.audit.tables import TRIGGERS
from callout.bootstrap.tables import METADATA
from callout.storage import StorageBusyError, migrate

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def _differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def _triggers(connection: Connection) -> set[str]:
    query = (
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT tgname, relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal"
    )
    return {name for name, table in connection.exec_driver_sql(query) if table in METADATA.tables}


async def test_the_migrated_schema_is_the_one_the_code_uses(database_url: str) -> None:
    await migrate.upgrade(database_url)
    assert await migrate._on(database_url, _differences) == []
    assert await migrate.current(database_url) == migrate.head()


def test_revisions_are_read_as_alembic_reads_them() -> None:
    script = ScriptDirectory(str(migrate._FOLDER))
    in_order = [one.revision for one in script.walk_revisions()][::-1]
    assert list(migrate._revisions()) == in_order
    assert script.get_heads() == [migrate.head()]
    assert migrate.known() == {"", *in_order}


async def test_a_database_that_was_never_migrated_has_no_revision(database_url: str) -> None:
    assert await migrate.current(database_url) == ""


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


async def test_who_works_meanwhile_is_given_way_to(postgres_url: str) -> None:
    """Somebody holds a table that a migration changes: it does not wait for ever, with everybody else behind it, and comes to it later."""
    await migrate._on(postgres_url, lambda on: migrate._upgrade(on, "0015"))
    async with await psycopg.AsyncConnection.connect(postgres_url) as holder:
        await holder.execute("LOCK TABLE incident IN ROW EXCLUSIVE MODE")
        upgrading = asyncio.create_task(migrate.upgrade(postgres_url))
        await asyncio.sleep(3)  # longer than it waits once
        assert not upgrading.done()
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:
            await other.execute("SET lock_timeout = '10s'")
            await other.execute("SELECT count(*) FROM incident")  # nobody queues behind it for long
        await holder.commit()
    await upgrading
    assert await migrate.current(postgres_url) == migrate.head()


async def test_it_says_so_where_it_never_comes_to_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TRIES", 1)
    await migrate._on(postgres_url, lambda on: migrate._upgrade(on, "0015"))
    async with await psycopg.AsyncConnection.connect(postgres_url) as holder:
        await holder.execute("LOCK TABLE incident IN ROW EXCLUSIVE MODE")
        with pytest.raises(StorageBusyError, match="nothing was changed"):
            await migrate.upgrade(postgres_url)
        await holder.rollback()
    assert await migrate.current(postgres_url) == "0015"
