"""Turns: of many who ask for the like at one moment, so many at a time are carried out."""

from __future__ import annotations

import asyncio


class Turns:
    """Gives out turns in the order of asking. Of one event loop.

    On PostgreSQL all who ask at once share the processors of a program and of a server: each gets its share of them, and all come late.
    One after the other most come far earlier, and the last no later.

    Args:
        at_once: how many turns there are.
    """

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    @property
    def all_taken(self) -> bool:
        """Whether somebody who asks now has to wait."""
        return self._free.locked()

    async def take(self) -> Turn:
        """Wait for a turn."""
        await self._free.acquire()
        return Turn(self._free)


class Turn:
    """A turn that was taken."""

    __slots__ = ("_free",)

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def over(self) -> None:
        """Give it back; a second time changes nothing."""
        if self._free is not None:
            self._free.release()
            self._free = None
