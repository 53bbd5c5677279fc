"""The database: one transaction type over SQLite and PostgreSQL, schema types, migrations.

Everything above reaches the database through :class:`~callout.storage.tx.Tx` (whole organization, used by machinery) or
:class:`~callout.storage.tx.AccountTx` (one account, used by features).
"""

from __future__ import annotations

from callout.storage.database import Database, open_database
from callout.storage.errors import (
    DuplicateRowError,
    StorageBusyError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)
from callout.storage.later import Question
from callout.storage.turns import Turns
from callout.storage.tx import AccountTx, Tx

__all__ = [
    "AccountTx",
    "Database",
    "DuplicateRowError",
    "Question",
    "StorageBusyError",
    "StorageError",
    "StorageFullError",
    "StorageUnavailableError",
    "Turns",
    "Tx",
    "open_database",
]
