"""What is written beside an incident's row: timeline, notes, audit rows and events, of many incidents at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callout.audit import AuditDraft
from callout.incidents import store
from callout.kit.ids import new_id
from callout.ports.events import EventEnvelope

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.incidents.model import Incident, Note, TimelineEntry
    from callout.jobs import NewJob, Outbox
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Question


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to a change of an incident beside its row; `events` are kind, origin and data.

    The audit has a row for each line of the timeline.
    """

    incident: Incident
    entries: Sequence[TimelineEntry] = ()
    notes: Sequence[Note] = ()
    events: Sequence[tuple[str, Origin, Mapping[str, Any]]] = ()


@dataclass(frozen=True, slots=True)
class Further:
    """What a watch adds to the commit: jobs, such as timers, and what is told of incidents."""

    jobs: Sequence[NewJob] = ()
    told: Sequence[Beside] = ()


Watch = Callable[["AccountTx", Sequence[Beside]], Awaitable[Further]]
Asks = Callable[["AccountTx"], "Question"]


class Scribe:
    """Writes it, in the caller's transaction."""

    def __init__(self, clock: Clock, audit: Audit, outbox: Outbox) -> None:
        self._clock = clock
        self._audit = audit
        self._outbox = outbox
        self._watches: list[Watch] = []
        self._asks: list[Asks] = []

    def watch(self, watch: Watch, *, asks: Asks | None = None) -> None:
        """Call `watch` in every commit with what is written, before it is: for what belongs to the incident itself.

        `asks` returns the question, with a name, that it asks in every one of them.
        """
        self._watches.append(watch)
        if asks is not None:
            self._asks.append(asks)

    def asking(self, tx: AccountTx) -> list[Question]:
        """Return what :meth:`write` is going to ask, for those who share a round trip of theirs before they know what is written."""
        return [asks(tx) for asks in self._asks]

    async def write(self, tx: AccountTx, found: Sequence[Beside]) -> None:
        """Write what is beside each; those who subscribed to an event get a job each, in the same commit.

        What the watches add is written with it: few statements of many rows keep the commit short.
        """
        jobs: list[NewJob] = []
        for watch in self._watches:
            further = await watch(tx, found)
            jobs += [replace(job, account_id=tx.account_id) for job in further.jobs]
            found = [*found, *further.told]
        await store.add_notes(tx, [note for one in found for note in one.notes])
        await store.add_entries(tx, [entry for one in found for entry in one.entries])
        await self._audit.record_many(tx, [_audit_draft(one, line) for one in found for line in one.entries])
        envelopes = [self._envelope(tx, one.incident, *event) for one in found for event in one.events]
        if envelopes or jobs:
            await self._outbox.publish(tx.system, *envelopes, beside=jobs)

    async def tell(self, tx: AccountTx, draft: AuditDraft, event: EventEnvelope) -> None:
        """Write the one audit row and the one event of many incidents at once, which no watch is called for."""
        await self.audit(tx, draft)
        await self._outbox.publish(tx.system, event)

    async def audit(self, tx: AccountTx, draft: AuditDraft) -> None:
        """Write an audit row of something that led to incidents and is none, of which no event tells."""
        await self._audit.record_many(tx, [draft])

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


def _audit_draft(one: Beside, entry: TimelineEntry) -> AuditDraft:
    return AuditDraft(
        action=f"incident.{entry.kind}",
        actor=entry.origin.actor,
        origin=entry.origin,
        subject_type="incident",
        subject_id=one.incident.id,
        data={"key": one.incident.key, **_audited(entry)},
    )


def _audited(entry: TimelineEntry) -> dict[str, Any]:
    """Return what the audit keeps of a line: what people wrote to each other can be erased, and the audit cannot."""
    if entry.kind == "noted":
        return {}
    if entry.kind.startswith("message_"):
        return {name: value for name, value in entry.data.items() if name not in {"text", "author"}}
    return dict(entry.data)
