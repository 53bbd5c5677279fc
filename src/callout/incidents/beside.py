"""What is written beside an incident's row: timeline, notes, audit rows and events, of many incidents at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callout.audit import AuditDraft
from callout.incidents import store
from callout.kit.ids import new_id
from callout.ports.events import EventEnvelope

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.incidents.model import Incident, Note, TimelineEntry
    from callout.jobs import Outbox
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to a change of an incident beside its row; `events` are kind, origin and data.

    The audit has a row for each line of the timeline; for an `imported` incident one that says so.
    """

    incident: Incident
    entries: Sequence[TimelineEntry] = ()
    notes: Sequence[Note] = ()
    events: Sequence[tuple[str, Origin, Mapping[str, Any]]] = ()
    imported: bool = False


class Scribe:
    """Writes it, in the caller's transaction."""

    def __init__(self, clock: Clock, audit: Audit, outbox: Outbox) -> None:
        self._clock = clock
        self._audit = audit
        self._outbox = outbox

    async def write(self, tx: AccountTx, found: Sequence[Beside]) -> None:
        """Write what is beside each; those who subscribed to an event get a job each, in the same commit."""
        await store.add_notes(tx, [note for one in found for note in one.notes])
        await store.add_entries(tx, [entry for one in found for entry in one.entries])
        await self._audit.record_many(tx, [draft for one in found for draft in _audit_drafts(one)])
        envelopes = [self._envelope(tx, one.incident, *event) for one in found for event in one.events]
        if envelopes:
            await self._outbox.publish(tx.system, *envelopes)

    def _envelope(
        self, tx: AccountTx, incident: Incident, kind: str, origin: Origin, data: Mapping[str, Any]
    ) -> EventEnvelope:
        return EventEnvelope(
            id=new_id(),
            kind=kind,
            account_id=tx.account_id,
            subject=incident.id,
            occurred_at=self._clock.now(),
            origin=origin,
            data={"incident": incident.to_json(), **data},
        )


def _audit_drafts(one: Beside) -> list[AuditDraft]:
    if one.imported:
        return [_audit_draft(one, one.entries[0], "imported")]
    return [_audit_draft(one, entry, entry.kind) for entry in one.entries]


def _audit_draft(one: Beside, entry: TimelineEntry, action: str) -> AuditDraft:
    return AuditDraft(
        action=f"incident.{action}",
        actor=entry.origin.actor,
        origin=entry.origin,
        subject_type="incident",
        subject_id=one.incident.id,
        data={"key": one.incident.key, **({} if entry.kind == "noted" else dict(entry.data))},
    )
