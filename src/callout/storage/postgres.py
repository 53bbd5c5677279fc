"""PostgreSQL: a small pool of asyncpg connections under SQLAlchemy Core; each unit of work is a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from callout.storage.errors import (
    DuplicateRowError,
    StorageBusyError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)
from callout.storage.tx import AccountTx, DialectName, Params, Tx

if TYPE_CHECKING:
    from sqlalchemy import Executable, RowMapping

    from callout.storage.database import UnitOfWork

T = TypeVar("T")
_AGAIN = {"40001", "40P01"}
"""Serialization failure and deadlock: the database asks for the same transaction once more."""
_AWAY = {"08", "25P03", "3D", "53", "57", "58"}
"""States, and classes of them, in which the server, or the database in it, cannot be had just now."""
_FULL = {"53100", "53200", "54000"}
_ATTEMPTS = 4
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
IDLE_IN_TRANSACTION_SECONDS = 10
"""A frozen process must not hold row locks for ever: the server ends its transaction."""


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def _translate(error: DBAPIError) -> Exception:
    state = _sqlstate(error)
    if isinstance(error, IntegrityError) and state == "23505":
        cause = error.orig.__cause__ if error.orig is not None else None
        return DuplicateRowError(str(error.orig), constraint=str(getattr(cause, "constraint_name", "") or ""))
    if state in _FULL:
        return StorageFullError("the database is out of room; nothing was stored; make room and try again")
    if state in _AGAIN:
        return _busy(error.orig)
    if error.connection_invalidated or isinstance(error, InterfaceError) or _is_away(state):
        return StorageUnavailableError(f"the database did not answer: {error.orig}")
    return error


def _is_away(state: str) -> bool:
    return state in _AWAY or state[:2] in _AWAY


def _busy(why: object) -> StorageBusyError:
    return StorageBusyError(f"the database is too busy; nothing was stored; try again in a moment: {why}")


class PostgresTx:
    """A unit of work's view of its open transaction."""

    dialect: DialectName = "postgresql"

    __slots__ = ("_connection", "_driver", "callbacks")

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._driver: asyncpg.Connection | None = None
        self.callbacks: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        return (await self._connection.execute(statement, params)).rowcount

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        return (await self._connection.execute(statement, params)).mappings().all()

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        return (await self._connection.execute(statement, params)).mappings().first()

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        return (await self._connection.execute(statement, params)).scalar()

    async def driver_all(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = ()
    ) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]]
        if self._driver is None:
            # The first statement goes through SQLAlchemy, which begins the transaction with it; later ones go straight to the driver.
            result = await self._connection.exec_driver_sql(postgresql, tuple(params))
            rows = result.fetchall() if result.returns_rows else []
            await self._take_driver()
            return rows
        rows = await self._driver.fetch(postgresql, *params)
        return rows

    async def driver_many(self, sqlite: str, postgresql: str, rows: Sequence[Sequence[Any]]) -> None:
        driver = await self._raw()
        await driver.executemany(postgresql, rows)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def account(self, account_id: str) -> AccountTx:
        return AccountTx(self, account_id)

    async def _raw(self) -> asyncpg.Connection:
        """Return the driver's connection *inside* the transaction.

        SQLAlchemy begins it with its first own statement; a raw statement before that would commit by itself.
        """
        if self._driver is None:
            await self._connection.exec_driver_sql("SELECT 1")
            return await self._take_driver()
        return self._driver

    async def _take_driver(self) -> asyncpg.Connection:
        fairy = await self._connection.get_raw_connection()
        self._driver = fairy.driver_connection
        return self._driver


class PostgresDatabase:
    """A PostgreSQL database, opened by one event loop."""

    dialect: DialectName = "postgresql"

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self.url = url
        self.engine = engine

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 10) -> PostgresDatabase:
        """Open a pool for `url` (`postgresql://user:password@host/name`) and try it once. Raises StorageUnavailableError."""
        address = make_url(url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(
            address,
            pool_size=pool_size,
            max_overflow=0,
            # Values may be secrets or texts of customers: an error must not carry them into a log.
            hide_parameters=True,
            pool_pre_ping=False,
            pool_timeout=CONNECT_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": {
                    "application_name": "callout",
                    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
                },
            },
        )
        database = cls(url, engine)
        await database.read(_probe)
        return database

    async def transaction(self, work: UnitOfWork[T]) -> T:
        """See :meth:`Database.transaction <callout.storage.database.Database.transaction>`."""
        attempt = 1
        while True:
            try:
                return await self._once(work)
            except DBAPIError as error:
                if _sqlstate(error) not in _AGAIN or attempt >= _ATTEMPTS:
                    raise _translate(error) from error
            except asyncpg.PostgresError as error:
                if error.sqlstate not in _AGAIN or attempt >= _ATTEMPTS:
                    raise _from_driver(error) from error
            except NoFreeConnection as error:
                raise _busy("all connections of the pool are taken") from error
            except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
                msg = f"the database did not answer: {error}"
                raise StorageUnavailableError(msg) from error
            attempt += 1

    async def read(self, work: UnitOfWork[T]) -> T:
        """See :meth:`Database.read <callout.storage.database.Database.read>`."""
        return await self.transaction(work)

    async def close(self) -> None:
        """Close the pool."""
        await self.engine.dispose()

    async def _once(self, work: UnitOfWork[T]) -> T:
        connected = committing = False
        try:
            async with self.engine.connect() as connection:
                connected = True
                tx = PostgresTx(connection)
                async with connection.begin():
                    result = await work(tx)
                    committing = True
        except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if committing and _is_lost(error):
                msg = f"the connection was lost during the commit: {error}"
                raise StorageUnavailableError(msg, maybe_committed=True) from error
            if not connected:
                # Whatever the reason (starting, closed to connections, too many of them, a changed password): later it may work.
                why = error.orig if isinstance(error, DBAPIError) else error
                raise StorageUnavailableError(f"the database lets nobody in: {why}") from error
            raise
        loop = asyncio.get_running_loop()
        for callback in tx.callbacks:
            loop.call_soon(callback)
        return result


def _is_lost(error: Exception) -> bool:
    """Return whether `error` is no answer of the server: what it was doing may have been done."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, InterfaceError) or _is_away(_sqlstate(error))
    return not isinstance(error, asyncpg.PostgresError) or _is_away(error.sqlstate or "")


def _from_driver(error: asyncpg.PostgresError) -> StorageError | asyncpg.PostgresError:
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.UniqueViolationError):
        return DuplicateRowError(str(error), constraint=error.constraint_name or "")
    if state in _FULL:
        return StorageFullError("the database is out of room; nothing was stored; make room and try again")
    if state in _AGAIN:
        return _busy(error)
    if _is_away(state):
        return StorageUnavailableError(f"the database did not answer: {error}")
    return error


async def _probe(tx: Tx) -> None:
    await tx.driver_all("SELECT 1", "SELECT 1")
