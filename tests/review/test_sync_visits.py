"""Visits and told changes against the test provider, with the fault at the worst moment."""

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
from callout.jobs import Job, Lane, Queue, Work, open_engine
from callout.jobs.outbox import Outbox, Subscriptions
from callout.kit.clock import ManualClock
from callout.ports.errors import ConflictError, OutcomeUnknownError, RateLimitedError, RejectedError
from callout.ports.ticketing import Change, ChangeKind, Ticket
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin
from callout.sync import PauseState, SyncContext, Target, links, loops
from callout.sync.changes import Changes, change_json
from callout.sync.link_actions import LinkAction, LinkActions
from callout.sync.links import Link, LinkStatus
from callout.sync.reactions import CHANGES, VISIT, open_link
from callout.sync.visit import Visits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from callout.incidents import Incident
    from callout.ports.ticketing import Comment, CommentDraft, TicketDraft, TicketPatch
    from callout.storage import AccountTx, Database, Tx

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


class Faulty(MockTicketing):
    """The test provider with answers that are lost or refused."""

    lose_create = False
    lose_comment = False
    refuse: frozenset[str] = frozenset()
    refuse_comments: frozenset[str] = frozenset()

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        ticket = await super().create_ticket(draft)
        if self.lose_create:
            self.lose_create = False
            raise OutcomeUnknownError("the answer was lost")
        return ticket

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        bad = self.refuse & set(patch.values)
        if bad:
            raise RejectedError("not these", fields=dict.fromkeys(bad, "refused"))
        return await super().patch_ticket(ticket_id, patch)

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        if draft.content in self.refuse_comments:
            raise RejectedError("not this comment")
        comment = await super().create_comment(ticket_id, draft)
        if self.lose_comment:
            self.lose_comment = False
            raise OutcomeUnknownError("the answer was lost")
        return comment


class Lab:
    """One incident, one integration, and the jobs of their link by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        queue = Queue(open_engine(database), clock=self.clock)
        outbox = Outbox(queue, Subscriptions(), clock=self.clock)
        self.incidents = Incidents(clock=self.clock, audit=Audit(self.clock), outbox=outbox)
        self.provider: Any = Faulty(MockTicketingConfig(default_project="TST"), self.clock, Store())
        target = Target("one", "default", "one", "One", {}, default_project="TST")

        async def targets(_tx: AccountTx) -> list[Target]:
            return [target]

        async def find(_tx: AccountTx, _integration: str) -> Target:
            return target

        async def nothing(*_given: object) -> None:
            return None

        async def provider(_account: str, _integration: str) -> Any:
            return self.provider

        self.context = SyncContext(
            clock=self.clock,
            database=database,
            incidents=self.incidents,
            queue=queue,
            public_url="",
            targets=targets,
            target=find,
            paused=nothing,
            provider=provider,
            inbound=provider,
            slow_down=nothing,
        )
        self.link_id = ""
        self.incident_id = ""
        self._number = 0

    async def tx(self, unit: Callable[[AccountTx], Awaitable[Any]]) -> Any:
        return await self.database.transaction(lambda tx: unit(tx.account("default")))

    async def declare(self, **fields: Any) -> None:
        async def unit(tx: AccountTx) -> None:
            incident = await self.incidents.declare(tx, DeclareIncident("Shop down", **fields), ANN)
            link = await open_link(self.context, tx, incident, "one")
            self.incident_id, self.link_id = incident.id, link.id

        await self.tx(unit)

    async def patch(self, **values: Any) -> None:
        await self.tx(lambda tx: self.incidents.patch(tx, self.incident_id, values, ANN))

    async def act(self, action: str) -> None:
        await self.tx(lambda tx: self.incidents.act(tx, self.incident_id, action, ANN))

    async def note(self, text: str) -> None:
        await self.tx(
            lambda tx: self.incidents.add_note(tx, self.incident_id, text, Audience.RESPONDERS, ANN)
        )

    async def incident(self) -> Incident:
        found: Incident = await self.tx(lambda tx: self.incidents.get(tx, self.incident_id))
        return found

    async def link(self) -> Link:
        found: Link = await self.tx(lambda tx: links.load(tx, self.link_id))
        return found

    async def kinds(self) -> list[str]:
        lines = await self.tx(lambda tx: self.incidents.timeline(tx, self.incident_id))
        return [line.kind for line in lines]

    def job(self, kind: str, payload: Mapping[str, Any]) -> Job:
        self._number += 1
        return Job(
            self._number, kind, None, payload, 1, str(self._number), "default", Lane.NORMAL, self.clock.now()
        )

    async def visit(self, *, comments: bool = False) -> None:
        """Make one visit as the worker would, at the time it would."""
        retry_at = (await self.link()).retry_at
        if retry_at is not None:
            self.clock.advance(max(retry_at - self.clock.now(), timedelta()))

        async def fence(_tx: Tx) -> bool:
            return True

        payload = {"link_id": self.link_id, "integration_id": "one", "comments": comments}
        settle = await Visits(self.context).handle(Work([self.job(VISIT, payload)], self.database, fence))
        if settle is not None:
            await self.database.transaction(settle)

    async def told(self, *changes: Change) -> None:
        jobs = [
            self.job(CHANGES, {"link_id": self.link_id, "change": change_json(change), "trusted": True})
            for change in changes
        ]
        await self.database.transaction(lambda tx: Changes(self.context).merge(tx, jobs))

    async def there(self) -> Ticket:
        found: Ticket = await self.provider.get_ticket((await self.link()).ticket_id)
        return found

    def edit_there(self, **values: Any) -> None:
        """Let a person edit the only ticket."""
        [record] = self.provider._store.records.values()
        self.clock.advance(timedelta(seconds=1))
        record.ticket = replace(record.ticket, updated_at=self.clock.now(), **values)
        record.revision += 1


@pytest.fixture
def lab(database: Database) -> Lab:
    return Lab(database)


async def test_an_edit_between_a_lost_creation_and_its_finding_is_pushed(lab: Lab) -> None:
    await lab.declare()
    lab.provider.lose_create = True
    await lab.visit()
    assert (await lab.link()).retry_at is not None
    await lab.patch(title="Shop and mail down")
    lab.edit_there(description="People say it is the switch.")
    await lab.visit()
    await lab.visit()
    assert (await lab.there()).title == "Shop and mail down"
    assert (await lab.incident()).description == "People say it is the switch."


async def test_a_failing_note_does_not_make_the_vendors_wording_an_edit(lab: Lab) -> None:
    lab.provider._config = MockTicketingConfig(default_project="TST", normalise_text=True)
    await lab.declare()
    await lab.visit()
    await lab.patch(title="T" * 255, description="one   \ntwo   ")
    await lab.note("refused")
    await lab.note("fine")
    lab.provider.refuse_comments = frozenset({"refused"})
    await lab.visit()
    link = await lab.link()
    assert (link.merge.pending, link.merge.conflicts) == ({}, {})
    assert link.problem is not None
    comments = await lab.provider.list_comments(link.ticket_id)
    assert [comment.content for comment in comments] == ["fine"]


async def test_a_refused_field_is_tried_again_and_does_not_hold_up_notes(lab: Lab) -> None:
    await lab.declare()
    await lab.visit()
    await lab.patch(title="New title")
    await lab.act("resolve")
    await lab.note("look")
    lab.provider.refuse = frozenset({"status"})
    await lab.visit()
    link = await lab.link()
    assert set(link.merge.pending) == {"status"}
    assert (await lab.there()).title == "New title"
    assert len(await lab.provider.list_comments(link.ticket_id)) == 1
    lab.provider.refuse = frozenset()
    await lab.visit()
    assert (await lab.there()).status == "Done"


async def test_attempts_that_wrote_nothing_do_not_trip_the_loop_breaker(lab: Lab) -> None:
    await lab.declare()
    await lab.visit()
    await lab.patch(title="New title")
    lab.provider.refuse = frozenset({"title"})
    for _ in range(loops.LOOP_WRITES + 2):
        await lab.visit()
    lab.provider.refuse = frozenset()
    await lab.visit()
    assert (await lab.there()).title == "New title"


async def test_a_comment_that_cannot_be_found_is_not_written_twice(lab: Lab) -> None:
    class Blind:
        """A vendor whose comments cannot be searched for our key."""

        def __init__(self, inner: Any) -> None:
            self.effects = inner.effects
            for name in ("get_ticket", "patch_ticket", "list_comments", "create_comment"):
                setattr(self, name, getattr(inner, name))

    await lab.declare()
    await lab.visit()
    await lab.note("once")
    lab.provider.lose_comment = True
    whole = lab.provider
    lab.provider = Blind(whole)
    await lab.visit()
    assert (await lab.link()).retry_at is not None
    await lab.note("twice")
    await lab.visit()
    assert (await lab.link()).problem is not None
    assert [one.content for one in await whole.list_comments((await lab.link()).ticket_id)] == [
        "once",
        "twice",
    ]
    await lab.visit()
    assert len(await whole.list_comments((await lab.link()).ticket_id)) == 2
    lab.provider = whole
    await lab.visit()
    assert len(await whole.list_comments((await lab.link()).ticket_id)) == 2
    assert (await lab.link()).problem is None


async def test_a_value_that_does_not_fit_holds_up_nothing_else(lab: Lab) -> None:
    await lab.declare()
    await lab.visit()
    lab.edit_there(description="x" * 200_000, title="There")
    await lab.visit()
    assert (await lab.incident()).title == "There"
    assert "sync_refused" in await lab.kinds()
    before = await lab.kinds()
    await lab.visit()
    assert await lab.kinds() == before


async def test_a_text_that_is_trimmed_here_is_not_sent_back_trimmed(lab: Lab) -> None:
    await lab.declare()
    await lab.visit()
    text = "    indented code\n\nand words\n"
    lab.edit_there(description=text)
    await lab.visit()
    await lab.visit()
    assert (await lab.there()).description == text


async def test_of_two_changes_in_one_tick_the_later_one_stays(lab: Lab) -> None:
    await lab.declare()
    await lab.visit()
    lab.edit_there(title="first")
    first = await lab.there()
    second = replace(first, title="second")

    def change(ticket: Ticket) -> Change:
        known = frozenset({"title"})
        return Change(
            ChangeKind.UPDATED, ticket.id, occurred_at=ticket.updated_at, ticket=ticket, known=known
        )

    await lab.told(change(second), change(first))
    assert (await lab.incident()).title == "second"


async def test_what_a_vendor_ignores_is_shown_and_not_tried_for_ever(lab: Lab) -> None:
    class Deaf(Faulty):
        async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
            return await self.get_ticket(ticket_id)

    await lab.declare()
    await lab.visit()
    lab.provider.__class__ = Deaf
    await lab.patch(title="New title")
    await lab.visit()
    await lab.visit()
    assert (await lab.kinds()).count("sync_differs") == 1


async def test_a_pause_of_writes_does_not_hold_up_what_comes_in(lab: Lab) -> None:
    async def paused(_tx: AccountTx, _integration: str, _link: str) -> PauseState:
        return PauseState("maintenance")

    await lab.declare()
    await lab.visit()
    await lab.patch(title="New title")
    object.__setattr__(lab.context, "paused", paused)
    for _ in range(3):
        await lab.visit()  # settles: a RetryLater would block the link's partition
    count = "SELECT count(*) FROM job WHERE kind = 'sync.visit' AND dedupe IS NOT NULL"
    rows = await lab.database.read(lambda tx: tx.driver_all(count, count))
    assert rows[0][0] == 1
    assert (await lab.there()).title == "Shop down"


async def test_what_comes_from_there_goes_on_while_our_writes_wait_for_the_vendor(lab: Lab) -> None:
    class Down:
        """A vendor whose API asks us to stay away for an hour, while its webhooks still come."""

        def __init__(self, inner: Any) -> None:
            self.effects = inner.effects
            self.calls = 0

        async def get_ticket(self, _ticket_id: str) -> Ticket:
            self.calls += 1
            raise RateLimitedError("too many", retry_after=timedelta(hours=1))

    await lab.declare()
    await lab.visit()
    whole, down = lab.provider, Down(lab.provider)
    lab.provider = down
    await lab.patch(severity="SEV-1")
    await lab.visit()
    waiting = await lab.link()
    assert waiting.problem is not None
    assert waiting.retry_at == lab.clock.now() + timedelta(hours=1)
    ticket = await whole.get_ticket(waiting.ticket_id)
    told = replace(ticket, title="Told by webhook", updated_at=lab.clock.now() + timedelta(seconds=1))
    await lab.told(
        Change(
            ChangeKind.UPDATED, told.id, occurred_at=told.updated_at, ticket=told, known=frozenset({"title"})
        )
    )
    assert (await lab.incident()).title == "Told by webhook"
    assert down.calls == 1


async def test_a_creation_nobody_can_look_for_waits_for_a_person_and_not_for_ever_in_a_circle(
    lab: Lab,
) -> None:
    class Blind:
        """A vendor that cannot be searched for our key."""

        def __init__(self, inner: Any) -> None:
            self.effects = inner.effects
            for name in ("get_ticket", "patch_ticket", "create_ticket"):
                setattr(self, name, getattr(inner, name))

    whole = lab.provider
    whole.lose_create = True
    lab.provider = Blind(whole)
    await lab.declare()
    actions = LinkActions(lab.context)
    with pytest.raises(ConflictError, match="nobody doubts"):
        await lab.tx(lambda tx: actions.act(tx, lab.link_id, LinkAction.CREATE, ANN))
    await lab.visit()
    await lab.visit()
    link = await lab.link()
    assert link.problem is not None
    assert (link.status, link.retry_at, link.problem.code) == (LinkStatus.CREATING, None, "PERHAPS_DONE")
    assert "callout incident link INC-1 create --integration one" in link.problem.remediation
    await lab.patch(title="Shop and mail down")
    await lab.visit()
    assert len(whole._store.records) == 1, "it was not made a second time by itself"
    assert (await lab.kinds()).count("sync_problem") == 2

    await lab.tx(lambda tx: actions.act(tx, lab.link_id, LinkAction.CREATE, ANN))
    await lab.visit()
    link = await lab.link()
    assert (link.status, link.problem) == (LinkStatus.ACTIVE, None)
    assert (await lab.provider.get_ticket(link.ticket_id)).title == "Shop and mail down"
    assert "sync_create_again" in await lab.kinds()
