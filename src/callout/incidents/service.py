"""The incident service: every way in ends here, inside the caller's transaction.

One commit carries the state, the timeline, the audit row and the event. The service calls no other feature: who wants to react
subscribes to the events `incident.declared`, `incident.changed`, `incident.noted`, `incident.attached` (a file is there with its
bytes), `incident.entry_added`, `incident.role_changed`, `incident.participant_joined` and `_left`, `incident.task_added`, `_changed`,
`_done` and `_reopened`, `incident.message_added` and `_corrected`; sync adds
`incident.conflict` (a conflict with a ticket appeared, changed or ended). `incidents.imported` stands alone for incidents of the
past that were taken over from another system, many at once: it says that they are there, and nobody acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.incidents import attachments, searching, store
from callout.incidents.attachments import Attachment, AttachmentState, NewFile
from callout.incidents.beside import Beside, Scribe
from callout.incidents.edit import IncidentEdit, author_of
from callout.incidents.importing import Importing
from callout.incidents.messages import Messages
from callout.incidents.model import (
    FIELDS,
    DeclareIncident,
    Incident,
    IncidentFilter,
    Note,
    TimelineEntry,
    note_text,
)
from callout.incidents.participants import Participants
from callout.incidents.roles import FURTHER_ROLES, Roles
from callout.incidents.tasks import Tasks
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Audience, Origin, Person, Status

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.jobs import Outbox
    from callout.kit.clock import Clock
    from callout.storage import AccountTx

PAGE_LIMIT = 200
EVERYBODY: tuple[Audience, ...] = tuple(Audience)


class Incidents:
    """Incidents of an account. Every method works in the caller's transaction; none commits."""

    def __init__(
        self,
        *,
        clock: Clock,
        audit: Audit,
        outbox: Outbox,
        attachment_limit: int = attachments.DEFAULT_LIMIT,
        roles: Iterable[str] = FURTHER_ROLES,
    ) -> None:
        """`attachment_limit` is in bytes; `roles` are those beside commander and assignee. Raises ValueError for a bad name."""
        self.clock = clock
        self.attachment_limit = attachment_limit
        self.scribe = Scribe(clock, audit, outbox)
        self.roles = Roles(self, roles)
        self.participants = Participants(self)
        self.tasks = Tasks(self)
        self.messages = Messages(self)

    async def declare(self, tx: AccountTx, draft: DeclareIncident, origin: Origin) -> Incident:
        """Declare an incident and return it with its number. Raises InvalidRequestError."""
        [edit] = await self.begin(tx, [(draft, origin)])
        await self.save_new(tx, [edit])
        return edit.incident

    async def begin(
        self,
        tx: AccountTx,
        drafts: Sequence[tuple[DeclareIncident, Origin]],
    ) -> list[IncidentEdit]:
        """Return new incidents, numbered, to be changed further; they are stored by :meth:`save_new`. Raises InvalidRequestError."""
        now = self.clock.now()
        checked = [
            {name: check(getattr(draft, name)) for name, check in FIELDS.items()} for draft, _ in drafts
        ]
        number = await store.next_number(tx, len(drafts))
        edits: list[IncidentEdit] = []
        for place, (draft, origin) in enumerate(drafts):
            incident = Incident(
                id=new_id(),
                account_id=tx.account_id,
                number=number + place,
                status=Status.OPEN,
                created_at=min(draft.began_at or now, now),
                updated_at=now,
                declared_by=author_of(origin),
                **checked[place],
            )
            edits.append(IncidentEdit.new(self, tx, incident, origin))
        return edits

    async def save_new(self, tx: AccountTx, edits: Sequence[IncidentEdit]) -> None:
        """Write new incidents with everything beside them."""
        await store.insert(tx, [edit.incident for edit in edits])
        await self.scribe.write(tx, [edit.taken() for edit in edits])

    async def importing(self, tx: AccountTx, count: int) -> Importing:
        """Return what gathers `count` incidents of the past, numbered, and stores them by its own `save`."""
        first = await store.next_number(tx, count)
        return Importing(self, tx, range(first, first + count))

    async def edit(self, tx: AccountTx, id_or_key: str) -> IncidentEdit:
        """Load an incident for changing; others wait until this transaction ends. Raises NotFoundError."""
        return IncidentEdit(self, tx, await store.load(tx, id_or_key, lock=True))

    async def patch(
        self,
        tx: AccountTx,
        id_or_key: str,
        values: Mapping[str, Any],
        origin: Origin,
        *,
        expected_version: int | None = None,
    ) -> Incident:
        """Change fields. `expected_version` refuses when somebody changed it since. Raises ConflictError, InvalidRequestError."""
        edit = await self.edit(tx, id_or_key)
        if expected_version is not None and edit.incident.version != expected_version:
            raise ConflictError(
                f"{edit.incident.key} was changed by somebody else: it is at version {edit.incident.version}, not {expected_version}",
                remediation="Read it again and repeat the change on the new state.",
            )
        edit.change(values, origin=origin)
        return await edit.save()

    async def act(self, tx: AccountTx, id_or_key: str, action: str, origin: Origin) -> Incident:
        """Acknowledge, mitigate, resolve, close or reopen. Raises IllegalTransitionError."""
        edit = await self.edit(tx, id_or_key)
        edit.act(action, origin=origin)
        return await edit.save()

    async def apply(
        self, tx: AccountTx, id_or_key: str, values: Mapping[str, Any], status: Status | None, origin: Origin
    ) -> Incident:
        """Change fields and walk to `status` by legal moves, in one step: how a change from another system arrives."""
        edit = await self.edit(tx, id_or_key)
        edit.change(values, status=status, origin=origin)
        return await edit.save()

    async def add_note(
        self,
        tx: AccountTx,
        id_or_key: str,
        text: str,
        audience: Audience,
        origin: Origin,
        *,
        author: Person | None = None,
    ) -> Note:
        """Write a note down, for an audience. Raises InvalidRequestError."""
        edit = await self.edit(tx, id_or_key)
        note = edit.note(text, audience, origin=origin, author=author)
        await edit.save()
        return note

    async def attach(
        self,
        tx: AccountTx,
        id_or_key: str,
        file: NewFile,
        audience: Audience,
        origin: Origin,
    ) -> Attachment:
        """Add a file, for an audience. Raises InvalidRequestError for one that is too large or empty."""
        edit = await self.edit(tx, id_or_key)
        added = edit.attach(file, audience, origin=origin)
        await edit.save()
        return added

    async def attachments(
        self, tx: AccountTx, id_or_key: str, *, audiences: Sequence[Audience] = EVERYBODY
    ) -> list[Attachment]:
        """Return the attachments that readers of `audiences` may see, oldest first."""
        incident = await store.load(tx, id_or_key)
        return await attachments.of_incident(tx, incident.id, audiences)

    async def attachment(
        self,
        tx: AccountTx,
        id_or_key: str,
        attachment_id: str,
        *,
        audiences: Sequence[Audience] = EVERYBODY,
    ) -> tuple[Attachment, bytes]:
        """Return an attachment with its bytes, which are empty unless it is stored. Raises NotFoundError."""
        incident = await store.load(tx, id_or_key)
        found = await attachments.load(tx, incident.id, attachment_id, audiences)
        stored = found.state is AttachmentState.STORED
        return found, await attachments.content_of(tx, found.id) if stored else b""

    async def file_arrived(self, tx: AccountTx, found: Attachment, content: bytes) -> None:
        """Store the bytes of an attachment that was known by its facts only. Raises InvalidRequestError for too many."""
        incident = await store.load(tx, found.incident_id, lock=True)
        current = await attachments.load(tx, found.incident_id, found.id, EVERYBODY)
        if current.state is AttachmentState.STORED:
            return
        attachments.check_size(len(content), self.attachment_limit)
        await attachments.set_state(tx, found.id, AttachmentState.STORED, content=content)
        await self.publish(tx, "incident.attached", incident, found.origin, attachments.named(found))

    async def file_stays(self, tx: AccountTx, found: Attachment, why: str) -> None:
        """Note that the bytes of an attachment do not come here, and `why`."""
        await attachments.set_state(tx, found.id, AttachmentState.ELSEWHERE, why=why)
        data = {"attachment_id": found.id, "name": found.name, "why": why}
        edit = await self.edit(tx, found.incident_id)
        edit.entry("attachment_elsewhere", data, origin=found.origin, audience=found.audience)
        await edit.save()

    async def add_entry(
        self, tx: AccountTx, id_or_key: str, kind: str, data: Mapping[str, Any], origin: Origin
    ) -> TimelineEntry:
        """Append a line that another feature wants seen (a ticket made, a message sent, a sync problem)."""
        incident = await store.load(tx, id_or_key)
        line = TimelineEntry(new_id(), incident.id, self.clock.now(), kind, origin, data)
        await store.add_entries(tx, [line])
        await self.publish(tx, "incident.entry_added", incident, origin, {"entry_id": line.id, "kind": kind})
        return line

    async def correct(
        self, tx: AccountTx, id_or_key: str, entry_id: str, text: str, origin: Origin
    ) -> TimelineEntry:
        """Correct a line of the timeline by a later one; the first stays as it was. Raises NotFoundError."""
        edit = await self.edit(tx, id_or_key)
        wrong = await store.entry(tx, edit.incident.id, entry_id)
        if wrong is None:
            raise NotFoundError(
                f"{edit.incident.key} has no timeline entry {entry_id[:40]!r}",
                remediation="List its timeline to find the entry's id.",
            )
        line = edit.entry(
            "corrected", {"text": note_text(text)}, origin=origin, audience=wrong.audience, corrects=entry_id
        )
        await edit.save()
        return line

    async def get(self, tx: AccountTx, id_or_key: str) -> Incident:
        """Return an incident by id or key. Raises NotFoundError."""
        return await store.load(tx, id_or_key)

    async def search(
        self, tx: AccountTx, wanted: IncidentFilter, *, limit: int = 50, cursor: str = ""
    ) -> tuple[list[Incident], str]:
        """Return one page, newest first, and the next page's cursor. Raises InvalidRequestError for limit or cursor."""
        if limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        return await searching.search(
            tx, wanted, limit=min(limit, PAGE_LIMIT), cursor=cursor, now=self.clock.now()
        )

    async def notes(
        self, tx: AccountTx, id_or_key: str, *, audiences: Sequence[Audience] = EVERYBODY
    ) -> list[Note]:
        """Return the notes that readers of `audiences` may see, oldest first."""
        incident = await store.load(tx, id_or_key)
        return await store.notes_of(tx, incident.id, audiences)

    async def timeline(
        self,
        tx: AccountTx,
        id_or_key: str,
        *,
        audiences: Sequence[Audience] = EVERYBODY,
        after: str = "",
        limit: int = PAGE_LIMIT,
    ) -> list[TimelineEntry]:
        """Return lines of the timeline after the one named, oldest first."""
        incident = await store.load(tx, id_or_key)
        return await store.timeline(
            tx, incident.id, audiences, after=after, limit=min(max(limit, 1), PAGE_LIMIT)
        )

    async def timeline_back(
        self,
        tx: AccountTx,
        id_or_key: str,
        *,
        audiences: Sequence[Audience] = EVERYBODY,
        kinds: Sequence[str] = (),
        before: str = "",
        limit: int = PAGE_LIMIT,
    ) -> list[TimelineEntry]:
        """Return lines of the timeline before the one named (empty: the newest), newest first, of `kinds` where some are named."""
        incident = await store.load(tx, id_or_key)
        return await store.newest(
            tx, incident.id, audiences, kinds=kinds, before=before, limit=min(max(limit, 1), PAGE_LIMIT)
        )

    async def newest_entries(
        self, tx: AccountTx, id_or_key: str, kinds: Sequence[str], *, limit: int = 1
    ) -> list[TimelineEntry]:
        """Return the newest lines of these kinds, newest first."""
        incident = await store.load(tx, id_or_key)
        return await store.entries_of_kinds(tx, incident.id, kinds, limit=limit)

    async def recent_entries(
        self,
        tx: AccountTx,
        since: datetime,
        *,
        audiences: Sequence[Audience] = EVERYBODY,
        incident_id: str = "",
        limit: int = PAGE_LIMIT,
    ) -> list[TimelineEntry]:
        """Return the newest lines since then, of all incidents or of the one with that id, newest first."""
        return await store.recent(
            tx, since, audiences, incident_id=incident_id, limit=min(max(limit, 1), PAGE_LIMIT)
        )

    async def publish(
        self, tx: AccountTx, kind: str, incident: Incident, origin: Origin, data: Mapping[str, Any]
    ) -> None:
        """Write an event row beside the change; those who subscribed get a job each, in the same commit."""
        await self.scribe.write(tx, [Beside(incident, events=[(kind, origin, data)])])
