"""Copies of a whole database at one moment, taken while others write, and putting one back.

SQLite copies by its own online backup, PostgreSQL by `pg_dump` on a snapshot that stays open until the rows are counted, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from callout.storage.database import SESSIONS, SESSIONS_OF_WORKERS
from callout.storage.errors import StorageError, StorageUnavailableError

REPLACED: Final = "callout_replaced_"
"""How the schemas begin that hold what a restore has put aside."""
_FOLDERS: Final = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt")
_VERSION: Final = re.compile(r"(\d+)(?:\.\d+)*")


class BackupError(StorageError):
    """A copy cannot be made, or not be put back; the message says why and what to do."""

    code = "BACKUP_FAILED"


# ------------------------------------------------------------------------------------------------------ SQLite


async def copy_sqlite(source: Path, target: Path) -> None:
    """Write a copy of the database as it is at one moment to the new file `target`. Raises BackupError."""
    try:
        await asyncio.to_thread(_copy_sqlite, source, target)
    except sqlite3.Error as error:
        raise BackupError(f"the database {source} cannot be copied: {error}") from error


def _copy_sqlite(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as ours,
        closing(sqlite3.connect(target)) as theirs,
    ):
        # In one step: between two, a writer of another process would have it begin anew each time.
        ours.backup(theirs, pages=-1)
        theirs.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        told = theirs.execute("PRAGMA quick_check(1)").fetchone()[0]
        if told != "ok":
            raise BackupError(f"the copy is damaged, and so is the database: {told}")


def count_sqlite(path: Path, tables: Sequence[str]) -> dict[str, int]:
    """Return how many rows those of `tables` have that a file has."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {
            name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608  # our own tables
            for name in tables
            if name in there
        }


def is_in_use(path: Path) -> bool:
    """Return whether another process has the SQLite file open."""
    with closing(sqlite3.connect(path, timeout=0.2)) as connection:
        try:
            # Only who is alone may leave WAL mode.
            return str(connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]) != "delete"
        except sqlite3.OperationalError:
            return True


# -------------------------------------------------------------------------------------------------- PostgreSQL


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Open one connection of our own. Raises StorageUnavailableError."""
    try:
        connection = await asyncpg.connect(
            url, timeout=10, server_settings={"application_name": "callout-backup"}
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StorageUnavailableError(f"PostgreSQL cannot be reached: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


def find_tool(name: str, server: int) -> Path:
    """Return the oldest installed `pg_dump` (or `pg_restore`) that is not older than the server's major version. Raises BackupError."""
    places = [
        shutil.which(name),
        *(str(one) for root in _FOLDERS for one in Path(root).glob(f"*/bin/{name}")),
    ]
    found: dict[int, Path] = {}
    for place in dict.fromkeys(one for one in places if one):
        told = subprocess.run([place, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603  # a tool by its full path
        version = _VERSION.search(told.stdout.rpartition("(PostgreSQL)")[2])
        if told.returncode == 0 and version is not None:
            found.setdefault(int(version[1]), Path(place))
    if not found:
        raise BackupError(
            f"there is no {name} on this machine: install PostgreSQL's client programs, version {server} or newer"
        )
    fit = [version for version in found if version >= server]
    if not fit:
        raise BackupError(
            f"{name} here is of version {max(found)}, the server of {server}: install client programs of {server} or newer"
        )
    return found[min(fit)]


async def dump_postgres(url: str, target: Path, tables: Sequence[str]) -> tuple[dict[str, int], str]:
    """Write a dump in PostgreSQL's custom format to the new file `target`; return the rows per table, and the schema's revision.

    Dump and counts are of one and the same snapshot. Raises BackupError, StorageUnavailableError.
    """
    async with (
        connected(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        tool = await asyncio.to_thread(find_tool, "pg_dump", connection.get_server_version().major)
        snapshot: str = await connection.fetchval("SELECT pg_export_snapshot()")
        revision: str = await connection.fetchval("SELECT version_num FROM alembic_version")
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        await _run(
            tool,
            url,
            *("--format=custom", "--no-owner", "--no-privileges", f"--exclude-schema={REPLACED}*"),
            *(f"--snapshot={snapshot}", f"--file={target}"),
        )
        listed = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        there = {row["tablename"] for row in listed}
        counts = {
            name: int(await connection.fetchval(f'SELECT count(*) FROM "{name}"'))  # noqa: S608  # our own tables
            for name in tables
            if name in there
        }
    return counts, revision


async def restore_postgres(url: str, dump: Path) -> None:
    """Load a dump into the empty schema `public`, wholly or not at all. Raises BackupError, StorageUnavailableError."""
    async with connected(url) as connection:
        tool = await asyncio.to_thread(find_tool, "pg_restore", connection.get_server_version().major)
    await _run(
        tool, url, "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(dump)
    )


async def _run(tool: Path, url: str, *arguments: str) -> None:
    address, environment = address_of(url)
    process = await asyncio.create_subprocess_exec(
        tool,
        f"--dbname={address}",
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        _, told = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        why = told.decode("utf-8", "replace").strip().splitlines()
        raise BackupError(f"{tool.name} failed: {' / '.join(why[-4:]) or process.returncode}")


def address_of(url: str) -> tuple[str, Mapping[str, str]]:
    """Return a database's URL without its password, which others could read in the list of processes, and the environment with it."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    password = query.pop("password", None) or parts.password
    user, _, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    netloc = f"{user}@{host}" if user else host
    bare = urlunsplit(("postgresql", netloc, parts.path, urlencode(query), ""))
    if not password:
        return bare, {}
    return bare, {"PGPASSWORD": unquote(password)}


async def users_of(url: str) -> int:
    """Return how many connections of Callout the database has beside ours."""
    async with connected(url) as connection:
        text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ANY($1::text[])"
        return int(await connection.fetchval(text, [SESSIONS, SESSIONS_OF_WORKERS]))


async def tables_of(url: str) -> int:
    """Return how many tables there are in the schema `public`."""
    async with connected(url) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))


async def put_aside(url: str, name: str) -> None:
    """Rename the schema `public` to `name`, with all that is in it, and make an empty one."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute(f'ALTER SCHEMA public RENAME TO "{name}"')
        await connection.execute("CREATE SCHEMA public")


async def bring_back(url: str, name: str) -> None:
    """Undo `put_aside`, dropping what has come into `public` since."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute(f'ALTER SCHEMA "{name}" RENAME TO public')


async def clear(url: str) -> None:
    """Empty the schema `public`, which was empty before a restore that failed."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")


__all__ = [
    "REPLACED",
    "BackupError",
    "address_of",
    "bring_back",
    "clear",
    "connected",
    "copy_sqlite",
    "count_sqlite",
    "dump_postgres",
    "find_tool",
    "is_in_use",
    "put_aside",
    "restore_postgres",
    "tables_of",
    "users_of",
]
