"""A record's audit read as edits of fields: what a write of ours met there is found by it, since the Table API refuses none.

There is no conditional write: the record is read right before. Every update counts `sys_mod_count` on by one; where it went further than
our writes did, somebody edited within that one call, and `sys_audit` tells what. It is asked for only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.connectors.servicenow import encoded, mapping
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.metadata import Metadata, Table
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import moment
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.ticketing import FieldEdit
from callout.ports.values import Person

TABLE: Final = "sys_audit"
FIELD_OF: Final[Mapping[str, str]] = {
    "short_description": "title",
    "description": "description",
    "priority": "priority",
    "state": "status",
    "assigned_to": "assignee",
}
"""Column → the ticket's field."""
# from memory: the columns of sys_audit, that values are raw there, and that `record_checkpoint` is the record's sys_mod_count.
_FIELDS: Final = (
    "documentkey",
    "fieldname",
    "oldvalue",
    "newvalue",
    "user",
    "sys_created_on",
    "record_checkpoint",
)
_NEWEST: Final = 100
_WHOLE_TEXT: Final = 255
"""from memory: some releases keep no more of a text than this."""


def count_of(record: Record) -> int | None:
    """Return how often a record was changed, None where it does not say."""
    count = record.get("sys_mod_count", "")
    return int(count) if count.isdecimal() else None


class Audit:
    """Reads what was changed on a record, and by whom."""

    def __init__(self, api: TableApi, metadata: Metadata, people: People, records: Records) -> None:
        self._api = api
        self._metadata = metadata
        self._people = people
        self._records = records

    async def edits(self, record: Record, *, written: bool) -> tuple[FieldEdit, ...] | None:
        """Return the newest edits up to the state in which `record` was read, oldest first; None where they cannot be read.

        `written` says that this state is what a write of ours made: an audit that does not know that write yet tells nothing.
        """
        count = count_of(record)
        if count is None or self._metadata.is_closed(TABLE):
            return None
        query = encoded.ordered(
            encoded.both(
                encoded.equals("documentkey", record["sys_id"]), encoded.any_of("fieldname", tuple(FIELD_OF))
            ),
            [("sys_created_on", True), ("record_checkpoint", True)],
        )
        try:
            page = await self._api.query(TABLE, query, fields=_FIELDS, limit=_NEWEST)
        except (PermissionDeniedError, RejectedError):
            self._metadata.closed(TABLE)
            return None
        # What came is looked at again: a condition that the instance did not understand would have selected everything.
        rows = [
            row
            for row in page.records
            if row.get("documentkey") == record["sys_id"]
            and row.get("fieldname") in FIELD_OF
            and row.get("record_checkpoint", "").isdecimal()
            and int(row["record_checkpoint"]) <= count
        ]
        rows.sort(key=lambda row: int(row["record_checkpoint"]))
        if written and (not rows or int(rows[-1]["record_checkpoint"]) < count):
            return None
        us = await self._records.myself()
        mine = (us or {}).get("user_name", "").casefold()
        table = await self._records.table_of(record)
        people = await self._people.by_user_names(row.get("user", "") for row in rows)
        return tuple([await self._edit(row, table, people, mine) for row in rows])

    async def _edit(self, row: Record, table: Table, people: Mapping[str, Person], mine: str) -> FieldEdit:
        column, user = row["fieldname"], row.get("user", "")
        before, after = row.get("oldvalue", ""), row.get("newvalue", "")
        return FieldEdit(
            field=FIELD_OF[column],
            before=await self._values(column, before, table),
            after=await self._values(column, after, table),
            at=moment(row.get("sys_created_on")),
            author=people.get(user),
            own=bool(mine) and user.casefold() == mine,
            exact=max(len(before), len(after)) < _WHOLE_TEXT,
        )

    async def _values(self, column: str, value: str, table: Table) -> dict[str, Any]:
        """Return a raw value as the ticket's fields hold it."""
        record: Record = {column: value}
        if column == "priority":
            return {"priority": table.priority_of(record), "priority_name": table.label_of(column, record)}
        if column == "state":
            label = table.label_of(column, record)
            return {"status": label, "status_category": mapping.category(table, record)}
        if column == "assigned_to":
            return {"assignee": await self._person(value) if value else None}
        return {FIELD_OF[column]: value}

    async def _person(self, sys_id: str) -> Person:
        try:
            return await self._people.with_id(sys_id) or Person(sys_id, sys_id)
        except PermissionDeniedError:
            return Person(sys_id, sys_id)


__all__ = ["FIELD_OF", "TABLE", "Audit", "count_of"]
