"""Comments and work notes: the journal of a record, read with its audience and written to no wider one."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from callout.connectors.servicenow import encoded, mapping
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.wire import LABEL_SUFFIX, Record
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.ports.errors import (
    ConnectorError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.ticketing import Comment, CommentDraft, Note, NoteDraft
from callout.ports.values import Audience

JOURNAL: Final = "sys_journal_field"
ELEMENTS: Final = (mapping.COMMENTS, mapping.WORK_NOTES)
ENTRY_FIELDS: Final = ("sys_id", "element_id", "element", "value", "sys_created_on", "sys_created_by")
PAGE: Final = 5000
CHUNK: Final = 250
"""So many ids make a query of nine thousand characters; the vendor's own Python client sends up to ten thousand in an address."""
# from memory: how entries are shown in one text, newest first, below a line of time, author and column.
_SHOWN = re.compile(r"^(\d[^\n]*?) - ([^\n]+?) \((?:Additional comments|Work notes)\)$", re.MULTILINE)


class Journal:
    """The journals of one instance's records."""

    def __init__(self, api: TableApi, records: Records, people: People) -> None:
        self._api = api
        self._records = records
        self._people = people

    async def read_all(self, ticket_id: str) -> list[Comment]:
        """Return all comments and work notes, oldest first."""
        record = await self._records.read(ticket_id)
        return await self.of_record(record)

    async def of_record(self, record: Record) -> list[Comment]:
        """Return the entries of a record that was read already."""
        try:
            entries = await self.entries([record["sys_id"]])
        except PermissionDeniedError:
            entries = []
        if not entries:
            # Nothing there, or nothing that we may see: the record itself shows its entries to whoever reads it.
            entries = await self._shown(record)
        return await self.comments(entries)

    async def entries(self, sys_ids: Sequence[str], *, since: str = "") -> list[Record]:
        """Return the entries of records, those of each oldest first. `since` is a literal time. Raises PermissionDeniedError.

        Entries of one second keep the order in which the instance lists them: nothing on them tells it better.
        """
        chunks = [sys_ids[start : start + CHUNK] for start in range(0, len(sys_ids), CHUNK)]
        read = await asyncio.gather(*(self._of_records(chunk, since=since) for chunk in chunks))
        return [entry for found in read for entry in found]

    async def _of_records(self, sys_ids: Sequence[str], *, since: str) -> list[Record]:
        # `name` may be the table's own or its parent's, so entries are found by the record alone.
        query = encoded.both(
            encoded.any_of("element_id", sys_ids),
            encoded.any_of("element", ELEMENTS),
            encoded.compares("sys_created_on", ">=", since) if since else "",
        )
        wanted = frozenset(sys_ids)
        found: dict[str, Record] = {}
        offset = 0
        while True:
            page = await self._api.query(
                JOURNAL,
                encoded.ordered(query, [("sys_created_on", False)]),
                fields=ENTRY_FIELDS,
                limit=PAGE,
                offset=offset,
            )
            found.update({entry["sys_id"]: entry for entry in page.records if _concerns(entry, wanted)})
            offset += page.limit
            if page.total is None or offset >= page.total:
                return list(found.values())

    async def comments(self, entries: Sequence[Record]) -> list[Comment]:
        """Return journal entries as comments, with their authors."""
        authors = await self._people.by_user_names(entry.get("sys_created_by", "") for entry in entries)
        return [
            mapping.comment(entry, entry["element_id"], authors.get(entry.get("sys_created_by", "")))
            for entry in entries
        ]

    async def _shown(self, record: Record) -> list[Record]:
        """Return the entries as the record shows them in one text: the last resort, without ids of their own."""
        table = record.get("sys_class_name", "") or "task"
        shown = await self._api.get(table, record["sys_id"], fields=ELEMENTS, labels=True)
        zone: QueryZone | None = None
        found: list[Record] = []
        for element in ELEMENTS:
            text = shown.get(element + LABEL_SUFFIX, "").replace("\r\n", "\n")
            heads = list(_SHOWN.finditer(text))
            zone = zone or (await self._records.zone() if heads else None)
            for number, head in enumerate(heads):
                end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
                value = text[head.end() : end].strip("\n")
                digest = hashlib.sha256(f"{record['sys_id']}{element}{head[0]}{value}".encode()).hexdigest()
                found.append(
                    {
                        "sys_id": f"shown-{digest[:24]}",
                        "element_id": record["sys_id"],
                        "element": element,
                        "value": value,
                        "sys_created_on": _utc(head[1], zone),
                        "sys_created_by": head[2],
                    }
                )
        found.reverse()  # they are shown newest first, and those of one second keep their order
        if not all(entry["sys_created_on"] for entry in found):
            return found  # times in a format of the user's own: not guessed at
        return sorted(found, key=lambda entry: entry["sys_created_on"])

    async def create(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment or work note. Raises RejectedError where more people than its audience would read it."""
        element = mapping.COMMENTS if draft.audience is Audience.CUSTOMER else mapping.WORK_NOTES
        if not draft.audience.may_reach(mapping.AUDIENCES[element]):
            raise RejectedError(
                f"an {draft.audience} text cannot go to ServiceNow, where everybody who works on the record reads work notes",
                fields={"audience": f"reaches {mapping.AUDIENCES[element]}"},
            )
        if not draft.content.strip():
            raise RejectedError("an empty comment says nothing", fields={"content": "empty"})
        text = mapping.entry_text(draft.content, author=draft.author_name, key=draft.key)
        return await self._add(ticket_id, element, text)

    async def _add(self, ticket_id: str, element: str, text: str) -> Comment:
        record = await self._records.read(ticket_id)
        table = record["sys_class_name"]
        # One column alone: whatever else changed would be repeated with the entry.
        await self._api.patch(table, record["sys_id"], {element: text}, fields=("sys_id",), repeatable=False)
        content, mark = mapping.entry_parts(text)
        try:
            entries = await self.of_record(record)
        except ConnectorError as error:
            # The text is written: whoever took this for a refusal would write it a second time.
            raise OutcomeUnknownError(
                f"ServiceNow took a text for {element} of {record.get('number')}, and could not be read after it: {error.message}",
                remediation="Look at the ticket before you repeat it.",
            ) from error
        same = [
            entry
            for entry in entries
            if (entry.content.strip(), entry.mark, entry.unmapped.get("element"))
            == (content.strip(), mark, element)
        ]
        if not same:
            # Without the right to a journal column the instance takes the write and drops the text, without a word.
            raise OutcomeUnknownError(
                f"ServiceNow took a text for {element} of {record.get('number')} but does not show it",
                remediation=f"Check that the integration's user may write and read {element} (role itil, and read"
                " access to sys_journal_field).",
            )
        return same[-1]

    async def find(self, ticket_id: str, key: str) -> Comment | None:
        """Return the entry that carries `key`, or None."""
        mark = mapping.correlation_of(key)
        return next((entry for entry in await self.read_all(ticket_id) if entry.mark == mark), None)

    async def delete(self, ticket_id: str, comment_id: str, *, element: str = "") -> None:
        """Delete an entry; the instance lets only administrators. Raises RecordNotFoundError, PermissionDeniedError."""
        found = next((entry for entry in await self.read_all(ticket_id) if entry.id == comment_id), None)
        if found is None or (element and found.unmapped.get("element") != element):
            raise RecordNotFoundError(f"{ticket_id} has no comment {comment_id}")
        if comment_id.startswith("shown-"):
            raise PermissionDeniedError(
                "entries of the journal cannot be deleted without read access to sys_journal_field",
                remediation="Grant the integration's user read and delete on sys_journal_field.",
            )
        await self._api.delete(JOURNAL, comment_id)

    # Notes: work notes under a title

    async def notes(self, ticket_id: str) -> list[Note]:
        """Return the work notes, oldest first."""
        found = await self.read_all(ticket_id)
        return [_note(entry) for entry in found if entry.unmapped.get("element") == mapping.WORK_NOTES]

    async def create_note(self, ticket_id: str, draft: NoteDraft) -> Note:
        """Add a work note with a title."""
        if not draft.content.strip():
            raise RejectedError("an empty note says nothing", fields={"content": "empty"})
        text = mapping.entry_text(mapping.note_text(draft.title, draft.content), key=draft.key)
        return _note(await self._add(ticket_id, mapping.WORK_NOTES, text))


def _concerns(entry: Record, sys_ids: frozenset[str]) -> bool:
    """Whether an entry is what was asked for: a condition that the instance does not understand selects everything."""
    return entry.get("element_id") in sys_ids and entry.get("element") in ELEMENTS


def _utc(shown: str, zone: QueryZone | None) -> str:
    """Return a time shown in the user's zone as the journal keeps it."""
    at = moment(shown)
    if at is None or zone is None:
        return ""
    local = at.replace(tzinfo=zone.zone)
    return QueryZone().literal(local)


def _note(entry: Comment) -> Note:
    title, content = mapping.note_parts(entry.content)
    return Note(entry.id, entry.ticket_id, title, content, entry.author, entry.created_at, entry.updated_at)
