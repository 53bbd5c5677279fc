"""Counters of PostgreSQL, beside the transactions that count: see :meth:`Tx.count <callout.storage.tx.Tx.count>`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from callout.storage.group import GroupCommit

if TYPE_CHECKING:
    from callout.storage.database import Database
    from callout.storage.tx import Tx


class Counters:
    """Counts on a connection beside the pool, whose statements commit by themselves; `database` has that one alone.

    Whoever counts has a connection of the pool already: were all taken by such, they would wait for each other. Its commits are not
    waited for: the log is written in order, so that they are on disk when a later commit is, and nobody has seen the number when none
    is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups = GroupCommit(database, _counted, flushers=1, read_only=True)

    async def count(self, statement: str, key: str, by: int) -> int:
        """Add `by` to the counter of `key`; return where it stands then."""
        return await self._groups.add((statement, key, by))

    async def close(self) -> None:
        """Close the connection."""
        await self._database.close()


async def _counted(tx: Tx, wanted: Sequence[tuple[str, str, int]]) -> Sequence[int]:
    """Count for all who want to: by one statement for each counter."""
    sums: dict[tuple[str, str], int] = {}
    places = []
    for statement, key, by in wanted:
        place = sums.get((statement, key), 0) + by
        sums[statement, key] = place
        places.append(place)
    before = {}
    for (statement, key), by in sums.items():
        [(last,)] = await tx.driver_all("", statement, (key, by))
        before[statement, key] = last - by
    return [before[statement, key] + place for (statement, key, _), place in zip(wanted, places, strict=True)]
