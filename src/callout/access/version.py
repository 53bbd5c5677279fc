"""One number that every change of configuration moves, so that all processes notice it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update

from callout.access.tables import settings_version
from callout.storage import Database, StorageUnavailableError, Tx
from callout.storage.upsert import insert_or_ignore

WATCH_EVERY: Final = timedelta(milliseconds=500)
_ROW: Final = 1

Listener = Callable[[int], Awaitable[None] | None]


class SettingsVersion:
    """The stored number. Bumped in the same commit as the change it tells of."""

    async def bump(self, tx: Tx) -> None:
        """Move the number. Changes of configuration queue here, shortly; nothing else does."""
        touched = await tx.execute(
            update(settings_version)
            .where(settings_version.c.id == _ROW)
            .values(version=settings_version.c.version + 1),
        )
        if not touched:
            await tx.execute(insert_or_ignore(tx, settings_version, {"id": _ROW, "version": 0}))
            await tx.execute(
                update(settings_version)
                .where(settings_version.c.id == _ROW)
                .values(version=settings_version.c.version + 1),
            )

    async def current(self, tx: Tx) -> int:
        """Return the number; 0 before the first change."""
        found = await tx.scalar(select(settings_version.c.version).where(settings_version.c.id == _ROW))
        return int(found or 0)


class Watcher:
    """Looks at the number twice a second and tells its listeners, in this process, when it moved."""

    def __init__(
        self, database: Database, version: SettingsVersion, *, every: timedelta = WATCH_EVERY
    ) -> None:
        self._database = database
        self._version = version
        self._every = every
        self._listeners: list[Listener] = []
        self._seen: int | None = None

    def listen(self, listener: Listener) -> None:
        """Call `listener` with the new number after each change; twice where it, or another one, failed at the first time."""
        self._listeners.append(listener)

    async def look(self) -> bool:
        """Look once; return whether there was a change. Raises StorageUnavailableError, and what a listener raises.

        The first look only learns the number: whoever reads settings at start looks before that, or a change between the two is never
        told. A change is seen when all listeners have taken it: where one of them could not, all are told by the next look.
        """
        number = await self._database.read(self._version.current)
        changed = self._seen is not None and number != self._seen
        if changed:
            for listener in self._listeners:
                waiting = listener(number)
                if waiting is not None:
                    await waiting
        self._seen = number
        return changed

    async def run(self) -> None:
        """Look for ever; a database that is away is asked again."""
        while True:
            # A change made while the database is away is seen by the first look that works again.
            with contextlib.suppress(StorageUnavailableError):
                await self.look()
            await asyncio.sleep(self._every.total_seconds())
