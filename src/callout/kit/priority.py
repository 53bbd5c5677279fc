"""Which processes of a machine go first: those that somebody waits for, before those whose work has time (nice(2))."""

from __future__ import annotations

import os


def give_way(nice: int) -> None:
    """Let the system prefer other processes of this machine, as far as `nice` (0 to 19) says; never less than it does by now."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(max(0, nice - os.nice(0)))


def gives_way() -> bool:
    """Return whether this process is one that others go before."""
    return hasattr(os, "nice") and os.nice(0) > 0
