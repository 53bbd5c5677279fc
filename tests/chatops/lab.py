"""Chatops over a real database, real jobs and the Slack twin; jobs are drained where a test says so, not behind its back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from callout.access import ChatIdentities, Members, SettingsVersion
from callout.audit import Audit
from callout.chatops.context import ChatContext, Pause, Workspace
from callout.chatops.dispatch import Dispatcher
from callout.chatops.forms import FormTokens
from callout.chatops.jobs import consumers
from callout.chatops.notifications import on_event
from callout.incidents import Incidents
from callout.jobs import Budgets, Consumers, Lane, Outbox, Queue, Settle, Subscription, Subscriptions
from callout.jobs.drain import Drainer
from callout.jobs.outbox import EventWork
from callout.jobs.tables import job, partition
from callout.jobs.timekeeper import Timekeeper
from callout.kit.clock import ManualClock
from callout.kit.secrets import KeyRing
from callout.ports.chat import Answer, ChannelRef, ChatProvider, Interaction, SlashCommand
from callout.ports.chat_settings import ChatSettings
from callout.ports.events import EventEnvelope
from callout.ports.values import Person
from callout.storage import AccountTx, Database, Tx
from callout.sync import SyncContext, Target
from callout.sync.attach import TicketLinks
from callout.sync.conflicts import Conflicts

if TYPE_CHECKING:
    from callout.incidents import Incident, TimelineEntry

T = TypeVar("T")
ACCOUNT = "default"
SETTINGS = ChatSettings(
    channels={"SEV-1": "critical-incidents", "default": "incidents"}, user_rate=0, workspace_rate=0
)


class Idle:
    """The engine port for tests that drain by themselves: nobody has to be woken."""

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """Do nothing."""

    async def missing(self, tx: Tx, partitions: Sequence[int]) -> list[int]:
        return []

    async def run(self, drain: object, stop: object, *, concurrency: int) -> None:
        """Do nothing."""


class ChatLab:
    """One account with one Slack workspace."""

    def __init__(self, database: Database, clock: ManualClock, provider: ChatProvider) -> None:
        self.database = database
        self.clock = clock
        self.provider = provider
        self.settings = SETTINGS
        self.others: list[tuple[Workspace, ChatProvider]] = []
        """Further integrations, beside the one with Slack."""
        self.guests_alike = True
        """Guests have everybody's role: else the platform is asked before the first thing that a person does."""
        self.pause: Pause | None = None
        self.calls = 0
        engine = Idle()
        self.queue = Queue(engine, clock=clock)
        subscriptions = Subscriptions()
        audit = Audit(clock)
        self.incidents = Incidents(
            clock=clock, audit=audit, outbox=Outbox(self.queue, subscriptions, clock=clock)
        )
        self.members = Members(clock, audit, SettingsVersion())
        self.identities = ChatIdentities(clock, audit, self.members)
        sync = self._sync(clock)
        self.context = ChatContext(
            clock=clock,
            database=database,
            incidents=self.incidents,
            identities=self.identities,
            members=self.members,
            queue=self.queue,
            conflicts=Conflicts(sync),
            tickets=TicketLinks(sync),
            tokens=FormTokens(KeyRing({"k": b"0" * 32}, primary="k"), clock),
            public_url="https://callout.example/",
            workspaces=self._workspaces,
            workspace=self._workspace,
            paused=self._paused,
            provider=self._provider,
        )
        subscriptions.bind(Subscription("chat", "incident.*", self._on_event))
        registered = Consumers([*subscriptions.consumers(), *consumers(self.context)])
        self._drainer = Drainer(database, engine, registered, Budgets(engine, clock=clock), clock=clock)
        self._timekeeper = Timekeeper(database, engine, clock=clock)
        self.dispatcher = Dispatcher(self.context)
        self._typed = 0

    def _sync(self, clock: ManualClock) -> SyncContext:
        """Return sync with one ticketing integration that nothing is ever sent to."""
        jira = Target("jira-1", ACCOUNT, "jira", "Jira", {})

        async def targets(_tx: AccountTx) -> list[Target]:
            return [jira]

        async def target(_tx: AccountTx, integration_id: str) -> Target | None:
            return jira if integration_id == jira.integration_id else None

        async def never(*_given: Any) -> Any:
            raise AssertionError("chat calls no ticketing system")

        return SyncContext(
            clock=clock,
            database=self.database,
            incidents=self.incidents,
            queue=self.queue,
            public_url="https://callout.example/",
            targets=targets,
            target=target,
            paused=never,
            provider=never,
            inbound=never,
            slow_down=never,
        )

    @property
    def workspace(self) -> Workspace:
        alike = {"guest_role": self.settings.default_role} if self.guests_alike else {}
        settings = self.settings.model_copy(update=alike)
        return Workspace("slack-1", ACCOUNT, "chat_slack", "ops-slack", "Slack", settings)

    async def _workspaces(self, tx: AccountTx) -> list[Workspace]:
        return [self.workspace, *(one for one, _ in self.others)]

    async def _workspace(self, tx: AccountTx, integration_id: str) -> Workspace | None:
        found = [self.workspace, *(one for one, _ in self.others)]
        return next((one for one in found if one.integration_id == integration_id), None)

    async def _paused(self, tx: AccountTx, integration_id: str) -> Pause | None:
        return self.pause if integration_id == "slack-1" else None

    async def _provider(self, account_id: str, integration_id: str) -> ChatProvider:
        self.calls += 1
        for one, provider in self.others:
            if one.integration_id == integration_id:
                return provider
        return self.provider

    async def _on_event(self, event: EventEnvelope, work: EventWork) -> Settle | None:
        async def settle(tx: Tx) -> None:
            await on_event(self.context, tx.account(event.account_id), event)

        return settle

    async def tx(self, work: Callable[[AccountTx], Awaitable[T]]) -> T:
        async def unit(tx: Tx) -> T:
            return await work(tx.account(ACCOUNT))

        return await self.database.transaction(unit)

    async def type(
        self, text: str, *, user: str = "U0ANN", channel: str = "C0GENERAL", invocation: str = ""
    ) -> Answer:
        """Let a person type a command."""
        self._typed += 1
        given = SlashCommand(
            name="/im",
            text=text,
            user=Person(user, user.lower()),
            team="T01ACC",
            channel=ChannelRef(channel),
            invocation=invocation or f"typed-{self._typed}",
        )
        return await self.dispatcher.handle(self.workspace, given)

    async def press(self, action: str, value: str, *, response: str = "", invocation: str = "") -> Answer:
        """Let Ann press a button."""
        self._typed += 1
        given = Interaction(
            action=action,
            value=value,
            user=Person("U0ANN", "ann"),
            team="T01ACC",
            channel=ChannelRef("C0INCIDENTS"),
            message=None,
            invocation=invocation or f"pressed-{self._typed}",
            response=response,
        )
        return await self.dispatcher.handle(self.workspace, given)

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

    async def run_later(self, delay: timedelta = timedelta(minutes=10)) -> None:
        """Let time pass, then work."""
        self.clock.advance(delay)
        await self.run_jobs()

    async def _latched(self, tx: Tx) -> list[int]:
        rows = await tx.all(select(partition.c.id).where(partition.c.latch == 1).order_by(partition.c.lane))
        return [row["id"] for row in rows]

    async def waiting(self) -> list[str]:
        """Return the jobs that are not done: kind, and what went wrong with it so far."""

        async def unit(tx: Tx) -> list[str]:
            rows = await tx.all(select(job.c.kind, job.c.last_error).order_by(job.c.id))
            return [f"{row['kind']} {row['last_error'] or ''}".strip() for row in rows]

        return await self.database.read(unit)

    async def incident(self, key: str = "INC-1") -> Incident:
        return await self.tx(lambda tx: self.incidents.get(tx, key))

    async def timeline(self, key: str = "INC-1") -> list[TimelineEntry]:
        return await self.tx(lambda tx: self.incidents.timeline(tx, key))


class Wrapped:
    """A chat provider of which one method misbehaves: `spoil(method)(real, *args)` is called in its place."""

    def __init__(self, real: ChatProvider) -> None:
        self._real = real
        self.spoiled: dict[str, Callable[..., Awaitable[Any]]] = {}
        self.effects = real.effects

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        spoil = self.spoiled.get(name)
        if spoil is None:
            return real

        async def call(*args: Any, **options: Any) -> Any:
            return await spoil(real, *args, **options)

        return call
