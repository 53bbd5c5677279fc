"""PostgreSQL: a small pool of asyncpg connections under SQLAlchemy Core; each unit of work is a transaction of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

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


class _Connection:
    """One physical connection: SQLAlchemy's view of it, and the driver's."""

    __slots__ = ("alchemy", "driver")

    def __init__(self, alchemy: AsyncConnection, driver: asyncpg.Connection) -> None:
        self.alchemy = alchemy
        self.driver = driver

    async def drop(self) -> None:
        """Close it without a word to the server: what it was doing is unknown."""
        self.driver.terminate()
        with contextlib.suppress(SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await self.alchemy.invalidate()
            await self.alchemy.close()


class _Pool:
    """Connections that stay open; the one used last is given out first, so that the busy ones stay warm."""

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(size)
        self._closed = False

    async def take(self) -> _Connection:
        """Return a connection nobody else uses. Raises what connecting raises, StorageBusyError when all are taken for long."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise _busy("all connections of the pool are taken") from None
        try:
            while self._idle:
                found = self._idle.pop()
                if not found.driver.is_closed():
                    return found
                await found.drop()
            alchemy = await self._engine.connect()
            fairy = await alchemy.get_raw_connection()
            driver = fairy.driver_connection
        except BaseException:
            self._free.release()
            raise
        return _Connection(alchemy, driver)

    async def give(self, connection: _Connection, *, broken: bool) -> None:
        """Take a connection back; a broken one is closed."""
        try:
            if broken or self._closed:
                await connection.drop()
            else:
                self._idle.append(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and the others as they come back."""
        self._closed = True
        for connection in self._idle:
            await connection.alchemy.close()
        self._idle.clear()


class PostgresTx:
    """A unit of work's view of its open transaction.

    The transaction is begun and committed on the driver's connection; SQLAlchemy, which thinks that each statement commits by itself,
    is only asked where a statement is built with it.
    """

    dialect: DialectName = "postgresql"

    __slots__ = ("_connection", "callbacks")

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.callbacks: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        return (await self._connection.alchemy.execute(statement, params)).rowcount

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        return (await self._connection.alchemy.execute(statement, params)).mappings().all()

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        return (await self._connection.alchemy.execute(statement, params)).mappings().first()

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        return (await self._connection.alchemy.execute(statement, params)).scalar()

    async def driver_all(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = ()
    ) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._connection.driver.fetch(postgresql, *params)
        return rows

    async def driver_many(self, sqlite: str, postgresql: str, rows: Sequence[Sequence[Any]]) -> None:
        await self._connection.driver.executemany(postgresql, rows)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def account(self, account_id: str) -> AccountTx:
        return AccountTx(self, account_id)


class PostgresDatabase:
    """A PostgreSQL database, opened by one event loop."""

    dialect: DialectName = "postgresql"

    def __init__(self, url: str, engine: AsyncEngine, pool_size: int) -> None:
        self.url = url
        self.engine = engine
        self._pool = _Pool(engine, pool_size)

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 10) -> PostgresDatabase:
        """Open a pool for `url` (`postgresql://user:password@host/name`) and try it once. Raises StorageUnavailableError."""
        address = make_url(url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(
            address,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            # Values may be secrets or texts of customers: an error must not carry them into a log.
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": {
                    "application_name": "callout",
                    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
                },
            },
        )
        database = cls(url, engine, pool_size)
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
            except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
                msg = f"the database did not answer: {error}"
                raise StorageUnavailableError(msg) from error
            attempt += 1

    async def read(self, work: UnitOfWork[T]) -> T:
        """See :meth:`Database.read <callout.storage.database.Database.read>`."""
        return await self.transaction(work)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()
        await self.engine.dispose()

    async def _once(self, work: UnitOfWork[T]) -> T:
        try:
            connection = await self._pool.take()
        except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            # Whatever the reason (starting, closed to connections, too many of them, a changed password): later it may work.
            why = error.orig if isinstance(error, DBAPIError) else error
            raise StorageUnavailableError(f"the database lets nobody in: {why}") from error
        broken = True
        tx = PostgresTx(connection)
        try:
            await connection.driver.execute("BEGIN")
            try:
                result = await work(tx)
            except Exception:
                broken = not await _rolled_back(connection)
                raise
            await _commit(connection.driver)
            broken = False
        finally:
            await self._pool.give(connection, broken=broken)
        loop = asyncio.get_running_loop()
        for callback in tx.callbacks:
            loop.call_soon(callback)
        return result


async def _rolled_back(connection: _Connection) -> bool:
    """Undo everything; False when the connection is of no more use."""
    try:
        await connection.driver.execute("ROLLBACK")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return False
    return not connection.alchemy.invalidated


async def _commit(driver: asyncpg.Connection) -> None:
    try:
        done = await driver.execute("COMMIT")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        if _is_lost(error):
            msg = f"the connection was lost during the commit: {error}"
            raise StorageUnavailableError(msg, maybe_committed=True) from error
        raise
    if done != "COMMIT":
        # A statement had failed, and the unit of work went on as if it had not: nothing of it is stored.
        msg = f"the database answered {done} to COMMIT"
        raise StorageError(msg)


def _is_lost(error: Exception) -> bool:
    """Return whether `error` is no answer of the server: what it was doing may have been done."""
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
