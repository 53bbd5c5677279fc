"""Incidents with service levels and escalation over a real database and real timers; jobs are drained where a test says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from callout.access import Members, Organizations, SettingsVersion
from callout.audit import Audit
from callout.incidents import DeclareIncident, Incidents
from callout.incidents import timers as incident_timers
from callout.incidents.catalogue import Catalogue
from callout.incidents.escalation import Escalations
from callout.incidents.escalation.targets import Targets
from callout.incidents.response_settings import ResponseSettings
from callout.incidents.sla.service import ServiceLevels
from callout.jobs import Budgets, Consumers, Lane, Outbox, Queue, Subscription, Subscriptions
from callout.jobs.drain import Drainer
from callout.jobs.outbox import EventWork
from callout.jobs.tables import job, partition
from callout.jobs.timekeeper import Timekeeper
from callout.kit.clock import ManualClock
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, ActorKind, Channel, Origin, Severity
from callout.storage import AccountTx, Database, Tx

if TYPE_CHECKING:
    from callout.access import Member
    from callout.incidents import Incident, TimelineEntry
    from callout.incidents.sla.clock import Clocks

T = TypeVar("T")
ACCOUNT = "default"
ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


class Idle:
    """The engine port for tests that drain by themselves: nobody has to be woken."""

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """Do nothing."""

    async def missing(self, tx: Tx, partitions: Sequence[int]) -> list[int]:
        return []

    async def run(self, drain: object, stop: object, *, concurrency: int) -> None:
        """Do nothing."""


class ResponseLab:
    """One account; `told` is every event that somebody who reaches people would hear, in order."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        engine = Idle()
        self.queue = Queue(engine, clock=clock)
        subscriptions = Subscriptions()
        self.audit = Audit(clock)
        self.incidents = Incidents(
            clock=clock, audit=self.audit, outbox=Outbox(self.queue, subscriptions, clock=clock)
        )
        self.members = Members(clock, self.audit, SettingsVersion())
        self.settings = ResponseSettings(clock=clock, audit=self.audit)
        self.catalogue = Catalogue(
            clock=clock, audit=self.audit, members=self.members, settings=self.settings
        )
        self.pagers = ["pagerduty"]
        self.chats = ["slack"]
        targets = Targets(
            clock=clock,
            incidents=self.incidents,
            members=self.members,
            catalogue=self.catalogue,
            pagers=self._pagers,
            chats=self._chats,
        )
        self.escalations = Escalations(
            incidents=self.incidents,
            catalogue=self.catalogue,
            settings=self.settings,
            targets=targets,
            queue=self.queue,
            clock=clock,
        )
        self.levels = ServiceLevels(
            incidents=self.incidents,
            catalogue=self.catalogue,
            settings=self.settings,
            escalations=self.escalations,
            queue=self.queue,
            clock=clock,
        )
        self.incidents.scribe.watch(self.levels.saved)
        self.told: list[EventEnvelope] = []
        for kind in ("escalated", "paged", "sla_warning", "sla_breached"):
            subscriptions.bind(Subscription(kind, f"incident.{kind}", self._hear))
        registered = Consumers(
            [
                *subscriptions.consumers(),
                *incident_timers.consumers(clock, self.levels, self.escalations),
            ]
        )
        self._drainer = Drainer(database, engine, registered, Budgets(engine, clock=clock), clock=clock)
        self._timekeeper = Timekeeper(database, engine, clock=clock)

    async def _pagers(self, _tx: AccountTx) -> list[str]:
        return self.pagers

    async def _chats(self, _tx: AccountTx) -> list[str]:
        return self.chats

    async def _hear(self, event: EventEnvelope, _work: EventWork) -> None:
        self.told.append(event)

    async def tx(self, work: Callable[[AccountTx], Awaitable[T]]) -> T:
        async def unit(tx: Tx) -> T:
            return await work(tx.account(ACCOUNT))

        return await self.database.transaction(unit)

    async def member(self, name: str, **more: Any) -> Member:
        async def unit(tx: AccountTx) -> Member:
            await Organizations(self.clock, self.audit).ensure(tx.system)
            return await self.members.create(
                tx.system,
                actor=ANN.actor,
                name=name,
                fullname=name.capitalize(),
                email=f"{name}@example.com",
                **more,
            )

        return await self.tx(unit)

    async def policies(self, policies: Mapping[str, Any], **default: str) -> None:
        document = {"policies": policies, "default": {k.replace("_", "-"): v for k, v in default.items()}}
        await self.tx(lambda tx: self.escalations.set_policies(tx, document, ANN))

    async def rules(self, *rules: Mapping[str, Any], **more: Any) -> None:
        document = {"rules": list(rules), **more}
        await self.tx(lambda tx: self.levels.set_rules(tx, document, ANN))

    async def declare(self, severity: int = 1, **fields: Any) -> Incident:
        draft = DeclareIncident("checkout is down", Severity(severity), **fields)
        return await self.tx(lambda tx: self.incidents.declare(tx, draft, ANN))

    async def act(self, action: str, key: str = "INC-1") -> Incident:
        return await self.tx(lambda tx: self.incidents.act(tx, key, action, ANN))

    async def clocks(self, key: str = "INC-1") -> Clocks:
        return await self.tx(lambda tx: self.levels.clocks(tx, key))

    async def timeline(self, key: str = "INC-1") -> list[TimelineEntry]:
        return await self.tx(lambda tx: self.incidents.timeline(tx, key))

    async def kinds(self, key: str = "INC-1") -> list[str]:
        return [line.kind for line in await self.timeline(key)]

    async def run_jobs(self) -> None:
        """Work until nothing is due."""
        for _ in range(50):
            await self._timekeeper.turn()
            numbers = await self.database.read(self._latched)
            if not numbers:
                return
            for number in numbers:
                await self._drainer.drain(number)
        raise AssertionError("the jobs never ended")

    async def later(self, **delay: float) -> list[str]:
        """Let time pass, then work; return what was told meanwhile."""
        before = len(self.told)
        self.clock.advance(timedelta(**delay))
        await self.run_jobs()
        return [event.kind.removeprefix("incident.") for event in self.told[before:]]

    async def timers(self) -> list[str]:
        """Return the timers that wait, by kind."""

        async def unit(tx: Tx) -> list[str]:
            rows = await tx.all(select(job.c.kind).where(job.c.state == "waiting").order_by(job.c.kind))
            return [row["kind"] for row in rows]

        return await self.database.read(unit)

    async def _latched(self, tx: Tx) -> list[int]:
        rows = await tx.all(select(partition.c.id).where(partition.c.latch == 1).order_by(partition.c.lane))
        return [row["id"] for row in rows]
