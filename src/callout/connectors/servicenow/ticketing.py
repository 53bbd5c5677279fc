"""ServiceNow as a ticketing provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from callout.connectors.servicenow import mapping
from callout.connectors.servicenow.audit import Audit
from callout.connectors.servicenow.catalogue import Catalogue
from callout.connectors.servicenow.changes import Changes, start_of
from callout.connectors.servicenow.client import SYS_ID, TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.connection import check_connection
from callout.connectors.servicenow.history import Past
from callout.connectors.servicenow.journal import Journal
from callout.connectors.servicenow.metadata import Metadata
from callout.connectors.servicenow.oauth import auth_for
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.search import Search
from callout.connectors.servicenow.selection import ORDERS
from callout.connectors.servicenow.sweep import Sweep
from callout.connectors.servicenow.transitions import Workflow
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.writer import RecordWriter
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp
from callout.ports.errors import RecordNotFoundError, RejectedError
from callout.ports.files import find_file
from callout.ports.history import PastPage, PastPlan, PastScope
from callout.ports.manifest import Tools
from callout.ports.oncall import EscalationActor
from callout.ports.pass_through import VendorAnswer, VendorCall, pass_through
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, PollPosition, Unknown
from callout.ports.ticketing import (
    AttachmentInfo,
    Change,
    Comment,
    CommentDraft,
    FieldCatalogue,
    FileIdentity,
    Note,
    NoteDraft,
    Page,
    Project,
    RemoteField,
    Ticket,
    TicketDraft,
    TicketPatch,
    TicketQuery,
    Transition,
)
from callout.ports.values import Audience, Person

REPLICA_LAG: Final = timedelta(seconds=5)
"""from memory: lists may be answered by a read replica, which follows within seconds."""
MAX_UPLOAD_BYTES: Final = 64 * 1024 * 1024
_MEDIA_TYPE: Final = "application/octet-stream"


class ServiceNowTicketing:
    """One instance, through one user."""

    effects: Mapping[str, Effect] = {
        "create_ticket": Findable(REPLICA_LAG),
        "patch_ticket": Idempotent(),
        "create_comment": Findable(REPLICA_LAG),
        "delete_comment": Idempotent(),
        "create_note": Unknown(),
        "delete_note": Idempotent(),
        "create_attachment": Findable(REPLICA_LAG),
        "delete_attachment": Idempotent(),
    }
    order_fields = frozenset(ORDERS) | {"contact"}
    comments_hold_notes = True
    """`list_comments` tells work notes, too: those that are not for customers."""

    def __init__(
        self, config: ServiceNowConfig, http: VendorHttp, clock: Clock, *, user_name: str = ""
    ) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._api = TableApi(http, clock)
        self._metadata = Metadata(config, self._api, clock)
        self._people = People(self._api, clock)
        self._records = Records(config, self._api, self._metadata, self._people, user_name=user_name)
        self._workflow = Workflow(config, self._api, self._people)
        self._writer = RecordWriter(
            config, self._api, self._metadata, self._people, self._records, self._workflow
        )
        self._audit = Audit(self._api, self._metadata, self._people, self._records)
        self._journal = Journal(self._api, self._records, self._people)
        self._sweep = Sweep(self._api, clock)
        self._search = Search(config, self._api, self._metadata, self._people, self._records)
        self._catalogue = Catalogue(self._metadata, self._records, self._writer)

    async def check_connection(self) -> ConnectionReport:
        """Ask the instance who we are and what we may read. Raises AuthFailedError, UnavailableError."""
        self._metadata.forget()
        return await check_connection(self._config, self._api, self._metadata, self._records, self._clock)

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read a record by sys_id or number, of any table of tasks."""
        return await self._records.ticket(await self._records.read(ticket_id))

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create a record with our key as correlation_id. `unmapped` tells what could not be kept or set on the way."""
        return await self._writer.create(draft)

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change the named fields, the state with what it asks for; return the record as the instance made it."""
        written = await self._writer.patch(ticket_id, patch)
        ticket = await self._records.ticket(written.record)
        if not written.crowded:
            return ticket
        edits = await self._audit.edits(written.record, written=True)
        return replace(ticket, edits=edits, unread_edits=edits is None)

    async def get_ticket_with_edits(self, ticket_id: str) -> Ticket:
        """Read a record and what its audit says of it."""
        record = await self._records.read(ticket_id)
        return replace(
            await self._records.ticket(record), edits=await self._audit.edits(record, written=False)
        )

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; without a project filter, of the default table."""
        return await self._search.query(query)

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the records of any table of tasks that carry our key."""
        return await self._search.by_key(key)

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield records, comments and files changed since `position` minus `overlap`, oldest first."""
        changes = Changes(
            self._config, self._api, self._metadata, self._people, self._records, self._search, self._journal
        )
        async for change in changes.since(start_of(position.high_water, overlap)):
            yield change

    async def plan_past(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return the parts in which everything there is can be read."""
        return await self._past().plan(scope, parts=parts)

    async def read_past(self, cursor: str, *, comments: bool) -> PastPage:
        """Return a page of records of the past, with their comments and work notes."""
        return await self._past().page(cursor, comments=comments)

    def _past(self) -> Past:
        tables = tuple(dict.fromkeys((self._records.default_table, *self._config.tables)))
        return Past(self._api, self._records, self._search, self._journal, self._sweep, tables=tables)

    async def list_transitions(self, ticket_id: str) -> Sequence[Transition]:
        """Return the states that the record can take now, with the fields they need."""
        record = await self._records.read(ticket_id)
        return await self._workflow.moves(record, await self._records.table_of(record))

    async def list_moves(self, project: str, issue_type: str, status: str) -> Sequence[Transition]:
        """Return the states that follow on `status`, as far as no record has to be asked."""
        return self._workflow.moves_from(status, await self._writer.place(project, issue_type))

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return additional comments (for customers) and work notes (for responders), oldest first."""
        return await self._journal.read_all(ticket_id)

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a work note, or an additional comment where the text is for customers."""
        return await self._journal.create(ticket_id, draft)

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment that carries `key`, or None."""
        return await self._journal.find(ticket_id, key)

    async def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Delete a comment or work note, which the instance lets only administrators."""
        await self._journal.delete(ticket_id, comment_id)

    async def list_notes(self, ticket_id: str) -> Sequence[Note]:
        """Return the work notes, oldest first; those of people get the beginning of their text as title."""
        return await self._journal.notes(ticket_id)

    async def create_note(self, ticket_id: str, draft: NoteDraft) -> Note:
        """Add a work note under a title."""
        return await self._journal.create_note(ticket_id, draft)

    async def delete_note(self, ticket_id: str, note_id: str) -> None:
        """Delete a work note, which the instance lets only administrators."""
        await self._journal.delete(ticket_id, note_id, element=mapping.WORK_NOTES)

    async def list_attachments(self, ticket_id: str) -> Sequence[AttachmentInfo]:
        """Return the facts of all attachments, oldest first."""
        record = await self._records.read(ticket_id)
        return (await self._records.attachments([record["sys_id"]])).get(record["sys_id"], [])

    async def create_attachment(
        self, ticket_id: str, *, file_name: str, content: AsyncIterator[bytes], media_type: str
    ) -> AttachmentInfo:
        """Upload one file of at most 64 MiB; the instance may allow less. Raises RejectedError for a larger one."""
        if not file_name.strip():
            raise RejectedError("a file needs a name", fields={"file_name": "empty"})
        data = bytearray()
        async for chunk in content:
            data += chunk
            if len(data) > MAX_UPLOAD_BYTES:
                raise RejectedError("the file is larger than 64 MiB", fields={"content": "at most 64 MiB"})
        record = await self._records.read(ticket_id)
        made = await self._api.upload_attachment(
            record["sys_class_name"],
            record["sys_id"],
            file_name=file_name,
            content=bytes(data),
            media_type=media_type or _MEDIA_TYPE,
        )
        people = await self._people.by_user_names([made.get("sys_created_by", "")])
        return mapping.attachment(made, people.get(made.get("sys_created_by", "")))

    async def download_attachment(self, ticket_id: str, attachment_id: str) -> AsyncIterator[bytes]:
        """Yield the file's bytes. Raises RecordNotFoundError when it is not this ticket's."""
        await self._own_attachment(ticket_id, attachment_id)
        async with self._api.download_attachment(attachment_id) as opened:
            async for chunk in opened.chunks():
                yield chunk

    async def find_attachment(
        self, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
    ) -> AttachmentInfo | None:
        """Return the file of that name, size and content whose id is not among `known`, or None."""
        return await find_file(self, ticket_id, identity, known=known)

    async def attachment_readers(self, ticket_id: str) -> Audience:
        """Return who reads a file on a record: who works there, and the caller where the record has one.

        from memory: a caller sees the files of their own record in the portal. Files have no comments' and work notes' difference.
        """
        record = await self._records.read(ticket_id)
        called = any(mapping.person_in(record, name) for name in mapping.CONTACTS)
        return Audience.CUSTOMER if called else Audience.RESPONDERS

    async def delete_attachment(self, ticket_id: str, attachment_id: str) -> None:
        """Delete one file. Raises RecordNotFoundError when it is not this ticket's."""
        await self._own_attachment(ticket_id, attachment_id)
        await self._api.delete_attachment(attachment_id)

    async def _own_attachment(self, ticket_id: str, attachment_id: str) -> None:
        record: Record = await self._records.read(ticket_id)
        found: Record = {}
        if SYS_ID.fullmatch(attachment_id):
            found = await self._api.get_attachment(attachment_id)
        if found.get("table_sys_id") != record["sys_id"]:
            raise RecordNotFoundError(f"{ticket_id} has no attachment {attachment_id}")

    async def list_projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of the tables that hold tasks; a ticket's project is its table."""
        return await self._catalogue.projects(limit=limit, cursor=cursor)

    async def list_remote_fields(self) -> Sequence[RemoteField]:
        """Return the columns of the default table, inherited ones too, with their choices."""
        return await self._catalogue.remote_fields()

    async def field_catalogue(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what one table needs and offers."""
        return await self._catalogue.of(project, issue_type)

    async def search_people(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return one page of active people."""
        return await self._people.search(query, limit=limit, cursor=cursor)

    async def list_teams(self, *, limit: int, cursor: str) -> Page[EscalationActor]:
        """Return one page of groups."""
        return await self._people.groups(limit=limit, cursor=cursor)

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one active user of that e-mail, name or user name."""
        return await self._people.find(email=email, name=name)

    async def pass_through(self, call: VendorCall) -> VendorAnswer:
        """Make a call of the caller's own."""
        return await pass_through(self._http, call)


def build(config: ServiceNowConfig, tools: Tools) -> ServiceNowTicketing:
    """Return the provider of one integration. Raises AuthFailedError for a credential that ServiceNow cannot use."""
    credential = tools.credential
    user_name = credential.values.get("username", "") if credential.kind == "basic" else ""
    http = tools.http(config.url, auth=auth_for(config, tools))
    return ServiceNowTicketing(config, http, tools.clock, user_name=user_name)
