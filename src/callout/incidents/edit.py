"""An incident being changed: loaded once, changed any number of times in memory, written once with everything beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.incidents import attachments, store
from callout.incidents.attachments import Attachment, AttachmentState, NewFile
from callout.incidents.beside import Beside
from callout.incidents.lifecycle import path, perform
from callout.incidents.model import (
    FIELDS,
    FieldChange,
    Incident,
    Note,
    TimelineEntry,
    json_value,
    note_text,
)
from callout.kit.ids import new_id
from callout.ports.errors import InvalidRequestError
from callout.ports.values import ActorKind, Audience, Origin, Person, Status

if TYPE_CHECKING:
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx


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
        unknown = values.keys() - FIELDS.keys()
        if unknown:
            names = ", ".join(sorted(unknown))
            raise InvalidRequestError(
                f"not a field of an incident: {names}",
                fields=dict.fromkeys(unknown, "unknown field"),
                remediation=f"Fields that can be changed: {', '.join(FIELDS)}; the status changes by actions.",
            )
        at = at or self._service.clock.now()
        checked = {name: FIELDS[name](value) for name, value in values.items()}
        changed = replace(self.incident, **checked) if checked else self.incident
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

    def taken(self) -> Beside:
        """Return what is to be written beside the row, once."""
        # A field that went there and back within this edit changed nothing for those who react to it.
        net = {name: change for name, change in self._changes.items() if change.before != change.after}
        events = self._events
        if net and self._last is not None:
            data = {"changes": {name: change.to_json() for name, change in net.items()}}
            behind = int(bool(events) and events[0][0] == "incident.declared")
            events.insert(behind, ("incident.changed", self._last, data))
        if self._entries and not events:
            # A line that goes with no event is one itself: whoever looks at the incident is to see it.
            line = self._entries[-1]
            events.append(("incident.entry_added", line.origin, {"entry_id": line.id, "kind": line.kind}))
        found = Beside(self.incident, self._entries, self._notes, events)
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
        if changed is self.incident:
            return changes
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
