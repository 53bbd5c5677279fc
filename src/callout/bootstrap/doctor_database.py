"""Checks of the database, asked as the program asks it: reachable, of the right schema, with room, and whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from callout.bootstrap.doctor_model import Finding, Findings
from callout.bootstrap.doctor_place import MIB, NETWORK_FILE_SYSTEMS, file_system_of
from callout.storage import StorageError
from callout.storage import migrate as migrations
from callout.storage.schema import from_micros

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings
    from callout.kit.clock import Clock
    from callout.storage import Database, Tx

INTEGRITY_SECONDS: Final = 20.0
"""So long the file's pages are read; a larger file is not checked through."""
LARGE_LOG: Final = 256 * MIB
OLDEST_SERVER: Final = 140_000
"""The oldest `server_version_num` that the tests have seen the program work with is 15; 14 has all it uses."""
SKEW_WARNED: Final = timedelta(seconds=2)
SKEW_WRONG: Final = timedelta(seconds=30)


async def check_schema(settings: Settings) -> tuple[bool, list[Finding]]:
    """Return whether the database can be used as it is, and what stands in the way."""
    found = Findings("database")
    if settings.embedded:
        path = settings.database.removeprefix("sqlite:///")
        if not await asyncio.to_thread(os.path.exists, path):
            found.unknown(
                f"there is no database {path}",
                "The first `callout serve` makes it; or name the right place with --data.",
            )
            return False, found.all
    try:
        current, head = await migrations.current(settings.database), migrations.head()
    except StorageError as error:
        found.wrong(str(error), "Check CALLOUT_DATABASE_URL, and that the server listens and lets us in.")
        return False, found.all
    except (SQLAlchemyError, OSError) as error:
        why = getattr(error, "orig", None) or error
        found.wrong(
            f"it cannot be read: {why}", "See whether it is whole and ours; restore a backup if it is not."
        )
        return False, found.all
    if current == head:
        found.ok(f"reachable, at schema {head}")
        return True, found.all
    if current in migrations.known():
        todo = "Run `callout migrate`" + (" (`callout serve` does)." if settings.embedded else ".")
        found.wrong(f"it is at schema {current or 'nothing'}, this program needs {head}", todo)
    else:
        found.wrong(
            f"it is at schema {current}, which this program does not know",
            "A newer version of the program has migrated it: run that version, or restore a backup from before.",
        )
    return False, found.all


async def check_sqlite(settings: Settings, *, deep: bool) -> list[Finding]:
    """Return how the embedded database's file is kept, and with `deep` whether it is whole."""
    return await asyncio.to_thread(_sqlite, Path(settings.database.removeprefix("sqlite:///")), deep=deep)


def _sqlite(path: Path, *, deep: bool) -> list[Finding]:
    found = Findings("database")
    path = path.resolve()
    mounts = Path("/proc/mounts")
    kind = file_system_of(path, mounts.read_text(encoding="utf-8")) if mounts.exists() else ""
    if kind in NETWORK_FILE_SYSTEMS:
        found.wrong(
            f"{path} is on {kind}, a network file system: its locks do not protect the file",
            "Move the data directory to a disk of this machine, or use PostgreSQL.",
        )
    elif kind:
        found.ok(f"{path} is on {kind}")
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < size:
        found.warn(
            f"less room is free on its disk than the {size // MIB:,} MiB that it takes: a backup beside it will not fit",
            "Make room, or write backups to another disk.",
        )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode == "wal":
            log = path.with_name(f"{path.name}-wal")
            pages = log.stat().st_size if log.exists() else 0
            if pages > LARGE_LOG:
                found.warn(
                    f"its log has {pages // MIB:,} MiB: somebody reads for very long, and it cannot be emptied",
                    "Look for a copy or a query that does not end.",
                )
            else:
                found.ok(f"{size / MIB:,.1f} MiB, log in WAL mode with {pages / MIB:,.1f} MiB")
        else:
            found.warn(
                f"its journal is in {mode} mode: readers and the writer wait for each other",
                "`callout serve` sets WAL at its start; if it cannot, the file system does not allow it.",
            )
        if deep:
            _check_pages(connection, found)
    return found.all


def _check_pages(connection: sqlite3.Connection, found: Findings) -> None:
    until = time.monotonic() + INTEGRITY_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > until), 10_000)
    try:
        told = [row[0] for row in connection.execute("PRAGMA quick_check(10)")]
    except sqlite3.OperationalError as error:
        if "interrupt" not in str(error):
            raise
        found.unknown(
            f"its pages could not all be read within {INTEGRITY_SECONDS:g} s",
            "`callout backup` checks the copy through.",
        )
        return
    except sqlite3.DatabaseError as error:
        told = [str(error)]
    if told == ["ok"]:
        found.ok("its pages are whole (quick_check)")
    else:
        found.wrong(
            f"its file is damaged: {'; '.join(told)}",
            "Stop Callout, keep a copy of the file, and restore the newest backup.",
        )


async def check_postgres(settings: Settings, database: Database) -> list[Finding]:
    """Return the server's version, the connections that are left, and whether the wake-ups' tables are there."""
    found = Findings("database")

    async def look(tx: Tx) -> tuple[int, str, int, int, bool]:
        async def one(text: str) -> str:
            return str((await tx.driver_all("", text))[0][0])

        limit = int(await one("SHOW max_connections")) - int(await one("SHOW superuser_reserved_connections"))
        used = int(await one("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
        there = await one("SELECT to_regclass('procrastinate_jobs') IS NOT NULL") == "True"
        return int(await one("SHOW server_version_num")), await one("SHOW server_version"), limit, used, there

    number, version, limit, used, there = await database.read(look)
    if number < OLDEST_SERVER:
        found.wrong(f"PostgreSQL {version} is too old", "Use PostgreSQL 14 or newer.")
    else:
        found.ok(f"PostgreSQL {version}")
    needed = settings.processes * (settings.pool_size + 4)
    if limit < needed:
        found.wrong(
            f"it allows {limit} connections, and {settings.processes} processes take up to {needed}",
            "Raise max_connections, or lower CALLOUT_POOL_SIZE.",
        )
    elif limit - used < 5:  # noqa: PLR2004  # a command or two, and psql
        found.warn(
            f"{used} of {limit} connections are taken", "Raise max_connections, or see who holds them."
        )
    else:
        found.ok(f"{used} of {limit} connections are taken")
    if there:
        found.ok("the tables of Procrastinate, which carries the wake-ups, are there")
    else:
        found.wrong("the tables of Procrastinate are not there: no work is done", "Run `callout migrate`.")
    return found.all


async def check_clock(database: Database, clock: Clock) -> list[Finding]:
    """Return how far our clock is from the database's; the embedded one has none of its own."""
    found = Findings("clocks")
    if database.dialect == "sqlite":
        found.ok("the database has this machine's clock")
        return found.all
    before = clock.now()

    async def look(tx: Tx) -> int:
        text = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        return int((await tx.driver_all("", text))[0][0])

    theirs = from_micros(await database.read(look))
    after = clock.now()
    apart = max(before - theirs, theirs - after, timedelta())
    words = f"ours and the database's are {apart.total_seconds():.1f} s apart"
    if apart > SKEW_WRONG:
        found.wrong(words, "Set both machines' clocks by NTP: timers and leases go by them.")
    elif apart > SKEW_WARNED:
        found.warn(words, "Set both machines' clocks by NTP.")
    else:
        found.ok(words)
    return found.all


__all__ = ["check_clock", "check_postgres", "check_schema", "check_sqlite"]
