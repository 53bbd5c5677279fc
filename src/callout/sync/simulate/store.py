"""A fast database for histories: SQLite in memory, driven in the caller's own thread.

The statements of the features run on the real tables. The usual ones (a table, conditions on columns, an order) are written as SQL by
hand here, since building and caching them as SQLAlchemy does would cost more than all the rest of a history; every other one goes
the ordinary way. There is one account in it, so the account rule of :class:`~callout.storage.tx.AccountTx` is not applied again.
"""

# ruff: noqa: S608  # names of tables and columns are constants of the program
from __future__ import annotations

import operator
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Boolean, Column, Table, TypeDecorator, create_engine, delete, insert, select, update
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, Null, UnaryExpression

from callout.incidents import tables as _incidents
from callout.storage.errors import DuplicateRowError
from callout.storage.schema import metadata
from callout.storage.sqlite import SqliteTx
from callout.storage.tx import AccountTx, DialectName, Params
from callout.sync import tables as _sync
from callout.sync.simulate.engine import boundary
from callout.webhooks import tables as _webhooks

if TYPE_CHECKING:
    from sqlalchemy import Executable

    from callout.storage import Turns, Tx

T = TypeVar("T")
_USED = (_incidents, _sync, _webhooks)
_OPERATORS: Mapping[Any, str] = {
    operator.eq: "=",
    operator.ne: "<>",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operators.is_: "IS",
    operators.is_not: "IS NOT",
}
_Coder = Callable[[Any], Any] | None


class _NotPlainError(Exception):
    """A statement that is not of the usual form."""


class _Codec:
    """How the columns of one table are written and read."""

    def __init__(self, table: Table) -> None:
        self.encode: dict[str, _Coder] = {}
        self.decode: dict[str, _Coder] = {}
        for column in table.c:
            kind = column.type
            encode: _Coder = None
            decode: _Coder = None
            if isinstance(kind, TypeDecorator):
                encode, decode = _bind(kind), _result(kind)
            elif isinstance(kind, Boolean):
                decode = bool
            self.encode[column.name], self.decode[column.name] = encode, decode


def _bind(kind: TypeDecorator[Any]) -> Callable[[Any], Any]:
    return lambda value: kind.process_bind_param(value, None)  # type: ignore[arg-type]


def _result(kind: TypeDecorator[Any]) -> Callable[[Any], Any]:
    return lambda value: kind.process_result_value(value, None)  # type: ignore[arg-type]


_codecs: dict[str, _Codec] = {}


def _codec(table: Table) -> _Codec:
    found = _codecs.get(table.name)
    if found is None:
        found = _codecs[table.name] = _Codec(table)
    return found


class _Plain:
    """A statement as the features build it, kept as its parts; whatever else is asked of it makes it a SQLAlchemy statement."""

    def __init__(self, kind: str, columns: tuple[Any, ...], account_id: str) -> None:
        self.kind = kind
        self.columns = columns
        self.conditions: list[Any] = []
        self.order: tuple[Any, ...] = ()
        self.most: int | None = None
        self.row: dict[str, Any] = {}
        self.account_id = account_id

    def where(self, *conditions: Any) -> _Plain:  # noqa: ANN401
        self.conditions.extend(conditions)
        return self

    def order_by(self, *columns: Any) -> _Plain:  # noqa: ANN401
        self.order += columns
        return self

    def limit(self, most: int) -> _Plain:
        self.most = most
        return self

    def with_for_update(self, **_options: Any) -> _Plain:  # noqa: ANN401
        return self

    def values(self, *rows: Mapping[str, Any], **row: Any) -> Any:  # noqa: ANN401
        if rows:
            return self.real().values(*rows, **row)
        self.row.update(row)
        return self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.real(), name)

    def real(self) -> Any:  # noqa: ANN401
        """Return the SQLAlchemy statement."""
        make: Any = {"select": select, "insert": insert, "update": update, "delete": delete}[self.kind]
        statement: Any = make(*self.columns)
        if self.kind == "insert":
            return statement.values(account_id=self.account_id, **self.row)
        if self.conditions:
            statement = statement.where(*self.conditions)
        if self.order:
            statement = statement.order_by(*self.order)
        if self.most is not None:
            statement = statement.limit(self.most)
        return statement.values(**self.row) if self.row else statement

    def table(self) -> Table:
        """Return the one table. Raises _NotPlainError where there are several, or something else is asked for."""
        first = self.columns[0]
        table = first if isinstance(first, Table) else getattr(first, "table", None)
        if not isinstance(table, Table):
            raise _NotPlainError
        return table

    def filter(self, table: Table, params: list[Any]) -> str:
        """Return the WHERE clause and add its parameters. Raises _NotPlainError."""
        if not self.conditions:
            return ""
        parts = [_condition(one, table, params) for one in self.conditions]
        return " WHERE " + " AND ".join(parts)


def _condition(one: Any, table: Table, params: list[Any]) -> str:  # noqa: ANN401
    if (
        not isinstance(one, BinaryExpression)
        or not isinstance(one.left, Column)
        or one.left.table is not table
    ):
        raise _NotPlainError
    name, right = one.left.name, one.right
    if isinstance(right, Null):
        return f"{name} {_OPERATORS[one.operator]} NULL"
    if not isinstance(right, BindParameter):
        raise _NotPlainError
    encode = _codec(table).encode[name]
    if one.operator is operators.in_op:
        values = right.value or ()
        params.extend(values if encode is None else map(encode, values))
        return f"{name} IN ({','.join('?' * len(values))})"
    sign = _OPERATORS.get(one.operator)
    if sign is None:
        raise _NotPlainError
    params.append(right.value if encode is None else encode(right.value))
    return f"{name} {sign} ?"


def _sorted_by(columns: Sequence[Any], table: Table) -> str:
    words = []
    for one in columns:
        if isinstance(one, Column) and one.table is table:
            words.append(one.name)
        elif (
            isinstance(one, UnaryExpression)
            and one.modifier is operators.desc_op
            and isinstance(one.element, Column)
        ):
            words.append(f"{one.element.name} DESC")
        else:
            raise _NotPlainError
    return " ORDER BY " + ", ".join(words)


class MemoryTx(SqliteTx):
    """An open transaction. `staged` is what happens with its commit: jobs that were enqueued."""

    __slots__ = ("names", "staged")

    def __init__(self, connection: Any, raw: sqlite3.Connection) -> None:  # noqa: ANN401
        super().__init__(connection, raw)
        self.staged: list[Callable[[], None]] = []
        self.names: set[tuple[str | None, str, str]] = set()
        """Names against doubling of the jobs that are staged."""

    def account(self, account_id: str) -> AccountTx:
        return MemoryAccountTx(self, account_id)

    def rows(self, plain: _Plain) -> list[dict[str, Any]]:
        """Run a plain SELECT. Raises _NotPlainError."""
        table = plain.table()
        codec = _codec(table).decode
        whole = plain.columns[0] is table
        if whole and len(plain.columns) > 1:
            raise _NotPlainError
        if whole:
            names = list(codec)
        else:
            if not all(isinstance(one, Column) and one.table is table for one in plain.columns):
                raise _NotPlainError
            names = [one.name for one in plain.columns]
        params: list[Any] = []
        where = plain.filter(table, params)
        order = _sorted_by(plain.order, table) if plain.order else ""
        most = "" if plain.most is None else f" LIMIT {plain.most}"
        found = self._raw.execute(f"SELECT {','.join(names)} FROM {table.name}{where}{order}{most}", params)
        decoders = [codec[name] for name in names]
        return [
            {
                name: value if decode is None else decode(value)
                for name, value, decode in zip(names, row, decoders, strict=True)
            }
            for row in found
        ]

    def write(self, plain: _Plain, params: Params | None) -> int:
        """Run a plain INSERT, UPDATE or DELETE; return how many rows it touched. Raises _NotPlainError, DuplicateRowError."""
        table = plain.table()
        codec = _codec(table).encode
        given: list[Any] = []
        if plain.kind == "insert":
            rows = [{**plain.row, **row} for row in _listed(params)] or [plain.row]
            names = [*rows[0], "account_id"] if "account_id" in codec else list(rows[0])
            sql = f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({','.join('?' * len(names))})"
            lines = [
                [_encoded(codec, {"account_id": plain.account_id, **row}, n) for n in names] for row in rows
            ]
            try:
                return self._raw.executemany(sql, lines).rowcount
            except sqlite3.IntegrityError as error:
                raise DuplicateRowError(str(error)) from error
        if params is not None:
            raise _NotPlainError
        if plain.kind == "update":
            if not plain.row:
                return 0
            given.extend(_encoded(codec, plain.row, name) for name in plain.row)
            sets = ",".join(f"{name}=?" for name in plain.row)
            sql = f"UPDATE {table.name} SET {sets}{plain.filter(table, given)}"
        else:
            sql = f"DELETE FROM {table.name}{plain.filter(table, given)}"
        try:
            return self._raw.execute(sql, given).rowcount
        except sqlite3.IntegrityError as error:
            raise DuplicateRowError(str(error)) from error


def _listed(params: Params | None) -> Sequence[Mapping[str, Any]]:
    if params is None:
        return ()
    return (params,) if isinstance(params, Mapping) else params


def _encoded(codec: Mapping[str, _Coder], row: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    encode = codec[name]
    value = row[name]
    return value if encode is None else encode(value)


class MemoryAccountTx(AccountTx):
    """The transaction as the one account sees it."""

    __slots__ = ("_memory",)

    def __init__(self, system: MemoryTx, account_id: str) -> None:
        super().__init__(system, account_id)
        self._memory = system

    def select(self, first: Any, *more: Any) -> Any:  # noqa: ANN401
        return _Plain("select", (first, *more), self.account_id)

    def scope(self, statement: Any) -> Any:  # noqa: ANN401
        return statement

    def insert(self, table: Table) -> Any:  # noqa: ANN401
        return _Plain("insert", (table,), self.account_id)

    def update(self, table: Table) -> Any:  # noqa: ANN401
        return _Plain("update", (table,), self.account_id)

    def delete(self, table: Table) -> Any:  # noqa: ANN401
        return _Plain("delete", (table,), self.account_id)

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        if isinstance(statement, _Plain):
            try:
                return self._memory.write(statement, params)
            except _NotPlainError:
                statement = statement.real()
        return await self._memory.execute(statement, params)

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[Any]:
        if isinstance(statement, _Plain):
            try:
                return self._memory.rows(statement)
            except _NotPlainError:
                statement = statement.real()
        return await self._memory.all(statement, params)

    async def one(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        if isinstance(statement, _Plain):
            try:
                found = self._memory.rows(statement)
            except _NotPlainError:
                statement = statement.real()
            else:
                return found[0] if found else None
        return await self._memory.one(statement, params)

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        if isinstance(statement, _Plain):
            try:
                found = self._memory.rows(statement)
            except _NotPlainError:
                statement = statement.real()
            else:
                return next(iter(found[0].values())) if found else None
        return await self._memory.scalar(statement, params)


def drive(work: Callable[[Any], Awaitable[T]], argument: Any) -> T:  # noqa: ANN401
    """Run a coroutine function that never waits to its end. Raises RuntimeError when it does wait."""
    coroutine: Any = work(argument)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    msg = f"{getattr(work, '__qualname__', work)!r} waited for something else than its transaction"
    raise RuntimeError(msg)


class MemoryDatabase:
    """The database of a simulation. One object serves any number of histories, one after the other."""

    dialect: DialectName = "sqlite"
    url = "sqlite:///:memory:"

    def __init__(self) -> None:
        engine = create_engine(
            "sqlite:///:memory:",
            poolclass=StaticPool,
            connect_args={"isolation_level": None, "cached_statements": 1_000, "check_same_thread": False},
        )
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        names = [
            table.name for module in _USED for table in vars(module).values() if isinstance(table, Table)
        ]
        self._tables = sorted(set(names))
        metadata.create_all(self._connection, tables=[metadata.tables[name] for name in self._tables])
        raw: Any = self._connection.connection.driver_connection
        self._raw: sqlite3.Connection = raw
        self.commits = 0

    def clear(self) -> None:
        """Empty every table: the next history begins."""
        for name in self._tables:
            self._raw.execute(f"DELETE FROM {name}")

    def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run one transaction to its end."""
        tx = MemoryTx(self._connection, self._raw)
        self._raw.execute("BEGIN")
        try:
            result = drive(work, tx)
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise
        self._raw.execute("COMMIT")
        self.commits += 1
        for apply in tx.staged:
            apply()
        for callback in tx.callbacks:
            callback()
        return result

    async def transaction(self, work: Callable[[Tx], Awaitable[T]], *, turns: Turns | None = None) -> T:
        """Run one transaction; others get their turn after its commit."""
        result = self.run(work)
        await boundary("after a commit")
        return result

    async def read(self, work: Callable[[Tx], Awaitable[T]], *, turns: Turns | None = None) -> T:
        """Run a unit of work that only reads."""
        return drive(work, MemoryTx(self._connection, self._raw))

    async def close(self) -> None:
        """Forget everything."""
        self._connection.close()
