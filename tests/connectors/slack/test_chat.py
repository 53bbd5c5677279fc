"""The connector against the twin, over HTTP; what it did is read back with Slack's own client and from the twin's ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from callout.connectors.slack.app import SCOPES
from callout.connectors.slack.channels import channel_name
from callout.connectors.slack.chat import SlackChat, person_of
from callout.connectors.slack.config import SlackConfig
from callout.kit.transport import GuardedTransport
from callout.ports.chat import Answer, Button, Card, Fact, MessageRef, Tone
from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)
from callout.ports.provider import Findable, Idempotent, Unknown
from callout.ports.values import Person
from tests.connectors.slack.conftest import chat_on
from tests.sandbox.conftest import TwinControl

CARD = Card(
    title="SEV-1 INC-7 <!channel> is down",
    text="**All** payments of <@U0BOB> fail",
    facts=(Fact("Status", "open"),),
    buttons=(Button("incident.acknowledge", "Acknowledge", "id-7"),),
    tone=Tone.CRITICAL,
    link="https://callout.example/incidents/INC-7",
)


@pytest.fixture
def web(slack: TwinControl) -> WebClient:
    return WebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")


def messages(web: WebClient, channel: str, thread: str = "") -> list[dict[str, Any]]:
    if thread:
        data = web.conversations_replies(channel=channel, ts=thread, include_all_metadata=True).data
    else:
        data = web.conversations_history(channel=channel, include_all_metadata=True).data
    assert isinstance(data, dict)
    return [message for message in data["messages"] if "subtype" not in message]


async def test_the_connection_check_says_who_we_are(chat: SlackChat) -> None:
    report = await chat.check_connection()
    assert report.ok
    assert report.account is not None
    assert report.account.id == "U0BOTACC"
    assert report.instance.startswith("http")
    assert abs(report.clock_skew) < timedelta(seconds=5)
    assert report.warnings == ()


async def test_missing_scopes_are_named_with_what_they_are_for(chat: SlackChat, slack: TwinControl) -> None:
    slack.configure(scopes=["chat:write", "commands"])
    report = await chat.check_connection()
    assert len(report.warnings) == len(SCOPES) - 2
    assert any("users:read.email" in warning and "e-mail" in warning for warning in report.warnings)


async def test_a_wrong_token_is_an_operators_matter(slack: TwinControl, transport: GuardedTransport) -> None:
    with pytest.raises(AuthFailedError, match="invalid_auth") as caught:
        await chat_on(transport, f"{slack.url}/api", "xoxb-wrong").check_connection()
    assert "xoxb-wrong" not in str(caught.value)
    assert caught.value.remediation


async def test_a_card_is_posted_updated_and_answered_in_its_thread(
    chat: SlackChat, web: WebClient, slack: TwinControl
) -> None:
    posted = await chat.post_message("incidents", CARD, key="card/1")
    assert posted.channel == "C0INCIDENTS"
    await chat.update_message(posted, Card(title="SEV-1 INC-7 acknowledged", text="better"))
    answer = await chat.post_message(
        posted.channel, Card("", "**Status**: open"), key="update/1", thread=posted.id
    )
    assert answer.thread == posted.id
    [card] = [message for message in messages(web, "C0INCIDENTS") if message["ts"] == posted.id]
    assert card["text"] == "SEV-1 INC-7 acknowledged"
    assert card["metadata"]["event_payload"] == {"key": "card/1"}
    assert card["reply_count"] == 1
    [_, reply] = messages(web, posted.channel, posted.id)
    assert "open" in reply["text"]
    assert len(slack.effects("chat.postMessage")) == 2


async def test_a_hostile_card_mentions_nobody(chat: SlackChat, web: WebClient) -> None:
    posted = await chat.post_message("C0INCIDENTS", CARD, key="k")
    [card] = [message for message in messages(web, "C0INCIDENTS") if message["ts"] == posted.id]
    assert "<!channel>" not in str(card)
    assert "<@U0BOB>" not in str(card)


async def test_a_channel_is_made_with_topic_and_people_and_archived_once(
    chat: SlackChat, web: WebClient
) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    made = await chat.create_channel("INC-7 Checkout is down!", private=False)
    assert made.name == "inc-7-checkout-is-down"
    assert made.created_at is not None
    assert made.created_at > before
    await chat.set_topic(made.id, "SEV-1 <!here> " + "x" * 400)
    await chat.invite(made.id, ["U0ANN", "U0BOB"])
    await chat.invite(made.id, ["U0ANN"])
    info = web.conversations_info(channel=made.id)["channel"]
    assert len(info["topic"]["value"]) <= 250
    assert {"U0ANN", "U0BOB"} <= set(web.conversations_members(channel=made.id)["members"])
    found = await chat.find_channel("#inc-7-checkout-is-down")
    assert found is not None
    assert found.id == made.id
    await chat.archive_channel(made.id)
    await chat.archive_channel(made.id)
    assert await chat.find_channel("inc-7-checkout-is-down") is None


async def test_a_taken_name_gets_a_number(chat: SlackChat) -> None:
    first = await chat.create_channel("inc-8", private=False)
    await chat.archive_channel(first.id)  # an archived channel keeps its name
    second = await chat.create_channel("inc-8", private=True)
    third = await chat.create_channel("inc-8", private=False)
    assert (first.name, second.name, third.name) == ("inc-8", "inc-8-2", "inc-8-3")


async def test_somebody_who_is_gone_keeps_nobody_else_out(chat: SlackChat, web: WebClient) -> None:
    made = await chat.create_channel("inc-9", private=False)
    with pytest.raises(ConnectorError):
        await chat.invite(made.id, ["U0NOBODY", "U0CAT"])
    assert "U0CAT" in web.conversations_members(channel=made.id)["members"]


async def test_without_the_public_scope_the_channel_is_joined_once(
    chat: SlackChat, slack: TwinControl
) -> None:
    slack.configure(scopes=[scope for scope in SCOPES if scope != "chat:write.public"])
    posted = await chat.post_message("C0RANDOM", Card("t"), key="k")
    assert posted.channel == "C0RANDOM"
    assert len(slack.effects("chat.postMessage")) == 1
    assert len(slack.effects("conversations.join")) == 1


async def test_channels_are_found_over_many_pages_by_name_or_id(chat: SlackChat) -> None:
    found = await chat.find_channel("incidents")
    assert found is not None
    assert found.id == "C0INCIDENTS"
    assert await chat.find_channel("C0INCIDENTS") is not None
    assert await chat.find_channel("C0NOWHERE") is None
    assert await chat.find_channel("no-such-channel") is None


async def test_people_are_found_by_email_and_id_if_they_are_active_humans(chat: SlackChat) -> None:
    ann = await chat.find_person(email="ann@example.com")
    assert ann is not None
    assert (ann.id, ann.email) == ("U0ANN", "ann@example.com")
    assert await chat.get_person("U0ANN") == ann
    assert await chat.find_person(email="nobody@example.com") is None
    assert await chat.get_person("U0GONE") is None
    assert await chat.get_person("U0BOTACC") is None
    assert await chat.get_person("U0NOBODY") is None


@pytest.mark.parametrize(
    ("facts", "team", "told"),
    [
        ({}, "T01ACC", True),
        ({"team_id": "T01ACC"}, "T01ACC", True),
        ({"team_id": "TOTHER"}, "", True),  # nobody said which workspace is ours
        ({"team_id": "TOTHER"}, "T01ACC", False),
        ({"team_id": "TOTHER", "enterprise_user": {"id": "W1"}}, "T01ACC", True),
        ({"team_id": "T01ACC", "is_stranger": True}, "T01ACC", False),
    ],
)
def test_the_address_of_another_organizations_directory_is_not_believed(
    facts: dict[str, Any], team: str, told: bool
) -> None:
    record: Any = {"id": "U1", "name": "mallory", "profile": {"email": "boss@example.com"}, **facts}
    assert person_of(record, team=team) == Person("U1", "mallory", "boss@example.com" if told else "")


# ------------------------------------------------------------------------------------------------- trouble


async def test_an_unknown_channel_is_refused_in_words(chat: SlackChat) -> None:
    with pytest.raises(RecordNotFoundError, match="channel_not_found") as caught:
        await chat.post_message("no-such-channel", Card("t"), key="k")
    assert "/invite" in caught.value.remediation


async def test_a_missing_scope_is_named(chat: SlackChat, slack: TwinControl) -> None:
    slack.configure(scopes=["commands"])
    with pytest.raises(PermissionDeniedError, match="chat:write"):
        await chat.post_message("C0INCIDENTS", Card("t"), key="k")


async def test_a_rate_limit_says_how_long_to_wait(chat: SlackChat, slack: TwinControl) -> None:
    slack.fault(
        {"match": {"path": "chat.postMessage"}, "effect": {"kind": "status", "status": 429, "retry_after": 7}}
    )
    with pytest.raises(RateLimitedError) as caught:
        await chat.post_message("C0INCIDENTS", Card("t"), key="k")
    assert caught.value.retry_after == timedelta(seconds=7)
    assert slack.effects("chat.postMessage") == []


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ({"kind": "timeout_after_write", "hold": 2}, OutcomeUnknownError),
        ({"kind": "disconnect_after_write"}, OutcomeUnknownError),
        ({"kind": "disconnect"}, OutcomeUnknownError),
        ({"kind": "status", "status": 500, "after_write": True}, OutcomeUnknownError),
        ({"kind": "status", "status": 503}, UnavailableError),
        ({"kind": "html"}, OutcomeUnknownError),
    ],
)
async def test_a_post_is_never_repeated_when_it_may_have_been_done(
    chat: SlackChat, slack: TwinControl, effect: dict[str, Any], error: type[ConnectorError]
) -> None:
    slack.fault({"match": {"path": "chat.postMessage"}, "effect": effect})
    with pytest.raises(error):
        await chat.post_message("C0INCIDENTS", Card("t"), key="k")
    assert len(slack.effects("chat.postMessage")) <= 1


async def test_a_channel_whose_answer_was_lost_can_be_found(chat: SlackChat, slack: TwinControl) -> None:
    slack.fault({"match": {"path": "conversations.create"}, "effect": {"kind": "disconnect_after_write"}})
    with pytest.raises(OutcomeUnknownError):
        await chat.create_channel("inc-10", private=False)
    slack.fault()
    found = await chat.find_channel("inc-10")
    assert found is not None
    assert found.created_at is not None


async def test_a_read_survives_a_short_outage(chat: SlackChat, slack: TwinControl) -> None:
    slack.fault({"match": {"path": "users.info", "first": 1}, "effect": {"kind": "status", "status": 503}})
    assert await chat.get_person("U0ANN") is not None


async def test_when_slack_cannot_be_reached_nothing_was_done(transport: GuardedTransport) -> None:
    with pytest.raises(UnavailableError):
        await chat_on(transport, "http://127.0.0.1:9/api").post_message("C1", Card("t"), key="k")


async def test_an_address_inside_the_network_is_refused(transport: GuardedTransport) -> None:
    with pytest.raises(RejectedError, match="not allowed"):
        await chat_on(transport, "http://10.1.2.3/api").check_connection()


def test_effects_say_what_a_repeat_would_do() -> None:
    assert SlackChat.effects["post_message"] == Unknown()
    assert isinstance(SlackChat.effects["create_channel"], Findable)
    assert {name for name, effect in SlackChat.effects.items() if isinstance(effect, Idempotent)} == {
        "update_message",
        "publish_home",
        "invite",
        "set_topic",
        "archive_channel",
        "unarchive_channel",
        "rename_channel",
        "open_direct",
        "delete_message",
        "put_file",
    }


# -------------------------------------------------------------------------------------- answering later, names


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/commands/1",
        "http://hooks.slack.com/commands/1",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "https://user:pw@hooks.slack.com/x",
        "https://hooks.slack.com:8443/x",
        "https://hooks.slack.com:99999/x",
        "http://127.0.0.1:1/commands/x",
        "file:///etc/passwd",
        "",
    ],
)
async def test_answers_go_to_slack_and_nowhere_else(chat: SlackChat, address: str) -> None:
    with pytest.raises(RejectedError):
        await chat.respond(address, Answer("x"))


def test_slacks_own_answer_address_is_allowed() -> None:
    assert SlackConfig().allows_response_url("https://hooks.slack.com/commands/T1/2/x")
    assert not SlackConfig().allows_response_url("https://slack.com/api/x")


async def test_an_answer_address_that_is_used_up_is_not_found(chat: SlackChat, slack: TwinControl) -> None:
    with pytest.raises(RecordNotFoundError):
        await chat.respond(f"{slack.url}/commands/T01ACC/1/unknown", Answer("late"))


@pytest.mark.parametrize(
    ("wanted", "number", "name"),
    [
        ("INC-7 Checkout is down!", 1, "inc-7-checkout-is-down"),
        ("été", 1, "ete"),
        ("\N{FIRE}", 1, "incident"),
        ("x" * 200, 1, "x" * 80),
        ("x" * 200, 12, "x" * 77 + "-12"),
        ("--a_b--", 2, "a_b-2"),
    ],
)
def test_channel_names_are_what_slack_allows(wanted: str, number: int, name: str) -> None:
    assert channel_name(wanted, number) == name


async def test_a_message_ref_is_kept_as_text(chat: SlackChat) -> None:
    posted = await chat.post_message("C0INCIDENTS", Card("t"), key="k")
    assert isinstance(posted, MessageRef)
    assert isinstance(posted.id, str)
    assert "." in posted.id
