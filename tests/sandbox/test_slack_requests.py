"""The twin's own requests, judged by Slack's libraries: a Bolt app receives them, the SDK verifies them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
import pytest
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from starlette.responses import PlainTextResponse

from callout.sandbox.slack.outgoing import signature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

Act = dict[str, Any]

MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "declare",
    "notify_on_close": True,
    "private_metadata": "from-command",
    "title": {"type": "plain_text", "text": "Declare"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "title",
            "label": {"type": "plain_text", "text": "Title"},
            "element": {"type": "plain_text_input", "action_id": "v"},
        },
        {
            "type": "input",
            "block_id": "severity",
            "optional": True,
            "label": {"type": "plain_text", "text": "Severity"},
            "element": {
                "type": "static_select",
                "action_id": "v",
                "options": [
                    {"text": {"type": "plain_text", "text": name}, "value": name}
                    for name in ("SEV-1", "SEV-2")
                ],
            },
        },
    ],
}
CARD = [
    {
        "type": "actions",
        "block_id": "buttons",
        "elements": [
            {
                "type": "button",
                "text": {"type": "plain_text", "text": "Ack"},
                "action_id": "ack",
                "value": "INC-1",
            },
            {
                "type": "static_select",
                "action_id": "severity",
                "options": [{"text": {"type": "plain_text", "text": "SEV-1"}, "value": "SEV-1"}],
            },
        ],
    }
]


class BoltApp:
    """A Bolt application that notes what it heard."""

    def __init__(self, slack: TwinControl) -> None:
        self.client = AsyncWebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")
        self.app = AsyncApp(client=self.client, signing_secret="slack-signing-secret")
        self.heard: list[dict[str, Any]] = []
        self.errors: list[str] = []
        app = self.app
        app.command("/im")(self.on_command)
        app.action("ack")(self.on_action)
        app.action("severity")(self.on_action)
        app.view("declare")(self.on_submit)
        app.view_closed("declare")(self.on_closed)
        app.event("app_mention")(self.on_event)
        app.event("message")(self.on_event)
        app.event("channel_archive")(self.on_event)
        app.event("member_joined_channel")(self.on_event)

    async def on_command(self, ack: Any, body: Act, client: Any, respond: Any) -> None:
        self.heard.append(body)
        text = body.get("text", "")
        if text == "modal":
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        elif text == "respond":
            await ack()
            await respond(text="done", response_type="in_channel")
        elif text == "loud":
            await ack(text="to all", response_type="in_channel")
        else:
            await ack(f"you said {text}")

    async def on_action(self, ack: Any, body: Act, respond: Any) -> None:
        self.heard.append(body)
        await ack()
        await respond(text="acknowledged", blocks=[], replace_original=True)

    async def on_submit(self, ack: Any, body: Act, view: Act) -> None:
        self.heard.append(body)
        if view["state"]["values"]["title"]["v"]["value"] == "bad":
            await ack(response_action="errors", errors={"title": "too vague"})
        else:
            await ack()

    async def on_closed(self, ack: Any, body: Act) -> None:
        self.heard.append(body)
        await ack()

    async def on_event(self, body: Act) -> None:
        self.heard.append(body)


@pytest.fixture
async def bolt(slack: TwinControl, serve: Callable[..., Any]) -> AsyncIterator[BoltApp]:
    app = BoltApp(slack)
    async with serve(AsyncSlackRequestHandler(app.app, path="/slack")) as url:
        where = f"{url}/slack"
        slack.configure(command_url=where, interactivity_url=where, events_url=where)
        yield app
        slack.configure(command_url=None, interactivity_url=None, events_url=None)
        await slack.drain()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - Bolt runs its listeners on its own, after it has answered
            await asyncio.sleep(0.005)


async def heard(app: BoltApp, count: int) -> list[dict[str, Any]]:
    await until(lambda: len(app.heard) >= count)
    return app.heard


def test_signatures_are_slacks_own() -> None:
    # Slack's documented example, from the page on verifying requests.
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert signature("8f742231b10e8888abcd99yyyzzz85a5", 1531420618, body) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


async def test_a_command_is_answered_privately(slack: TwinControl, bolt: BoltApp) -> None:
    said = await slack.act("slash_command", user="ann", channel="incidents", command="/im", text="status")
    assert (said["status"], said["shown"]["kind"], said["shown"]["text"]) == (
        200,
        "ephemeral",
        "you said status",
    )
    (command,) = bolt.heard
    assert (command["user_id"], command["channel_name"], command["api_app_id"]) == (
        "U0ANN",
        "incidents",
        "A01ACC",
    )
    (screen,) = slack.get("state")["screen"]
    assert (screen["user"], screen["text"]) == ("U0ANN", "you said status")


async def test_a_command_answered_in_the_channel_is_echoed_there(slack: TwinControl, bolt: BoltApp) -> None:
    said = await slack.act("slash_command", user="ann", channel="random", text="loud")
    assert said["shown"]["kind"] == "in_channel"
    messages = slack.get("state")["channels"]["C0RANDOM"]["messages"]
    assert [(m["user"], m["text"]) for m in messages] == [("U0ANN", "/im loud"), ("U0BOTACC", "to all")]


async def test_a_response_url_takes_five_answers_in_thirty_minutes(slack: TwinControl, bolt: BoltApp) -> None:
    said = await slack.act("slash_command", user="ann", channel="incidents", text="respond")
    hook = AsyncWebhookClient(said["response_url"])
    await until(lambda: bool(slack.effects("response_url.post")))
    assert [(await hook.send(text="more")).body for _ in range(5)] == ["ok"] * 4 + ["used_url"]
    other = await slack.act("slash_command", user="ann", channel="incidents", text="x")
    late = AsyncWebhookClient(other["response_url"])
    assert (await late.send(text="")).body == "no_text"
    slack.configure(clock_offset=1801)
    answer = await late.send(text="late")
    assert (answer.status_code, answer.body) == (404, "expired_url")
    assert (await AsyncWebhookClient(other["response_url"] + "x").send(text="x")).status_code == 404


async def test_a_modal_is_opened_filled_refused_submitted(slack: TwinControl, bolt: BoltApp) -> None:
    said = await slack.act("slash_command", user="ann", channel="incidents", text="modal")
    await until(lambda: bool(slack.effects("views.open")))
    refused = await slack.act("submit_view", user="ann", values={"title": "bad"})
    assert (refused["outcome"], refused["errors"]) == ("errors", {"title": "too vague"})
    done = await slack.act("submit_view", user="ann", values={"title": "DB down", "severity": "SEV-1"})
    assert (done["outcome"], done["open_views"]) == ("closed", [])
    view = bolt.heard[-1]["view"]
    assert (view["callback_id"], view["private_metadata"]) == ("declare", "from-command")
    assert view["state"]["values"]["severity"]["v"]["selected_option"]["value"] == "SEV-1"
    assert bolt.heard[0]["trigger_id"] == said["trigger_id"]


async def test_a_closed_modal_is_reported_when_asked_for(slack: TwinControl, bolt: BoltApp) -> None:
    await slack.act("slash_command", user="ann", channel="incidents", text="modal")
    await until(lambda: bool(slack.effects("views.open")))
    assert (await slack.act("close_view", user="ann"))["status"] == 200
    assert (bolt.heard[-1]["type"], bolt.heard[-1]["is_cleared"]) == ("view_closed", False)


async def test_a_pressed_button_tells_all_about_its_message(slack: TwinControl, bolt: BoltApp) -> None:
    posted = await bolt.client.chat_postMessage(channel="C0INCIDENTS", text="SEV-1", blocks=CARD)
    place = {"user": "bob", "channel": "incidents", "ts": posted["ts"]}
    pressed = await slack.act("press_button", **place, action_id="ack")
    assert pressed["status"] == 200
    payload = bolt.heard[-1] if bolt.heard[-1]["type"] == "block_actions" else bolt.heard[0]
    assert payload["actions"][0] | {"action_ts": ""} == {
        "type": "button",
        "action_id": "ack",
        "block_id": "buttons",
        "value": "INC-1",
        "text": {"type": "plain_text", "text": "Ack", "emoji": True},
        "action_ts": "",
    }
    assert payload["message"]["ts"] == payload["container"]["message_ts"] == posted["ts"]
    assert payload["user"] == {"id": "U0BOB", "username": "bob", "name": "bob", "team_id": "T01ACC"}
    await until(lambda: bool(slack.effects("response_url.post")))
    changed = await bolt.client.conversations_history(channel="C0INCIDENTS")
    assert [message["text"] for message in changed["messages"]] == ["acknowledged"]


async def test_a_choice_in_a_menu_carries_the_option(slack: TwinControl, bolt: BoltApp) -> None:
    posted = await bolt.client.chat_postMessage(channel="C0INCIDENTS", text="SEV-1", blocks=CARD)
    place = {"user": "bob", "channel": "incidents", "ts": posted["ts"]}
    chosen = await slack.act("choose", **place, action_id="severity", value="SEV-1")
    assert chosen["action"]["selected_option"]["value"] == "SEV-1"


async def test_a_mention_reaches_the_app_once_as_mention_and_once_as_message(
    slack: TwinControl, bolt: BoltApp
) -> None:
    text = "<@U0BOTACC> status"
    written = await slack.act("message", user="ann", channel="incidents", text=text)
    events = {body["event"]["type"]: body for body in await heard(bolt, 2)}
    assert events["app_mention"]["event"]["ts"] == events["message"]["event"]["ts"] == written["ts"]
    assert events["app_mention"]["event_id"] == written["app_mention"]
    assert events["app_mention"]["authorizations"][0]["user_id"] == "U0BOTACC"
    # Not in this channel: Slack does not tell the app.
    await slack.act("message", user="bob", channel="random", text=text)
    assert [attempt["event"] for attempt in await slack.drain()].count("app_mention") == 1


async def test_a_direct_message_to_the_app_is_of_type_im(slack: TwinControl, bolt: BoltApp) -> None:
    await slack.act("message", user="ann", channel="@callout", text="help")
    (body,) = await heard(bolt, 1)
    assert (body["event"]["channel_type"], body["event"]["text"]) == ("im", "help")


async def test_the_apps_own_posts_come_back_as_events(slack: TwinControl, bolt: BoltApp) -> None:
    await bolt.client.chat_postMessage(channel="C0INCIDENTS", text="from us")
    (attempt,) = await slack.drain()
    assert (attempt["event"], attempt["status"]) == ("message", 200)
    # Bolt itself drops them, by the bot's user ID: the loop guard every receiver needs.
    assert bolt.heard == []


async def test_channel_changes_are_reported(slack: TwinControl, bolt: BoltApp) -> None:
    await slack.act("join_channel", user="dan", channel="incidents")
    await slack.act("archive_channel", user="admin", channel="incidents")
    await slack.drain()
    kinds = [body["event"]["type"] for body in await heard(bolt, 4)]
    assert sorted(kinds) == ["channel_archive", "member_joined_channel", "message", "message"]


async def test_the_events_url_is_verified_by_its_challenge(slack: TwinControl, bolt: BoltApp) -> None:
    assert (await slack.act("url_verification"))["verified"] is True


async def test_bolt_refuses_a_wrong_secret_an_old_clock_and_an_altered_body(
    slack: TwinControl, bolt: BoltApp
) -> None:
    command = {"user": "ann", "channel": "incidents", "text": "status"}
    slack.configure(clock_offset=-400)
    assert (await slack.act("slash_command", **command))["status"] == 401
    slack.configure(clock_offset=0)
    slack.fault({"match": {"event": "slash"}, "effect": {"kind": "webhook_tamper"}})
    assert (await slack.act("slash_command", **command))["status"] == 401
    slack.fault()
    slack.configure(signing_secret="another")
    refused = await slack.act("slash_command", **command)
    assert (refused["status"], refused["shown"]["kind"]) == (401, "dispatch_failed")
    assert bolt.heard == []


class Recorder:
    """A receiver that keeps raw requests and answers from a list: (status, headers, wait in seconds)."""

    def __init__(self, *answers: tuple[int, dict[str, str], float]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.requests.append((headers, body))
        status, extra, wait = self.answers.pop(0) if self.answers else (200, {}, 0.0)
        await asyncio.sleep(wait)
        await PlainTextResponse("", status_code=status, headers=extra)(scope, receive, send)


async def test_the_sdk_verifies_every_kind_of_request(slack: TwinControl, serve: Callable[..., Any]) -> None:
    recorder = Recorder()
    verifier = SignatureVerifier("slack-signing-secret")
    async with serve(recorder) as url:
        slack.configure(command_url=url, interactivity_url=url, events_url=url)
        client = AsyncWebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")
        posted = await client.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=CARD)
        await slack.act("slash_command", user="ann", channel="incidents", text="ümlaut & more=1")
        await slack.act("press_button", user="ann", channel="incidents", ts=posted["ts"], action_id="ack")
        await slack.act("url_verification")
        await slack.drain()
    assert len(recorder.requests) == 4
    for headers, body in recorder.requests:
        assert verifier.is_valid_request(body, headers)
        assert not verifier.is_valid_request(body + b"x", headers)
    forms = [
        body for headers, body in recorder.requests if headers["content-type"].startswith("application/x-")
    ]
    assert parse_qs(forms[0].decode())["text"] == ["ümlaut & more=1"]
    assert orjson.loads(parse_qs(forms[1].decode())["payload"][0])["type"] == "block_actions"


async def test_events_are_tried_three_times_more_with_the_same_id(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    recorder = Recorder((500, {}, 0.0), (500, {}, 0.0), (500, {}, 0.0), (500, {}, 0.0))
    async with serve(recorder) as url:
        slack.configure(events_url=url, webhook_speed=10_000, subscriptions=["app_mention"])
        await slack.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
        attempts = await slack.drain()
    numbers = [headers.get("x-slack-retry-num") for headers, _ in recorder.requests]
    assert numbers == [None, "1", "2", "3"]
    assert {headers.get("x-slack-retry-reason") for headers, _ in recorder.requests[1:]} == {"http_error"}
    assert len({orjson.loads(body)["event_id"] for _, body in recorder.requests}) == 1
    assert [attempt["will_retry"] for attempt in attempts] == [True, True, True, False]


async def test_an_app_may_ask_not_to_be_tried_again(slack: TwinControl, serve: Callable[..., Any]) -> None:
    recorder = Recorder((500, {"X-Slack-No-Retry": "1"}, 0.0))
    async with serve(recorder) as url:
        slack.configure(events_url=url, subscriptions=["app_mention"])
        await slack.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
        await slack.drain()
    assert len(recorder.requests) == 1


async def test_events_are_dropped_and_repeated_by_fault(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    recorder = Recorder()
    slack.fault(
        {"match": {"event": "app_mention", "nth": 1}, "effect": {"kind": "webhook_drop"}},
        {"match": {"event": "app_mention", "nth": 2}, "effect": {"kind": "webhook_repeat", "times": 3}},
    )
    async with serve(recorder) as url:
        slack.configure(events_url=url, subscriptions=["app_mention"])
        for text in ("lost", "thrice"):
            await slack.act("message", user="ann", channel="incidents", text=f"<@U0BOTACC> {text}")
        await slack.drain()
    assert [orjson.loads(body)["event"]["text"] for _, body in recorder.requests] == [
        "<@U0BOTACC> thrice"
    ] * 3


async def test_a_repeated_command_is_the_same_to_the_byte(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    recorder = Recorder()
    async with serve(recorder) as url:
        slack.configure(command_url=url)
        said = await slack.act("slash_command", user="ann", channel="incidents", text="x", repeat=3)
    assert len(said["repeats"]) == 2
    seen = {
        (headers["x-slack-signature"], headers["x-slack-request-timestamp"], hashlib.sha256(body).hexdigest())
        for headers, body in recorder.requests
    }
    assert len(seen) == 1


async def test_an_answer_after_the_deadline_is_an_operation_timeout(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    recorder = Recorder((200, {}, 0.5))
    assert slack.get("config")["answer_seconds"] == 3.0
    async with serve(recorder) as url:
        slack.configure(command_url=url, answer_seconds=0.2)
        said = await slack.act("slash_command", user="ann", channel="incidents", text="x")
    assert said["elapsed_ms"] >= 200
    assert said["reason"] == "http_timeout"
    assert (said["status"], said["shown"]["kind"]) == (0, "operation_timeout")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    ("offset", "uses", "error"),
    [(0.0, 1, None), (3.5, 1, "expired_trigger_id"), (0.0, 2, "exchanged_trigger_id")],
)
async def test_a_trigger_opens_one_view_within_three_seconds(
    slack: TwinControl, serve: Callable[..., Any], offset: float, uses: int, error: str | None
) -> None:
    async with serve(Recorder()) as url:
        slack.configure(command_url=url)
        said = await slack.act("slash_command", user="ann", channel="incidents", text="x")
    slack.configure(clock_offset=offset)
    body = {"trigger_id": said["trigger_id"], "view": MODAL}
    answer: dict[str, Any] = {}
    for _ in range(uses):
        answer = slack.http.post(
            f"{slack.url}/api/views.open", json=body, headers={"Authorization": "Bearer xoxb-acc"}
        ).json()
    assert answer.get("error") == error


async def test_views_are_guarded_by_hash_depth_and_limits(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    def call(method: str, **arguments: Any) -> Any:
        headers = {"Authorization": "Bearer xoxb-acc"}
        return slack.http.post(f"{slack.url}/api/{method}", json=arguments, headers=headers).json()

    button = {
        "type": "actions",
        "elements": [{"type": "button", "action_id": "more", "text": {"type": "plain_text", "text": "More"}}],
    }
    modal = MODAL | {"blocks": [*MODAL["blocks"], button]}
    async with serve(Recorder()) as url:
        slack.configure(command_url=url, interactivity_url=url)
        said = await slack.act("slash_command", user="ann", channel="incidents", text="x")
        view = call("views.open", trigger_id=said["trigger_id"], view=modal)["view"]
        assert call("views.update", view_id=view["id"], hash=view["hash"], view=modal)["ok"]
        assert (
            call("views.update", view_id=view["id"], hash=view["hash"], view=modal)["error"]
            == "hash_conflict"
        )
        assert call("views.update", view_id="V404", view=modal)["error"] == "not_found"
        top = view["id"]
        for wanted in (None, None, "push_limit_reached"):
            pressed = await slack.act("press_button", user="ann", view_id=top, action_id="more")
            pushed = call("views.push", trigger_id=pressed["trigger_id"], view=modal)
            assert pushed.get("error") == wanted
            top = pushed["view"]["id"] if wanted is None else top
    assert call("views.open", trigger_id="1.2.x", view=MODAL)["error"] == "invalid_trigger_id"
    no_submit = {key: value for key, value in MODAL.items() if key != "submit"}
    assert call("views.open", trigger_id="1.2.x", view=no_submit)["response_metadata"]["messages"] == [
        "[ERROR] missing required field: submit [json-pointer:/view]"
    ]
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    published = call("views.publish", user_id="U0ANN", view=home)["view"]
    assert published["type"] == "home"
    assert call("views.update", view_id=published["id"], view=home)["view"]["hash"] != published["hash"]
    assert call("views.publish", view=home)["error"] == "missing_profile_id"


async def test_an_uninstalled_app_is_told_and_locked_out(
    slack: TwinControl, serve: Callable[..., Any]
) -> None:
    recorder = Recorder()
    async with serve(recorder) as url:
        slack.configure(events_url=url)
        await slack.act("uninstall")
        await slack.drain()
    kinds = sorted(orjson.loads(body)["event"]["type"] for _, body in recorder.requests)
    assert kinds == ["app_uninstalled", "tokens_revoked"]
    answer = slack.http.post(f"{slack.url}/api/auth.test", headers={"Authorization": "Bearer xoxb-acc"})
    assert answer.json()["error"] == "account_inactive"
