"""The engine port: as thin as both engines allow. Everything that must not differ between databases is above it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from callout.jobs.model import Lane
    from callout.storage import Tx

Drain = Callable[[int], Awaitable[None]]
"""Drain one partition, named by its number, until nothing of it is due. Raises nothing but CancelledError."""


class Engine(Protocol):
    """Calls `drain(partition)` soon, at least once, on some worker."""

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """Ask for a drain of each of `partitions` once the caller's transaction is committed.

        What is asked may be lost when a process dies at that moment: the sweeper asks again for whoever is latched and not drained.
        """
        ...

    async def missing(self, tx: Tx, partitions: Sequence[int]) -> list[int]:
        """Return those of `partitions` for which no wake-up is on its way any more."""
        ...

    async def run(self, drain: Drain, stop: asyncio.Event, *, concurrency: int) -> None:
        """Call `drain` for wake-ups, at most `concurrency` at a time, until `stop`; then return without waiting for the last ones
        longer than they take. Reconnects by itself.
        """
        ...
