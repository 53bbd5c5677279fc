"""Rows on their way between databases: read in pages by their key, as JSON objects that mean the same on every database.

Times are ISO 8601 in UTC, documents are JSON, bytes are base64; numbers and texts are themselves.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    func,
    insert,
    select,
    tuple_,
)

from callout.storage.schema import Json, UtcTime

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Select

    from callout.storage.tx import Tx

Row = dict[str, Any]
ROWS_AT_ONCE: Final = 500
_LARGEST: Final = 1 << 63


class BadRowError(ValueError):
    """A JSON object that is no row of the table; the message names the column, never a value."""


@dataclass(frozen=True, slots=True)
class Portable:
    """A table whose rows travel.

    Args:
        table: of the schema.
        left_out: columns that stay behind: what is secret, or only means something where it was made.
        key: names of the columns that tell rows apart, where the table has no primary key.
        at_once: so many rows are in memory at a time.
    """

    table: Table
    left_out: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    at_once: int = ROWS_AT_ONCE

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def columns(self) -> tuple[Column[Any], ...]:
        """The columns that travel."""
        return tuple(column for column in self.table.c if column.name not in self.left_out)

    def _key(self) -> tuple[Column[Any], ...]:
        named = tuple(self.table.c[name] for name in self.key)
        return named or tuple(self.table.primary_key.columns)


async def count(tx: Tx, one: Portable) -> int:
    """Return how many rows there are."""
    return int(await tx.scalar(select(func.count()).select_from(one.table)))


async def pages(tx: Tx, one: Portable) -> AsyncIterator[Sequence[RowMapping]]:
    """Yield all rows in the order of their key, `at_once` at a time, with the columns that travel."""
    key = one._key()  # noqa: SLF001  # its own module
    query: Select[Any] = (
        select(*one.columns, *(c for c in key if c.name in one.left_out)).order_by(*key).limit(one.at_once)
    )
    found = await tx.all(query)
    while found:
        yield found
        if len(found) < one.at_once:
            return
        last = tuple_(*(_raw(column, found[-1][column.name]) for column in key))
        found = await tx.all(query.where(tuple_(*key) > last))


def _raw(column: Column[Any], value: Any) -> Any:  # noqa: ANN401  # of any column
    return bindparam(None, value, type_=column.type, unique=True)


def to_json(one: Portable, row: RowMapping) -> Row:
    """Return a row as a JSON object."""
    return {str(column.name): _out(column, row[column.name]) for column in one.columns}


def _out(column: Column[Any], value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(column.type, UtcTime):
        return value.astimezone(UTC).isoformat()
    if isinstance(column.type, LargeBinary):
        return base64.b64encode(value).decode()
    return bool(value) if isinstance(column.type, Boolean) else value


def from_json(one: Portable, data: Any, *, filled: Mapping[str, Any]) -> Row:  # noqa: ANN401  # whatever a file holds
    """Return the row that a JSON object stands for, with `filled` for the columns that stayed behind.

    A column that the object does not name is empty, where it may be. Raises BadRowError.
    """
    if not isinstance(data, dict):
        raise BadRowError("a row is a JSON object")
    columns = {column.name: column for column in one.columns}
    unknown = sorted(set(data) - set(columns))
    if unknown:
        raise BadRowError(f"{one.name} has no column {unknown[0][:100]!r} that travels")
    row: Row = dict(filled)
    for name, column in columns.items():
        value = data.get(name)
        if value is None:
            if not column.nullable:
                raise BadRowError(f"{name} is missing")
            row[name] = None
            continue
        row[name] = _in(column, value)
    return row


def _in(column: Column[Any], value: Any) -> Any:  # noqa: ANN401
    kind = column.type
    if isinstance(kind, Json):
        return value
    if isinstance(kind, Boolean):
        fits = isinstance(value, bool)
    elif isinstance(kind, Integer):
        fits = isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST
    else:
        fits = isinstance(value, str)
    if not fits:
        raise _bad(column)
    return value if not isinstance(kind, (UtcTime, LargeBinary)) else _from_text(column, value)


def _from_text(column: Column[Any], value: str) -> datetime | bytes:
    try:
        if isinstance(column.type, LargeBinary):
            return base64.b64decode(value, validate=True)
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _bad(column) from None
    if moment.tzinfo is None:
        raise _bad(column)
    return moment


def _bad(column: Column[Any]) -> BadRowError:
    return BadRowError(f"{column.name} is not what such a column holds")


async def add(tx: Tx, one: Portable, rows: Sequence[Row]) -> None:
    """Insert rows. Raises DuplicateRowError, and the database's own error for rows that refer to nothing."""
    if rows:
        await tx.execute(insert(one.table), rows)


__all__ = ["BadRowError", "Portable", "Row", "add", "count", "from_json", "pages", "to_json"]
