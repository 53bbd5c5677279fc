from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from callout.chatops import cards, routing, words
from callout.incidents import Incident
from callout.ports.chat import Answer, Tone
from callout.ports.chat_settings import ChatSettings
from callout.ports.errors import IllegalTransitionError
from callout.ports.values import Actor, ActorKind, Channel, Origin, Person, Severity, Status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = Origin(Channel.CHAT, Actor(ActorKind.CHAT_USER, "chat_slack/T1/U1", "Ann *A*"))
INCIDENT = Incident(
    id="i1",
    account_id="default",
    number=7,
    title="Checkout is down",
    severity=Severity(1),
    status=Status.OPEN,
    created_at=NOW,
    updated_at=NOW,
    service="checkout",
    declared_by=Person("chat_user:x", "Ann"),
)


def test_a_card_says_what_how_bad_and_who() -> None:
    card = cards.incident_card(INCIDENT, link="https://callout.example/incidents/INC-7", channel="inc-7")
    assert card.title == "SEV-1 INC-7 Checkout is down"
    assert (card.tone, card.link) == (Tone.CRITICAL, "https://callout.example/incidents/INC-7")
    assert {fact.label: fact.value for fact in card.facts} == {
        "Status": "open",
        "Severity": "SEV-1",
        "Service": "checkout",
        "Declared by": "Ann",
        "Channel": "#inc-7",
    }


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        (Status.OPEN, ["acknowledge", "mitigate", "resolve"]),
        (Status.ACKNOWLEDGED, ["mitigate", "resolve"]),
        (Status.MITIGATED, ["resolve", "reopen"]),
        (Status.RESOLVED, ["close", "reopen"]),
        (Status.CLOSED, ["reopen"]),
    ],
)
def test_the_buttons_follow_the_state(status: Status, buttons: list[str]) -> None:
    found = cards.buttons_of(replace(INCIDENT, status=status))
    assert [button.action for button in found] == [
        cards.FORMS.get(name, f"incident.{name}") for name in buttons
    ]
    assert {button.value for button in found} == {"i1"}


def test_colour_and_emoji_follow_severity_until_it_is_over() -> None:
    tones = [cards.tone_of(Severity(rank), Status.OPEN) for rank in (1, 2, 3, 4, 5)]
    assert [tone for tone, _ in tones] == [Tone.CRITICAL, Tone.HIGH, Tone.MEDIUM, Tone.LOW, Tone.LOW]
    assert len({emoji for _, emoji in tones}) == 4
    assert cards.tone_of(Severity(1), Status.RESOLVED)[0] is Tone.GOOD


def test_a_stored_answer_is_the_same_answer() -> None:
    answer = Answer("x", in_channel=True, card=cards.incident_card(INCIDENT, link="l", mentions=("U1",)))
    assert cards.answer_from_json(cards.answer_json(answer)) == answer
    assert cards.answer_from_json(cards.answer_json(Answer("y"))) == Answer("y")


def test_routing_goes_by_severity_then_by_default() -> None:
    settings = ChatSettings(channels={"sev1": "critical", "default": "incidents"})
    assert routing.route(settings, INCIDENT) == "critical"
    assert routing.route(settings, replace(INCIDENT, severity=Severity(3))) == "incidents"
    assert routing.route(ChatSettings(channels={"SEV-2": "x"}), INCIDENT) == ""


def test_the_channel_is_private_by_rule() -> None:
    assert not routing.is_private(ChatSettings(), INCIDENT)
    assert routing.is_private(ChatSettings(private_severities=("SEV-1",)), INCIDENT)
    assert routing.is_private(ChatSettings(private_services=("checkout",)), INCIDENT)


@pytest.mark.parametrize(
    ("template", "title", "name"),
    [
        ("inc-{number}-{title}", "Checkout is down!", "inc-7-checkout-is-down"),
        ("inc-{number}-{title}", "\N{FIRE}\N{FIRE}", "inc-7"),
        ("{severity}-{number}-{service}", "x", "sev-1-7-checkout"),
        ("inc-{number}-{title}", "x" * 200, "inc-7-" + "x" * 74),
    ],
)
def test_the_channel_is_named_by_the_template(template: str, title: str, name: str) -> None:
    assert routing.channel_name(ChatSettings(channel_name=template), replace(INCIDENT, title=title)) == name


@pytest.mark.parametrize(
    "settings",
    [
        {"channel_name": "inc-{title}"},
        {"channel_name": "inc-{number}-{nope}"},
        {"channel_name": "inc-{number}-{title.__class__}"},
        {"channels": {"worst": "x"}},
        {"channels": {"SEV-1": " "}},
        {"command": "im"},
        {"default_role": "king"},
        {"private_severities": ("bad",)},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ChatSettings.model_validate(settings)


def test_news_say_what_changed_from_what_by_whom_in_harmless_words() -> None:
    changes: dict[str, dict[str, object]] = {
        "status": {"before": "open", "after": "acknowledged"},
        "title": {"before": "a", "after": "*b* <!channel>"},
        "assignee": {"before": None, "after": {"id": "x", "name": "Bob", "email": ""}},
        "service": {"before": "checkout", "after": ""},
        "description": {"before": "x" * 5000, "after": "y" * 5000},
    }
    text = words.update_text(changes, ANN)
    assert text.splitlines() == [
        "**Status**: open → acknowledged",
        "**Title**: a → \\*b\\* \\<\\!channel\\>",
        "**Service**: checkout → none",
        "**Assignee**: Bob",
        "**Description**: changed",
        "by Ann \\*A\\*",
    ]
    assert words.update_text({}, ANN) == ""


def test_what_was_taken_away_is_told_as_that() -> None:
    ann = {"id": "member:1", "name": "Ann"}
    lines = words.update_lines(
        {
            "service": {"before": "checkout", "after": ""},
            "assignee": {"before": ann, "after": None},
            "commander": {"before": None, "after": ann},
            "tags": {"before": ["prod"], "after": []},
            "team": {"before": "", "after": ""},
        }
    )
    assert lines == [
        "**Service**: checkout → none",
        "**Team**: removed",
        "**Commander**: Ann",
        "**Assignee**: Ann → nobody",
        "**Tags**: prod → none",
    ]


def test_an_error_says_what_to_do() -> None:
    error = IllegalTransitionError(
        "INC-7 is closed: it cannot resolve", remediation="From closed it can: reopen."
    )
    assert (
        words.refused(error).replace("\\", "")
        == "INC-7 is closed: it cannot resolve. From closed it can: reopen."
    )
