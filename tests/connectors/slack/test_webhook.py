from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from callout.connectors.slack.webhook import SlackInbound, signature_is_good
from callout.kit.secrets import Secret
from callout.ports.chat import Answer, ChannelRef, ChatEvent, ChatEventKind, Interaction, SlashCommand
from callout.ports.inbound import InboundRequest, Trust
from callout.ports.values import Person
from tests.connectors.slack.as_sent import (
    COMMAND,
    FORM,
    MENTION,
    NOW,
    PRESS,
    SECRET,
    command,
    event,
    form,
    interaction,
    sign,
    signed,
)

SLACK = SlackInbound([Secret(SECRET)])
BODY = b"token=xyz&text=declare"


class _Fixed(Clock):
    def now(self) -> float:
        return NOW.timestamp()


# ------------------------------------------------------------------------------------------- verification


def test_the_published_vector_verifies() -> None:
    # Slack's own example, https://docs.slack.dev/authentication/verifying-requests-from-slack
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    secret = b"8f742231b10e8888abcd99yyyzzz85a5"
    assert signature_is_good(secret=secret, body=body, timestamp=b"1531420618", signature=signature)
    assert not signature_is_good(
        secret=secret, body=body + b" ", timestamp=b"1531420618", signature=signature
    )


def test_what_the_sdk_signs_is_accepted_and_anything_altered_refused() -> None:
    signer = SignatureVerifier(SECRET, _Fixed())
    stamp = str(int(NOW.timestamp()))
    signature = signer.generate_signature(timestamp=stamp, body=BODY)
    assert signature is not None
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    assert SLACK.verify(signed(BODY, FORM, headers)).trust is Trust.SIGNED
    for altered in (
        signed(BODY + b"x", FORM, headers),
        signed(BODY, FORM, {**headers, "x-slack-request-timestamp": str(int(stamp) + 1)}),
        signed(
            BODY,
            FORM,
            {**headers, "x-slack-signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")},
        ),
        signed(BODY, FORM, {**headers, "x-slack-signature": signature.upper()}),
    ):
        assert SLACK.verify(altered).trust is Trust.REFUSED


@given(body=st.binary(max_size=200))
def test_the_sdk_agrees_with_our_signatures(body: bytes) -> None:
    headers = sign(body)
    assert SLACK.verify(signed(body, FORM, headers)).trust is Trust.SIGNED
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return  # the SDK raises for such a body
    ok = SignatureVerifier(SECRET, _Fixed()).is_valid(
        text, headers["x-slack-request-timestamp"], headers["x-slack-signature"]
    )
    assert ok


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-request-timestamp": "1531420618"},
        {"x-slack-signature": "v0=00"},
        sign(BODY, timestamp="not a number"),
        sign(BODY, timestamp="1.5"),
        sign(BODY, timestamp="-1"),
        sign(BODY, timestamp="9" * 5000),
        sign(BODY, timestamp="\u0661\u0667"),
        {**sign(BODY), "x-slack-signature": "v0=\u00e9\u00e9"},
        {**sign(BODY), "x-slack-signature": "v0=\udcff"},
        {**sign(BODY), "x-slack-signature": ""},
        sign(BODY, secret="another"),
        sign(BODY, at=NOW - timedelta(seconds=301)),
        sign(BODY, at=NOW + timedelta(seconds=301)),
    ],
)
def test_what_is_not_signed_rightly_is_refused_and_never_an_exception(headers: dict[str, str]) -> None:
    assert SLACK.verify(signed(BODY, FORM, headers)).trust is Trust.REFUSED


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_of_age_are_allowed(seconds: int) -> None:
    headers = sign(BODY, at=NOW + timedelta(seconds=seconds))
    assert SLACK.verify(signed(BODY, FORM, headers)).trust is Trust.SIGNED


def test_while_secrets_rotate_both_are_accepted() -> None:
    rotating = SlackInbound([Secret("new"), Secret("old")])
    for secret, trust in (("new", Trust.SIGNED), ("old", Trust.SIGNED), ("older", Trust.REFUSED)):
        assert rotating.verify(signed(BODY, FORM, sign(BODY, secret=secret))).trust is trust


def test_without_a_signing_secret_nothing_is_believed() -> None:
    assert SlackInbound([]).verify(signed(BODY, FORM)).trust is Trust.REFUSED
    assert SlackInbound([Secret("")]).verify(signed(BODY, FORM, sign(BODY, secret=""))).trust is Trust.REFUSED


def test_a_body_that_is_not_utf8_can_be_signed_and_is_then_malformed() -> None:
    odd = signed(b"text=\xff\xfe", FORM)
    assert SLACK.verify(odd).trust is Trust.SIGNED
    with pytest.raises(ValueError, match="decode"):
        SLACK.parse(odd)


# ---------------------------------------------------------------------------------------------- handshakes


def test_url_verification_is_answered_with_the_challenge_and_not_stored() -> None:
    reply = SLACK.reply(event({"type": "url_verification", "challenge": "abc", "token": "t"}))
    assert reply is not None
    assert (reply.status, reply.body, reply.media_type, reply.store) == (200, b"abc", "text/plain", False)


def test_the_certificate_probe_is_answered_empty() -> None:
    reply = SLACK.reply(form({"ssl_check": "1", "token": "t"}))
    assert reply is not None
    assert (reply.status, reply.body, reply.store) == (200, b"", False)


@pytest.mark.parametrize(
    "other",
    [
        command(),
        event(MENTION),
        interaction(PRESS),
        event({"type": "url_verification"}),
        event([1]),
        signed(b"{", "application/json"),
    ],
)
def test_everything_else_has_no_reply_of_its_own(other: InboundRequest) -> None:
    assert SLACK.reply(other) is None


# ------------------------------------------------------------------------------------------------- parsing


def test_a_slash_command_is_read() -> None:
    given = SLACK.parse(command(text="note INC-1 a &lt;b&gt; &amp;amp; c"))
    assert isinstance(given, SlashCommand)
    assert given.text == "note INC-1 a <b> &amp; c"
    assert (given.name, given.user, given.team) == ("/im", Person("U0ANN", "ann"), "T01ACC")
    assert (given.channel.id, given.channel.name) == ("C0INCIDENTS", "incidents")
    assert given.invocation == given.trigger == "13.37.abc"
    assert given.response == COMMAND["response_url"]
    assert COMMAND["response_url"] not in repr(given)


def test_a_slash_command_without_text_is_empty() -> None:
    fields = {name: value for name, value in COMMAND.items() if name != "text"}
    given = SLACK.parse(form(fields))
    assert isinstance(given, SlashCommand)
    assert given.text == ""


def test_a_pressed_button_is_read() -> None:
    given = SLACK.parse(interaction(PRESS))
    assert isinstance(given, Interaction)
    assert (given.action, given.value, given.user.id, given.team) == (
        "incident.acknowledge",
        "id-of-123",
        "U0ANN",
        "T01ACC",
    )
    assert given.channel is not None
    assert given.message is not None
    assert (given.channel.id, given.message.id) == ("C1", "171.1")
    assert given.invocation == "13.37.def"


def test_the_second_button_of_one_action_reads_as_that_action() -> None:
    pressed = {**PRESS, "actions": [{**PRESS["actions"][0], "action_id": "incident.resolve~2"}]}
    given = SLACK.parse(interaction(pressed))
    assert isinstance(given, Interaction)
    assert given.action == "incident.resolve"


def test_an_opened_link_is_nothing_for_us() -> None:
    assert (
        SLACK.parse(interaction({**PRESS, "actions": [{**PRESS["actions"][0], "action_id": "link"}]})) is None
    )


def test_a_chosen_option_is_the_value() -> None:
    select = {"type": "static_select", "action_id": "severity", "selected_option": {"value": "SEV-2"}}
    given = SLACK.parse(interaction({**PRESS, "actions": [select]}))
    assert isinstance(given, Interaction)
    assert given.value == "SEV-2"


def test_a_submitted_form_is_read() -> None:
    view = {
        "id": "V1",
        "callback_id": "declare",
        "private_metadata": "m",
        "state": {
            "values": {
                "title": {"a": {"type": "plain_text_input", "value": "down"}},
                "severity": {"b": {"type": "static_select", "selected_option": {"value": "SEV-1"}}},
                "who": {"c": {"type": "users_select", "selected_user": "U0BOB"}},
                "empty": {"d": {"type": "plain_text_input", "value": None}},
            }
        },
    }
    given = SLACK.parse(
        interaction(
            {
                "type": "view_submission",
                "team": {"id": "T01ACC"},
                "user": {"id": "U0ANN"},
                "view": view,
                "trigger_id": "9",
            }
        )
    )
    assert isinstance(given, Interaction)
    assert (given.action, given.value, given.channel, given.message) == ("declare", "m", None, None)
    assert given.values == {"title": "down", "severity": "SEV-1", "who": "U0BOB", "empty": ""}


@pytest.mark.parametrize("kind", ["view_closed", "block_suggestion", "workflow_step_edit"])
def test_other_interactions_are_nothing_for_us(kind: str) -> None:
    assert SLACK.parse(interaction({"type": kind})) is None


def test_a_mention_is_read_without_the_mention_itself() -> None:
    given = SLACK.parse(event(MENTION))
    assert isinstance(given, ChatEvent)
    assert given.kind is ChatEventKind.MENTION
    assert given.text == "status INC-1 <now> <@U0BOB|bob>"
    assert given.id == "Ev01"
    assert given.user == Person("U0ANN")
    assert given.message is not None
    assert (given.message.channel, given.message.id, given.message.thread) == ("C1", "171.3", "170.9")
    assert given.occurred_at is not None
    assert given.occurred_at.year == 2024


@pytest.mark.parametrize(
    "ours",
    [
        {"user": "U0BOT"},
        {"bot_id": "B01"},
        {"subtype": "bot_message"},
        {"subtype": "message_changed"},
    ],
)
def test_what_programs_write_is_dropped(ours: dict[str, str]) -> None:
    assert SLACK.parse(event({**MENTION, "event": {**MENTION["event"], **ours}})) is None


@pytest.mark.parametrize(
    ("vendor_event", "extra", "kind"),
    [
        ("app_uninstalled", {}, ChatEventKind.UNINSTALLED),
        ("tokens_revoked", {"tokens": {"bot": ["U0BOT"]}}, ChatEventKind.UNINSTALLED),
        ("channel_archive", {"channel": "C1", "user": "U0ANN"}, ChatEventKind.CHANNEL_ARCHIVED),
        ("channel_rename", {"channel": {"id": "C1", "name": "new"}}, ChatEventKind.CHANNEL_RENAMED),
        ("team_join", {"user": {"id": "U9"}}, ChatEventKind.OTHER),
    ],
)
def test_other_events_are_named(vendor_event: str, extra: dict[str, object], kind: ChatEventKind) -> None:
    given = SLACK.parse(event({**MENTION, "event": {"type": vendor_event, **extra}}))
    assert isinstance(given, ChatEvent)
    assert (given.kind, given.vendor_event) == (kind, vendor_event)


def test_a_rate_limit_notice_is_nothing_for_us() -> None:
    assert SLACK.parse(event({"type": "app_rate_limited", "minute_rate_limited": 1518467820})) is None


@pytest.mark.parametrize(
    "malformed",
    [
        signed(b"{", "application/json"),
        signed(b"[]", "application/json"),
        signed(b"[" * 100_000, "application/json"),
        signed(b"", "application/json"),
        event({}),
        event({"type": "event_callback"}),
        event({"type": 7}),
        event({**MENTION, "event": "x"}),
        event({**MENTION, "event_id": None}),
        form({"payload": "{"}),
        form({"payload": "null"}),
        interaction({}),
        interaction({"type": "block_actions"}),
        interaction({**PRESS, "actions": [7]}),
        interaction({**PRESS, "user": None}),
        interaction({**PRESS, "channel": "C1"}),
        interaction({"type": "view_submission"}),
        command(user_id=""),
        command(trigger_id=""),
        form({"a": "b"}),
        signed(b"&".join(b"a%d=1" % n for n in range(200)), FORM),
    ],
)
def test_what_slack_never_sends_is_a_value_error(malformed: InboundRequest) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SLACK.parse(malformed)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "event",
                    "actions",
                    "user",
                    "team",
                    "view",
                    "id",
                    "channel",
                    "event_id",
                    "state",
                    "values",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    payload=_JSON,
    kind=st.sampled_from(["event_callback", "block_actions", "view_submission", "url_verification"]),
    as_form=st.booleans(),
)
def test_any_json_is_read_refused_or_nothing_but_never_a_crash(
    payload: object, kind: str, *, as_form: bool
) -> None:
    if isinstance(payload, dict):
        payload = {**payload, "type": kind}
    given_request = interaction(payload) if as_form else event(payload)
    SLACK.delivery_id(given_request)
    SLACK.reply(given_request)
    try:
        SLACK.parse(given_request)
    except ValueError:
        return


# ------------------------------------------------------------------------------------------- delivery, answer


def test_the_delivery_id_is_the_same_on_every_retry() -> None:
    first = event(MENTION)
    retry = replace(
        first, headers={**first.headers, "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}
    )
    assert SLACK.delivery_id(first) == SLACK.delivery_id(retry) == "Ev01"
    assert SLACK.delivery_id(command()) == "13.37.abc"
    assert SLACK.delivery_id(interaction(PRESS)) == "13.37.def"
    assert SLACK.delivery_id(signed(b"{", "application/json")) == ""


TYPED = SlashCommand("/im", "", Person("U0ANN"), "T01ACC", ChannelRef("C1"), "13.37.abc")


def test_an_answer_is_for_the_person_alone_unless_it_says_otherwise() -> None:
    body, media_type = SLACK.render_answer(Answer("Acknowledged **INC-1**"), TYPED)
    assert media_type == "application/json"
    assert json.loads(body)["response_type"] == "ephemeral"
    assert "*INC-1*" in json.loads(body)["text"]
    assert (
        json.loads(SLACK.render_answer(Answer("x", in_channel=True), TYPED)[0])["response_type"]
        == "in_channel"
    )


def test_an_empty_answer_is_a_silent_acknowledgement() -> None:
    assert SLACK.render_answer(Answer(""), TYPED)[0] == b""
