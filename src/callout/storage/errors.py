"""What can go wrong below the features, arranged by what the caller can do.

StorageError
├── StorageUnavailableError      the database did not answer: try again later
│   ├── StorageBusyError         another process holds the lock: try again in a moment
│   └── StorageFullError         no room to write: an operator makes room
└── DuplicateRowError            a unique rule refused the row: the caller's own decision
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything that storage raises on purpose."""

    code = "STORAGE_FAILED"


class StorageUnavailableError(StorageError):
    """The database could not be reached or did not commit; nothing of the unit of work is known to be stored.

    `maybe_committed` is true only when the connection was lost while the commit was under way.
    """

    code = "STORAGE_UNAVAILABLE"

    def __init__(self, message: str, *, maybe_committed: bool = False) -> None:
        super().__init__(message)
        self.maybe_committed = maybe_committed


class StorageBusyError(StorageUnavailableError):
    """The database file stayed locked by another process for longer than we wait."""

    code = "STORAGE_BUSY"


class StorageFullError(StorageUnavailableError):
    """The disk, or the size limit of the database, is full."""

    code = "STORAGE_FULL"


class DuplicateRowError(StorageError):
    """A row with the same unique value exists already; `constraint` names the rule where the database tells it."""

    code = "DUPLICATE"

    def __init__(self, message: str, *, constraint: str = "") -> None:
        super().__init__(message)
        self.constraint = constraint
