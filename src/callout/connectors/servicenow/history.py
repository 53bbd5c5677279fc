"""What an instance holds from before: windows of creation time, each read by position to its end, with the journals of a page at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.journal import Journal
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.search import Listing, Search
from callout.connectors.servicenow.selection import Sorting
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, PermissionDeniedError
from callout.ports.history import PastPage, PastPlan, PastScope, PastTicket, windows
from callout.ports.ticketing import Comment

PAGE: Final = 500
_SCOPE: Final = "servicenow-past"
_SORTING: Final = Sorting((("sys_created_on", False), ("sys_id", False)))


class Past:
    """Reads one instance's records from the beginning."""

    def __init__(
        self, api: TableApi, records: Records, search: Search, journal: Journal, *, tables: tuple[str, ...]
    ) -> None:
        self._api = api
        self._records = records
        self._search = search
        self._journal = journal
        self._tables = tables

    async def plan(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return windows of equal length between the oldest and the newest record."""
        zone = await self._records.zone()
        wanted = tuple(table for table in scope.projects if table in self._tables)
        tables = wanted if wanted and len(wanted) == len(scope.projects) else self._tables
        rest = encoded.compares("sys_updated_on", ">=", zone.at_least(scope.since)) if scope.since else ""
        if len(tables) > 1:
            rest = encoded.both(encoded.any_of("sys_class_name", tables), rest)
        listing = Listing(tables, rest, _SORTING, zone)
        oldest, total = await self._end(listing, descending=False)
        newest, _ = await self._end(listing, descending=True)
        if oldest is None or newest is None:
            return PastPlan((), 0)
        cut = windows(oldest, newest, parts)
        return PastPlan([_cursor(tables, _window(rest, low, high, zone), []) for low, high in cut], total)

    async def _end(self, listing: Listing, *, descending: bool) -> tuple[datetime | None, int | None]:
        page = await self._api.query(
            listing.asked,
            encoded.ordered(listing.query, [("sys_created_on", descending)]),
            fields=("sys_id", "sys_created_on"),
            limit=1,
        )
        return (moment(page.records[0].get("sys_created_on")) if page.records else None), page.total

    async def page(self, cursor: str, *, comments: bool) -> PastPage:
        """Return a page. Raises InvalidRequestError."""
        tables, query, position = _read(cursor)
        listing = Listing(tables, query, _SORTING, await self._records.zone())
        rows, ended = await self._search.rows_after(listing, position, limit=PAGE, repeat=True)
        records = await self._search.full(listing, rows)
        said = await self._said([row["sys_id"] for row in records]) if comments else None
        found = [
            PastTicket(ticket, None if said is None else said.get(ticket.id, ()))
            for ticket in await self._records.tickets(records, files=False)
        ]
        if ended or not rows:
            return PastPage(found)
        return PastPage(found, _cursor(tables, query, _SORTING.position(rows[-1])))

    async def _said(self, sys_ids: list[str]) -> dict[str, list[Comment]] | None:
        """Return the entries by record, or None where the journal may only be read record by record."""
        try:
            entries = await self._journal.entries(sys_ids)
        except PermissionDeniedError:
            return None
        found: dict[str, list[Comment]] = {}
        for comment in await self._journal.comments(entries):
            found.setdefault(comment.ticket_id, []).append(comment)
        return found


def _window(rest: str, low: datetime | None, high: datetime | None, zone: QueryZone) -> str:
    return encoded.both(
        rest,
        encoded.compares("sys_created_on", ">=", zone.at_least(low)) if low else "",
        encoded.compares("sys_created_on", "<", zone.at_least(high)) if high else "",
    )


def _cursor(tables: tuple[str, ...], query: str, position: list[str]) -> str:
    return encode_cursor({"t": list(tables), "q": query, "p": position}, scope=_SCOPE)


def _read(cursor: str) -> tuple[tuple[str, ...], str, list[str]]:
    try:
        found: dict[str, Any] = decode_cursor(cursor, scope=_SCOPE)
        return tuple(found["t"]), str(found["q"]), [str(part) for part in found["p"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(str(error), fields={"cursor": "not valid"}) from error
