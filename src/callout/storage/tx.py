"""Transactions: the only way to the database, and to a raw connection of it.

A *unit of work* is a short coroutine function that takes a :class:`Tx` and awaits nothing else. On SQLite it is driven to its
end inside the one writer thread; awaiting anything but its `Tx` there is refused by name. Services take a transaction and never
commit: the entry point that called :meth:`Database.transaction <callout.storage.database.Database.transaction>` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sqlalchemy import Delete, Insert, Select, Table, Update, delete, insert, select, update
from sqlalchemy.sql.util import find_tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable, RowMapping
    from sqlalchemy.sql.base import Executable as BaseExecutable

    from callout.storage.later import MakesStatement, Question, Told

Params = Mapping[str, Any] | Sequence[Mapping[str, Any]]
DialectName = Literal["sqlite", "postgresql"]
_SCOPE = "callout_scope"


class Tx(Protocol):
    """An open transaction that sees the whole organization. Features get an :class:`AccountTx` instead."""

    dialect: DialectName

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        """Run `statement`; return the number of rows it touched. Raises DuplicateRowError, StorageUnavailableError."""
        ...

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        """Run `statement`; return all its rows."""
        ...

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        """Run `statement`; return its first row or None."""
        ...

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        """Run `statement`; return the first column of its first row or None."""
        ...

    async def driver_all(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = ()
    ) -> Sequence[Sequence[Any]]:
        """Run hand-written SQL of a hot path on the driver: `?` marks on SQLite, `$1` marks on PostgreSQL; return the rows."""
        ...

    async def driver_many(self, sqlite: str, postgresql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run hand-written SQL once per row of `rows` on the driver."""
        ...

    async def driver_copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows to a table in the fastest way that the driver has (COPY on PostgreSQL), values as it keeps them."""
        ...

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
        """Run hand-written SQL of whose rows nobody asks: at once on SQLite, on PostgreSQL together with others of its kind.

        It is sent before the next statement that is not of its kind, or with the commit. Those sent together do not see each other
        and run in no order; two of one `kind` are not sent together, nor one with those of the kinds `behind`, which it has to see.
        What it raises, that statement or the commit raises. `told` is called with its rows once it was sent.
        """
        ...

    async def rows_later(
        self, kind: str, make: MakesStatement, rows: Sequence[Any], *, behind: Sequence[str] = ()
    ) -> None:
        """On PostgreSQL, send rows as :meth:`driver_later` does, by one statement that `make` makes of all those of a kind, in order.

        Rows of one table have its name as their `kind`; those of `behind` are sent before.
        """
        ...

    async def driver_beside(
        self, sqlite: str, postgresql: str, params: Sequence[Any] = (), *, behind: Sequence[str] = ()
    ) -> Sequence[Sequence[Any]]:
        """Do as :meth:`driver_all`, for a statement that needs to see nothing of what is to be sent later, but for the kinds `behind`."""
        ...

    async def driver_together(self, *questions: Question) -> Sequence[Sequence[Sequence[Any]]]:
        """Run several statements by one round trip; return the rows of each.

        They do not see each other, nor what is to be sent later but for what they say, and run in no order. None of them may wait for
        a row that somebody has locked and that another reads, which would show it as it was before the wait. One that has a name and
        was asked in this transaction is not asked again.
        """
        ...

    def forget(self, name: str) -> None:
        """Have the question of that name asked again: what it asks for was changed in this transaction."""
        ...

    async def count(self, sqlite: str, postgresql: str, key: str, by: int) -> int:
        """Add `by` to the counter of `key`, by hand-written SQL of these two parameters, and return where it stands then.

        On PostgreSQL this is committed at once, whatever becomes of the transaction, and those who ask at one moment share a
        statement: a row that everybody takes a number from would else make their commits wait for each other. What is rolled back
        leaves a gap. It is on disk when any later commit is. On SQLite, where one writes at a time, it is part of the transaction.
        """
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop once the transaction is on disk: for wake-ups, never for work that must happen."""
        ...

    def account(self, account_id: str) -> AccountTx:
        """Return the same transaction seen through one account."""
        ...


class ScopeError(RuntimeError):
    """A statement touches a table of accounts without the account rule: a programming mistake, caught before it runs."""


def _account_tables(statement: BaseExecutable) -> Iterable[Table]:
    found = find_tables(
        statement,  # type: ignore[arg-type]
        include_joins=False,
        include_aliases=False,
        include_selects=False,
        include_crud=True,
        check_columns=True,
    )
    return (t for t in found if isinstance(t, Table) and "account_id" in t.c)


class AccountTx:
    """The transaction as one account sees it: rows of other accounts do not exist, and new rows belong to it.

    Build statements with :meth:`select`, :meth:`insert`, :meth:`update` and :meth:`delete`; a statement that touches a table of
    accounts and was not built so is refused with :class:`ScopeError` before it reaches the database.
    """

    __slots__ = ("account_id", "system")

    def __init__(self, system: Tx, account_id: str) -> None:
        self.system = system
        self.account_id = account_id

    def select(self, first: Table | ColumnElement[Any], *more: Table | ColumnElement[Any]) -> Select[Any]:
        """Return a SELECT of tables or columns, each table of accounts among them restricted to this account."""
        return self.scope(select(first, *more))

    def scope(self, statement: Select[Any]) -> Select[Any]:
        """Return `statement` with every table of accounts in it (joins included) restricted to this account."""
        tables = tuple(_account_tables(statement))
        for table in tables:
            statement = statement.where(table.c.account_id == self.account_id)
        return statement.execution_options(**{_SCOPE: (self.account_id, frozenset(t.name for t in tables))})

    def insert(self, table: Table) -> Insert:
        """Return an INSERT whose rows belong to this account; give the other columns with `.values(...)` or as parameters."""
        return insert(table).values(account_id=self.account_id).execution_options(**self._option(table))

    def update(self, table: Table) -> Update:
        """Return an UPDATE restricted to this account's rows."""
        statement = update(table).where(table.c.account_id == self.account_id)
        return statement.execution_options(**self._option(table))

    def delete(self, table: Table) -> Delete:
        """Return a DELETE restricted to this account's rows."""
        statement = delete(table).where(table.c.account_id == self.account_id)
        return statement.execution_options(**self._option(table))

    def _option(self, table: Table) -> dict[str, Any]:
        return {_SCOPE: (self.account_id, frozenset({table.name}))}

    def _check(self, statement: Executable) -> None:
        account, scoped = statement.get_execution_options().get(_SCOPE, (self.account_id, frozenset()))
        loose = sorted({t.name for t in _account_tables(statement) if t.name not in scoped})
        if loose or account != self.account_id:
            where = ", ".join(loose) or "another account"
            msg = f"statement on {where} is not restricted to the account; build it with tx.select, insert, update or delete"
            raise ScopeError(msg)

    async def execute(self, statement: Executable, params: Params | None = None) -> int:
        """Run a scoped `statement`; return the number of rows it touched. Raises ScopeError, DuplicateRowError."""
        self._check(statement)
        return await self.system.execute(statement, params)

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        """Run a scoped `statement`; return all its rows. Raises ScopeError."""
        self._check(statement)
        return await self.system.all(statement, params)

    async def one(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        """Run a scoped `statement`; return its first row or None. Raises ScopeError."""
        self._check(statement)
        return await self.system.one(statement, params)

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        """Run a scoped `statement`; return the first column of its first row or None. Raises ScopeError."""
        self._check(statement)
        return await self.system.scalar(statement, params)
