"""The incident service: every way in ends here, inside the caller's transaction.

One commit carries the state, the timeline, the audit row and the event. The service calls no other feature: who wants to react
subscribes to the events `incident.declared`, `incident.changed`, `incident.noted`, `incident.attached` (a file is there with its
bytes) and `incident.entry_added`; sync adds
`incident.conflict` (a conflict with a ticket appeared, changed or ended). `incident.imported` stands alone for an incident of the
past that was taken over from another system: it says that the incident is there, and nobody acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.incidents import attachments, store
from callout.incidents.attachments import Attachment, AttachmentState, NewFile
from callout.incidents.beside import Beside, Scribe
from callout.incidents.lifecycle import path, perform
from callout.incidents.model import (
    FIELDS,
    DeclareIncident,
    FieldChange,
    Incident,
    IncidentFilter,
    Note,
    TimelineEntry,
    json_value,
    note_text,
)
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import ActorKind, Audience, Origin, Person, Status

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.jobs import Outbox
    from callout.kit.clock import Clock
    from callout.storage import AccountTx

PAGE_LIMIT = 200
EVERYBODY: tuple[Audience, ...] = tuple(Audience)


def author_of(origin: Origin) -> Person | None:
    """Return the person behind an origin, or None when nobody was."""
    if origin.actor.kind is ActorKind.SYSTEM:
        return None
    return Person(id=f"{origin.actor.kind.value}:{origin.actor.id}", name=origin.actor.name)


class IncidentEdit:
    """An incident being changed: loaded once, changed any number of times in memory, written by one :meth:`save`.

    This is how a batch of inbound changes of one ticket costs one write of the row.
    """

    def __init__(self, service: Incidents, tx: AccountTx, incident: Incident) -> None:
        self._service = service
        self._tx = tx
        self._loaded = incident
        self.incident = incident
        self._entries: list[TimelineEntry] = []
        self._notes: list[Note] = []
        self._files: list[tuple[Attachment, bytes | None]] = []
        self._changes: dict[str, FieldChange] = {}
        self._events: list[tuple[str, Origin, dict[str, Any]]] = []
        self._last: Origin | None = None

    @classmethod
    def new(cls, service: Incidents, tx: AccountTx, incident: Incident, origin: Origin) -> IncidentEdit:
        """Return the edit of an incident that is not stored yet: see :meth:`Incidents.begin`."""
        edit = cls(service, tx, incident)
        data = {"title": incident.title, "severity": str(incident.severity)}
        edit.entry("declared", data, origin=origin, at=incident.created_at)
        edit.event("incident.declared", {}, origin=origin)
        return edit

    def change(
        self,
        values: Mapping[str, Any],
        *,
        origin: Origin,
        status: Status | None = None,
        at: datetime | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> dict[str, FieldChange]:
        """Set the fields in `values` and walk to `status`; return what really changed.

        `at` is when it happened (the vendor's time for a change from there); now when absent. `about` are further facts for the
        timeline (by which rule it was changed, what it takes back). Raises InvalidRequestError.
        """
        unknown = set(values) - set(FIELDS)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise InvalidRequestError(
                f"not a field of an incident: {names}",
                fields=dict.fromkeys(unknown, "unknown field"),
                remediation=f"Fields that can be changed: {', '.join(FIELDS)}; the status changes by actions.",
            )
        at = at or self._service.clock.now()
        checked = {name: FIELDS[name](value) for name, value in values.items()}
        changed = replace(self.incident, **checked)
        actions = () if status is None else path(self.incident.status, status)
        for action in actions:
            changed = perform(changed, action, at)
        return self._take(changed, origin=origin, at=at, actions=actions, about=about)

    def act(self, action: str, *, origin: Origin) -> dict[str, FieldChange]:
        """Make one move of the lifecycle. Raises IllegalTransitionError."""
        now = self._service.clock.now()
        return self._take(perform(self.incident, action, now), origin=origin, at=now, actions=(action,))

    def note(
        self,
        text: str,
        audience: Audience,
        *,
        origin: Origin,
        author: Person | None = None,
        at: datetime | None = None,
    ) -> Note:
        """Add a note. Raises InvalidRequestError."""
        now = at or self._service.clock.now()
        note = Note(
            id=new_id(),
            incident_id=self.incident.id,
            text=note_text(text),
            audience=audience,
            author=author or author_of(origin),
            created_at=now,
            origin=origin,
        )
        self._notes.append(note)
        data = {"note_id": note.id, "text": note.text, "author": json_value(note.author)}
        self.entry("noted", data, origin=origin, audience=audience, at=now)
        self._events.append(("incident.noted", origin, {"note_id": note.id, "audience": audience.value}))
        return note

    def attach(
        self,
        file: NewFile,
        audience: Audience,
        *,
        origin: Origin,
        author: Person | None = None,
        at: datetime | None = None,
    ) -> Attachment:
        """Add a file. Raises InvalidRequestError for one that is too large or empty."""
        if file.content is not None:
            attachments.check_size(len(file.content), self._service.attachment_limit)
        by, when = author or author_of(origin), at or self._service.clock.now()
        added = attachments.made(file, self.incident.id, audience, origin=origin, author=by, at=when)
        self._files.append((added, file.content))
        data = {**attachments.told(added), "author": json_value(added.author)}
        self.entry("attached", data, origin=origin, audience=audience, at=when)
        if added.state is AttachmentState.STORED:
            self._events.append(("incident.attached", origin, attachments.named(added)))
        return added

    def entry(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        origin: Origin,
        audience: Audience = Audience.RESPONDERS,
        at: datetime | None = None,
        corrects: str = "",
    ) -> TimelineEntry:
        """Append a line to the timeline."""
        line = TimelineEntry(
            id=new_id(),
            incident_id=self.incident.id,
            at=at or self._service.clock.now(),
            kind=kind,
            origin=origin,
            data=data,
            audience=audience,
            corrects=corrects,
        )
        self._entries.append(line)
        return line

    def event(self, kind: str, data: Mapping[str, Any], *, origin: Origin) -> None:
        """Tell other features of something beside the change itself; the event is published by :meth:`save`."""
        self._events.append((kind, origin, dict(data)))

    async def save(self) -> Incident:
        """Write everything: row, timeline, notes, audit rows and events. Without any change nothing is written."""
        now = self._service.clock.now()
        if self.incident != self._loaded:
            self.incident = replace(self.incident, updated_at=now, version=self._loaded.version + 1)
            await store.update(self._tx, self._loaded, self.incident)
        await attachments.add(self._tx, [one for one, _ in self._files])
        for one, content in self._files:
            if content is not None:
                await attachments.add_content(self._tx, one.id, content)
        await self._service.scribe.write(self._tx, [self.taken()])
        self._files = []
        return self.incident

    def taken(self, *, imported: bool = False) -> Beside:
        """Return what is to be written beside the row, once; an `imported` incident tells nobody but that it is there now."""
        # A field that went there and back within this edit changed nothing for those who react to it.
        net = {name: change for name, change in self._changes.items() if change.before != change.after}
        events = self._events
        if net and self._last is not None:
            data = {"changes": {name: change.to_json() for name, change in net.items()}}
            behind = int(bool(events) and events[0][0] == "incident.declared")
            events.insert(behind, ("incident.changed", self._last, data))
        if imported:
            events = [("incident.imported", events[0][1], {})]
        found = Beside(self.incident, self._entries, self._notes, events, imported=imported)
        self._loaded, self._entries, self._notes, self._changes, self._events = self.incident, [], [], {}, []
        return found

    def _take(
        self,
        changed: Incident,
        *,
        origin: Origin,
        at: datetime,
        actions: Sequence[str],
        about: Mapping[str, Any] | None = None,
    ) -> dict[str, FieldChange]:
        changes: dict[str, FieldChange] = {}
        for name in (*FIELDS, "status"):
            before, after = getattr(self.incident, name), getattr(changed, name)
            if before != after:
                changes[name] = FieldChange(json_value(before), json_value(after))
        if not changes:
            return changes
        self.incident = changed
        for name, change in changes.items():
            earlier = self._changes.get(name)
            self._changes[name] = change if earlier is None else FieldChange(earlier.before, change.after)
        told = {name: change.to_json() for name, change in changes.items()}
        data: dict[str, Any] = {**(about or {}), "changes": told}
        if actions:
            data["actions"] = list(actions)
        self.entry("changed", data, origin=origin, at=at)
        self._last = origin
        return changes


class Incidents:
    """Incidents of an account. Every method works in the caller's transaction; none commits."""

    def __init__(
        self,
        *,
        clock: Clock,
        audit: Audit,
        outbox: Outbox,
        attachment_limit: int = attachments.DEFAULT_LIMIT,
    ) -> None:
        """`attachment_limit` is in bytes."""
        self.clock = clock
        self.attachment_limit = attachment_limit
        self.scribe = Scribe(clock, audit, outbox)

    async def declare(self, tx: AccountTx, draft: DeclareIncident, origin: Origin) -> Incident:
        """Declare an incident and return it with its number. Raises InvalidRequestError."""
        [edit] = await self.begin(tx, [(draft, origin)])
        await self.save_new(tx, [edit])
        return edit.incident

    async def begin(
        self, tx: AccountTx, drafts: Sequence[tuple[DeclareIncident, Origin]]
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

    async def save_new(self, tx: AccountTx, edits: Sequence[IncidentEdit], *, imported: bool = False) -> None:
        """Write new incidents with everything beside them. Of `imported` ones nobody is told but by the event `incident.imported`."""
        await store.insert(tx, [edit.incident for edit in edits])
        await self.scribe.write(tx, [edit.taken(imported=imported) for edit in edits])

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
        return await store.search(tx, wanted, limit=min(limit, PAGE_LIMIT), cursor=cursor)

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

    async def newest_entries(
        self, tx: AccountTx, id_or_key: str, kinds: Sequence[str], *, limit: int = 1
    ) -> list[TimelineEntry]:
        """Return the newest lines of these kinds, newest first."""
        incident = await store.load(tx, id_or_key)
        return await store.entries_of_kinds(tx, incident.id, kinds, limit=limit)

    async def publish(
        self, tx: AccountTx, kind: str, incident: Incident, origin: Origin, data: Mapping[str, Any]
    ) -> None:
        """Write an event row beside the change; those who subscribed get a job each, in the same commit."""
        await self.scribe.write(tx, [Beside(incident, events=[(kind, origin, data)])])
