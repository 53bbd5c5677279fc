"""The next page of each part of a backfill, read while the one before it is stored: this process's own, for a moment, never needed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callout.ports.history import PastTicket

KEPT_SECONDS: Final = 30.0
"""So long a page that nobody came for is kept. What changes meanwhile is heard of as any change is: polls look back for longer."""

Page = tuple[Sequence[PastTicket], str]
Key = tuple[str, int]
"""The backfill and its part."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    cursor: str
    task: asyncio.Task[Page]


class ReadAhead:
    """Pages that are being read. One of a part at most, so that it is bounded by the parts that this process works on."""

    def __init__(self) -> None:
        self._pages: dict[Key, _Ahead] = {}

    def begin(self, key: Key, cursor: str, read: Coroutine[Any, Any, Page]) -> None:
        """Begin to read the page at `cursor`."""
        self.drop(key)
        task = asyncio.create_task(read)
        task.add_done_callback(_heard)
        self._pages[key] = one = _Ahead(cursor, task)
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, key, one)

    async def take(self, key: Key, cursor: str) -> Page | None:
        """Return the page at `cursor`, or None when it was not begun here. Raises what reading it raised."""
        one = self._pages.pop(key, None)
        if one is None:
            return None
        if one.cursor != cursor:
            one.task.cancel()
            return None
        return await one.task

    def drop(self, key: Key) -> None:
        """Forget the page of a part."""
        one = self._pages.pop(key, None)
        if one is not None:
            one.task.cancel()

    def _forget(self, key: Key, one: _Ahead) -> None:
        if self._pages.get(key) is one:
            self.drop(key)


def _heard(task: asyncio.Task[Page]) -> None:
    """Take note of what went wrong, which nobody may come to ask for: then the page is read again."""
    if not task.cancelled():
        task.exception()


__all__ = ["KEPT_SECONDS", "Page", "ReadAhead"]
