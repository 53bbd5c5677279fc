"""A SELECT that is put together and compiled once: for what every request asks, building it anew costs more than asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

if TYPE_CHECKING:
    from callout.storage.tx import Tx

Row = Mapping[str, Any]
_Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Form:
    """What one database is asked: the text, its parameters in their order, and how values get in and out."""

    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    into: Mapping[str, _Convert]
    columns: tuple[tuple[str, _Convert | None], ...]

    def values(self, named: Mapping[str, Any]) -> list[Any]:
        given = {**self.fixed, **named}
        return [self.into[name](given[name]) if name in self.into else given[name] for name in self.names]

    def row(self, values: Sequence[Any]) -> Row:
        return {
            name: convert(value) if convert is not None else value
            for (name, convert), value in zip(self.columns, values, strict=True)
        }


class Prepared:
    """A SELECT whose parameters are `bindparam`s, run on the driver.

    It belongs to a module, not to a request. A table of accounts in it is restricted by whoever writes it. A parameter that is not
    given is a KeyError.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement

    async def one(self, tx: Tx, **named: Any) -> Row | None:  # noqa: ANN401  # values of columns
        """Return its first row by the names of its columns, or None."""
        rows = await self.all(tx, **named)
        return rows[0] if rows else None

    async def all(self, tx: Tx, **named: Any) -> Sequence[Row]:  # noqa: ANN401  # values of columns
        """Return all its rows by the names of its columns."""
        if tx.dialect == "sqlite":
            form = self._sqlite
            rows = await tx.driver_all(form.text, "", form.values(named))
        else:
            form = self._postgresql
            rows = await tx.driver_all("", form.text, form.values(named))
        return [form.row(row) for row in rows]

    @cached_property
    def _sqlite(self) -> _Form:
        return self._form(sqlite.dialect(paramstyle="qmark"))

    @cached_property
    def _postgresql(self) -> _Form:
        return self._form(asyncpg.dialect())  # type: ignore[no-untyped-call]

    def _form(self, dialect: Dialect) -> _Form:
        compiled = self._statement.compile(dialect=dialect)
        converts = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in compiled.binds.items()
        }
        return _Form(
            compiled.string,
            tuple(compiled.positiontup or ()),
            {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            {name: convert for name, convert in converts.items() if convert is not None},
            tuple(
                (name, column.type.dialect_impl(dialect).result_processor(dialect, None))
                for name, column in self._statement.selected_columns.items()
            ),
        )
