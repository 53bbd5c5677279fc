"""One history's world: the real sync over a store in memory, simulated vendors, people and a clock of its own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from callout.audit import Audit
from callout.incidents import DeclareIncident, Incidents, NewFile
from callout.jobs import NewJob, Outbox, Queue, Subscription, Subscriptions
from callout.kit.clock import ManualClock
from callout.kit.ids import new_id
from callout.ports.errors import IllegalTransitionError, NotFoundError
from callout.ports.inbound import InboundRequest, Reply, Trust, Verdict
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Person, Severity
from callout.storage.upsert import insert_or_ignore
from callout.sync import PauseState, SyncContext, Target, links
from callout.sync import changes as sync_changes
from callout.sync import files as sync_files
from callout.sync import learning as sync_learning
from callout.sync import poll as sync_poll
from callout.sync import visit as sync_visit
from callout.sync.reactions import HANDLERS
from callout.sync.simulate.engine import Dispatcher, MemoryQueue
from callout.sync.simulate.ledger import OURS, Ledger, watcher
from callout.sync.simulate.meaning import FIELDS, Meaning
from callout.sync.simulate.records import Event
from callout.sync.simulate.vendor import Vendor, make_vendor
from callout.webhooks.tables import inbound_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.audit import AuditDraft
    from callout.incidents import Incident
    from callout.jobs.outbox import EventWork
    from callout.ports.events import EventEnvelope
    from callout.ports.ticketing import Change
    from callout.storage import AccountTx, Tx
    from callout.sync.links import Link
    from callout.sync.simulate.steps import Plan
    from callout.sync.simulate.store import MemoryDatabase

ACCOUNT = "default"
MOST_BYTES = 64
"""Largest file that is kept here."""
REACTIONS: Mapping[str, Any] = ChainMap(HANDLERS, sync_files.HANDLERS)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANN = Origin(Channel.API, Actor(ActorKind.MEMBER, "ann", "Ann"))
STAFF: Mapping[str, Person] = {
    name: Person(f"member:{name}", name.title(), f"{name}@example.com") for name in ("ann", "ben", "cleo")
}


class _NoAudit(Audit):
    """The audit record has no part in a history."""

    async def record_many(
        self, tx: AccountTx | Tx, drafts: Sequence[AuditDraft], *, account_id: str | None = None
    ) -> None:
        """Write nothing."""


class _Outbox(Outbox):
    """Hands events to their subscribers with the commit; the feed of events is left out."""

    def __init__(
        self, queue: Queue, subscriptions: Subscriptions, watch: Callable[[EventEnvelope], None]
    ) -> None:
        super().__init__(queue, subscriptions)
        self._to = subscriptions
        self._jobs = queue
        self._watch = watch

    async def publish(
        self, tx: Tx | AccountTx, *events: EventEnvelope, beside: Sequence[NewJob] = ()
    ) -> None:
        """See :meth:`Outbox.publish <callout.jobs.outbox.Outbox.publish>`."""
        system: Any = getattr(tx, "system", tx)
        await self._jobs.enqueue_many(system, beside)
        for event in events:
            for one in self._to.matching(event):
                key = f"{one.name}:{one.key(event)}"
                job = NewJob(f"event:{one.name}", event.to_json(), key=key, account_id=event.account_id)
                await self._jobs.enqueue_many(system, [job])
            system.staged.append(partial(self._watch, event))


class _Dialect:
    """The webhooks of a simulated vendor: the body is the number of the event."""

    def __init__(self, sent: Mapping[bytes, Change]) -> None:
        self._sent = sent

    def verify(self, request: InboundRequest) -> Verdict:
        return Verdict(Trust.SIGNED)

    def delivery_id(self, request: InboundRequest) -> str:
        return request.body.decode()

    def reply(self, request: InboundRequest) -> Reply | None:
        return None

    def parse(self, request: InboundRequest) -> Sequence[Change]:
        return (self._sent[request.body],)


class World:
    """Everything of one history. `database` is emptied first."""

    def __init__(self, plan: Plan, meaning: Meaning, database: MemoryDatabase) -> None:
        database.clear()
        self.plan = plan
        self.meaning = meaning
        self.database = database
        self.clock = ManualClock(START)
        self.dispatcher = Dispatcher(self.clock)
        self.queue = MemoryQueue(self.dispatcher)
        self.vendors: dict[str, Vendor] = {}
        self.ledger = Ledger(meaning, self.vendors, self.clock.now)
        watch = watcher(self.ledger)
        for name, quirks in zip(plan.names, plan.vendors, strict=True):
            self.vendors[name] = make_vendor(name, quirks, meaning.flow, self.clock, watch)
        self.targets = {
            name: Target(name, ACCOUNT, name, f"Vendor {name}", meaning.settings) for name in self.vendors
        }
        self.paused: set[str] = set()
        self._sent: dict[str, dict[bytes, Change]] = {name: {} for name in self.vendors}
        subscriptions = Subscriptions()
        outbox = _Outbox(self.queue, subscriptions, self._happened)
        self.incidents = Incidents(
            clock=self.clock, audit=_NoAudit(self.clock), outbox=outbox, attachment_limit=MOST_BYTES
        )
        self.context = self._context()
        subscriptions.bind(
            Subscription("sync", "*", self._react, wanted=lambda event: event.kind in REACTIONS)
        )
        consumers = [
            *subscriptions.consumers(),
            *sync_changes.consumers(self.context),
            *sync_visit.consumers(self.context),
            *sync_files.consumers(self.context),
            *sync_poll.consumers(self.context),
            *sync_learning.consumers(self.context),
        ]
        self.dispatcher.bind(consumers, database)
        self.incident_id = self.run(self._declare)
        incident = self.incident()
        for name in FIELDS:
            value = getattr(incident, name)
            self.ledger.begins(name, value if name == "assignee" else str(value))

    def _context(self) -> SyncContext:
        async def targets(_tx: AccountTx) -> list[Target]:
            return list(self.targets.values())

        async def target(_tx: AccountTx, name: str) -> Target | None:
            return self.targets.get(name)

        async def paused(_tx: AccountTx, name: str, _link: str) -> PauseState | None:
            return PauseState("somebody paused it") if name in self.paused else None

        async def provider(_account: str, name: str) -> Vendor:
            return self.vendors[name]

        async def inbound(_account: str, name: str) -> _Dialect:
            return _Dialect(self._sent[name])

        async def slow_down(_tx: Tx, name: str, wait: timedelta) -> None:
            self.dispatcher.slow[name] = self.clock.now() + wait

        return SyncContext(
            clock=self.clock,
            database=self.database,
            incidents=self.incidents,
            queue=self.queue,
            public_url="https://callout.example.com",
            targets=targets,
            target=target,
            paused=paused,
            provider=provider,
            inbound=inbound,
            slow_down=slow_down,
        )

    async def _react(self, event: EventEnvelope, _work: EventWork) -> Any:  # noqa: ANN401
        async def settle(tx: Tx) -> None:
            await REACTIONS[event.kind](self.context, tx.account(ACCOUNT), event)

        return settle

    def _happened(self, event: EventEnvelope) -> None:
        """Write the committed changes of the incident into the book."""
        source = event.origin.integration_id if event.origin.channel is Channel.SYNC else ""
        for name, change in event.data.get("changes", {}).items():
            before, after = change["before"], change["after"]
            if name == "assignee":
                before, after = _person(before), _person(after)
            self.ledger.changed(OURS, name, before, after, source=source)

    def run(self, unit: Callable[[AccountTx], Any]) -> Any:  # noqa: ANN401
        """Run one transaction of the account."""
        return self.database.run(lambda tx: unit(tx.account(ACCOUNT)))

    # ------------------------------------------------------------------ people here

    async def _declare(self, tx: AccountTx) -> str:
        plan = self.plan
        draft = DeclareIncident(plan.title, Severity.parse(plan.severity), plan.description)
        return (await self.incidents.declare(tx, draft, ANN)).id

    def incident(self) -> Incident:
        """Return the incident as it stands."""
        found: Incident = self.run(lambda tx: self.incidents.get(tx, self.incident_id))
        return found

    def edit(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Let somebody here change a field."""
        self.run(lambda tx: self.incidents.patch(tx, self.incident_id, {name: value}, ANN))

    def act(self, action: str) -> None:
        """Let somebody here make a move; one that is not possible is not made."""
        try:
            self.run(lambda tx: self.incidents.act(tx, self.incident_id, action, ANN))
        except IllegalTransitionError:
            return

    def note(self, audience: Audience, text: str) -> None:
        """Let somebody here write a note."""
        self.run(lambda tx: self.incidents.add_note(tx, self.incident_id, text, audience, ANN))

    def attach(self, name: str, content: bytes, audience: Audience) -> None:
        """Let somebody here attach a file."""
        file = NewFile(name, "text/plain", content=content)
        self.run(lambda tx: self.incidents.attach(tx, self.incident_id, file, audience, ANN))

    def links(self) -> dict[str, Link]:
        """Return the links by vendor."""
        found: list[Link] = self.run(lambda tx: links.of_incident(tx, self.incident_id))
        return {link.integration_id: link for link in found}

    # ------------------------------------------------------------------ the network

    def arrive(self, name: str, event: Event) -> None:
        """Let a webhook arrive: stored with the job that reads it, once per delivery."""
        body = str(event.id).encode()
        self._sent[name][body] = event.change

        async def unit(tx: AccountTx) -> None:
            row = {
                "id": new_id(),
                "account_id": ACCOUNT,
                "integration_id": name,
                "received_at": self.clock.now(),
                "dedupe": body.decode(),
                "trust": Trust.SIGNED.value,
                "headers": {},
                "body": body,
                "outcome": "received",
                "detail": "",
            }
            if await tx.system.execute(insert_or_ignore(tx.system, inbound_event, row)):
                payload = {"integration_id": name, "event_ids": [row["id"]]}
                key = f"inbound:{sync_changes.INBOUND}:{name}"
                await self.queue.enqueue(tx, sync_changes.INBOUND, payload, key=key)

        self.run(unit)

    def poll(self) -> None:
        """Let the schedule of polling tick."""

        async def unit(tx: AccountTx) -> None:
            await self.queue.enqueue(tx.system, sync_poll.POLL_ALL, {}, key="schedule:poll")

        self.run(unit)


def _person(data: Mapping[str, str] | None) -> Person | None:
    return None if data is None else Person(data["id"], data["name"], data["email"])


__all__ = ["ACCOUNT", "ANN", "STAFF", "NotFoundError", "World"]
