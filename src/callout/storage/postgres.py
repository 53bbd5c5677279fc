"""PostgreSQL: a small pool of asyncpg connections under SQLAlchemy Core; each unit of work is a transaction of its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from callout.kit.priority import has_time
from callout.storage.counters import Counters
from callout.storage.database import SESSIONS
from callout.storage.errors import StorageError, StorageUnavailableError
from callout.storage.later import Answers, Later, MakesStatement, Question, Told, asked_together
from callout.storage.postgres_errors import (
    AGAIN,
    DRIVER_ERRORS,
    NOT_SENT,
    ConnectionEndedError,
    busy,
    from_driver,
    from_sqlalchemy,
    has_ended,
    is_lost,
    sqlstate_of,
)
from callout.storage.tx import AccountTx, DialectName, Params, Tx

if TYPE_CHECKING:
    from sqlalchemy import URL, Executable, RowMapping

    from callout.storage.database import UnitOfWork
    from callout.storage.turns import Turn, Turns

T = TypeVar("T")
_ATTEMPTS = 4
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
STATEMENTS = 250
"""So many of them a connection keeps prepared."""
LOCK_SECONDS = 5
"""How long a counter waits for who holds it."""
IDLE_IN_TRANSACTION_SECONDS = 10
"""A frozen process must not hold row locks for ever: the server ends its transaction."""


def _engine(url: URL, *, application_name: str, **settings: str) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        # Values may be secrets or texts of customers: an error must not carry them into a log.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": STATEMENT_SECONDS,
            # A statement is planned anew for its first five executions on each connection: it is not forgotten because of its age.
            "max_cached_statement_lifetime": 0,
            "statement_cache_size": STATEMENTS,
            "server_settings": {
                "application_name": application_name,
                "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
                **settings,
            },
        },
    )


class _Connection:
    """One physical connection: SQLAlchemy's view of it, and the driver's."""

    __slots__ = ("alchemy", "driver")

    def __init__(self, alchemy: AsyncConnection, driver: asyncpg.Connection) -> None:
        self.alchemy = alchemy
        self.driver = driver

    async def drop(self) -> None:
        """Close it without a word to the server: what it was doing is unknown."""
        self.driver.terminate()
        with contextlib.suppress(SQLAlchemyError, *DRIVER_ERRORS):
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
        if self._free.locked():
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._free.acquire()
            except TimeoutError:
                raise busy("all connections of the pool are taken") from None
        else:
            await self._free.acquire()  # at once: the time-out would cost more
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

    __slots__ = ("_answers", "_connection", "_count", "_later", "callbacks")

    def __init__(self, connection: _Connection, count: Callable[[str, str, int], Awaitable[int]]) -> None:
        self._connection = connection
        self._count = count
        self._later = Later()
        self._answers = Answers()
        self.callbacks: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        await self.send()
        return (await self._connection.alchemy.execute(statement, params)).rowcount

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        await self.send()
        return (await self._connection.alchemy.execute(statement, params)).mappings().all()

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        await self.send()
        return (await self._connection.alchemy.execute(statement, params)).mappings().first()

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        await self.send()
        return (await self._connection.alchemy.execute(statement, params)).scalar()

    async def driver_all(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = ()
    ) -> Sequence[Sequence[Any]]:
        await self.send()
        rows: Sequence[Sequence[Any]] = await self._connection.driver.fetch(postgresql, *params)
        return rows

    async def driver_many(self, sqlite: str, postgresql: str, rows: Sequence[Sequence[Any]]) -> None:
        await self.send()
        await self._connection.driver.executemany(postgresql, rows)

    async def driver_copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        await self.send()
        await self._connection.driver.copy_records_to_table(table, records=rows, columns=columns)

    async def driver_later(
        self,
        sqlite: str,
        postgresql: str,
        params: Sequence[Any] = (),
        *,
        kind: str = "",
        behind: Sequence[str] = (),
        told: Told | None = None,
    ) -> None:
        if self._later.holds(*behind):
            await self.send()
        while not self._later.takes(postgresql, params, kind=kind, told=told):
            await self.send()

    async def rows_later(
        self, kind: str, make: MakesStatement, rows: Sequence[Any], *, behind: Sequence[str] = ()
    ) -> None:
        if self._later.holds(*behind):
            await self.send()
        while not self._later.takes_rows(kind, make, rows):
            await self.send()

    async def driver_beside(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = (), *, behind: Sequence[str] = ()
    ) -> Sequence[Sequence[Any]]:
        if self._later.holds(*behind):
            await self.send()
        rows: Sequence[Sequence[Any]] = await self._connection.driver.fetch(postgresql, *params)
        return rows

    async def driver_together(self, *questions: Question) -> Sequence[Sequence[Sequence[Any]]]:
        return await self._answers.of(questions, self._ask)

    def forget(self, name: str) -> None:
        self._answers.forget(name)

    async def _ask(self, questions: Sequence[Question]) -> Sequence[Sequence[Sequence[Any]]]:
        if any(self._later.holds(one.behind) for one in questions):
            await self.send()
        if len(questions) == 1:
            return [await self._connection.driver.fetch(questions[0].postgresql, *questions[0].params)]
        statement, params = asked_together(questions)
        [found] = await self._connection.driver.fetch(statement, *params)
        return [rows or () for rows in found]

    async def count(self, sqlite: str, postgresql: str, key: str, by: int) -> int:
        return await self._count(postgresql, key, by)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def account(self, account_id: str) -> AccountTx:
        return AccountTx(self, account_id)

    async def send(self) -> None:
        """Send what was to be sent later."""
        while self._later:
            statement, params, telling = self._later.taken()
            rows = await self._connection.driver.fetch(statement, *params)
            for place, told in enumerate(telling):
                await told(rows[0][place] or ())

    def tell(self) -> None:
        """Call what wanted to hear of the end."""
        loop = asyncio.get_running_loop()
        for callback in self.callbacks:
            loop.call_soon(callback)


def _beside(url: URL, name: str) -> PostgresDatabase:
    engine = _engine(url, application_name=name, synchronous_commit="off", lock_timeout=f"{LOCK_SECONDS}s")
    return PostgresDatabase(url.render_as_string(), engine, 1, name)


class PostgresDatabase:
    """A PostgreSQL database, opened by one event loop."""

    dialect: DialectName = "postgresql"

    def __init__(self, url: str, engine: AsyncEngine, pool_size: int, name: str) -> None:
        self.url = url
        self._name = name
        self.engine = engine
        self._pool = _Pool(engine, pool_size)
        self._counters: Counters | None = None
        self._before_close: list[Callable[[], Awaitable[None]]] = []
        self._pause: Callable[[], Awaitable[None]] | None = None
        self._queued_at = -math.inf

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 10, name: str = SESSIONS) -> PostgresDatabase:
        """Open a pool for `url` (`postgresql://user:password@host/name`) and try it once. Raises StorageUnavailableError.

        `name` is what its sessions are called in the server's own list of them.
        """
        engine = _engine(make_url(url), application_name=name)
        database = cls(url, engine, pool_size, name)
        await database.read(_probe)
        return database

    async def transaction(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """See :meth:`Database.transaction <callout.storage.database.Database.transaction>`."""
        return await self._patiently(
            work, self._once if turns is None else partial(self._in_turn, turns, self._once)
        )

    async def read(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """See :meth:`Database.read <callout.storage.database.Database.read>`.

        Each statement sees what is committed when it begins, as it would inside a transaction of the usual kind: none is begun,
        which saves two of the round trips that a look at one row has three of.
        """
        return await self._patiently(
            work, self._look if turns is None else partial(self._in_turn, turns, self._look)
        )

    async def _patiently(self, work: UnitOfWork[T], once: Callable[[UnitOfWork[T]], Awaitable[T]]) -> T:
        attempt = 1
        while True:
            if self._pause is not None and has_time():
                await self._pause()
            try:
                return await once(work)
            except ConnectionEndedError as error:
                if attempt >= _ATTEMPTS:
                    msg = f"the database ended the connection: {error}"
                    raise StorageUnavailableError(msg) from error.__cause__
            except DBAPIError as error:
                if sqlstate_of(error) not in AGAIN or attempt >= _ATTEMPTS:
                    raise from_sqlalchemy(error) from error
            except asyncpg.PostgresError as error:
                if error.sqlstate not in AGAIN or attempt >= _ATTEMPTS:
                    raise from_driver(error) from error
            except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError) as error:
                msg = f"the database did not answer: {error}"
                raise StorageUnavailableError(msg) from error
            attempt += 1

    def restrained_by(self, pause: Callable[[], Awaitable[None]] | None) -> None:
        """Let each unit of work that has time (`kit.priority`) wait for `pause` before it begins; with None no more."""
        self._pause = pause

    async def close(self) -> None:
        """Close the pool."""
        for finish in self._before_close:
            await finish()
        if self._counters is not None:
            await self._counters.close()
        await self._pool.close()
        await self.engine.dispose()

    def aside(self, finish: Callable[[], Awaitable[None]]) -> PostgresDatabase:
        """Return this database by one connection of its own, whose commits are not waited for: for what a crash may undo.

        It is opened when it is first needed; `finish` is called before the database is closed, and closes it.
        """
        self._before_close.append(finish)
        return _beside(make_url(self.url), self._name)

    async def _count(self, statement: str, key: str, by: int) -> int:
        if self._counters is None:
            self._counters = Counters(_beside(make_url(self.url), self._name))
        return await self._counters.count(statement, key, by)

    async def _take(self) -> _Connection:
        try:
            return await self._pool.take()
        except DRIVER_ERRORS as error:
            # Whatever the reason (starting, closed to connections, too many of them, a changed password): later it may work.
            why = error.orig if isinstance(error, DBAPIError) else error
            raise StorageUnavailableError(f"the database lets nobody in: {why}") from error

    async def _look(self, work: UnitOfWork[T], _turn: Turn | None = None) -> T:
        connection = await self._take()
        broken = True
        tx = PostgresTx(connection, self._count)
        try:
            result = await work(tx)
            await tx.send()
            broken = False
        except DRIVER_ERRORS as error:  # the connection may be of no more use
            if has_ended(error, connection.driver):
                raise ConnectionEndedError(error) from error
            raise
        except Exception:
            broken = connection.alchemy.invalidated
            raise
        finally:
            await self._pool.give(connection, broken=broken)
        tx.tell()
        return result

    def queued_within(self, seconds: float) -> bool:
        """Return whether somebody of this process had to wait for a turn so lately: people ask faster than they are answered."""
        return time.monotonic() - self._queued_at < seconds

    async def _in_turn(self, turns: Turns, once: Callable[..., Awaitable[T]], work: UnitOfWork[T]) -> T:
        if turns.all_taken:
            self._queued_at = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                turn = await turns.take()
        except TimeoutError:
            raise busy("too many ask for the same at this moment") from None
        try:
            return await once(work, turn)
        finally:
            turn.over()

    async def _once(self, work: UnitOfWork[T], turn: Turn | None = None) -> T:
        connection = await self._take()
        broken = True
        tx = PostgresTx(connection, self._count)
        try:
            try:
                await connection.driver.execute("BEGIN")
                result = await work(tx)
                await tx.send()
            except TimeoutError:
                raise  # the server is asked to give the statement up: it may hear of it only when the next one runs
            except Exception as error:
                if has_ended(error, connection.driver):
                    raise ConnectionEndedError(error) from error
                broken = not await _rolled_back(connection)
                raise
            if turn is not None:
                turn.over()  # a commit waits for the disk, and others may wait with it
            await _commit(connection.driver)
            broken = False
        finally:
            await self._pool.give(connection, broken=broken)
        tx.tell()
        return result


async def _rolled_back(connection: _Connection) -> bool:
    """Undo everything; False when the connection is of no more use."""
    try:
        await connection.driver.execute("ROLLBACK")
    except DRIVER_ERRORS:
        return False
    return not connection.alchemy.invalidated


async def _commit(driver: asyncpg.Connection) -> None:
    try:
        done = await driver.execute("COMMIT")
    except DRIVER_ERRORS as error:
        if isinstance(error, asyncpg.InternalClientError) and str(error).startswith(NOT_SENT):
            raise ConnectionEndedError(error) from error
        if is_lost(error):
            msg = f"the connection was lost during the commit: {error}"
            raise StorageUnavailableError(msg, maybe_committed=True) from error
        raise
    if done != "COMMIT":
        # A statement had failed, and the unit of work went on as if it had not: nothing of it is stored.
        msg = f"the database answered {done} to COMMIT"
        raise StorageError(msg)


async def _probe(tx: Tx) -> None:
    await tx.driver_all("SELECT 1", "SELECT 1")
