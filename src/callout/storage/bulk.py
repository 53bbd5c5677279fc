"""Many rows of one table, inserted on the driver: what the statement builder does for each row costs more than the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from callout.storage.tx import Tx

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_DIALECT = sqlite.dialect()
"""Our column types keep their values in the same way on both databases: see `storage.schema`."""


@dataclass(frozen=True, slots=True)
class _Plan:
    sqlite: str
    postgresql: str
    converters: tuple[Callable[[Any], Any] | None, ...]


@cache
def _plan(table: Table, columns: tuple[str, ...]) -> _Plan:
    names = ", ".join(table.c[name].name for name in columns)
    arrays = ", ".join(f"${place}::{_kind(table, name)}[]" for place, name in enumerate(columns, 1))
    into = f"INSERT INTO {table.name} ({names}) VALUES"
    return _Plan(
        f"{into} ({', '.join('?' * len(columns))})",
        # One statement for all rows: each row by itself would cost the server several times as much.
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM unnest({arrays})"  # noqa: S608  # as above
        f" WITH ORDINALITY AS new({names}, nth) ORDER BY nth",
        tuple(_converter(table, name) for name in columns),
    )


def _kind(table: Table, name: str) -> str:
    kind = table.c[name].type
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return str(kind.compile(dialect=_POSTGRESQL)).lower()


def _converter(table: Table, name: str) -> Callable[[Any], Any] | None:
    kind = table.c[name].type
    if not isinstance(kind, TypeDecorator):
        return None
    return lambda value: kind.process_bind_param(value, _DIALECT)


async def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which all name the same columns, the account among them. Raises DuplicateRowError."""
    if not rows:
        return
    columns = tuple(rows[0])
    plan = _plan(table, columns)
    pairs = tuple(zip(columns, plan.converters, strict=True))
    values = [
        [row[name] if convert is None else convert(row[name]) for name, convert in pairs] for row in rows
    ]
    if tx.dialect == "sqlite":
        await tx.driver_many(plan.sqlite, "", values)
    else:
        await tx.driver_all("", plan.postgresql, [list(column) for column in zip(*values, strict=True)])
