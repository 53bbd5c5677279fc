"""Rows of one table found by the values of some columns, read on the driver.

What the statement builder does for each such look costs several times what the look does. It is for looks that nearly everything
begins with; all others are written with :meth:`AccountTx.select <callout.storage.tx.AccountTx.select>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Boolean, Column, RowMapping, Table, TypeDecorator
from sqlalchemy.dialects import sqlite

from callout.storage.schema import Json, UtcTime, from_micros

if TYPE_CHECKING:
    from callout.storage.tx import AccountTx

_DIALECT = sqlite.dialect()
"""Our column types keep their values in the same way on both databases: see `storage.schema`."""
Row = dict[str, Any]
AnyRow = RowMapping | Mapping[str, Any]
"""A row as it comes from here, or from a statement that was built."""


class Reading:
    """A statement that reads rows of `table` whose columns `by` have given values, ordered by the column `order`.

    The table is one of accounts, and only rows of the account that asks are found.
    """

    __slots__ = ("_columns", "_postgresql", "_sqlite")

    def __init__(self, table: Table, *by: str, order: str = "") -> None:
        keys = ("account_id", *by)
        place = " AND ".join(f"{table.c[name].name} = {{{at}}}" for at, name in enumerate(keys))
        names = ", ".join(one.name for one in table.c)
        text = f"SELECT {names} FROM {table.name} WHERE {place}"  # noqa: S608  # names of ours
        if order:
            text += f" ORDER BY {table.c[order].name}"
        marks = range(1, len(keys) + 1)
        self._sqlite = text.format(*(f"?{number}" for number in marks))
        self._postgresql = text.format(*(f"${number}" for number in marks))
        self._columns = [(one.name, _reader(one)) for one in table.c]

    async def of_account(self, tx: AccountTx, *values: object, lock: bool = False) -> list[Row]:
        """Return the account's rows with these values of `by`, which are as the driver keeps them; `lock`: until the transaction ends."""
        postgresql = f"{self._postgresql} FOR UPDATE" if lock else self._postgresql
        found = await tx.system.driver_all(self._sqlite, postgresql, (tx.account_id, *values))
        return [
            {
                name: value if read is None or value is None else read(value)
                for (name, read), value in zip(self._columns, row, strict=True)
            }
            for row in found
        ]


def _reader(column: Column[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of the driver, that is not NULL, one of ours."""
    kind = column.type
    if isinstance(kind, Json):
        return orjson.loads
    if isinstance(kind, UtcTime):
        return from_micros
    if isinstance(kind, Boolean):
        return bool
    if isinstance(kind, TypeDecorator):
        return lambda value: kind.process_result_value(value, _DIALECT)
    return None
