"""Migrations: where the database stands, and bringing it up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from callout.storage.errors import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the newest revision this program knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    return revision or ""


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def _on(url: str, action: Callable[[Connection], Any]) -> Any:  # noqa: ANN401  # the action's own result
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_on_sqlite, url, action)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        connection = await engine.connect()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        await engine.dispose()
        # A migration's own error is not one of these: it shows as it is.
        raise StorageUnavailableError(f"PostgreSQL cannot be reached: {error}") from error
    try:
        async with connection.begin():
            return await connection.run_sync(action)
    finally:
        await connection.close()
        await engine.dispose()


def _on_sqlite(url: str, action: Callable[[Connection], Any]) -> Any:  # noqa: ANN401
    engine = create_engine(url, connect_args={"timeout": 30})

    # The driver would commit before each CREATE TABLE; a migration is applied whole or not at all.
    @event.listens_for(engine, "connect")
    def _plain(raw: Any, _record: object) -> None:  # noqa: ANN401
        raw.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            return action(connection)
    finally:
        engine.dispose()


async def current(url: str) -> str:
    """Return the revision that the database behind `url` is at; empty for a new one."""
    revision: str = await _on(url, _current)
    return revision


async def upgrade(url: str) -> None:
    """Bring the database behind `url` to :func:`head`, in one transaction. Several processes may try at once."""
    await _on(url, _upgrade)
