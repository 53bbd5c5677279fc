"""Who writes next, among the processes that share a SQLite file.

SQLite's lock has no queue: who finds it taken looks again later, and a process with much to do, which takes it again right after each
commit, passes by those who wait. So there is one place for the next writer. Who waits for the lock is in it, and whoever has
committed has to come into it before it may take the lock anew: it comes behind the one who waited.

The place is a file beside the database, locked as a whole (flock(2)): SQLite's own locks are left alone, and the system
unlocks it when a process dies.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # not on Windows: there the lock is had by whoever looks at the right moment
    fcntl = None  # type: ignore[assignment]

SUFFIX: Final = "-next"
LOOK_SECONDS: Final = 0.0005
"""How often it is looked whether the place is free."""
PATIENCE_SECONDS: Final = 0.25
"""A process that is in the place for longer is stopped, or waits for one that is: it is not waited for."""


class NextWriter:
    """The place for the next writer of the database file at `path`. For one thread.

    Raises OSError when the file beside the database cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._file: int | None = None
        if fcntl is not None:
            mode = Path(path).stat().st_mode & 0o666
            self._file = os.open(path + SUFFIX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be in the place while waiting for the lock; not in it, but before the lock all the same, after `PATIENCE_SECONDS`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (ours := self._take()) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            if ours:
                self._leave()

    def is_there(self) -> bool:
        """Return whether another process waits to write, at this moment. To be asked by the one that writes."""
        if self._take():
            self._leave()
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self) -> bool:
        try:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system that has no such locks: as on Windows
        return True

    def _leave(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
