"""SQLite: one writer thread that commits many units of work at once, and a few reading threads.

Each unit of work runs whole in the writer thread, inside a savepoint of its own; all that wait are committed together, and
their futures are resolved only after the commit is on disk (`synchronous=FULL`). Two processes may share one file on one host: they write
by turns, and one that gives way to others (`nice`) keeps its turns short.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from callout.kit.priority import gives_way
from callout.storage.errors import (
    DuplicateRowError,
    StorageBusyError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)
from callout.storage.later import Answers
from callout.storage.next_writer import NextWriter
from callout.storage.tx import AccountTx, DialectName, Params

if TYPE_CHECKING:
    from sqlalchemy import Connection, Executable, RowMapping

    from callout.storage.database import UnitOfWork
    from callout.storage.later import MakesStatement, Question, Told
    from callout.storage.turns import Turns

T = TypeVar("T")
BUSY_TIMEOUT_MS = 2_500
"""How long a commit waits for another process before it fails as busy; shorter than the patience of a webhook sender."""
LOOK_SECONDS = 0.0005
"""How often it looks meanwhile whether it may."""
COMMIT_TOGETHER = 256
HOLD_SECONDS = 0.1
"""After so long a transaction takes no further unit of work while another process waits to write."""
HOLD_SECONDS_GIVING_WAY = 0.002
READERS = 3
_UNIQUE = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}


def _connect(path: str, *, read_only: bool) -> Connection:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        # Values may be secrets or texts of customers: an error must not carry them into a log.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _record: object) -> None:
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        if not read_only:
            raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA temp_store=MEMORY")
        if read_only:
            raw.execute("PRAGMA query_only=ON")

    # AUTOCOMMIT keeps SQLAlchemy from beginning transactions of its own: the writer says BEGIN, SAVEPOINT and COMMIT.
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _translate(error: sqlite3.Error) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    primary = code & 0xFF
    if code in _UNIQUE:
        return DuplicateRowError(str(error), constraint=str(error).rpartition(": ")[2])
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageBusyError("the database file is locked by another process; try again in a moment")
    if primary == sqlite3.SQLITE_FULL:
        return StorageFullError("the disk is full; nothing was stored; make room and try again")
    return StorageUnavailableError(f"the database did not answer: {error}")


class SqliteTx:
    """A unit of work's view of the open transaction in the writer (or a reading) thread."""

    dialect: DialectName = "sqlite"

    __slots__ = ("_answers", "_connection", "_raw", "callbacks")

    def __init__(self, connection: Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._raw = raw
        self._answers = Answers()
        self.callbacks: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        try:
            return self._connection.execute(statement, params).rowcount
        except DBAPIError as error:
            raise _from_sqlalchemy(error) from error

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        try:
            return self._connection.execute(statement, params).mappings().all()
        except DBAPIError as error:
            raise _from_sqlalchemy(error) from error

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        try:
            return self._connection.execute(statement, params).mappings().first()
        except DBAPIError as error:
            raise _from_sqlalchemy(error) from error

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        try:
            return self._connection.execute(statement, params).scalar()
        except DBAPIError as error:
            raise _from_sqlalchemy(error) from error

    async def driver_all(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = ()
    ) -> Sequence[Sequence[Any]]:
        try:
            return self._raw.execute(sqlite, params).fetchall()
        except sqlite3.Error as error:
            raise _translate(error) from error

    async def driver_many(self, sqlite: str, postgresql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._raw.executemany(sqlite, rows)
        except sqlite3.Error as error:
            raise _translate(error) from error

    async def driver_copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  # names of our own tables
        await self.driver_many(into, "", rows)

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
        rows = await self.driver_all(sqlite, postgresql, params)
        if told is not None:
            await told(rows)

    async def rows_later(
        self, kind: str, make: MakesStatement, rows: Sequence[Any], *, behind: Sequence[str] = ()
    ) -> None:
        msg = "rows are written at once on SQLite"
        raise NotImplementedError(msg)

    async def driver_beside(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = (), *, behind: Sequence[str] = ()
    ) -> Sequence[Sequence[Any]]:
        return await self.driver_all(sqlite, postgresql, params)

    async def driver_together(self, *questions: Question) -> Sequence[Sequence[Sequence[Any]]]:
        return await self._answers.of(questions, self._ask)

    def forget(self, name: str) -> None:
        self._answers.forget(name)

    async def _ask(self, questions: Sequence[Question]) -> Sequence[Sequence[Sequence[Any]]]:
        return [await self.driver_all(one.sqlite, "", one.params) for one in questions]

    async def count(self, sqlite: str, postgresql: str, key: str, by: int) -> int:
        [(last,)] = await self.driver_all(sqlite, postgresql, (key, by))
        number: int = last
        return number

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def account(self, account_id: str) -> AccountTx:
        return AccountTx(self, account_id)


def _from_sqlalchemy(error: DBAPIError) -> Exception:
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return _translate(original)
    if isinstance(original, sqlite3.IntegrityError) and original.sqlite_errorcode in _UNIQUE:
        return _translate(original)
    return error


def _drive(work: UnitOfWork[T], tx: SqliteTx) -> T:
    """Run a unit of work to its end in this thread. Raises RuntimeError when it awaits anything but its `Tx`."""
    coroutine = work(tx)
    if not isinstance(coroutine, Coroutine):
        msg = "a unit of work is an `async def` function that takes the transaction"
        raise TypeError(msg)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    name = getattr(work, "__qualname__", repr(work))
    msg = f"unit of work {name} awaited something other than its transaction"
    raise RuntimeError(msg)


@dataclass(slots=True)
class _Pending:
    work: UnitOfWork[Any]
    future: asyncio.Future[Any]
    context: contextvars.Context
    result: Any = None
    error: BaseException | None = None
    callbacks: Sequence[Callable[[], None]] = ()


class SqliteDatabase:
    """A SQLite file, opened by one event loop."""

    dialect: DialectName = "sqlite"

    def __init__(self, url: str, path: str) -> None:
        self.url = url
        self.path = path
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._writer = threading.Thread(target=self._write_loop, name="callout-sqlite-writer", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="callout-sqlite-reader")
        self._local = threading.local()
        self._open: list[Connection] = []
        self._closed = False
        self._startup: asyncio.Future[None] = self._loop.create_future()
        self._watch: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, url: str) -> SqliteDatabase:
        """Open (and make, when absent) the file named by `url`, `sqlite:///FILE`. Raises StorageUnavailableError."""
        path = url.removeprefix("sqlite:///")
        database = cls(url, path)
        database._writer.start()
        await database._startup
        return database

    async def transaction(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """See :meth:`Database.transaction <callout.storage.database.Database.transaction>`."""
        if self._closed:
            msg = "the database is closed"
            raise StorageUnavailableError(msg)
        pending = _Pending(work, self._loop.create_future(), contextvars.copy_context())
        self._queue.put(pending)
        result: T = await pending.future
        return result

    async def read(self, work: UnitOfWork[T], *, turns: Turns | None = None) -> T:
        """See :meth:`Database.read <callout.storage.database.Database.read>`."""
        if turns is not None:
            return await self.transaction(work)
        context = contextvars.copy_context()
        return await self._loop.run_in_executor(self._readers, lambda: context.run(self._read, work))

    async def close(self) -> None:
        """Commit what was accepted, then close every connection."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        self._readers.shutdown(wait=True)
        for connection in self._open:
            connection.close()
            connection.engine.dispose()
        if self._watch is not None:
            self._watch.close()

    def change_counter(self) -> int:
        """Return a number that moves whenever any other connection, of this or another process, committed.

        Cheap enough to be asked a hundred times a second: it reads shared memory, not the disk.
        """
        if self._watch is None:
            # No patience: the event loop asks.
            self._watch = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            counter: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:
            return -1  # locked for a moment: as good as moved, whoever asks will look
        return counter

    def _read(self, work: UnitOfWork[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self.path, read_only=True)
            self._open.append(connection)
        raw = _raw(connection)
        try:
            raw.execute("BEGIN")
        except sqlite3.Error as error:
            raise _translate(error) from error
        try:
            return _drive(work, SqliteTx(connection, raw))
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    def _write_loop(self) -> None:
        try:
            connection = _connect(self.path, read_only=False)
            next_writer = NextWriter(self.path)
        except (DBAPIError, sqlite3.Error, OSError) as error:
            failure = StorageUnavailableError(f"cannot open the database file {self.path}: {error}")
            self._loop.call_soon_threadsafe(self._startup.set_exception, failure)
            return
        self._loop.call_soon_threadsafe(self._startup.set_result, None)
        raw = _raw(connection)
        raw.execute("PRAGMA busy_timeout=0")  # the writer waits by itself: see `_begin`
        waiting: deque[_Pending] = deque()
        running = True
        while running or waiting:
            if not waiting:
                running = self._receive(waiting, block=True)
            if running:
                running = self._receive(waiting, block=False)
            if waiting:
                self._commit_together(connection, raw, next_writer, waiting)
        connection.close()
        connection.engine.dispose()
        next_writer.close()

    def _receive(self, waiting: deque[_Pending], *, block: bool) -> bool:
        """Take over what was asked for, as many as may share a commit; return False when the database is to be closed."""
        try:
            while len(waiting) < COMMIT_TOGETHER:
                item = self._queue.get(block=block)
                if item is None:
                    return False
                waiting.append(item)
                block = False
        except queue.Empty:
            pass
        return True

    def _commit_together(
        self,
        connection: Connection,
        raw: sqlite3.Connection,
        next_writer: NextWriter,
        waiting: deque[_Pending],
    ) -> None:
        """Carry out what waits, and commit it: all of it, or what came first when that takes long and another process waits to write."""
        batch: list[_Pending] = []
        try:
            _begin(raw, next_writer)
            until = time.monotonic() + (HOLD_SECONDS_GIVING_WAY if gives_way() else HOLD_SECONDS)
            while waiting:
                batch.append(waiting.popleft())
                self._run_one(connection, raw, batch[-1])
                if time.monotonic() > until and next_writer.is_there():
                    break
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            if raw.in_transaction:
                # Were this to end the thread, every later unit of work would wait for ever.
                with contextlib.suppress(sqlite3.Error):
                    raw.execute("ROLLBACK")
            failure = _translate(error)
            batch += waiting
            waiting.clear()
            for pending in batch:
                pending.error, pending.callbacks = failure, ()
        try:
            self._loop.call_soon_threadsafe(_resolve, batch)
        except RuntimeError:  # the loop is gone: nobody waits any more, and what was committed stays
            return

    def _run_one(self, connection: Connection, raw: sqlite3.Connection, pending: _Pending) -> None:
        if pending.future.cancelled():
            return
        raw.execute("SAVEPOINT unit")
        tx = SqliteTx(connection, raw)
        try:
            pending.result = pending.context.run(_drive, pending.work, tx)
        except BaseException as error:  # handed to the caller, who awaits the future
            if not raw.in_transaction:
                # SQLite gave the whole transaction up (disk full, I/O error): every unit of this commit has failed.
                cause = error.__cause__
                raise (
                    cause if isinstance(cause, sqlite3.Error) else sqlite3.OperationalError(str(error))
                ) from error
            raw.execute("ROLLBACK TO unit")
            pending.error = error
        else:
            pending.callbacks = tx.callbacks
        raw.execute("RELEASE unit")


def _begin(raw: sqlite3.Connection, next_writer: NextWriter) -> None:
    """Begin a transaction that writes, once no other process does. Raises sqlite3.OperationalError when that takes too long.

    SQLite's own waiting looks ever more seldom, at last each 100 ms: beside a process that writes all the time, such as a worker with
    much to do, a commit then waits for a second and more.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    with next_writer.place():
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                return


def _raw(connection: Connection) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def _resolve(batch: list[_Pending]) -> None:
    for pending in batch:
        if not pending.future.done():
            if pending.error is not None:
                pending.future.set_exception(pending.error)
            else:
                pending.future.set_result(pending.result)
    # Each on its own: one that raises must not keep the callers behind it waiting.
    loop = asyncio.get_running_loop()
    for pending in batch:
        for callback in pending.callbacks:
            loop.call_soon(callback)
