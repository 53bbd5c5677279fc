"""Who goes first: processes and work that somebody waits for, before those that have time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_has_time: ContextVar[bool] = ContextVar("callout_has_time", default=False)


def give_way(nice: int) -> None:
    """Let the system prefer other processes of this machine, as far as `nice` (0 to 19) says; never less than it does by now.

    Follows nice(2).
    """
    if hasattr(os, "nice"):  # not on Windows
        os.nice(max(0, nice - os.nice(0)))


def gives_way() -> bool:
    """Return whether this process is one that others go before."""
    return hasattr(os, "nice") and os.nice(0) > 0


def has_time() -> bool:
    """Return whether the work at hand may wait while others are busy with what somebody waits for. It may not unless somebody said so."""
    return _has_time.get()


@contextmanager
def work_that(*, has_time: bool) -> Iterator[None]:
    """Say of all work inside whether it has time."""
    before = _has_time.set(has_time)
    try:
        yield
    finally:
        _has_time.reset(before)
