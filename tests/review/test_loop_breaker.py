"""Two tickets of one incident, and another product between them: events, visits and writes as they follow from each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.audit import Audit
from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.store import Store
from callout.connectors.mock_ticketing.ticketing import MockTicketing
from callout.incidents import DeclareIncident, Incidents
from callout.jobs import Job, Lane, NewJob, Queue, Work, open_engine
from callout.jobs.outbox import Outbox, Subscriptions
from callout.kit.clock import ManualClock
from callout.ports.ticketing import CommentDraft
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Priority
from callout.sync import SyncContext, Target, links, loops
from callout.sync.link_actions import LinkAction, LinkActions
from callout.sync.links import Link, LinkStatus
from callout.sync.reactions import HANDLERS, VISIT, open_link
from callout.sync.visit import Visits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from callout.incidents import Incident
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx, Database, Tx

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))
TARGETS = {name: Target(name, "default", name, name.title(), {}, "TST") for name in ("one", "two")}


class HeardOutbox(Outbox):
    """Keeps the events for the hand that delivers them."""

    def __init__(self, queue: Queue, clock: ManualClock) -> None:
        super().__init__(queue, Subscriptions(), clock=clock)
        self.events: list[EventEnvelope] = []

    async def publish(
        self, tx: Tx | AccountTx, *events: EventEnvelope, beside: Sequence[NewJob] = ()
    ) -> None:
        self.events += events
        await super().publish(tx, *events, beside=beside)


class HeardQueue(Queue):
    """Keeps the visits for the hand that makes them."""

    visits: list[Mapping[str, Any]]

    async def enqueue(self, tx: Any, kind: str, payload: Mapping[str, Any], **more: Any) -> int | None:
        if kind == VISIT:
            self.visits.append(payload)
        return await super().enqueue(tx, kind, payload, **more)


class Ring:
    """An incident with a ticket in `one` and in `two`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.queue = HeardQueue(open_engine(database), clock=self.clock)
        self.queue.visits = []
        self.outbox = HeardOutbox(self.queue, self.clock)
        self.incidents = Incidents(clock=self.clock, audit=Audit(self.clock), outbox=self.outbox)
        self.providers = {
            name: MockTicketing(MockTicketingConfig(default_project="TST"), self.clock, Store())
            for name in TARGETS
        }
        self.links: dict[str, str] = {}
        self.hops: list[int] = []

        async def targets(_tx: AccountTx) -> list[Target]:
            return list(TARGETS.values())

        async def target(_tx: AccountTx, name: str) -> Target | None:
            return TARGETS.get(name)

        async def nothing(*_given: object) -> None:
            return None

        async def provider(_account: str, name: str) -> Any:
            return self.providers[name]

        self.context = SyncContext(
            clock=self.clock,
            database=database,
            incidents=self.incidents,
            queue=self.queue,
            public_url="",
            targets=targets,
            target=target,
            paused=nothing,
            provider=provider,
            inbound=provider,
            slow_down=nothing,
        )

    async def tx(self, unit: Callable[[AccountTx], Awaitable[Any]]) -> Any:
        return await self.database.transaction(lambda tx: unit(tx.account("default")))

    async def declare(self) -> None:
        async def unit(tx: AccountTx) -> None:
            incident = await self.incidents.declare(tx, DeclareIncident("title 0"), ANN)
            self.incident_id = incident.id
            for name in TARGETS:
                self.links[name] = (await open_link(self.context, tx, incident, name)).id

        await self.tx(unit)
        self.outbox.events.clear()
        await self.settle()

    async def settle(self) -> None:
        """Deliver every event and make every visit that is due, until there are none."""
        while self.outbox.events or self.queue.visits:
            for event in [self.outbox.events.pop(0) for _ in list(self.outbox.events)]:
                self.hops.append(event.origin.hops)
                await self.tx(lambda tx, event=event: self._react(tx, event))  # type: ignore[misc]
            due, self.queue.visits = self.queue.visits, []
            for payload in due:
                await self.visit(payload)

    async def _react(self, tx: AccountTx, event: EventEnvelope) -> None:
        if event.kind in HANDLERS:
            await HANDLERS[event.kind](self.context, tx, event)

    async def visit(self, payload: Mapping[str, Any]) -> None:
        async def fence(_tx: Tx) -> bool:
            return True

        link_id = payload["link_id"]
        job = Job(1, VISIT, f"link:{link_id}", payload, 1, "1", "default", Lane.NORMAL, self.clock.now())
        settle = await Visits(self.context).handle(Work([job], self.database, fence))
        if settle is not None:
            await self.database.transaction(settle)

    async def changed_there(self, name: str, **values: Any) -> None:
        """Let somebody edit the ticket in `name`, and the next poll find it."""
        [record] = self.providers[name]._store.records.values()
        self.clock.advance(timedelta(seconds=1))
        record.ticket = replace(record.ticket, updated_at=self.clock.now(), **values)
        record.revision += 1
        await self.looked_at(name)

    async def looked_at(self, name: str) -> None:
        payload = {
            "link_id": self.links[name],
            "integration_id": name,
            "reason": "changed there",
            "comments": True,
        }
        await self.visit(payload)
        await self.settle()

    async def said_there(self, name: str, text: str) -> None:
        ticket = (await self.link(name)).ticket_id
        draft = CommentDraft(text, audience=Audience.RESPONDERS)
        await self.providers[name].create_comment(ticket, draft)
        await self.looked_at(name)

    async def link(self, name: str) -> Link:
        found: Link = await self.tx(lambda tx: links.load(tx, self.links[name]))
        return found

    async def title(self, name: str) -> str:
        return (await self.providers[name].get_ticket((await self.link(name)).ticket_id)).title

    async def patch(self, **values: Any) -> None:
        await self.tx(lambda tx: self.incidents.patch(tx, self.incident_id, values, ANN))
        await self.settle()

    async def incident(self) -> Incident:
        found: Incident = await self.tx(lambda tx: self.incidents.get(tx, self.incident_id))
        return found


@pytest.fixture
async def ring(database: Database) -> Ring:
    ring = Ring(database)
    await ring.declare()
    ring.hops.clear()
    return ring


async def test_each_step_from_ticket_to_ticket_is_one_hop_more(ring: Ring) -> None:
    await ring.patch(title="title 1")
    assert ring.hops == [0]
    await ring.changed_there("one", title="title 2")  # within minutes of our write to it: an answer
    assert ring.hops == [0, 2]
    assert [write.hops for write in (await ring.link("two")).writes] == [1, 3]
    await ring.changed_there("two", title="title 3")
    assert ring.hops[-1] == 4
    ring.clock.advance(timedelta(minutes=10))
    await ring.changed_there("one", title="title 4")  # a person, later
    assert ring.hops[-1] == 1
    assert (await ring.link("two")).writes[-1].hops == 2


async def test_two_products_that_answer_in_a_chain_are_stopped_by_the_number_of_steps(ring: Ring) -> None:
    for number in range(1, 30):
        name = ("one", "two")[number % 2]
        if (await ring.link(name)).status is LinkStatus.STOPPED:
            break
        ring.clock.advance(timedelta(seconds=50))  # too slow for the count of writes
        await ring.changed_there(name, title=f"title {number}")
    [stopped] = [one for one in TARGETS if (await ring.link(one)).status is LinkStatus.STOPPED]
    problem = (await ring.link(stopped)).problem
    assert problem is not None
    assert problem.code == "LOOP"
    assert "times in a row" in problem.message
    assert number < loops.MAX_HOPS + 3
    written = [write.hops for name in TARGETS for write in (await ring.link(name)).writes]
    assert max(written) == loops.MAX_HOPS


async def test_a_value_that_goes_round_through_another_product_is_stopped_however_slowly(ring: Ring) -> None:
    """The other product turns `Shop down` into `SHOP DOWN` on its way from two to one."""
    for number in range(30):
        ring.clock.advance(timedelta(minutes=3))
        await ring.changed_there("one", title=("Shop down", "SHOP DOWN")[number % 2])
        if (await ring.link("two")).status is LinkStatus.STOPPED:
            break
    link = await ring.link("two")
    assert link.status is LinkStatus.STOPPED
    assert link.problem is not None
    assert link.problem.message == (
        f"stopped: {link.ticket_key} in two was written with the same title 6 times within the hour; the last change came from One in one:"
        " something answers every change of ours"
    )
    assert "callout incident link INC-1 resume --integration two" in link.problem.remediation
    written = await ring.title("two")

    # The incident and its other ticket go on; nothing reaches the stopped one, and nothing comes from it.
    await ring.patch(title="Shop and mail down")
    assert (await ring.title("one"), await ring.title("two")) == ("Shop and mail down", written)
    await ring.changed_there("two", priority=Priority.LOW)
    assert (await ring.link("two")).problem == link.problem
    timeline = await ring.tx(lambda tx: ring.incidents.timeline(tx, ring.incident_id))
    [told] = [line for line in timeline if line.kind == "sync_stopped"]
    assert told.data["message"] == link.problem.message

    # A person starts it again: both sides meet, and the count begins anew.
    actions = LinkActions(ring.context)
    await ring.tx(lambda tx: actions.act(tx, link.id, LinkAction.RESUME, ANN))
    await ring.settle()
    after = await ring.link("two")
    assert (after.status, after.problem) == (LinkStatus.ACTIVE, None)
    assert await ring.title("two") == "Shop and mail down"


async def test_a_comment_that_comes_back_again_and_again_is_stopped(ring: Ring) -> None:
    """The other product copies every comment of two to one."""
    for _ in range(20):
        ring.clock.advance(timedelta(minutes=1))
        await ring.said_there("one", "Is it the switch?")
        if (await ring.link("two")).status is LinkStatus.STOPPED:
            break
    link = await ring.link("two")
    assert link.status is LinkStatus.STOPPED
    assert link.problem is not None
    assert "same comment" in link.problem.message
    comments = await ring.providers["two"].list_comments(link.ticket_id)
    assert len(list(comments)) == loops.ROUNDS


async def test_busy_people_are_no_loop(ring: Ring) -> None:
    for number in range(25):
        ring.clock.advance(timedelta(seconds=20))
        await ring.changed_there("one", description=f"what we know, version {number}")
        await ring.said_there("one", f"news {number}")
        await ring.tx(
            lambda tx, n=number: ring.incidents.add_note(  # type: ignore[misc]
                tx, ring.incident_id, f"note {n}", Audience.RESPONDERS, ANN
            )
        )
        await ring.settle()
    assert [(await ring.link(name)).status for name in TARGETS] == [LinkStatus.ACTIVE] * 2
