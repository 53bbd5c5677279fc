"""Migrations: where the database stands, and bringing it up to date.

Alembic is imported only where something is migrated: a server that finds its database up to date does not carry it. Its revisions
are one line of numbered files (a test holds what is read here against what Alembic says).
"""

from __future__ import annotations

import asyncio
import functools
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from callout.storage.errors import StorageBusyError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 20
_PAUSE = (0.2, 1.0)
_IN_THE_WAY = frozenset({"40P01", "55P03"})
"""PostgreSQL's codes for a deadlock, and for a lock that was not to be had in time."""
_FOLDER = Path(__file__).parent / "migrations"


@functools.cache
def _revisions() -> tuple[str, ...]:
    """Return the revisions this program has, oldest first; a file's name begins with its own."""
    return tuple(sorted(path.name.split("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py")))


def head() -> str:
    """Return the newest revision this program knows."""
    return _revisions()[-1]


def known() -> frozenset[str]:
    """Return every revision that this program can migrate from; empty stands for a new database."""
    return frozenset({"", *_revisions()})


def _current(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or ""


def _upgrade(connection: Connection, revision: str = "head") -> None:
    from alembic import command  # noqa: PLC0415  # see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


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
    """Bring the database behind `url` to :func:`head`, in one transaction. Several processes may try at once, others may work on it.

    Where somebody who works holds what it needs, or the two hold each other up, it gives way and begins again. Raises
    StorageBusyError when it never came to it.
    """
    for left in reversed(range(TRIES)):
        try:
            await _on(url, _upgrade)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                raise
            if not left:
                raise StorageBusyError(
                    "somebody held the tables all the time (a long query, a backup): nothing was changed; try again"
                ) from error
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311  # no secret
        else:
            return
