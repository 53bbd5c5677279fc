"""An INSERT that does nothing when the row is there already, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Insert, Table

    from callout.storage.tx import Tx


def insert_or_ignore(tx: Tx, table: Table, values: Mapping[str, Any]) -> Insert:
    """Return an INSERT of `values` that a unique rule of the table turns into nothing; it then touches 0
    rows.

    On PostgreSQL it waits for another transaction that is inserting the same row. Run it on the whole-
    organization transaction, with the account among the values.
    """
    make = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    return make(table).values(**values).on_conflict_do_nothing()
