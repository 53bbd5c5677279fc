"""What comes of talking to PostgreSQL, told in the words of storage."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError

from callout.storage.errors import (
    DuplicateRowError,
    StorageBusyError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)

AGAIN = {"40001", "40P01"}
"""Serialization failure and deadlock: the database asks for the same transaction once more."""
_AWAY = {"08", "25P03", "3D", "53", "57", "58"}
"""States, and classes of them, in which the server, or the database in it, cannot be had just now."""
_ENDED = {"25P03", "57P01", "57P02"}
"""States in which the server ends the connection: idle in a transaction for too long, told to stop, another process of it crashed."""
NOT_SENT = "cannot switch to state"
"""How the driver begins when it sends nothing at all, since it has read what the server said last: see `has_ended`."""
_FULL = {"53100", "53200", "54000"}
DRIVER_ERRORS = (
    *(DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *(OSError, TimeoutError),
)
"""What comes of talking to the server, on the driver or by way of SQLAlchemy."""


def sqlstate_of(error: DBAPIError) -> str:
    """Return the state that the server gave with an error, empty when it gave none."""
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def from_sqlalchemy(error: DBAPIError) -> Exception:
    """Return an error that came by way of SQLAlchemy as one of storage; itself when it is none."""
    state = sqlstate_of(error)
    if isinstance(error, IntegrityError) and state == "23505":
        cause = error.orig.__cause__ if error.orig is not None else None
        return DuplicateRowError(str(error.orig), constraint=str(getattr(cause, "constraint_name", "") or ""))
    if state in _FULL:
        return StorageFullError("the database is out of room; nothing was stored; make room and try again")
    if state in AGAIN:
        return busy(error.orig)
    if error.connection_invalidated or isinstance(error, InterfaceError) or _is_away(state):
        return StorageUnavailableError(f"the database did not answer: {error.orig}")
    return error


def _is_away(state: str) -> bool:
    return state in _AWAY or state[:2] in _AWAY


class ConnectionEndedError(Exception):  # never leaves storage
    """The connection ended before the commit was begun: nothing is stored, and the same can be done again on another one."""


def has_ended(error: Exception, driver: asyncpg.Connection) -> bool:
    """Return whether a statement failed because the server has ended the connection.

    It does so when it is stopped, and when a process of ours stood still for long in the middle of a transaction (a machine that
    sleeps, or has far too much to do). The driver, which reads of it between two statements, says of the next one that "another
    operation is in progress".
    """
    cause = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig  # type: ignore[assignment]
    if isinstance(cause, asyncpg.InternalClientError | asyncpg.ConnectionDoesNotExistError):
        return True
    if isinstance(cause, asyncpg.PostgresError):
        return (cause.sqlstate or "") in _ENDED
    return isinstance(cause, asyncpg.InterfaceError | InterfaceError) and driver.is_closed()


def busy(why: object) -> StorageBusyError:
    """Return what says that it may be tried again."""
    return StorageBusyError(f"the database is too busy; nothing was stored; try again in a moment: {why}")


def is_lost(error: Exception) -> bool:
    """Return whether `error` is no answer of the server: what it was doing may have been done."""
    return not isinstance(error, asyncpg.PostgresError) or _is_away(error.sqlstate or "")


def from_driver(error: asyncpg.PostgresError) -> StorageError | asyncpg.PostgresError:
    """Return an error of the driver as one of storage; itself when it is none."""
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.UniqueViolationError):
        return DuplicateRowError(str(error), constraint=error.constraint_name or "")
    if state in _FULL:
        return StorageFullError("the database is out of room; nothing was stored; make room and try again")
    if state in AGAIN:
        return busy(error)
    if _is_away(state):
        return StorageUnavailableError(f"the database did not answer: {error}")
    return error
