"""Finding records: unified queries with cursors that are positions, our own keys, and walking through changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from callout.connectors.servicenow import encoded, mapping
from callout.connectors.servicenow.client import SYS_ID, TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.metadata import BASE_TABLE, Metadata, Table
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.selection import PEOPLE, Sorting, clause_for
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, RejectedError
from callout.ports.filtering import check_filters, matches
from callout.ports.ticketing import Page, Ticket, TicketFilter, TicketQuery
from callout.ports.values import Person

LARGEST_PAGE: Final = 1000
SCAN_LIMIT: Final = 20_000
"""Records read at most for one page of a query whose filters the instance cannot apply."""
_CHUNK: Final = 100
_EXACT: Final = frozenset({"eq", "in", "neq", "not in"})


@dataclass(frozen=True, slots=True)
class Listing:
    """What is walked through: one table, or several at once through the table that all of them extend."""

    tables: tuple[str, ...]
    query: str
    sorting: Sorting
    zone: QueryZone

    @property
    def asked(self) -> str:
        """The table that is asked."""
        return self.tables[0] if len(self.tables) == 1 else BASE_TABLE


class Search:
    """Queries over one instance."""

    def __init__(  # what it works with, each of its own type
        self, config: ServiceNowConfig, api: TableApi, metadata: Metadata, people: People, records: Records
    ) -> None:
        self._config = config
        self._api = api
        self._metadata = metadata
        self._people = people
        self._records = records

    async def query(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; never an empty one that is not the last. Raises InvalidRequestError."""
        check_filters(query.filters, query.order)
        if query.limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        tables, filters = await self._tables(query.filters)
        scope = f"{tables}|{query.filters}|{query.order}"
        position = _position(query.cursor, scope=scope)
        if not tables:
            return Page(())
        listing, rest = await self._listing(tables, filters, query)
        if listing is None:
            return Page(())
        if position and len(position) != len(listing.sorting.keys):
            raise _bad_cursor()
        limit = min(query.limit, LARGEST_PAGE)
        read = 0
        while True:
            rows, ended = await self.rows_after(listing, position, limit=limit)
            read += len(rows)
            tickets = [
                ticket
                for ticket in await self._records.tickets(await self.full(listing, rows))
                if all(matches(ticket, condition) for condition in rest)
            ]
            position = listing.sorting.position(rows[-1]) if rows else position
            if ended:
                return Page(tickets)
            if tickets:
                return Page(tickets, encode_cursor({"p": position}, scope=scope))
            if read >= SCAN_LIMIT:
                raise InvalidRequestError(
                    f"none of the first {read} records matches, and ServiceNow cannot apply these filters itself",
                    fields={"filter": "too wide"},
                    remediation="Add a filter on status, priority, assignee or created_at.",
                )

    async def rows_after(
        self,
        listing: Listing,
        position: Sequence[str],
        *,
        limit: int,
        repeat: bool = False,
        labels: bool | None = None,
    ) -> tuple[list[Record], bool]:
        """Return the next records in order, and whether nothing comes after them.

        The limit is applied before records that we may not see are taken out: an answer may be short, even empty, and not the last.
        Where a position cannot be said and its record has gone from its place, `repeat` gives everything once more.
        `labels` says whether they are asked for with labels, where the caller knows.

        Raises:
            InvalidRequestError: the same without `repeat`.
        """
        query, exact = listing.query, True
        if position:
            query, exact = listing.sorting.after(listing.query, position, listing.zone)
        query = encoded.ordered(query, listing.sorting.keys)
        single = len(listing.tables) == 1
        fields = (
            tuple(dict.fromkeys((*self._records.fields, *listing.sorting.columns)))
            if single
            else ("sys_id", "sys_class_name", *listing.sorting.columns)
        )
        if labels is None:
            labels = single and await self._records.with_labels(listing.asked)
        found: list[Record] = []
        before: list[Record] = []
        passed = exact
        offset = 0
        while True:
            page = await self._api.query(
                listing.asked, query, fields=fields, limit=limit, offset=offset, labels=labels
            )
            for row in page.records:
                (found if passed else before).append(row)
                passed = passed or row.get("sys_id") == position[-1]
            ended = offset + page.limit >= page.total if page.total is not None else not page.records
            if ended and not passed:
                if repeat:
                    return before, True
                raise _bad_cursor()
            if found or ended:
                return found, ended
            offset += page.limit

    async def full(self, listing: Listing, rows: Sequence[Record]) -> list[Record]:
        """Return the records with all their columns: those of the table that all extend are not enough."""
        return list(rows) if len(listing.tables) == 1 else await self._by_class(rows)

    async def _by_class(self, rows: Sequence[Record]) -> list[Record]:
        by_table: dict[str, list[str]] = {}
        for row in rows:
            by_table.setdefault(row.get("sys_class_name", ""), []).append(row["sys_id"])
        found: dict[str, Record] = {}
        for table, ids in by_table.items():
            if not table:
                continue
            labels = await self._records.with_labels(table)
            for start in range(0, len(ids), _CHUNK):
                page = await self._api.query(
                    table,
                    encoded.any_of("sys_id", ids[start : start + _CHUNK]),
                    fields=self._records.fields,
                    limit=_CHUNK,
                    labels=labels,
                )
                found.update({record["sys_id"]: record for record in page.records})
        return [found[row["sys_id"]] for row in rows if row["sys_id"] in found]

    async def _tables(self, filters: Sequence[TicketFilter]) -> tuple[tuple[str, ...], list[TicketFilter]]:
        """Return the tables that the project filters leave, and the other filters."""
        projects = [f for f in filters if f.field == "project"]
        others = [f for f in filters if f.field != "project"]
        if not projects:
            # A table's own extensions are found with it.
            return (self._records.default_table,), others
        known = {name for name, _ in await self._metadata.task_tables()} or {
            value for f in projects if f.operator in {"eq", "in"} for value in f.values
        }
        known.add(self._records.default_table)
        left = [
            name
            for name in sorted(known)
            if all(matches(Ticket("", "", "", project=name), f) for f in projects)
        ]
        # The rows are judged by their own class, so that a table does not bring its extensions along.
        return tuple(left), [*others, *projects]

    async def _listing(
        self, tables: tuple[str, ...], filters: Sequence[TicketFilter], query: TicketQuery
    ) -> tuple[Listing | None, list[TicketFilter]]:
        """Return what to walk through, and the filters to judge each row by; no listing when nothing can match."""
        table: Table | None = await self._metadata.table(tables[0]) if len(tables) == 1 else None
        zone = await self._records.zone()
        clauses = [] if table is not None else [encoded.any_of("sys_class_name", tables)]
        rest: list[TicketFilter] = []
        for original in filters:
            condition = await self._resolved(original)
            if not condition.values:
                return None, []
            clauses.append(clause_for(condition, table, zone))
            if original.field in PEOPLE:
                condition = replace(
                    original, values=tuple(dict.fromkeys((*original.values, *condition.values)))
                )
                rest.append(condition)
            else:
                rest.append(original)
        contact = mapping.contact_column(table) if table is not None else ""
        sorting = Sorting.of(query.order, tags_field=self._config.tags_field, contact=contact)
        return Listing(tables, encoded.both(*clauses), sorting, zone), rest

    async def _resolved(self, condition: TicketFilter) -> TicketFilter:
        """Return the filter with people as sys_ids; one that selects by people nobody knows has no value left."""
        if condition.field not in PEOPLE or condition.operator not in _EXACT:
            return condition
        found: list[str] = []
        for value in condition.values:
            try:
                found.append(await self._people.sys_id(Person(id=value), field=condition.field))
            except RejectedError:
                continue
        if not found and condition.operator in {"neq", "not in"}:
            return condition
        return replace(condition, values=tuple(found))

    async def by_key(self, key: str) -> list[Ticket]:
        """Return the records of any table of tasks that carry our key."""
        correlation = mapping.correlation_of(key)
        page = await self._api.query(
            BASE_TABLE,
            encoded.ordered(encoded.equals("correlation_id", correlation), [("sys_created_on", False)]),
            fields=("sys_id", "sys_class_name", "correlation_id"),
            limit=50,
        )
        # The database compares without regard to case, and a condition may be dropped: judged again here.
        rows = [row for row in page.records if row.get("correlation_id") == correlation]
        return await self._records.tickets(await self._by_class(rows))

    async def walk(self, listing: Listing, *, limit: int) -> AsyncIterator[list[Record]]:
        """Yield all records of a listing, page by page, whatever changes meanwhile."""
        position: Sequence[str] = ()
        while True:
            rows, ended = await self.rows_after(listing, position, limit=limit, repeat=True)
            if rows:
                position = listing.sorting.position(rows[-1])
                yield await self.full(listing, rows)
            if ended:
                return


def _position(cursor: str, *, scope: str) -> list[str]:
    """Read a cursor. It is not signed: whatever it holds is only ever used as values. Raises InvalidRequestError."""
    if not cursor:
        return []
    try:
        found: Any = decode_cursor(cursor, scope=scope).get("p")
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"cursor": "not valid for this query"}) from error
    if not isinstance(found, list) or not found or not all(isinstance(part, str) for part in found):
        raise _bad_cursor()
    if not SYS_ID.fullmatch(found[-1]):
        raise _bad_cursor()
    return found


def _bad_cursor() -> InvalidRequestError:
    return InvalidRequestError(
        "this cursor is not valid (any more): start again with the first page", fields={"cursor": "not valid"}
    )
