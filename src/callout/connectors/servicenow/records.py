"""Finding one record by what people and links call it, and its ticket in the unified model."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from callout.connectors.servicenow import encoded, mapping
from callout.connectors.servicenow.calibration import calibrated, myself
from callout.connectors.servicenow.client import SYS_ID, TableApi
from callout.connectors.servicenow.config import ServiceNowConfig, default_table
from callout.connectors.servicenow.metadata import BASE_TABLE, Metadata, Table
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone
from callout.kit import collector
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError
from callout.ports.ticketing import AttachmentInfo, Ticket

_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}")
_REMEMBERED: Final = 10_000
_CHUNK: Final = 100
_LISTED: Final = 5000


class Records:
    """The records of one instance that are tickets.

    Args:
        user_name: the login where the credential names one.
    """

    def __init__(
        self,
        config: ServiceNowConfig,
        api: TableApi,
        metadata: Metadata,
        people: People,
        *,
        user_name: str = "",
    ) -> None:
        self._config = config
        self._api = api
        self._metadata = metadata
        self._people = people
        self._user_name = user_name
        self._tables: OrderedDict[str, str] = OrderedDict()
        own = {
            *(m.provider_field_path for m in config.custom_field_mappings),
            *([config.tags_field] if config.tags_field else []),
        }
        self.fields: Sequence[str] = (*mapping.TICKET_FIELDS, *sorted(own - set(mapping.TICKET_FIELDS)))
        self.default_table = default_table(config)

    async def myself(self) -> Record | None:
        """Return the user we act as, where the instance says."""

        async def read() -> Record | None:
            return await myself(self._api, user_name=self._user_name)

        return await self._metadata.remembered(("myself",), read)

    async def zone(self) -> QueryZone:
        """Return how times are written into queries."""

        async def read() -> QueryZone:
            return await calibrated(self._api, self.default_table, user=self.myself(), newest=self.newest())

        return await self._metadata.remembered(("zone",), read)

    async def newest(self) -> Sequence[Record]:
        """Return the newest record of the default table, when it was made, as of the last minutes; none where there is no record."""

        async def read() -> Sequence[Record]:
            made = encoded.ordered("", [("sys_created_on", True)])
            page = await self._api.query(
                self.default_table, made, fields=("sys_id", "sys_created_on"), limit=1
            )
            return page.records

        return await self._metadata.remembered(("newest",), read)

    async def with_labels(self, table: str) -> bool:
        """Return whether records must be asked for with their labels: the lists of choices may not be read."""
        return not (await self._metadata.table(table)).readable

    async def read(self, ticket_id: str) -> Record:
        """Return a record by sys_id or number, of whatever table of tasks. Raises RecordNotFoundError."""
        if SYS_ID.fullmatch(ticket_id):
            return await self._by_sys_id(ticket_id)
        if not _NUMBER.fullmatch(ticket_id):
            raise _unknown(ticket_id)
        for table in dict.fromkeys((self.default_table, BASE_TABLE)):
            query = encoded.equals("number", ticket_id)
            page = await self._api.query(table, query, fields=("sys_id", "sys_class_name", "number"), limit=2)
            for row in page.records:
                if row.get("number", "").casefold() == ticket_id.casefold():
                    self.remember(row)
                    return await self._by_sys_id(row["sys_id"])
        raise _unknown(ticket_id)

    async def _by_sys_id(self, sys_id: str) -> Record:
        guess = self._tables.get(sys_id, self.default_table)
        try:
            record = await self._get(guess, sys_id)
        except RecordNotFoundError:
            if guess == BASE_TABLE:
                raise
            # It may be of another table, or have been made another kind of task.
            base = await self._api.get(BASE_TABLE, sys_id, fields=("sys_id", "sys_class_name"))
            record = base
        actual = record.get("sys_class_name", "")
        if actual and actual != guess:
            record = await self._get(actual, sys_id)
        self.remember(record)
        return record

    async def _get(self, table: str, sys_id: str) -> Record:
        labels = await self.with_labels(table)
        return await self._api.get(table, sys_id, fields=self.fields, labels=labels)

    def remember(self, record: Record) -> None:
        """Remember which table a record is of: its id alone does not tell."""
        if record.get("sys_id") and record.get("sys_class_name"):
            self._tables[record["sys_id"]] = record["sys_class_name"]
            while len(self._tables) > _REMEMBERED:
                self._tables.popitem(last=False)

    async def table_of(self, record: Record) -> Table:
        """Return the table of a record."""
        return await self._metadata.table(record.get("sys_class_name") or self.default_table)

    async def ticket(self, record: Record) -> Ticket:
        """Return a record with its attachments."""
        files = await self.attachments([record["sys_id"]])
        return self.mapped(record, await self.table_of(record), files.get(record["sys_id"], ()))

    async def tickets(self, records: Sequence[Record], *, files: bool = True) -> list[Ticket]:
        """Return many records, in their order; without `files` nothing is known about attachments."""
        found = await self.attachments([r["sys_id"] for r in records]) if files and records else {}
        tables = {
            name: await self._metadata.table(name or self.default_table)
            for name in dict.fromkeys(map(_class_of, records))
        }
        made: list[Ticket] = []
        with collector.paused():
            for record in records:
                self.remember(record)
                made.append(self.mapped(record, tables[_class_of(record)], found.get(record["sys_id"], ())))
        return made

    def mapped(self, record: Record, table: Table, files: Sequence[AttachmentInfo] = ()) -> Ticket:
        """Return a record in the unified model."""
        return mapping.ticket(
            record,
            table,
            site=self._config.url,
            custom=self._config.mappings_for(table.name),
            tags_field=self._config.tags_field,
            attachments=files,
        )

    async def attachments(self, sys_ids: Sequence[str]) -> Mapping[str, list[AttachmentInfo]]:
        """Return the files of records, by record, oldest first; none where attachments may not be read."""
        chunks = [sys_ids[start : start + _CHUNK] for start in range(0, len(sys_ids), _CHUNK)]
        try:
            pages = await asyncio.gather(*(self._files(chunk) for chunk in chunks))
        except PermissionDeniedError:
            if len(sys_ids) == 1:
                raise
            return {}
        rows = [row for page in pages for row in page]
        people = await self._people.by_user_names(row.get("sys_created_by", "") for row in rows)
        found: dict[str, list[AttachmentInfo]] = {}
        for row in rows:
            info = mapping.attachment(row, people.get(row.get("sys_created_by", "")))
            found.setdefault(info.ticket_id, []).append(info)
        return found

    async def _files(self, sys_ids: Sequence[str]) -> list[Record]:
        query = encoded.ordered(
            encoded.any_of("table_sys_id", sys_ids), [("sys_created_on", False), ("sys_id", False)]
        )
        rows: list[Record] = []
        offset = 0
        while True:
            page = await self._api.list_attachments(query, limit=_LISTED, offset=offset)
            rows += [row for row in page.records if row.get("table_sys_id") in sys_ids]
            offset += _LISTED
            if page.total is None or offset >= page.total:
                return rows


def _class_of(record: Record) -> str:
    return record.get("sys_class_name", "")


def _unknown(ticket_id: str) -> RecordNotFoundError:
    return RecordNotFoundError(
        f"ServiceNow has no record {ticket_id[:80]!r} that the integration's user can see"
    )
