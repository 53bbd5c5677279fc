"""The database as the rest sees it, and the choice between the two kinds by URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from callout.storage.turns import Turns
    from callout.storage.tx import DialectName, Tx

T = TypeVar("T")
UnitOfWork = Callable[["Tx"], Awaitable[T]]
SESSIONS: Final = "callout"
"""What PostgreSQL calls our sessions in its list of them (`application_name`), but for those of a process that is a worker alone."""
SESSIONS_OF_WORKERS: Final = "callout-worker"


class Database(Protocol):
    """An open database. Safe to share between the tasks of one event loop."""

    url: str
    dialect: DialectName

    async def transaction(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """Run `work` in one transaction and return its result once that is on disk.

        With `turns`, on PostgreSQL, it waits for its turn, which ends where the commit begins, as long as for a connection; on SQLite all
        who wait share a commit.

        When `work` raises, nothing of it is stored and the exception comes back. Deadlocks are tried again, so `work` may run
        more than once and must have no effect but through its `Tx`. Raises StorageUnavailableError and its kinds.
        """
        ...

    async def read(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """Run `work` on a read-only snapshot, without waiting for writers.

        With `turns`, on PostgreSQL, it waits for its turn; on SQLite it goes with those who write: twenty who looked at one moment, each by
        a thread, waited longer for the interpreter.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        ...


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite file at `path`."""
    return f"sqlite:///{path}"


async def open_database(url: str, *, pool_size: int = 10, name: str = SESSIONS) -> Database:
    """Open the database behind `url`: `sqlite:///FILE` or `postgresql://…`. Raises ValueError for any other scheme.

    `pool_size` is the number of PostgreSQL connections, `name` what the server calls them; on SQLite there is one writer and a few readers.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from callout.storage.sqlite import SqliteDatabase  # noqa: PLC0415  # each install pays for one driver only

        return await SqliteDatabase.open(url)
    if scheme in {"postgresql", "postgres"}:
        from callout.storage.postgres import PostgresDatabase  # noqa: PLC0415

        return await PostgresDatabase.open(url, pool_size=pool_size, name=name)
    msg = f"database URL must begin with sqlite:/// or postgresql://, not {scheme!r}"
    raise ValueError(msg)
