"""What Slack refuses, and how it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl

Call = Any


@pytest.fixture
def call(slack: TwinControl) -> Call:
    """Call a method with JSON as the bot; returns the decoded answer."""

    def do(method: str, *, token: str | None = "xoxb-acc", **arguments: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = slack.http.post(f"{slack.url}/api/{method}", json=arguments, headers=headers)
        assert answer.status_code == 200
        return answer.json()

    return do


@pytest.fixture
def read(slack: TwinControl) -> Call:
    """Call a reading method with a form; returns the decoded answer."""

    def do(method: str, **arguments: Any) -> Any:
        return slack.http.post(f"{slack.url}/api/{method}", data={"token": "xoxb-acc", **arguments}).json()

    return do


@pytest.mark.parametrize(
    ("token", "method", "error"),
    [
        (None, "auth.test", "not_authed"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        ("xapp-acc", "chat.postMessage", "not_allowed_token_type"),
        ("xoxb-acc", "apps.connections.open", "not_allowed_token_type"),
        ("xoxb-acc", "chat.shout", "unknown_method"),
    ],
)
def test_tokens_and_methods(call: Call, token: str | None, method: str, error: str) -> None:
    assert call(method, token=token)["error"] == error


def test_a_revoked_token_is_dead(call: Call) -> None:
    assert call("auth.revoke")["revoked"] is True
    assert call("auth.test")["error"] == "token_revoked"


def test_bodies_of_every_encoding(slack: TwinControl, call: Call) -> None:
    url = f"{slack.url}/api/chat.postMessage"
    auth = {"Authorization": "Bearer xoxb-acc"}
    blocks = '[{"type":"section","text":{"type":"mrkdwn","text":"*x*"}}]'
    form = {"token": "xoxb-acc", "channel": "#incidents", "text": "a", "blocks": blocks}
    posted = slack.http.post(url, data=form).json()
    assert posted["message"]["blocks"][0]["text"] == {"type": "mrkdwn", "text": "*x*", "verbatim": False}
    assert posted["channel"] == "C0INCIDENTS"
    assert call("chat.postMessage", channel="C0INCIDENTS", text="a")["warning"] == "missing_charset"
    with_charset = auth | {"Content-Type": "application/json; charset=utf-8"}
    body = b'{"channel":"C0INCIDENTS","text":"a"}'
    assert "warning" not in slack.http.post(url, content=body, headers=with_charset).json()
    assert slack.http.post(url, content=b"{", headers=with_charset).json()["error"] == "invalid_json"
    assert slack.http.post(url, content=b"[]", headers=with_charset).json()["error"] == "json_not_object"
    as_text = auth | {"Content-Type": "text/plain"}
    assert slack.http.post(url, content=body, headers=as_text).json()["error"] == "invalid_post_type"


def test_a_reading_method_ignores_json(call: Call, read: Call) -> None:
    assert call("users.info", user="U0ANN")["error"] == "invalid_arguments"
    assert read("users.info", user="U0ANN")["ok"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "invalid_name_required"),
        ("x" * 81, "invalid_name_maxlength"),
        ("---", "invalid_name_punctuation"),
        ("Inc-1", "invalid_name_specials"),
        ("inc 1", "invalid_name_specials"),
        ("inc.1", "invalid_name_specials"),
        ("incidents", "name_taken"),
        ("security", "name_taken"),
        ("x" * 80, None),
        ("inc_2-a", None),
    ],
)
def test_channel_names(call: Call, name: str, error: str | None) -> None:
    assert call("conversations.create", name=name).get("error") == error


def test_membership_decides_what_a_channel_is(call: Call, read: Call) -> None:
    assert read("conversations.info", channel="G0SECRET")["error"] == "channel_not_found"
    assert call("chat.postMessage", channel="G0SECRET", text="x")["error"] == "channel_not_found"
    assert call("conversations.archive", channel="C0RANDOM")["error"] == "not_in_channel"
    assert call("conversations.archive", channel="C0GENERAL")["error"] == "cant_archive_general"
    assert read("conversations.history", channel="C0RANDOM")["error"] == "not_in_channel"
    assert call("conversations.invite", channel="C0RANDOM", users="U0ANN")["error"] == "not_in_channel"
    assert call("conversations.join", channel="C0RANDOM")["ok"]
    assert call("conversations.join", channel="C0RANDOM")["warning"].startswith("already_in_channel")
    assert call("conversations.rename", channel="C0RANDOM", name="other")["error"] == "not_authorized"
    assert call("conversations.leave", channel="C0RANDOM")["ok"]
    assert call("conversations.leave", channel="C0RANDOM")["not_in_channel"] is True


def test_posting_without_membership_needs_a_scope(slack: TwinControl, call: Call) -> None:
    assert call("chat.postMessage", channel="C0RANDOM", text="x")["ok"]
    slack.configure(scopes=["chat:write"])
    assert call("chat.postMessage", channel="C0RANDOM", text="x")["error"] == "not_in_channel"


def test_each_kind_of_conversation_has_its_own_scope(slack: TwinControl, call: Call, read: Call) -> None:
    private = call("conversations.create", name="inc-1", is_private=True)["channel"]["id"]
    slack.configure(scopes=["channels:manage", "channels:read"])
    assert call("conversations.create", name="inc-2")["ok"]
    for refused, needed in [
        (call("conversations.create", name="inc-3", is_private=True), "groups:write"),
        (call("conversations.archive", channel=private), "groups:write"),
        (read("conversations.info", channel=private), "groups:read"),
        (read("conversations.list", types="public_channel,private_channel"), "groups:read"),
        (call("conversations.open", users="U0ANN"), "im:write"),
        (call("conversations.open", users="U0ANN,U0BOB"), "mpim:write"),
    ]:
        assert (refused["error"], refused["needed"]) == ("missing_scope", needed)
    # One that the app is not in is not there, whatever the scopes.
    assert read("conversations.info", channel="G0SECRET")["error"] == "channel_not_found"


def test_an_invitation_is_all_or_nothing_unless_forced(call: Call, read: Call) -> None:
    channel = call("conversations.create", name="inc-1")["channel"]["id"]
    refused = call("conversations.invite", channel=channel, users="U0ANN,U404")
    assert (refused["error"], refused["errors"]) == (
        "user_not_found",
        [{"user": "U404", "ok": False, "error": "user_not_found"}],
    )
    assert read("conversations.members", channel=channel)["members"] == ["U0BOTACC"]
    forced = call("conversations.invite", channel=channel, users="U0ANN,U404", force=True)
    assert forced["ok"]
    assert read("conversations.members", channel=channel)["members"] == ["U0ANN", "U0BOTACC"]
    for users, error in [
        ("U0ANN", "already_in_channel"),
        ("U0BOTACC", "cant_invite_self"),
        ("U0GONE", "cant_invite"),
        ("", "no_user"),
    ]:
        assert call("conversations.invite", channel=channel, users=users)["error"] == error
    assert call("conversations.kick", channel=channel, user="U0BOTACC")["error"] == "cant_kick_self"
    assert call("conversations.kick", channel=channel, user="U0BOB")["error"] == "not_in_channel"
    assert call("conversations.kick", channel=channel, user="U0ANN")["ok"]


def test_direct_conversations(call: Call) -> None:
    opened = call("conversations.open", users="U0ANN")["channel"]["id"]
    assert call("conversations.open", users="U0ANN")["already_open"] is True
    assert call("chat.postMessage", channel="U0ANN", text="hi")["channel"] == opened
    assert call("conversations.open", users="U0GONE")["error"] == "user_disabled"
    assert call("conversations.open", users="U404")["error"] == "user_not_found"
    assert call("conversations.open")["error"] == "users_list_not_supplied"
    group = call("conversations.open", users="U0ANN,U0BOB", return_im=True)["channel"]
    assert group["is_mpim"] is True
    assert call("conversations.setTopic", channel=opened, topic="x")["error"] == (
        "method_not_supported_for_channel_type"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "no_text"),
        ({"text": "  "}, "no_text"),
        ({"text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "y" * 12_001}, "msg_too_long"),
        ({"text": "x", "metadata": "nonsense"}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
        (
            {"text": "x", "metadata": {"event_type": "a", "event_payload": {"k": "v" * 9000}}},
            "metadata_too_large",
        ),
        ({"text": "x", "thread_ts": "1.2"}, "invalid_thread_ts"),
        ({"text": "x", "thread_ts": "1500000000.000100"}, "thread_not_found"),
        (
            {
                "text": "x",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 2900}}] * 5,
            },
            "msg_blocks_too_long",
        ),
    ],
)
def test_messages_that_are_refused(call: Call, arguments: dict[str, Any], error: str) -> None:
    assert call("chat.postMessage", channel="C0INCIDENTS", **arguments)["error"] == error


def button(**changes: Any) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"} | changes


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "banner"}, "unsupported type: banner [json-pointer:/blocks/0/type]"),
        ({"text": "x"}, "missing required field: type [json-pointer:/blocks/0]"),
        ({"type": "section"}, "missing required field: text [json-pointer:/blocks/0]"),
        (
            {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
            "must provide a plain_text object [json-pointer:/blocks/0/text/type]",
        ),
        (
            {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (
            actions(button(text={"type": "plain_text", "text": "x" * 76})),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        (
            actions(button(value="x" * 2001)),
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            actions(*(button(action_id=str(number)) for number in range(26))),
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            {"type": "context", "elements": []},
            "must be an array with at least 1 item [json-pointer:/blocks/0/elements]",
        ),
    ],
)
def test_blocks_that_are_refused_are_explained(call: Call, block: dict[str, Any], message: str) -> None:
    answer = call("chat.postMessage", channel="C0INCIDENTS", text="x", blocks=[block])
    assert answer["error"] == "invalid_blocks"
    assert f"[ERROR] {message}" in answer["response_metadata"]["messages"]


def test_a_message_takes_fifty_blocks(call: Call) -> None:
    divider = {"type": "divider"}
    fifty = [dict(divider) for _ in range(50)]
    assert call("chat.postMessage", channel="C0INCIDENTS", text="x", blocks=fifty)["ok"]
    more = call("chat.postMessage", channel="C0INCIDENTS", text="x", blocks=[*fifty, divider])
    assert more["response_metadata"]["messages"] == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]


def test_text_is_cut_when_posted_and_refused_when_changed(call: Call) -> None:
    posted = call("chat.postMessage", channel="C0INCIDENTS", text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    place = {"channel": "C0INCIDENTS", "ts": posted["ts"]}
    assert call("chat.update", **place, text="x" * 4_001)["error"] == "msg_too_long"


def test_only_own_messages_are_changed_and_deleted(call: Call) -> None:
    channel = call("conversations.create", name="inc-1")["channel"]["id"]
    call("conversations.setTopic", channel=channel, topic="x")
    posted = call("chat.postMessage", channel=channel, text="x")["ts"]
    assert call("chat.update", channel=channel, ts="1.000001", text="y")["error"] == "message_not_found"
    assert call("chat.update", channel="#inc-1", ts=posted, text="y")["error"] == "channel_not_found"
    assert call("chat.delete", channel=channel, ts=posted)["ok"]
    assert call("chat.delete", channel=channel, ts=posted)["error"] == "message_not_found"


async def test_a_persons_message_is_not_ours_to_change(slack: TwinControl, call: Call) -> None:
    written = await slack.act("message", user="ann", channel="incidents", text="mine")
    place = {"channel": "C0INCIDENTS", "ts": written["ts"]}
    assert call("chat.update", **place, text="y")["error"] == "cant_update_message"
    assert call("chat.delete", **place)["error"] == "cant_delete_message"


def test_text_comes_back_normalised_and_notifies_whom_it_says(slack: TwinControl, call: Call) -> None:
    def notified(**arguments: Any) -> list[str]:
        ts = call("chat.postMessage", channel="C0INCIDENTS", **arguments)["ts"]
        messages = slack.get("state")["channels"]["C0INCIDENTS"]["messages"]
        found: list[str] = next(m for m in messages if m["ts"] == ts)["notified"]
        return found

    posted = call("chat.postMessage", channel="C0INCIDENTS", text="a<b & c https://example.com/x.")
    assert posted["message"]["text"] == "a&lt;b &amp; c <https://example.com/x>."
    assert notified(text="<!here> and <@U0ANN>") == ["U0ANN", "here"]
    assert notified(text="&lt;!here&gt; @here") == []
    assert notified(text="@here @ann @nobody", link_names=True) == ["U0ANN", "here"]
    hidden = {"type": "section", "text": {"type": "plain_text", "text": "<!channel>"}}
    loud = {"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}
    assert notified(text="x", blocks=[hidden]) == []
    assert notified(text="x", blocks=[loud]) == ["channel"]


def test_small_families_say_when_a_thing_was_done_already(call: Call, read: Call) -> None:
    ts = call("chat.postMessage", channel="C0INCIDENTS", text="x")["ts"]
    item = {"channel": "C0INCIDENTS", "timestamp": ts}
    assert [call("pins.add", **item).get("error") for _ in range(2)] == [None, "already_pinned"]
    assert len(read("pins.list", channel="C0INCIDENTS")["items"]) == 1
    assert [call("pins.remove", **item).get("error") for _ in range(2)] == [None, "no_pin"]
    reactions = [call("reactions.add", **item, name="eyes").get("error") for _ in range(2)]
    assert reactions == [None, "already_reacted"]
    assert call("reactions.add", **item, name="no such!")["error"] == "invalid_name"
    assert call("reactions.remove", **item, name="eyes")["ok"]
    bookmark = {"channel_id": "C0INCIDENTS", "title": "x", "type": "link"}
    assert call("bookmarks.add", **bookmark, link="nowhere")["error"] == "invalid_link"
    made = call("bookmarks.add", **bookmark, link="https://example.com")["bookmark"]["id"]
    assert call("bookmarks.edit", channel_id="C0INCIDENTS", bookmark_id=made, title="y")["ok"]
    assert read("bookmarks.list", channel_id="C0INCIDENTS")["bookmarks"][0]["title"] == "y"
    assert call("bookmarks.remove", channel_id="C0INCIDENTS", bookmark_id=made)["ok"]
    assert call("conversations.setTopic", channel="C0INCIDENTS", topic="x" * 251)["error"] == "too_long"
    assert read("team.info")["team"]["id"] == "T01ACC"
    assert call("api.test", error="my_error")["error"] == "my_error"


def test_ephemeral_messages_are_seen_by_one_and_kept_out_of_history(
    slack: TwinControl, call: Call, read: Call
) -> None:
    place = {"channel": "C0INCIDENTS", "text": "psst"}
    assert call("chat.postEphemeral", **place, user="U0DAN")["error"] == "user_not_in_channel"
    assert call("chat.postEphemeral", **place, user="U0ANN")["message_ts"]
    assert read("conversations.history", channel="C0INCIDENTS")["messages"] == []
    (seen,) = slack.get("state")["channels"]["C0INCIDENTS"]["ephemerals"]
    assert seen["visible_to"] == "U0ANN"


def test_a_deleted_parent_leaves_a_tombstone(call: Call, read: Call) -> None:
    parent = call("chat.postMessage", channel="C0INCIDENTS", text="parent")["ts"]
    child = call("chat.postMessage", channel="C0INCIDENTS", text="child", thread_ts=parent)["ts"]
    loud = call("chat.postMessage", channel="C0INCIDENTS", text="loud", thread_ts=child, reply_broadcast=True)
    assert loud["message"]["thread_ts"] == parent
    call("chat.delete", channel="C0INCIDENTS", ts=parent)
    replies = read("conversations.replies", channel="C0INCIDENTS", ts=parent)["messages"]
    assert [(m.get("subtype"), m["text"]) for m in replies] == [
        ("tombstone", "This message was deleted."),
        (None, "child"),
        ("thread_broadcast", "loud"),
    ]
    assert read("conversations.replies", channel="C0INCIDENTS", ts="1.000001")["error"] == "thread_not_found"
