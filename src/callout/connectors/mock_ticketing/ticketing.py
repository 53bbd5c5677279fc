"""The test provider: a whole ticketing system in memory, deterministic, with the habits of real ones to switch on."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from callout.connectors.mock_ticketing import catalogue
from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.store import USUAL, Record, Store, Stores, category_of
from callout.kit.clock import Clock
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import (
    InvalidRequestError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
)
from callout.ports.files import find_file
from callout.ports.filtering import SortValue, check_filters, compare, matches, sort_values
from callout.ports.manifest import Tools
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, PollPosition
from callout.ports.ticketing import (
    AttachmentInfo,
    Change,
    ChangeKind,
    Comment,
    CommentDraft,
    FieldCatalogue,
    FileIdentity,
    Note,
    NoteDraft,
    Page,
    Project,
    RemoteField,
    StatusCategory,
    Ticket,
    TicketDraft,
    TicketOrder,
    TicketPatch,
    TicketQuery,
    Transition,
)
from callout.ports.values import Audience, Person, Priority

ACCOUNT: Final = Person("callout", "Callout", "callout@example.com")
PROJECT_NAMES: Final[Mapping[str, str]] = {"TST": "Test project", "OPS": "Operations"}
CATEGORY_PREFIX: Final = "category:"
ISSUE_TYPE: Final = "Task"
LARGEST_PAGE: Final = 1000
MAX_UPLOAD_BYTES: Final = 25 * 1024 * 1024

_BY_AGE = TicketOrder("created_at")
_TIE = TicketOrder("id")
_STORES = Stores()


class MockTicketing:
    """One integration's tickets. Each method finishes without awaiting anything: concurrent calls never interleave inside one."""

    def __init__(self, config: MockTicketingConfig, clock: Clock, store: Store) -> None:
        self._config = config
        self._clock = clock
        self._store = store
        self._lag = timedelta(seconds=config.index_lag_seconds)
        self.effects: Mapping[str, Effect] = {
            "create_ticket": Findable(self._lag),
            "patch_ticket": Idempotent(),
            "create_comment": Findable(),
            "delete_comment": Idempotent(),
            "create_note": Findable(),
            "patch_note": Idempotent(),
            "delete_note": Idempotent(),
            "create_attachment": Findable(),
            "delete_attachment": Idempotent(),
        }

    async def check_connection(self) -> ConnectionReport:
        """Always fine: there is nothing to connect to."""
        return ConnectionReport(ok=True, account=ACCOUNT, instance="in memory")

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read one ticket by id or key."""
        return self._shown(self._store.record(ticket_id))

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create a ticket in the named or the default project."""
        project = draft.project or self._config.default_project or ""
        if not project:
            raise RejectedError(
                "no project given, and the integration has no default project", fields={"project": "required"}
            )
        self._check_project(project)
        title = self._title(draft.title)
        now = self._clock.now()
        status = self._status(draft.status) if draft.status else USUAL[StatusCategory.NEW]
        ticket = Ticket(
            id=self._store.next_id(),
            key=self._store.next_key(project),
            title=title,
            created_at=now,
            updated_at=now,
            description=self._text(draft.description),
            status=status,
            status_category=category_of(status),
            priority=draft.priority,
            priority_name=draft.priority or "",
            project=project,
            issue_type=draft.issue_type or ISSUE_TYPE,
            creator=draft.creator or ACCOUNT,
            assignee=draft.assignee,
            contact=draft.contact,
            parent=draft.parent,
            tags=tuple(dict.fromkeys(draft.tags)),
            due_date=draft.due_date,
            completion_date=draft.completion_date,
            marks=(draft.key,) if draft.key else (),
            unmapped={"back_link": draft.back_link} if draft.back_link else {},
        )
        record = Record(self._store.sequence, ticket, stored=self._stored(draft.custom_fields, project))
        self._store.records[ticket.id] = record
        self._happened(ChangeKind.CREATED, record)
        return self._shown(record)

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change the named fields, all or none. Raises StaleRecordError when it is not the expected version."""
        record = self._store.record(ticket_id)
        if patch.expected_version and patch.expected_version != str(record.revision):
            raise StaleRecordError(
                f"{record.ticket.key} was changed by somebody since it was read", status=409
            )
        values = dict(patch.values)
        custom = values.pop("custom_fields", None) or {}
        changes: dict[str, Any] = {name: self._patched(name, value) for name, value in values.items()}
        if "status" in changes:
            changes["status_category"] = category_of(changes["status"])
        if "priority" in changes:
            changes["priority_name"] = changes["priority"] or ""
        stored = self._stored(custom, changes.get("project", record.ticket.project))
        ticket = replace(record.ticket, **changes)
        if ticket == record.ticket and not stored:
            return self._shown(record)
        record.ticket = replace(ticket, updated_at=self._clock.now())
        record.stored |= stored
        record.revision += 1
        self._happened(ChangeKind.MOVED if "project" in changes else ChangeKind.UPDATED, record)
        return self._shown(record)

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page; its cursor names the last ticket, so that new ones neither repeat nor hide others."""
        check_filters(query.filters, query.order)
        if query.limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        order = (*(query.order or (_BY_AGE,)), _TIE)
        scope = repr((query.filters, query.order))
        after = self._position(query.cursor, scope, len(order))
        project = self._config.default_project
        scoped = bool(project) and not any(condition.field == "project" for condition in query.filters)
        found: list[tuple[list[SortValue], Ticket]] = []
        for record in self._store.records.values():
            if not self._indexed(record):
                continue
            ticket = self._shown(record)
            if scoped and ticket.project != project:
                continue
            if all(matches(ticket, condition) for condition in query.filters):
                found.append(([*sort_values(ticket, order[:-1]), record.number], ticket))

        def by_order(one: tuple[list[SortValue], Ticket], other: tuple[list[SortValue], Ticket]) -> int:
            return compare(one[0], other[0], order)

        found.sort(key=functools.cmp_to_key(by_order))
        rest = [entry for entry in found if after is None or compare(entry[0], after, order) > 0]
        page = rest[: min(query.limit, LARGEST_PAGE)]
        more = len(rest) > len(page)
        return Page(
            [ticket for _, ticket in page], encode_cursor({"after": page[-1][0]}, scope=scope) if more else ""
        )

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the tickets that carry `key`, once the index shows them."""
        records = self._store.records.values()
        return [self._shown(r) for r in records if key in r.ticket.marks and self._indexed(r)]

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield what happened, oldest first."""
        start = None if position.high_water is None else position.high_water - overlap
        for at, change in list(self._store.journal):
            if start is None or at >= start:
                yield change

    async def list_transitions(self, ticket_id: str) -> Sequence[Transition]:
        """Return the moves: to every usual status but the present one."""
        now = self._store.record(ticket_id).ticket.status
        return [
            Transition(str(number), name, name, category)
            for number, (category, name) in enumerate(USUAL.items(), start=1)
            if name != now
        ]

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all comments, oldest first."""
        return list(self._store.record(ticket_id).comments.values())

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment. Raises RejectedError where more people than its audience would read it."""
        record = self._store.record(ticket_id)
        readers = Audience.RESPONDERS
        if self._config.customer_comments and draft.audience is Audience.CUSTOMER:
            readers = Audience.CUSTOMER
        if not draft.audience.may_reach(readers):
            raise RejectedError(
                f"an {draft.audience} text cannot go to a ticket", fields={"audience": f"reaches {readers}"}
            )
        now = self._clock.now()
        comment = Comment(
            id=self._store.next_id(),
            ticket_id=record.ticket.id,
            content=self._text(draft.content),
            audience=readers,
            author=draft.author
            or (Person(draft.author_name, draft.author_name) if draft.author_name else ACCOUNT),
            created_at=now,
            updated_at=now,
            mark=draft.key,
        )
        record.comments[comment.id] = comment
        self._touched(ChangeKind.COMMENTED, record, comment)
        return comment

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment that carries `key`, or None."""
        comments = self._store.record(ticket_id).comments.values()
        return next((comment for comment in comments if comment.mark == key), None)

    async def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Delete a comment."""
        record = self._store.record(ticket_id)
        comment = record.comments.pop(comment_id, None)
        if comment is None:
            raise RecordNotFoundError(f"{record.ticket.key} has no comment {comment_id!r}", status=404)
        self._touched(ChangeKind.COMMENT_DELETED, record, comment)

    async def list_notes(self, ticket_id: str) -> Sequence[Note]:
        """Return all notes, oldest first."""
        return list(self._store.record(ticket_id).notes.values())

    async def create_note(self, ticket_id: str, draft: NoteDraft) -> Note:
        """Add a note."""
        record = self._store.record(ticket_id)
        now = self._clock.now()
        note = Note(
            self._store.next_id(), record.ticket.id, draft.title, self._text(draft.content), ACCOUNT, now, now
        )
        record.notes[note.id] = note
        self._touched(ChangeKind.UPDATED, record)
        return note

    async def patch_note(
        self, ticket_id: str, note_id: str, *, title: str | None, content: str | None
    ) -> Note:
        """Change a note's title, content or both."""
        record, note = self._note(ticket_id, note_id)
        changed = replace(
            note,
            title=note.title if title is None else title,
            content=note.content if content is None else self._text(content),
            updated_at=self._clock.now(),
        )
        record.notes[note_id] = changed
        self._touched(ChangeKind.UPDATED, record)
        return changed

    async def delete_note(self, ticket_id: str, note_id: str) -> None:
        """Delete a note."""
        record, _ = self._note(ticket_id, note_id)
        del record.notes[note_id]
        self._touched(ChangeKind.UPDATED, record)

    async def list_attachments(self, ticket_id: str) -> Sequence[AttachmentInfo]:
        """Return the facts of all attachments, oldest first."""
        return [info for info, _ in self._store.record(ticket_id).files.values()]

    async def create_attachment(
        self, ticket_id: str, *, file_name: str, content: AsyncIterator[bytes], media_type: str
    ) -> AttachmentInfo:
        """Keep one file. Raises RejectedError without a name, or with more than 25 MiB."""
        if not file_name.strip():
            raise RejectedError("a file needs a name", fields={"file_name": "empty"})
        data = bytearray()
        async for chunk in content:
            data += chunk
            if len(data) > MAX_UPLOAD_BYTES:
                raise RejectedError("the file is larger than 25 MiB", fields={"content": "at most 25 MiB"})
        record = self._store.record(ticket_id)
        info = AttachmentInfo(
            id=self._store.next_id(),
            ticket_id=record.ticket.id,
            file_name=file_name,
            media_type=media_type,
            size=len(data),
            created_at=self._clock.now(),
            creator=ACCOUNT,
        )
        record.files[info.id] = (info, bytes(data))
        self._touched(ChangeKind.ATTACHED, record)
        return info

    async def find_attachment(
        self, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
    ) -> AttachmentInfo | None:
        """Return the file of that name, size and content whose id is not among `known`, or None."""
        return await find_file(self, ticket_id, identity, known=known)

    async def attachment_readers(self, ticket_id: str) -> Audience:
        """Return who reads a file: customers where comments reach them, else who works here."""
        self._store.record(ticket_id)
        return Audience.CUSTOMER if self._config.customer_comments else Audience.RESPONDERS

    async def download_attachment(self, ticket_id: str, attachment_id: str) -> AsyncIterator[bytes]:
        """Yield the file's bytes."""
        yield self._file(ticket_id, attachment_id)[1]

    async def delete_attachment(self, ticket_id: str, attachment_id: str) -> None:
        """Delete one file."""
        self._file(ticket_id, attachment_id)
        record = self._store.record(ticket_id)
        del record.files[attachment_id]
        self._touched(ChangeKind.UPDATED, record)

    async def list_projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of the configured projects."""
        if limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        names = sorted(self._config.projects)
        after = self._position(cursor, "projects", 1)
        rest = [name for name in names if after is None or name > str(after[0])]
        page = rest[:limit]
        return Page(
            [Project(name, PROJECT_NAMES.get(name, name)) for name in page],
            encode_cursor({"after": [page[-1]]}, scope="projects") if len(rest) > len(page) else "",
        )

    async def list_remote_fields(self) -> Sequence[RemoteField]:
        """Return the ticket's own fields, and the paths that custom fields are kept at: any may be mapped."""
        return catalogue.remote_fields(self._config)

    async def field_catalogue(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what a project offers: the ticket's own fields and three statuses."""
        self._check_project(project)
        return catalogue.of(project, issue_type or ISSUE_TYPE)

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return anybody asked for by e-mail: the people of a test are whoever it names."""
        return Person(email, name or email, email) if email else None

    # Inside

    def _shown(self, record: Record) -> Ticket:
        paths = self._config.mappings_for(record.ticket.project)
        custom = {name: record.stored.get(path) for name, path in paths.items()}
        files = tuple(info for info, _ in record.files.values())
        return replace(record.ticket, custom_fields=custom, attachments=files, version=str(record.revision))

    def _indexed(self, record: Record) -> bool:
        created = record.ticket.created_at
        return created is None or self._clock.now() - created >= self._lag

    def _happened(self, kind: ChangeKind, record: Record, comment: Comment | None = None) -> None:
        ticket = self._shown(record)
        change = Change(
            kind=kind,
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            occurred_at=self._clock.now(),
            ticket=ticket,
            partial=False,
            known=frozenset(Ticket.__dataclass_fields__),
            comment=comment,
            vendor_event=f"mock:{kind}",
        )
        self._store.journal.append((self._clock.now(), change))

    def _touched(self, kind: ChangeKind, record: Record, comment: Comment | None = None) -> None:
        record.ticket = replace(record.ticket, updated_at=self._clock.now())
        record.revision += 1
        self._happened(kind, record, comment)

    def _file(self, ticket_id: str, attachment_id: str) -> tuple[AttachmentInfo, bytes]:
        record = self._store.record(ticket_id)
        if attachment_id not in record.files:
            raise RecordNotFoundError(f"{record.ticket.key} has no attachment {attachment_id!r}", status=404)
        return record.files[attachment_id]

    def _note(self, ticket_id: str, note_id: str) -> tuple[Record, Note]:
        record = self._store.record(ticket_id)
        if note_id not in record.notes:
            raise RecordNotFoundError(f"{record.ticket.key} has no note {note_id!r}", status=404)
        return record, record.notes[note_id]

    def _position(self, cursor: str, scope: str, length: int) -> list[SortValue] | None:
        if not cursor:
            return None
        try:
            after = decode_cursor(cursor, scope=scope).get("after")
        except ValueError as error:
            raise InvalidRequestError(str(error), fields={"cursor": "not valid for this query"}) from error
        plain = isinstance(after, list) and all(
            value is None or isinstance(value, int | str) for value in after
        )
        if not plain or not isinstance(after, list) or len(after) != length:
            raise InvalidRequestError("this is not a cursor of ours", fields={"cursor": "not valid"})
        return after

    def _check_project(self, project: str) -> None:
        if project not in self._config.projects:
            choices = ", ".join(self._config.projects)
            raise RejectedError(
                f"there is no project {project!r}; there are: {choices}",
                fields={"project": f"one of {choices}"},
            )

    def _patched(self, name: str, value: Any) -> Any:  # noqa: ANN401  # by field
        if name == "title":
            return self._title(value or "")
        if name == "status":
            return self._status(value or "")
        if name == "description":
            return self._text(value or "")
        if name == "project":
            self._check_project(value or "")
        if name == "priority":
            return None if value is None else Priority(value)
        if name == "tags":
            return tuple(dict.fromkeys(value or ()))
        return (value or "") if name in {"parent", "issue_type", "project"} else value

    def _title(self, title: str) -> str:
        if not title.strip():
            raise RejectedError("a ticket needs a title", fields={"title": "cannot be empty"})
        return " ".join(title.split())[:255].rstrip() if self._config.normalise_text else title

    def _text(self, text: str) -> str:
        """Vendors strip and re-wrap what they are given; switched on, this one does too."""
        if not self._config.normalise_text:
            return text
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    def _status(self, wanted: str) -> str:
        if not wanted:
            raise RejectedError("a ticket always has a status", fields={"status": "cannot be empty"})
        if wanted.startswith(CATEGORY_PREFIX):
            name = wanted.removeprefix(CATEGORY_PREFIX)
            if name not in USUAL:
                raise RejectedError(
                    f"{wanted!r} is not a category of statuses",
                    fields={"status": "use category:new, category:active or category:done"},
                )
            return USUAL[StatusCategory(name)]
        if not self._config.three_statuses:
            return wanted
        category = category_of(wanted)
        if category not in USUAL:
            choices = ", ".join(USUAL.values())
            raise RejectedError(f"there is no status {wanted!r}", fields={"status": f"allowed: {choices}"})
        return USUAL[category]

    def _stored(self, values: Mapping[str, Any], project: str) -> dict[str, Any]:
        paths = self._config.mappings_for(project)
        for name in values:
            if name not in paths:
                raise RejectedError(
                    f"no custom field is mapped as {name!r} for {project}",
                    fields={f"custom_fields/{name}": "not mapped"},
                )
        return {paths[name]: value for name, value in values.items()}


def build(config: MockTicketingConfig, tools: Tools) -> MockTicketing:
    """Return the provider of one integration; built again, it has the same tickets."""
    store = _STORES.of(tools.integration_id) if tools.integration_id else Store()
    return MockTicketing(config, tools.clock, store)
