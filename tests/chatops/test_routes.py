"""Who hears of what, and where: rules with hours, direct messages, small changes told together, and the fallback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from callout.chatops import routing
from callout.chatops.context import Pause, Workspace
from callout.chatops.notifications import visit_all
from callout.chatops.paging import clock_words
from callout.incidents import Incident
from callout.ports.chat_rules import NotificationType, When
from callout.ports.chat_settings import ChatSettings
from callout.ports.errors import UnavailableError
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, ActorKind, Channel, Origin, Severity, Status
from callout.storage import AccountTx
from tests.chatops.lab import ACCOUNT, SETTINGS, ChatLab, Wrapped
from tests.chatops.test_notifications import CRITICAL, INCIDENTS, Slack, rows

API = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
CREATED, UPDATED, BREACH = NotificationType.CREATED, NotificationType.UPDATED, NotificationType.SLA_BREACH


@pytest.fixture
def workspace(slack: Any) -> Slack:
    return Slack(slack)


def incident(**given: Any) -> Incident:
    values = {"severity": Severity(3), "service": "", "team": "", **given}
    return Incident("i1", ACCOUNT, 1, "t", status=Status.OPEN, created_at=NOON, updated_at=NOON, **values)


def configured(**given: Any) -> ChatSettings:
    return SETTINGS.model_validate({**SETTINGS.model_dump(), **given})


# -------------------------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("at", "there"),
    [
        ("2026-03-02T17:00", False),  # Monday, 18:00 in Berlin
        ("2026-03-02T21:00", True),  # Monday, 22:00
        ("2026-03-03T04:59", True),  # Tuesday, 05:59: still Monday's night
        ("2026-03-03T05:00", False),  # 06:00
        ("2026-03-07T03:00", True),  # Saturday, 04:00: Friday's night
        ("2026-03-07T22:00", False),  # Saturday, 23:00: no night of the rule
        ("2026-07-06T20:00", True),  # summer: 22:00 there
    ],
)
def test_a_night_goes_on_into_the_next_day(at: str, *, there: bool) -> None:
    when = When(hours="22:00-06:00", days=("mon", "tue", "wed", "thu", "fri"), time_zone="Europe/Berlin")
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert when.holds(severity="SEV-1", service="", team="", at=moment) is there


def test_the_first_rule_counts_or_all() -> None:
    rules = [
        {"when": {"service": ["Checkout"]}, "to": ["#pay"]},
        {"when": {"severity": ["sev1"]}, "to": ["war-room", "dm:@commander"]},
        {"when": {"severity": ["sev4"]}, "to": []},
    ]
    first, every = configured(routes=rules), configured(routes=rules, routing="all")
    both = incident(severity=Severity(1), service="checkout")
    assert routing.targets(first, both, CREATED, NOON) == ("pay",)
    assert routing.targets(every, both, CREATED, NOON) == ("pay", "war-room", "dm:@commander")
    assert routing.targets(first, incident(severity=Severity(2)), CREATED, NOON) == ("incidents",)
    assert routing.targets(first, incident(severity=Severity(4)), CREATED, NOON) == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"to": ["x"], "when": {"hours": "8-18"}}, "08:00-18:00"),
        ({"to": ["x"], "when": {"time_zone": "Mars/Base"}}, "no time zone"),
        ({"to": ["x"], "when": {"severity": "worst"}}, "severity"),
        ({"to": ["x"], "when": {"days": ["monday"]}}, "mon"),
        ({"to": ["x"], "types": ["exploded"]}, "created"),
        ({"to": ["dm:"]}, "dm:@commander"),
        ({"to": ["@commander"]}, "dm:@commander"),
        ({"to": ["x"], "wenn": {}}, "wenn"),
        ({"when": {}}, "to"),
    ],
)
def test_a_rule_that_is_none_is_refused_in_words(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        configured(routes=[rule])


# ------------------------------------------------------------------------------------------------------- in Slack


async def test_news_goes_by_hour_and_kind(lab: ChatLab, workspace: Slack) -> None:
    lab.clock.advance((NOON - lab.clock.now()) % timedelta(days=7))  # the next Monday noon
    rules = [
        {
            "when": {"hours": "08:00-18:00"},
            "to": "incidents",
            "types": ["created", "updated", "acknowledged"],
        },
        {"when": {"hours": "18:00-08:00"}, "to": "critical-incidents"},
    ]
    lab.settings = configured(routes=rules, incident_channels=False, channels={}, batch_seconds=0)
    await lab.type("declare by day")
    await lab.run_jobs()
    assert len(workspace.cards(INCIDENTS)) == 1
    assert workspace.cards(CRITICAL) == []
    lab.clock.advance(timedelta(hours=8))
    await lab.type("declare by night")
    await lab.run_jobs()
    [night] = workspace.cards(CRITICAL)
    assert "by night" in night["text"]
    # What is resolved is not for the day's channel; the night's gets a card, to tell it under.
    await lab.type("resolve INC-1")
    await lab.run_jobs()
    [day] = workspace.cards(INCIDENTS)
    assert workspace.replies(INCIDENTS, day["ts"]) == []
    assert "resolved" in str(day)  # but its card is true
    told = [workspace.replies(CRITICAL, card["ts"]) for card in workspace.cards(CRITICAL)]
    assert any("resolved" in text for texts in told for text in texts)


async def test_the_commander_is_told_directly(lab: ChatLab, workspace: Slack) -> None:
    rule = {"to": ["dm:@commander", "dm:eve@nowhere.example"], "types": ["acknowledged"]}
    lab.settings = configured(routes=[rule], incident_channels=False)
    await lab.type("declare db")
    await lab.type("role INC-1 commander me", user="U0BOB")
    await lab.run_jobs()
    assert workspace.control.effects("conversations.open") == []
    await lab.type("ack INC-1")
    await lab.run_jobs()
    found = await rows(lab)
    direct = found["card direct:U0BOB"]
    assert direct.channel.startswith("D")
    assert "INC-1 db" in workspace.web.conversations_history(channel=direct.channel)["messages"][0]["text"]
    assert found["card direct:eve@nowhere.example"].state == "failed"
    await lab.type("ack INC-1")
    await lab.run_jobs()
    assert len(workspace.control.effects("conversations.open")) == 1


async def test_small_changes_are_told_together_and_great_ones_at_once(lab: ChatLab, workspace: Slack) -> None:
    await lab.type("declare db")
    await lab.run_jobs()
    [card] = workspace.cards(INCIDENTS)
    for tags in (["a"], ["a", "b"]):
        await _patch(lab, {"tags": tags})
    await _patch(lab, {"description": "disk"})
    await lab.type("ack INC-1")
    await lab.run_jobs()
    [at_once] = workspace.replies(INCIDENTS, card["ts"])
    assert "acknowledged" in at_once
    await lab.run_later(timedelta(seconds=31))
    _, together = workspace.replies(INCIDENTS, card["ts"])
    assert together.count("Tags") == 2
    assert "Description" in together
    assert await lab.waiting() == []


async def _patch(lab: ChatLab, values: dict[str, Any]) -> None:
    await lab.tx(lambda tx: lab.incidents.patch(tx, "INC-1", values, API))
    await lab.run_jobs()


# ------------------------------------------------------------------------------------------------------- fallback

FALLBACK = {"channel": "general", "after_minutes": 5}


async def spare(workspace: Slack) -> list[dict[str, Any]]:
    """Return what stands in the fallback's channel, oldest first."""
    general = workspace.channel("general")
    assert general is not None
    if not general["is_member"]:
        await workspace.control.act("invite_bot", user="U0ANN", channel=general["id"])
    return workspace.posts(general["id"])


async def test_a_refused_place_is_made_up_for_elsewhere_once(lab: ChatLab, workspace: Slack) -> None:
    await workspace.control.act("archive_channel", user="U0ANN", channel=CRITICAL)
    lab.settings = configured(fallback=FALLBACK, incident_channels=False)
    await lab.type("declare sev1 checkout is down")
    await lab.type("declare sev3 a lamp is out")
    await lab.run_jobs()
    assert await spare(workspace) == []
    await lab.run_later(timedelta(minutes=6))
    await lab.run_later(timedelta(minutes=6))
    [told] = await spare(workspace)
    assert "could not be told" in str(told)
    assert "archived" in str(told)
    assert "checkout is down" in told["text"]
    [entry] = [entry for entry in await lab.timeline() if entry.kind == "chat_fallback_used"]
    assert entry.data["channel"] == "general"
    assert await lab.waiting() == []


async def test_what_was_told_needs_no_fallback(lab: ChatLab, workspace: Slack) -> None:
    lab.settings = configured(fallback=FALLBACK)
    await lab.type("declare sev1 checkout is down")
    await lab.run_later(timedelta(minutes=6))
    await lab.run_later(timedelta(minutes=6))
    assert await spare(workspace) == []
    assert await lab.waiting() == []


async def test_what_nobody_was_to_hear_needs_none_either(lab: ChatLab, workspace: Slack) -> None:
    quiet = {"routes": [{"to": []}], "incident_channels": False}
    lab.settings = configured(fallback=FALLBACK, **quiet)
    await lab.type("declare sev1 checkout is down")
    await lab.run_jobs()
    await lab.run_later(timedelta(minutes=6))
    assert workspace.posted() == 0
    assert await lab.waiting() == []


@pytest.mark.parametrize("how", ["down", "paused"])
async def test_another_integration_tells_it_when_one_is_down(
    lab: ChatLab, workspace: Slack, how: str
) -> None:
    real = lab.provider
    other = Workspace(
        "slack-2", ACCOUNT, "chat_slack", "spare", "Slack", configured(channels={}, incident_channels=False)
    )
    lab.others.append((other, real))
    if how == "paused":
        lab.pause = Pause("maintenance")
    else:

        async def down(*_args: Any, **_options: Any) -> None:
            raise UnavailableError("Slack cannot be reached")

        lab.provider = Wrapped(real)
        for name in ("post_message", "create_channel", "find_channel"):
            lab.provider.spoiled[name] = down
    lab.settings = configured(fallback={**FALLBACK, "integration": "spare"})
    await lab.type("declare sev1 checkout is down")
    await lab.run_jobs()
    await _breach(lab)
    await lab.run_later(timedelta(minutes=6))
    first, second = await spare(workspace)
    assert "ops\\-slack" in str(first) or "ops-slack" in str(first)
    assert ("maintenance" if how == "paused" else "5 minutes") in str(first)
    assert "Missed" in str(second)
    await lab.run_later(timedelta(minutes=30))
    assert len(await spare(workspace)) == 2


async def _breach(lab: ChatLab) -> None:
    """Let chat hear that a time limit was missed, as the clocks tell it."""

    async def unit(tx: AccountTx) -> None:
        found = await lab.incidents.get(tx, "INC-1")
        moment = lab.clock.now()
        limit = {"clock": "acknowledge", "rule": "sev1", "limit": "5 min"}
        when = {"due_at": moment.isoformat(), "told_at": moment.isoformat()}
        event = EventEnvelope(
            id="breach-1",
            kind="incident.sla_breached",
            account_id=ACCOUNT,
            subject=found.id,
            occurred_at=moment,
            origin=API,
            data={"incident": found.to_json(), **limit, **when},
        )
        await visit_all(lab.context, tx, event, clock_words(event))

    await lab.tx(unit)
    await lab.run_jobs()


def test_a_rule_without_types_speaks_for_all_news() -> None:
    def is_day(word: str) -> bool:
        return word == "day"

    for types, told in (([], True), (["created"], False), (["sla_breach"], True)):
        settings = configured(routes=[{"to": ["day"], "types": types}])
        found = routing.tells(settings, incident(), BREACH, NOON, is_place=is_day)
        assert found is told, types
    assert routing.tells(SETTINGS, incident(), UPDATED, NOON, is_place=is_day)
