"""Calling people in chat, against the Slack twin, on both databases: each call once, and each with its outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.access import Organizations
from callout.audit import Audit
from callout.chatops import paging
from callout.chatops.context import Pause
from callout.chatops.paging import PagingContext, call_words, clock_words, news
from callout.incidents import DeclareIncident
from callout.incidents.catalogue import Catalogue
from callout.incidents.escalation import Escalations
from callout.incidents.escalation.targets import Targets
from callout.incidents.response_settings import ResponseSettings
from callout.jobs import Settle, Subscription
from callout.jobs.outbox import EventWork
from callout.kit.clock import ManualClock
from callout.ports.errors import OutcomeUnknownError, UnavailableError
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, ActorKind, Channel, Origin, Person, Severity
from callout.storage import AccountTx, Database, Tx
from tests.chatops.lab import ChatLab, Wrapped
from tests.sandbox.conftest import TwinControl

if TYPE_CHECKING:
    from callout.connectors.slack.chat import SlackChat
    from callout.incidents.escalation.pages import Page

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))
AT = datetime(2026, 3, 1, 5, tzinfo=UTC)


class PagingLab(ChatLab):
    """A chat lab with somebody who calls people."""

    def __init__(self, database: Database, clock: ManualClock, provider: Wrapped) -> None:
        super().__init__(database, clock, provider)
        self.slack = provider
        audit = Audit(clock)
        settings = ResponseSettings(clock=clock, audit=audit)
        catalogue = Catalogue(clock=clock, audit=audit, members=self.members, settings=settings)
        targets = Targets(
            clock=clock,
            incidents=self.incidents,
            members=self.members,
            catalogue=catalogue,
            pagers=self._none,
            chats=self._chats,
        )
        self.escalations = Escalations(
            incidents=self.incidents,
            catalogue=catalogue,
            settings=settings,
            targets=targets,
            queue=self.queue,
            clock=clock,
        )
        self._paging = PagingContext(self.context, self.escalations)
        subscription = Subscription("chat.paging", "incident.paged", self._on_paged)
        subscriptions = self.incidents.scribe._outbox._subscriptions
        subscriptions.bind(subscription)
        for consumer in (*subscriptions.consumers(), *paging.consumers(self._paging)):
            if self._drainer._consumers.get(consumer.kind) is None:
                self._drainer._consumers.add(consumer)

    async def _none(self, _tx: AccountTx) -> list[str]:
        return []

    async def _chats(self, _tx: AccountTx) -> list[str]:
        return ["ops-slack"]

    async def _on_paged(self, event: EventEnvelope, work: EventWork) -> Settle | None:
        async def settle(tx: Tx) -> None:
            await paging.HANDLERS[event.kind](self._paging, tx.account(event.account_id), event)

        return settle

    async def member(self, name: str, user: str = "") -> None:
        """Add a member, who is a user of Slack that we know already."""

        async def unit(tx: AccountTx) -> None:
            await Organizations(self.clock, Audit(self.clock)).ensure(tx.system)
            email = f"{name}@example.com"
            await self.members.create(
                tx.system, actor=ANN.actor, name=name, fullname=name.title(), email=email
            )
            if user:
                await self.identities.remember(tx.system, "chat_slack", "T01ACC", Person(user, name, email))

        await self.tx(unit)

    async def page(self, target: str) -> Page:
        """Declare an incident, page somebody for it, and work until nothing is due; returns the page."""

        async def unit(tx: AccountTx) -> None:
            one = await self.incidents.declare(tx, DeclareIncident("checkout is down", Severity(1)), ANN)
            await self.escalations.page(tx, one.id, target=target, origin=ANN, reason="it _burns_")

        await self.tx(unit)
        await self.run_jobs()
        return await self.last()

    async def last(self) -> Page:
        return (await self.tx(lambda tx: self.escalations.pages(tx, "INC-1")))[-1]

    async def kinds(self) -> list[str]:
        return [line.kind for line in await self.timeline()]


@pytest.fixture
async def lab(database: Database, clock: ManualClock, chat: SlackChat) -> PagingLab:
    return PagingLab(database, clock, Wrapped(chat))


async def test_a_member_known_here_is_told_directly(lab: PagingLab) -> None:
    await lab.member("bob", "U0BOB")
    page = await lab.page("bob")
    assert (page.state, page.means) == ("told", "direct message in ops-slack")
    assert (await lab.kinds()).count("page_told") == 1


async def test_who_is_called_is_invited_to_the_channel(lab: PagingLab, slack: TwinControl) -> None:
    object.__setattr__(lab.context, "escalations", lab.escalations)  # as bootstrap binds them
    await lab.member("bob", "U0BOB")
    await lab.page("bob")
    await lab.run_jobs()
    state = slack.get("state")
    [own] = [one for one in state["channels"].values() if str(one.get("name")).startswith("inc-1-")]
    assert "U0BOB" in own["members"]


async def test_somebody_deactivated_is_said_to_be_and_a_warning_stays(lab: PagingLab) -> None:
    await lab.member("gone", "U0GONE")
    page = await lab.page("gone")
    assert (page.state, page.why) == ("failed", "Gone is deactivated in Slack")
    [line] = [line for line in await lab.timeline() if line.kind == "page_failed"]
    assert line.data["why"] == page.why


async def test_a_channel_that_is_not_there_is_said_so(lab: PagingLab) -> None:
    page = await lab.page("#no-such-channel")
    assert page.state == "failed"
    assert "Slack" in page.why


async def test_a_lost_answer_is_perhaps_told_and_never_repeated(lab: PagingLab) -> None:
    await lab.member("bob", "U0BOB")
    posted: list[str] = []

    async def lost(real: Any, channel: str, *given: Any, **options: Any) -> Any:
        if channel != "U0BOB":
            return await real(channel, *given, **options)
        posted.append(channel)
        await real(channel, *given, **options)
        raise OutcomeUnknownError("the answer was lost")

    lab.slack.spoiled["post_message"] = lost
    page = await lab.page("bob")
    await lab.run_later(timedelta(hours=3))
    assert (page.state, page.why) == ("perhaps", "the answer was lost")
    assert posted == ["U0BOB"]


async def test_a_platform_that_is_down_is_tried_for_an_hour(lab: PagingLab) -> None:
    await lab.member("bob", "U0BOB")

    async def down(_real: Any, *_given: Any, **_options: Any) -> Any:
        raise UnavailableError("Slack does not answer")

    lab.slack.spoiled["get_person"] = down
    assert (await lab.page("bob")).state == "pending"
    await lab.run_later(timedelta(minutes=50))
    assert (await lab.last()).state == "pending"
    await lab.run_later(timedelta(minutes=11))
    last = await lab.last()
    assert (last.state, last.why) == ("failed", "Slack does not answer")


async def test_a_call_does_not_wait_for_the_end_of_a_pause_for_ever(lab: PagingLab) -> None:
    await lab.member("bob", "U0BOB")
    lab.pause = Pause("maintenance")
    assert (await lab.page("bob")).state == "pending"
    await lab.run_later(timedelta(minutes=50))
    assert (await lab.last()).state == "pending"
    await lab.run_later(timedelta(minutes=11))
    last = await lab.last()
    assert (last.state, last.why) == ("failed", "ops-slack is paused: maintenance")


async def test_a_platform_that_comes_back_tells_once(lab: PagingLab) -> None:
    await lab.member("bob", "U0BOB")

    async def down(_real: Any, *_given: Any, **_options: Any) -> Any:
        raise UnavailableError("Slack does not answer")

    lab.slack.spoiled["post_message"] = down
    assert (await lab.page("bob")).state == "pending"
    del lab.slack.spoiled["post_message"]
    await lab.run_later(timedelta(minutes=5))
    assert (await lab.last()).state == "told"
    assert (await lab.kinds()).count("page_told") == 1


def event(kind: str, origin: Origin = ANN, **data: Any) -> EventEnvelope:
    return EventEnvelope("e", f"incident.{kind}", "default", "i", AT, origin, data)


SYSTEM = Origin(Channel.SYSTEM, Actor.system())
PAGES = [{"who": "Ann"}, {"who": "Bob (team payments)"}]


def test_what_is_said_to_whom() -> None:
    assert call_words(event("paged", reason="it burns")) == "**You are called** by Ann: it burns"
    step = {"policy": "urgent", "step": 1, "steps": 2, "pages": PAGES}
    assert call_words(event("escalated", SYSTEM, reason="nobody has acknowledged it", **step)) == (
        "**You are called** (step 1 of 2 of the policy urgent): nobody has acknowledged it."
    )
    assert news(event("paged", reason="", pages=PAGES)) == "**Called**: Ann, Bob \\(team payments\\)\nby Ann"
    late = {"due_at": "2026-03-01T02:10:00+00:00", "told_at": AT.isoformat(), "late_seconds": 10_200}
    assert call_words(event("escalated", SYSTEM, **step, **late)) == (
        "**You are called** (step 1 of 2 of the policy urgent)."
        " Due 02:10 UTC, told 05:00 UTC because Callout was not running."
    )
    clock = {"clock": "acknowledge", "rule": "SEV-1", "limit": "15m"}
    assert clock_words(event("sla_breached", SYSTEM, **clock, **late)) == (
        "**Missed**: an acknowledgement was due 02:10 UTC (SEV\\-1, within 15m)."
        " Due 02:10 UTC, told 05:00 UTC because Callout was not running."
    )
    soon = {"due_at": "2026-03-02T02:10:00+00:00", "told_at": AT.isoformat(), "late_seconds": 0}
    assert clock_words(event("sla_warning", SYSTEM, **clock, **soon)) == (
        "**Due soon**: an acknowledgement by 2026-03-02 02:10 UTC (SEV\\-1, within 15m)."
    )


async def test_somebody_in_two_workspaces_is_called_by_their_id_in_this_one(lab: PagingLab) -> None:
    lab.settings = lab.settings.model_copy(update={"team": "T01ACC"})
    await lab.member("bob")
    for team, user in (("T00OTHER", "U7BOB"), ("T01ACC", "U0BOB"), ("T99OTHER", "U9BOB")):

        async def unit(tx: AccountTx, team: str = team, user: str = user) -> None:
            person = Person(user, "bob", "bob@example.com")
            await lab.identities.remember(tx.system, "chat_slack", team, person)

        await lab.tx(unit)
    asked: list[str] = []

    async def noted(real: Any, user: str) -> Any:
        asked.append(user)
        return await real(user)

    lab.slack.spoiled["get_person"] = noted
    assert (await lab.page("bob")).state == "told"
    assert set(asked) == {"U0BOB"}
