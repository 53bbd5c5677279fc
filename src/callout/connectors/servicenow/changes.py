"""Incremental polling: records by their time of change, with their new comments; new files; what was deleted.

The position in each list is (time, id), so that a second in which a thousand records changed is read to its end, and a record that
changes while we read moves to the end instead of pushing another one over a page border.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.journal import Journal
from callout.connectors.servicenow.metadata import Metadata
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.search import Listing, Search
from callout.connectors.servicenow.selection import Sorting
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.ports.errors import PermissionDeniedError
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket

PAGE: Final = 200
ALL_FIELDS: Final = frozenset(Ticket.__dataclass_fields__) - {"id", "key", "url", "unmapped", "attachments"}
_ALWAYS = datetime.max.replace(tzinfo=UTC)
_OLDEST_FIRST: Final = Sorting((("sys_updated_on", False), ("sys_id", False)))
_CREATED_FIRST: Final = Sorting((("sys_created_on", False), ("sys_id", False)))


class Changes:
    """Incremental polling of one instance."""

    def __init__(  # noqa: PLR0917  # what it works with, each of its own type
        self,
        config: ServiceNowConfig,
        api: TableApi,
        metadata: Metadata,
        people: People,
        records: Records,
        search: Search,
        journal: Journal,
    ) -> None:
        self._config = config
        self._api = api
        self._metadata = metadata
        self._people = people
        self._records = records
        self._search = search
        self._journal = journal

    async def since(self, start: datetime | None) -> AsyncIterator[Change]:
        """Yield what changed at or after `start`, oldest first."""
        zone = await self._records.zone()
        tables = tuple(dict.fromkeys((self._records.default_table, *self._config.tables)))
        streams = [
            self._of_records(tables, start, zone),
            self._of_files(tables, start, zone),
            self._of_deletions(tables, start, zone),
        ]
        heads = [await anext(stream, None) for stream in streams]
        while any(head is not None for head in heads):
            times = [_ALWAYS if head is None else head.occurred_at or _ALWAYS for head in heads]
            first = min(
                (place for place, head in enumerate(heads) if head is not None),
                key=lambda place: times[place],
            )
            head = heads[first]
            if head is not None:
                yield head
            heads[first] = await anext(streams[first], None)

    async def _of_records(
        self, tables: tuple[str, ...], start: datetime | None, zone: QueryZone
    ) -> AsyncIterator[Change]:
        condition = _from("sys_updated_on", start, zone)
        if len(tables) > 1:
            condition = encoded.both(encoded.any_of("sys_class_name", tables), condition)
        listing = Listing(tables, condition, _OLDEST_FIRST, zone)
        told: set[str] = set()
        async for rows in self._search.walk(listing, limit=PAGE):
            fresh = [row for row in rows if not _before(moment(row.get("sys_updated_on")), start)]
            said = await self._comments(fresh, start, zone)
            for ticket in await self._records.tickets(fresh, files=False):
                # One that changed while we read comes a second time, and is not new again.
                new = ticket.id not in told and not _before(ticket.created_at, start)
                told.add(ticket.id)
                yield _change(ChangeKind.CREATED if new else ChangeKind.UPDATED, ticket)
                for comment in said.get(ticket.id, ()):
                    if comment.id not in told:
                        told.add(comment.id)
                        yield _change(ChangeKind.COMMENTED, ticket, comment)

    async def _comments(
        self, rows: Sequence[Record], start: datetime | None, zone: QueryZone
    ) -> dict[str, list[Comment]]:
        """Return the comments made since `start`, by record. Each of them has moved its record's time of change."""
        if not rows:
            return {}
        since = "" if start is None else zone.at_least(start)
        found: list[Comment] = []
        try:
            entries = await self._journal.entries([row["sys_id"] for row in rows], since=since)
            found = await self._journal.comments(entries)
        except PermissionDeniedError:
            for row in rows:
                found += await self._journal.of_record(row)
        by_record: dict[str, list[Comment]] = {}
        for comment in found:
            if not _before(comment.created_at, start):
                by_record.setdefault(comment.ticket_id, []).append(comment)
        return by_record

    async def _of_files(
        self, tables: tuple[str, ...], start: datetime | None, zone: QueryZone
    ) -> AsyncIterator[Change]:
        """New files: they do not move their record's time of change. Those that went are not told of anywhere."""
        query = encoded.both(encoded.any_of("table_name", tables), _from("sys_created_on", start, zone))
        async for row in self._rows(
            "sys_attachment", query, ("table_name", "table_sys_id", "sys_created_by"), start=start, zone=zone
        ):
            if row.get("table_name") in tables and row.get("table_sys_id"):
                people = await self._people.by_user_names([row.get("sys_created_by", "")])
                yield Change(
                    kind=ChangeKind.ATTACHED,
                    ticket_id=row["table_sys_id"],
                    occurred_at=moment(row.get("sys_created_on")),
                    actor=people.get(row.get("sys_created_by", "")),
                    vendor_event="poll",
                )

    async def _of_deletions(
        self, tables: tuple[str, ...], start: datetime | None, zone: QueryZone
    ) -> AsyncIterator[Change]:
        """Deleted records, where the audit may be read: usually by administrators only."""
        if start is None:
            return
        query = encoded.both(encoded.any_of("tablename", tables), _from("sys_created_on", start, zone))
        # from memory: the columns of this table.
        async for row in self._rows(
            "sys_audit_delete", query, ("tablename", "documentkey", "sys_created_by"), start=start, zone=zone
        ):
            if row.get("tablename") in tables and row.get("documentkey"):
                people = await self._people.by_user_names([row.get("sys_created_by", "")])
                yield Change(
                    kind=ChangeKind.DELETED,
                    ticket_id=row["documentkey"],
                    occurred_at=moment(row.get("sys_created_on")),
                    actor=people.get(row.get("sys_created_by", "")),
                    vendor_event="poll",
                )

    async def _rows(
        self, table: str, query: str, fields: Sequence[str], *, start: datetime | None, zone: QueryZone
    ) -> AsyncIterator[Record]:
        """Yield the rows of one of the platform's own tables, oldest first; none where we may not read it."""
        asked, offset = query, 0
        while not self._metadata.is_closed(table):
            try:
                page = await self._api.query(
                    table,
                    encoded.ordered(asked, _CREATED_FIRST.keys),
                    fields=("sys_id", "sys_created_on", *fields),
                    limit=PAGE,
                    offset=offset,
                )
            except PermissionDeniedError:
                self._metadata.closed(table)
                return
            for row in page.records:
                if not _before(moment(row.get("sys_created_on")), start):
                    yield row
            if page.total is None or page.total <= offset + page.limit:
                return
            position = _CREATED_FIRST.position(page.records[-1]) if page.records else []
            after, exact = _CREATED_FIRST.after(query, position, zone) if position else (asked, False)
            # Where a position cannot be said (the hour that the clock shows twice) the pages are counted instead.
            asked, offset = (after, 0) if exact else (asked, offset + page.limit)


def start_of(high_water: datetime | None, overlap: timedelta) -> datetime | None:
    """Return where polling looks from; None for everything. Records know whole seconds only."""
    return None if high_water is None else (high_water.astimezone(UTC) - overlap).replace(microsecond=0)


def _from(column: str, start: datetime | None, zone: QueryZone) -> str:
    return "" if start is None else encoded.compares(column, ">=", zone.at_least(start))


def _before(at: datetime | None, start: datetime | None) -> bool:
    return start is not None and at is not None and at < start


def _change(kind: ChangeKind, ticket: Ticket, comment: Comment | None = None) -> Change:
    return Change(
        kind=kind,
        ticket_id=ticket.id,
        ticket_key=ticket.key,
        occurred_at=ticket.updated_at if comment is None else comment.created_at,
        actor=None if comment is None else comment.author,
        ticket=ticket,
        # Of its files nothing was asked.
        partial=True,
        known=ALL_FIELDS,
        comment=comment,
        vendor_event="poll",
    )
