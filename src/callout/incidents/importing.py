"""Incidents of the past, many in one commit: each with its row and one line of its timeline; one audit row and one event tell of all.

What is written beside an incident that is declared is for those who act on it. Nobody acts on the past: so nobody is told of each, and
ten thousand cost a quarter of what ten thousand declarations would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.audit import AuditDraft
from callout.incidents import store
from callout.incidents.edit import IncidentEdit, author_of
from callout.incidents.model import DEFAULT_SEVERITY, Incident, person_json
from callout.incidents.tables import incident as incident_table
from callout.incidents.tables import incident_tag, timeline_entry
from callout.kit.ids import new_id, new_ids
from callout.ports.events import EventEnvelope
from callout.ports.values import Audience, Origin, Person, Severity, Status
from callout.storage.bulk import insert_kept
from callout.storage.schema import json_text, micros

if TYPE_CHECKING:
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx

IMPORTED: Final = "incidents.imported"
"""The event and the audit row of a page of them."""
_ROW: Final = (
    "id",
    "account_id",
    "number",
    "title",
    "description",
    "severity",
    "status",
    "service",
    "team",
    "commander",
    "assignee",
    "declared_by",
    "tags",
    "created_at",
    "updated_at",
    "acknowledged_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
    "version",
)
_LINE: Final = ("id", "account_id", "incident_id", "at", "kind", "audience", "origin", "data", "corrects")
_READERS: Final = Audience.RESPONDERS.value


class Importing:
    """New incidents of the past, gathered in memory and stored by one :meth:`save`.

    Args:
        service: whose clock, audit and outbox are used.
        numbers: theirs; as many incidents can be added.
    """

    def __init__(self, service: Incidents, tx: AccountTx, numbers: range) -> None:
        self._service = service
        self._tx = tx
        self._now = service.clock.now()
        self._numbers: Iterator[int] = iter(numbers)
        # Those of incidents first: ids rise, and what an edit adds to a timeline comes behind its first line.
        self._ids: Iterator[str] = iter(new_ids(2 * len(numbers)))
        self._incidents: list[Incident] = []
        self._lines: list[tuple[Any, ...]] = []
        self._edits: dict[str, IncidentEdit] = {}
        self._told: list[str] = []
        self._people: dict[Person | None, str | None] = {None: None}

    def add(
        self, values: Mapping[str, Any], *, origin: Origin, began_at: datetime | None, told: Mapping[str, Any]
    ) -> Incident:
        """Add one; it is open, and began when its ticket did.

        Args:
            values: its fields, as the checks of `model.FIELDS` returned them; the title among them.
            origin: who declared it, over there.
            began_at: when; None for now.
            told: facts for its first line; `ticket` is named in the audit, too.
        """
        now = self._now
        severity: Severity = values.get("severity", DEFAULT_SEVERITY)
        incident = Incident(
            id=next(self._ids),
            account_id=self._tx.account_id,
            number=next(self._numbers),
            title=values["title"],
            severity=severity,
            status=Status.OPEN,
            created_at=now if began_at is None or began_at > now else began_at,
            updated_at=now,
            description=values.get("description", ""),
            service=values.get("service", ""),
            team=values.get("team", ""),
            assignee=values.get("assignee"),
            declared_by=author_of(origin),
            tags=values.get("tags", ()),
        )
        self._incidents.append(incident)
        self._told.append(f"{incident.key} = {told.get('ticket', '')}")
        line = {"title": incident.title, "severity": str(severity), **told}
        self._lines.append(
            (
                next(self._ids),
                incident.account_id,
                incident.id,
                micros(incident.created_at),
                "declared",
                _READERS,
                json_text(origin.to_json()),
                json_text(line),
                "",
            )
        )
        return incident

    def edit(self, incident: Incident) -> IncidentEdit:
        """Return an edit of one that was added, which is stored with it."""
        edit = self._edits.get(incident.id)
        if edit is None:
            edit = self._edits[incident.id] = IncidentEdit(self._service, self._tx, incident)
        return edit

    async def save(self, origin: Origin) -> None:
        """Store all of them. `origin` is what had them imported. Raises DuplicateRowError."""
        if not self._incidents:
            return
        tx, edits = self._tx, self._edits
        stored = [edits[one.id].incident if one.id in edits else one for one in self._incidents]
        await insert_kept(tx.system, incident_table, _ROW, [self._row(one) for one in stored])
        tags = [(tx.account_id, one.id, tag) for one in stored for tag in one.tags]
        await insert_kept(tx.system, incident_tag, ("account_id", "incident_id", "tag"), tags)
        await insert_kept(tx.system, timeline_entry, _LINE, self._lines)
        beside = [edit.taken() for edit in edits.values()]
        await store.add_notes(tx, [note for one in beside for note in one.notes])
        await store.add_entries(tx, [entry for one in beside for entry in one.entries])
        await self._service.scribe.tell(tx, self._audited(origin), self._event(origin, stored))

    def _audited(self, origin: Origin) -> AuditDraft:
        return AuditDraft(
            action=IMPORTED,
            actor=origin.actor,
            origin=origin,
            subject_type="import",
            subject_id=origin.causation or origin.integration_id,
            data={"count": len(self._told), "incidents": self._told},
        )

    def _event(self, origin: Origin, stored: Sequence[Incident]) -> EventEnvelope:
        return EventEnvelope(
            id=new_id(),
            kind=IMPORTED,
            account_id=self._tx.account_id,
            subject=origin.causation or origin.integration_id,
            occurred_at=self._now,
            origin=origin,
            data={"incidents": [{"id": one.id, "key": one.key} for one in stored]},
        )

    def _row(self, one: Incident) -> tuple[Any, ...]:
        return (
            one.id,
            one.account_id,
            one.number,
            one.title,
            one.description,
            one.severity.rank,
            one.status.value,
            one.service,
            one.team,
            self._person(one.commander),
            self._person(one.assignee),
            self._person(one.declared_by),
            json_text(one.tags) if one.tags else "[]",
            micros(one.created_at),
            micros(one.updated_at),
            _time(one.acknowledged_at),
            _time(one.mitigated_at),
            _time(one.resolved_at),
            _time(one.closed_at),
            one.version,
        )

    def _person(self, person: Person | None) -> str | None:
        """Return a person as kept; a page has few of them."""
        if person in self._people:
            return self._people[person]
        self._people[person] = kept = json_text(person_json(person))
        return kept


def _time(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)
