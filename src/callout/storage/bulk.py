"""Many rows of one table, inserted on the driver: what the statement builder does for each row costs more than the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite

from callout.storage.given import Given
from callout.storage.later import Insert
from callout.storage.schema import Json, UtcTime, json_text, micros

if TYPE_CHECKING:
    from callout.storage.tx import Tx

COPIED: Final = 32
"""So many rows and more go to PostgreSQL by COPY: the server reads them in half the time, and it takes two round trips more."""

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_DIALECT = sqlite.dialect()
"""Our column types keep their values in the same way on both databases: see `storage.schema`."""


@dataclass(frozen=True, slots=True)
class _Plan:
    sqlite: str
    insert: Insert
    converters: tuple[Callable[[Any], Any] | None, ...]


@cache
def _plan(table: Table, columns: tuple[str, ...]) -> _Plan:
    # On PostgreSQL one statement for all rows: each row by itself would cost the server several times as much.
    given = Given((table.c[name].name, _kind(table, name)) for name in columns)
    into = f"INSERT INTO {table.name} ({given.names})"
    return _Plan(
        f"{into} VALUES ({', '.join('?' * len(columns))})",
        Insert(into, given),
        tuple(_converter(table, name) for name in columns),
    )


def _kind(table: Table, name: str) -> str:
    kind = table.c[name].type
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return str(kind.compile(dialect=_POSTGRESQL)).lower()


def _converter(table: Table, name: str) -> Callable[[Any], Any] | None:
    """Return what turns a value that is there into what the driver stores."""
    kind = table.c[name].type
    if isinstance(kind, UtcTime):
        return micros
    if isinstance(kind, Json):
        return json_text
    if isinstance(kind, TypeDecorator):
        return lambda value: kind.process_bind_param(value, _DIALECT)
    return None


async def insert_rows(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *, later: bool = False
) -> None:
    """Insert `rows`, which all name the same columns, the account among them. Raises DuplicateRowError.

    With `later` they may share a round trip with rows of other tables: see :meth:`Tx.driver_later`.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    # By columns: most of them need no conversion, and then a row costs next to nothing.
    values: list[list[Any]] = []
    for name, convert in zip(columns, _plan(table, columns).converters, strict=True):
        column = [row[name] for row in rows]
        if convert is not None:
            column = [None if value is None else convert(value) for value in column]
        values.append(column)
    await insert_kept(tx, table, columns, list(zip(*values, strict=True)), later=later)


async def insert_kept(
    tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], *, later: bool = False
) -> None:
    """Insert rows whose values are as the database keeps them: times in microseconds, documents as text. Raises DuplicateRowError.

    `later` as for :func:`insert_rows`.
    """
    if not rows:
        return
    plan = _plan(table, columns)
    if tx.dialect == "sqlite":
        await tx.driver_many(plan.sqlite, "", rows)
    elif len(rows) >= COPIED:
        await tx.driver_copy(table.name, columns, rows)
    elif later:
        await tx.rows_later(table.name, plan.insert, rows)
    else:
        statement, params, _ = plan.insert(rows)
        await tx.driver_all("", statement, params)
