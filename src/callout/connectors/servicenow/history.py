"""What an instance holds from before: windows of creation time, each read by position to its end, with the journals of a page at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.errors import TooSlowError
from callout.connectors.servicenow.journal import Journal
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.search import Listing, Search
from callout.connectors.servicenow.selection import Sorting
from callout.connectors.servicenow.sweep import Entries, Sweep, pays
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, PermissionDeniedError
from callout.ports.history import PastPage, PastPlan, PastScope, PastTicket, windows
from callout.ports.ticketing import Comment

PAGE: Final = 1000
PARTS: Final = 2
"""Of the four calls that may run at once (see the manifest's budget) backfills get two: a third part would only take turns, and each turn
goes to whichever process is free, which has to read again what another has read ahead."""
_SCOPE: Final = "servicenow-past"
_SORTING: Final = Sorting((("sys_created_on", False), ("sys_id", False)))


class Past:
    """Reads one instance's records from the beginning."""

    def __init__(
        self,
        api: TableApi,
        records: Records,
        search: Search,
        journal: Journal,
        sweep: Sweep,
        *,
        tables: tuple[str, ...],
    ) -> None:
        self._api = api
        self._records = records
        self._search = search
        self._journal = journal
        self._sweep = sweep
        self._tables = tables

    async def plan(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return windows of equal length between the oldest and the newest record."""
        wanted = tuple(table for table in scope.projects if table in self._tables)
        tables = wanted if wanted and len(wanted) == len(scope.projects) else self._tables
        rest = encoded.any_of("sys_class_name", tables) if len(tables) > 1 else ""
        # What the first pages would ask for by themselves is asked for meanwhile.
        labels = asyncio.gather(*(self._records.with_labels(table) for table in tables))
        if scope.since is None:
            zone, labelled, ends, entries = await asyncio.gather(
                self._records.zone(), labels, self._ends(tables, rest), self._sweep.size()
            )
        else:
            zone, labelled, entries = await asyncio.gather(self._records.zone(), labels, self._sweep.size())
            rest = encoded.both(rest, encoded.compares("sys_updated_on", ">=", zone.at_least(scope.since)))
            ends = await self._ends(tables, rest)
        oldest, newest, total = ends
        if oldest is None or newest is None:
            return PastPlan((), 0)
        swept = pays(entries, records=total or 0)
        cut = windows(oldest, newest, min(parts, PARTS))
        cursors = [
            _Cursor(
                tables, _window(rest, low, high, zone), (), swept, len(tables) == 1 and any(labelled)
            ).text()
            for low, high in cut
        ]
        return PastPlan(cursors, total)

    async def _ends(
        self, tables: tuple[str, ...], query: str
    ) -> tuple[datetime | None, datetime | None, int | None]:
        """Return when the oldest and the newest record were made, and how many there are."""
        listing = Listing(tables, query, _SORTING, QueryZone())
        if tables == (self._records.default_table,) and not query:
            # The zone is found out by the same record. The last part has no end: one that was made since is in it.
            (oldest, total), rows = await asyncio.gather(
                self._end(listing, descending=False), self._records.newest()
            )
            newest = _made(rows)
            if oldest is None or newest is not None:
                return oldest, newest, total
            # There was none yet when it was asked for.
            return oldest, (await self._end(listing, descending=True))[0], total
        (oldest, total), (newest, _) = await asyncio.gather(
            self._end(listing, descending=False), self._end(listing, descending=True)
        )
        return oldest, newest, total

    async def _end(self, listing: Listing, *, descending: bool) -> tuple[datetime | None, int | None]:
        page = await self._api.query(
            listing.asked,
            encoded.ordered(listing.query, [("sys_created_on", descending)]),
            fields=("sys_id", "sys_created_on"),
            limit=1,
        )
        return _made(page.records), page.total

    async def page(self, text: str, *, comments: bool) -> PastPage:
        """Return a page. Raises InvalidRequestError."""
        cursor = _Cursor.of(text)
        # The first page of a part has its times in its query already: another process than the one that planned reads it at once, while
        # it finds out what the records are mapped by.
        first = not cursor.position
        zone = QueryZone() if first else await self._records.zone()
        listing = Listing(cursor.tables, cursor.query, _SORTING, zone)
        rows_after = self._search.rows_after(
            listing, cursor.position, limit=PAGE, repeat=True, labels=cursor.labels if first else None
        )
        words = asyncio.gather(*(self._records.with_labels(table) for table in cursor.tables))
        (rows, ended), swept, _ = await asyncio.gather(
            rows_after, self._swept() if comments and cursor.swept else _nothing(), words
        )
        records = await self._search.full(listing, rows)
        said = await self._said([row["sys_id"] for row in records], swept) if comments else None
        found = [
            PastTicket(ticket, None if said is None else said.get(ticket.id, ()))
            for ticket in await self._records.tickets(records, files=False)
        ]
        if ended or not rows:
            return PastPage(found)
        return PastPage(found, replace(cursor, position=tuple(_SORTING.position(rows[-1]))).text())

    async def _swept(self) -> Entries | None:
        """Return the whole journal by record, None where it has to be asked for record by record after all."""
        try:
            return await self._sweep.entries(await self._records.zone())
        except (PermissionDeniedError, TooSlowError):
            return None

    async def _said(self, sys_ids: list[str], swept: Entries | None) -> dict[str, list[Comment]] | None:
        """Return the entries by record, or None where the journal may only be read record by record."""
        if swept is not None:
            entries = [entry for sys_id in sys_ids for entry in swept.get(sys_id, {}).values()]
        else:
            try:
                entries = await self._journal.entries(sys_ids)
            except PermissionDeniedError:
                return None
        found: dict[str, list[Comment]] = {}
        for comment in await self._journal.comments(entries):
            found.setdefault(comment.ticket_id, []).append(comment)
        return found


def _made(rows: Sequence[Record]) -> datetime | None:
    return moment(rows[0].get("sys_created_on")) if rows else None


async def _nothing() -> None:
    """Read nothing."""


def _window(rest: str, low: datetime | None, high: datetime | None, zone: QueryZone) -> str:
    return encoded.both(
        rest,
        encoded.compares("sys_created_on", ">=", zone.at_least(low)) if low else "",
        encoded.compares("sys_created_on", "<", zone.at_least(high)) if high else "",
    )


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a part goes on: what it lists, behind which record, and whether the journal is read as a whole.

    `labels` says whether the first page is asked for with labels, None where that has to be found out.
    """

    tables: tuple[str, ...]
    query: str
    position: tuple[str, ...]
    swept: bool
    labels: bool | None = None

    def text(self) -> str:
        told = {"t": list(self.tables), "q": self.query, "p": list(self.position), "j": self.swept}
        if not self.position:
            told["l"] = self.labels
        return encode_cursor(told, scope=_SCOPE)

    @classmethod
    def of(cls, text: str) -> _Cursor:
        """Read one. Raises InvalidRequestError."""
        try:
            found: dict[str, Any] = decode_cursor(text, scope=_SCOPE)
            position = tuple(str(part) for part in found["p"])
            return cls(tuple(found["t"]), str(found["q"]), position, found.get("j") is True, found.get("l"))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRequestError(str(error), fields={"cursor": "not valid"}) from error
