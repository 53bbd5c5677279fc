"""Forms, home pages, shortcuts and message events; the payloads are written from Slack's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from slack_sdk.models.views import View

from callout.connectors.slack.render import legacy_message, message
from callout.connectors.slack.views import home, modal, reply_to
from callout.connectors.slack.webhook import SlackInbound
from callout.kit.secrets import Secret
from callout.ports.chat import (
    Answer,
    Button,
    Card,
    ChannelRef,
    ChatEvent,
    ChatEventKind,
    Fact,
    Interaction,
    InteractionKind,
    SlashCommand,
)
from callout.ports.chat_forms import FieldKind, Form, FormField, Menu, Option
from callout.ports.values import Person
from tests.connectors.slack.as_sent import MENTION, PRESS, SECRET, event, interaction

SLACK = SlackInbound((Secret(SECRET),))
SEVERITIES = tuple(Option(f"SEV-{n}", f"SEV-{n}") for n in range(1, 5))
FORM = Form(
    "declare",
    "Declare an incident, with a title too long",
    (
        FormField("title", "What is broken?", limit=255),
        FormField("description", "More", FieldKind.TEXT, required=False, hint="Markdown"),
        FormField("severity", "Severity", FieldKind.CHOICE, "SEV-2", SEVERITIES),
        FormField("tags", "Tags", FieldKind.CHOICES, "SEV-1\nSEV-3", SEVERITIES, required=False),
        FormField("assignee", "Assignee", FieldKind.PERSON, "U0ANN", required=False),
        FormField("due", "Due", FieldKind.DATE, "2026-11-21", required=False),
    ),
    submit="Declare",
    text="Say **what** is broken",
    token="signed",
)


def test_a_form_becomes_a_view_that_slacks_own_library_takes() -> None:
    view = modal(FORM)
    View(**view).validate_json()
    assert len(view["title"]["text"]) <= 24
    assert (view["callback_id"], view["private_metadata"]) == ("declare", "signed")
    inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    assert set(inputs) == {"title", "description", "severity", "tags", "assignee", "due"}
    assert inputs["description"]["optional"] is True
    assert inputs["severity"]["element"]["initial_option"]["value"] == "SEV-2"
    assert [one["value"] for one in inputs["tags"]["element"]["initial_options"]] == ["SEV-1", "SEV-3"]
    assert inputs["assignee"]["element"]["initial_user"] == "U0ANN"


def test_a_value_too_long_for_its_field_is_not_cut_into_it() -> None:
    view = modal(Form("x", "x", (FormField("title", "Title", value="a" * 4000),)))
    assert "initial_value" not in view["blocks"][0]["element"]


def test_a_token_that_slack_could_not_carry_is_a_defect() -> None:
    with pytest.raises(ValueError, match="3001"):
        modal(Form("x", "x", (), token="a" * 3001))


def test_a_submission_brings_back_what_was_filled_in() -> None:
    state: dict[str, Any] = {
        "title": {"value": {"type": "plain_text_input", "value": "checkout <is> down"}},
        "description": {"value": {"type": "plain_text_input", "value": None}},
        "severity": {"value": {"type": "static_select", "selected_option": {"value": "SEV-1"}}},
        "tags": {
            "value": {"type": "multi_static_select", "selected_options": [{"value": "a"}, {"value": "b"}]}
        },
        "assignee": {"value": {"type": "users_select", "selected_user": "U0BOB"}},
        "due": {"value": {"type": "datepicker", "selected_date": "2026-11-21"}},
    }
    given = SLACK.parse(
        interaction(
            {
                "type": "view_submission",
                "team": {"id": "T01ACC"},
                "user": {"id": "U0ANN"},
                "trigger_id": "1.2.3",
                "view": {
                    "id": "V1",
                    "callback_id": "declare",
                    "private_metadata": "signed",
                    "state": {"values": state},
                },
            }
        )
    )
    assert isinstance(given, Interaction)
    assert (given.kind, given.action, given.value) == (InteractionKind.SUBMITTED, "declare", "signed")
    assert given.values == {
        "title": "checkout <is> down",
        "description": "",
        "severity": "SEV-1",
        "tags": "a\nb",
        "assignee": "U0BOB",
        "due": "2026-11-21",
    }
    errors = reply_to(given, Answer("", errors={"title": "too long"}))
    assert errors == {"response_action": "errors", "errors": {"title": "too long"}}
    again = reply_to(given, Answer("", form=FORM))
    assert again is not None
    assert again["response_action"] == "update"
    refused = reply_to(given, Answer("You may not do this."))
    assert refused is not None
    assert "You may not do this." in json.dumps(refused)
    assert reply_to(given, Answer("")) is None


def test_a_press_is_answered_elsewhere() -> None:
    given = SLACK.parse(interaction(PRESS))
    assert isinstance(given, Interaction)
    assert reply_to(given, Answer("no")) is None
    typed = SlashCommand("/im", "", Person("U0ANN"), "T01ACC", ChannelRef("C1"), "1.2.3")
    assert reply_to(typed, Answer("", form=FORM)) is None


def test_a_menu_says_what_was_chosen() -> None:
    chosen = {"type": "static_select", "action_id": "severity", "selected_option": {"value": "id/SEV-1"}}
    given = SLACK.parse(interaction({**PRESS, "actions": [chosen]}))
    assert isinstance(given, Interaction)
    assert (given.action, given.value) == ("severity", "id/SEV-1")


def test_shortcuts_and_actions_on_messages() -> None:
    base = {"team": {"id": "T01ACC"}, "user": {"id": "U0ANN"}, "trigger_id": "1.2.3"}
    shortcut = SLACK.parse(interaction({**base, "type": "shortcut", "callback_id": "declare"}))
    assert isinstance(shortcut, Interaction)
    assert (shortcut.kind, shortcut.action) == (InteractionKind.SHORTCUT, "declare")
    said = {"ts": "171.5", "user": "U0BOB", "text": "a &lt; b", "thread_ts": "171.1"}
    about = SLACK.parse(
        interaction(
            {
                **base,
                "type": "message_action",
                "callback_id": "add_to_timeline",
                "channel": {"id": "C1", "name": "inc-1"},
                "message": said,
                "response_url": "https://hooks.slack.com/x",
            }
        )
    )
    assert isinstance(about, Interaction)
    assert about.kind is InteractionKind.MESSAGE_ACTION
    assert about.text == "a < b"
    assert about.author == Person("U0BOB")
    assert about.message is not None
    assert (about.message.channel, about.message.id) == ("C1", "171.5")


@pytest.mark.parametrize(
    ("inner", "kind", "text"),
    [
        ({"user": "U0ANN", "text": "hello", "ts": "1.1"}, ChatEventKind.MESSAGE, "hello"),
        (
            {"user": "U0ANN", "text": "status", "ts": "1.1", "channel_type": "im"},
            ChatEventKind.MENTION,
            "status",
        ),
        (
            {"subtype": "message_changed", "message": {"user": "U0ANN", "text": "new", "ts": "1.1"}},
            ChatEventKind.MESSAGE_CHANGED,
            "new",
        ),
        (
            {
                "subtype": "message_deleted",
                "deleted_ts": "1.1",
                "previous_message": {"user": "U0ANN", "text": "old"},
            },
            ChatEventKind.MESSAGE_DELETED,
            "old",
        ),
        (
            {"subtype": "channel_join", "user": "U0ANN", "text": "joined", "ts": "1.1"},
            ChatEventKind.OTHER,
            "joined",
        ),
    ],
)
def test_messages_as_they_come_change_and_go(inner: dict[str, Any], kind: ChatEventKind, text: str) -> None:
    given = SLACK.parse(event({**MENTION, "event": {"type": "message", "channel": "C1", **inner}}))
    assert isinstance(given, ChatEvent)
    assert (given.kind, given.text) == (kind, text)
    assert given.message is not None
    assert given.message.id == "1.1"
    assert given.user == Person("U0ANN")


def test_an_edit_of_our_own_message_is_no_news() -> None:
    ours = {
        "type": "message",
        "channel": "C1",
        "subtype": "message_changed",
        "message": {"bot_id": "B1", "ts": "1.1"},
    }
    assert SLACK.parse(event({**MENTION, "event": ours})) is None


def test_home_and_people() -> None:
    opened = SLACK.parse(
        event({**MENTION, "event": {"type": "app_home_opened", "user": "U0ANN", "tab": "home"}})
    )
    assert isinstance(opened, ChatEvent)
    assert (opened.kind, opened.user) == (ChatEventKind.HOME_OPENED, Person("U0ANN"))
    changed = SLACK.parse(
        event({**MENTION, "event": {"type": "user_change", "user": {"id": "U0BOB", "deleted": True}}})
    )
    assert isinstance(changed, ChatEvent)
    assert (changed.kind, changed.user) == (ChatEventKind.PERSON_CHANGED, Person("U0BOB"))


CARD = Card(
    "INC-7 checkout is down",
    "It *is*.",
    facts=(Fact("Status", "open"),),
    buttons=(Button("incident.acknowledge", "Acknowledge", "id"),),
    menus=(Menu("severity", "Severity", SEVERITIES, "SEV-2"), Menu("severity", "Again", SEVERITIES)),
)


def test_a_home_page_is_a_card_without_attachments() -> None:
    view = home(CARD)
    View(**view).validate_json()
    assert view["blocks"][0]["type"] == "header"
    assert "attachments" not in view


def test_menus_stand_beside_the_buttons() -> None:
    [attachment] = message(CARD)["attachments"]
    [actions] = [block for block in attachment["blocks"] if block["type"] == "actions"]
    assert [element["action_id"] for element in actions["elements"]] == [
        "incident.acknowledge",
        "severity",
        "severity~2",
    ]
    assert actions["elements"][1]["initial_option"]["value"] == "SEV-2"


def test_what_slack_takes_no_blocks_for_is_told_as_an_attachment() -> None:
    content = legacy_message(CARD)
    assert "blocks" not in content
    [attachment] = content["attachments"]
    assert attachment["fields"] == [{"title": "Status", "value": "open", "short": True}]
    assert "INC-7" in attachment["title"]


def test_people_of_another_organization_command_nothing() -> None:
    inner = {**MENTION["event"], "user_team": "TOTHER"}
    assert SLACK.parse(event({**MENTION, "is_ext_shared_channel": True, "event": inner})) is None
    ours = SLACK.parse(
        event({**MENTION, "is_ext_shared_channel": True, "event": {**inner, "user_team": "T01ACC"}})
    )
    assert isinstance(ours, ChatEvent)
    user = {**PRESS["user"], "team_id": "TOTHER"}
    assert SLACK.parse(interaction({**PRESS, "user": user})) is None
    within = SLACK.parse(interaction({**PRESS, "user": user, "enterprise": {"id": "E1"}}))
    assert isinstance(within, Interaction)
