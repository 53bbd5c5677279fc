"""Socket Mode: Slack's own clients hold the connections, the twin sends over them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from slack_sdk.socket_mode.request import SocketModeRequest

    from tests.sandbox.conftest import TwinControl

Act = dict[str, Any]
APP = {"Authorization": "Bearer xapp-acc"}


@pytest.fixture
def socket_mode(slack: TwinControl) -> Iterator[TwinControl]:
    slack.configure(socket_mode=True)
    yield slack
    slack.configure(socket_mode=False)


class SocketApp:
    """The SDK's aiohttp client, which answers each envelope with what `answer` returns."""

    def __init__(self, slack: TwinControl) -> None:
        web = AsyncWebClient(base_url=f"{slack.url}/api/")
        self.client: Any = SocketModeClient(app_token="xapp-acc", web_client=web)
        self.client.socket_mode_request_listeners.append(self.on_request)
        self.heard: list[SocketModeRequest] = []
        self.silent = 0
        self.answers: dict[str, Any] = {}

    async def on_request(self, client: Any, request: SocketModeRequest) -> None:
        self.heard.append(request)
        if self.silent:
            self.silent -= 1
            return
        kind = request.type if request.type != "interactive" else request.payload["type"]
        await client.send_socket_mode_response(
            SocketModeResponse(envelope_id=request.envelope_id, payload=self.answers.get(kind))
        )


@pytest.fixture
async def app(socket_mode: TwinControl) -> AsyncIterator[SocketApp]:
    app = SocketApp(socket_mode)
    await app.client.connect()
    yield app
    await app.client.close()


def raw_url(slack: TwinControl) -> str:
    url: str = slack.http.post(f"{slack.url}/api/apps.connections.open", headers=APP).json()["url"]
    return url


def test_only_the_app_token_opens_connections_and_only_in_socket_mode(slack: TwinControl) -> None:
    web = WebClient(base_url=f"{slack.url}/api/")
    with pytest.raises(SlackApiError) as off:
        web.apps_connections_open(app_token="xapp-acc")
    assert off.value.response["error"] == "socket_mode_not_enabled"
    slack.configure(socket_mode=True)
    assert web.apps_connections_open(app_token="xapp-acc")["url"].startswith("ws://127.0.0.1:")
    with pytest.raises(SlackApiError) as wrong:
        web.apps_connections_open(app_token="xoxb-acc")
    assert wrong.value.response["error"] == "not_allowed_token_type"


async def test_hello_and_a_ticket_that_works_once(socket_mode: TwinControl) -> None:
    async with aiohttp.ClientSession() as http:
        url = raw_url(socket_mode)
        async with http.ws_connect(url) as link:
            hello = await link.receive_json(timeout=60)
            assert (hello["type"], hello["num_connections"]) == ("hello", 1)
            assert hello["connection_info"] == {"app_id": "A01ACC"}
            assert hello["debug_info"]["approximate_connection_time"] == 18060
            await link.ping(b"x")
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url)
            assert refused.value.status == 403


async def test_a_command_is_answered_by_the_acknowledgement(socket_mode: TwinControl, app: SocketApp) -> None:
    app.answers["slash_commands"] = {"text": "you said it"}
    said = await socket_mode.act("slash_command", user="ann", channel="incidents", text="status")
    assert (said["status"], said["shown"]["text"]) == (200, "you said it")
    (request,) = app.heard
    assert (request.type, request.accepts_response_payload) == ("slash_commands", True)
    assert (request.payload["command"], request.payload["text"]) == ("/im", "status")


async def test_a_form_lives_on_the_socket_from_opening_to_its_errors(
    socket_mode: TwinControl, app: SocketApp
) -> None:
    web = AsyncWebClient(token="xoxb-acc", base_url=f"{socket_mode.url}/api/")
    run = await socket_mode.act("global_shortcut", user="ann", callback_id="declare")
    menu = {"type": "external_select", "action_id": "v", "min_query_length": 0}
    label = {"type": "plain_text", "text": "Service"}
    view = {
        "type": "modal",
        "title": label,
        "submit": label,
        "blocks": [{"type": "input", "block_id": "service", "label": label, "element": menu}],
    }
    await web.views_open(trigger_id=run["trigger_id"], view=view)
    found = {"text": {"type": "plain_text", "text": "Payments"}, "value": "pay"}
    app.answers["block_suggestion"] = {"options": [found]}
    asked = await socket_mode.act("suggest", user="ann", action_id="v")
    assert [option["value"] for option in asked["options"]] == ["pay"]
    app.answers["view_submission"] = {"response_action": "errors", "errors": {"service": "not yours"}}
    sent = await socket_mode.act("submit_view", user="ann", values={"service": "pay"})
    assert (sent["outcome"], sent["errors"]) == ("errors", {"service": "not yours"})
    app.answers.clear()
    assert (await socket_mode.act("submit_view", user="ann"))["open_views"] == []
    kinds = [(request.payload["type"], request.accepts_response_payload) for request in app.heard]
    assert kinds == [
        ("shortcut", False),
        ("block_suggestion", True),
        ("view_submission", True),
        ("view_submission", True),
    ]


async def test_silence_is_an_operation_timeout_and_no_connection_a_failed_dispatch(
    socket_mode: TwinControl, app: SocketApp
) -> None:
    socket_mode.configure(answer_seconds=0.2)
    app.silent = 1
    said = await socket_mode.act("slash_command", user="ann", channel="incidents", text="x")
    assert said["shown"]["kind"] == "operation_timeout"
    await app.client.close()
    said = await socket_mode.act("slash_command", user="ann", channel="incidents", text="x")
    assert said["shown"]["kind"] == "dispatch_failed"


async def test_an_event_that_is_not_acknowledged_comes_again(
    socket_mode: TwinControl, app: SocketApp
) -> None:
    socket_mode.configure(answer_seconds=0.4, webhook_speed=10_000, subscriptions=["app_mention"])
    app.silent = 2
    await socket_mode.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
    attempts = await socket_mode.drain()
    assert [attempt["status"] for attempt in attempts] == [0, 0, 200]
    assert [(r.retry_attempt, r.retry_reason) for r in app.heard] == [(0, ""), (1, "timeout"), (2, "timeout")]
    assert len({r.payload["event_id"] for r in app.heard}) == 1
    assert len({r.envelope_id for r in app.heard}) == 3
    assert not app.heard[0].accepts_response_payload


async def test_events_are_dropped_and_repeated_by_fault(socket_mode: TwinControl, app: SocketApp) -> None:
    socket_mode.configure(subscriptions=["app_mention"])
    socket_mode.fault(
        {"match": {"event": "app_mention", "nth": 1}, "effect": {"kind": "webhook_drop"}},
        {"match": {"event": "app_mention", "nth": 2}, "effect": {"kind": "webhook_repeat", "times": 2}},
    )
    for text in ("lost", "twice"):
        await socket_mode.act("message", user="ann", channel="incidents", text=f"<@U0BOTACC> {text}")
    await socket_mode.drain()
    assert [r.payload["event"]["text"] for r in app.heard] == ["<@U0BOTACC> twice"] * 2


async def test_connections_take_turns_and_the_eleventh_is_turned_away(socket_mode: TwinControl) -> None:
    socket_mode.configure(subscriptions=["app_mention"])
    heard: list[int] = []

    async def listen(number: int, link: aiohttp.ClientWebSocketResponse) -> None:
        async for message in link:
            envelope = message.json()
            if "envelope_id" in envelope:
                heard.append(number)
                await link.send_json({"envelope_id": envelope["envelope_id"]})

    async with aiohttp.ClientSession() as http:
        links = [await http.ws_connect(raw_url(socket_mode)) for _ in range(10)]
        hellos = [await link.receive_json(timeout=60) for link in links]
        assert [hello["num_connections"] for hello in hellos] == list(range(1, 11))
        over = await http.ws_connect(raw_url(socket_mode))
        assert (await over.receive_json(timeout=60))["reason"] == "too_many_websockets"
        readers = [asyncio.create_task(listen(number, link)) for number, link in enumerate(links)]
        for number in range(20):
            await socket_mode.act("message", user="ann", channel="incidents", text=f"<@U0BOTACC> {number}")
        await socket_mode.drain()
        for link in links:
            await link.close()
        await asyncio.gather(*readers)
    assert sorted(heard) == sorted([*range(10), *range(10)])


async def test_a_warning_then_a_refresh_and_switching_off(socket_mode: TwinControl) -> None:
    socket_mode.configure(socket_seconds=0.2, socket_warning_seconds=0.1)
    async with aiohttp.ClientSession() as http:
        link = await http.ws_connect(raw_url(socket_mode))
        said = [(await link.receive_json(timeout=60)) for _ in range(3)]
        assert [message.get("reason") for message in said] == [None, "warning", "refresh_requested"]
        assert (await link.receive(timeout=60)).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        socket_mode.configure(socket_seconds=18060)
        link = await http.ws_connect(raw_url(socket_mode))
        await link.receive_json(timeout=60)
        await socket_mode.act("socket_disconnect", reason="warning")
        assert (await link.receive_json(timeout=60))["reason"] == "warning"
        socket_mode.configure(socket_mode=False)
        assert (await link.receive_json(timeout=60))["reason"] == "link_disabled"


async def test_a_reset_sends_everyone_away_and_old_tickets_are_worthless(socket_mode: TwinControl) -> None:
    async with aiohttp.ClientSession() as http:
        ticket = raw_url(socket_mode)
        url = raw_url(socket_mode)
        link = await http.ws_connect(f"{url}&debug_reconnects=true")
        hello = await link.receive_json(timeout=60)
        assert hello["debug_info"]["approximate_connection_time"] == 360
        await asyncio.to_thread(socket_mode.reset)
        assert (await link.receive_json(timeout=60))["reason"] == "link_disabled"
        assert (await link.receive(timeout=60)).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        socket_mode.configure(socket_mode=True)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(ticket)
        late = raw_url(socket_mode)
        socket_mode.configure(clock_offset=31)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(late)
    assert socket_mode.get("state")["sockets"] == []


async def test_what_is_no_acknowledgement_is_ignored(socket_mode: TwinControl) -> None:
    socket_mode.configure(subscriptions=["app_mention"])
    async with aiohttp.ClientSession() as http:
        link = await http.ws_connect(raw_url(socket_mode))
        await link.receive_json(timeout=60)
        await socket_mode.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
        envelope = (await link.receive_json(timeout=60))["envelope_id"]
        for text in ("nonsense", "[]", '{"envelope_id": 7}', '{"envelope_id": "other"}'):
            await link.send_str(text)
        for _ in range(2):
            await link.send_json({"envelope_id": envelope})
        attempts = await socket_mode.drain()
        await link.close()
    assert [attempt["status"] for attempt in attempts] == [200]
    assert len(socket_mode.get("ledger", kind="socket.ignored")["entries"]) == 5


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_the_client_reconnects_when_told(socket_mode: TwinControl, app: SocketApp, reason: str) -> None:
    # The client may connect twice, once for the message and once for the close: what went to the connection
    # that it gave up comes again.
    socket_mode.configure(subscriptions=["app_mention"], webhook_speed=100, answer_seconds=0.5)
    (before,) = (await socket_mode.act("socket_disconnect", reason=reason))["links"]
    async with asyncio.timeout(60):
        while before in (links := _open(socket_mode)) or not links:  # noqa: ASYNC110 - seen only by asking
            await asyncio.sleep(0.01)
    await socket_mode.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
    assert (await socket_mode.drain())[-1]["status"] == 200
    assert {r.payload["event"]["text"] for r in app.heard} == {"<@U0BOTACC> hi"}


def _open(slack: TwinControl) -> list[str]:
    return [link["id"] for link in slack.get("state")["sockets"] if link["open"]]


async def test_an_event_on_a_broken_connection_goes_over_the_other(socket_mode: TwinControl) -> None:
    socket_mode.configure(subscriptions=["app_mention"])
    async with aiohttp.ClientSession() as http:
        silent = await http.ws_connect(raw_url(socket_mode))
        await silent.receive_json(timeout=60)
        await socket_mode.act("message", user="ann", channel="incidents", text="<@U0BOTACC> hi")
        first = await silent.receive_json(timeout=60)
        other = await http.ws_connect(raw_url(socket_mode))
        await other.receive_json(timeout=60)
        (link, _) = socket_mode.get("state")["sockets"]
        await socket_mode.act("socket_cut", link=link["id"])
        again = await other.receive_json(timeout=60)
        await other.send_json({"envelope_id": again["envelope_id"]})
        attempts = await socket_mode.drain()
    assert again["payload"] == first["payload"]
    assert again["retry_attempt"] == 1
    assert [attempt["reason"] for attempt in attempts] == ["connection_failed", None]


def test_a_bolt_app_over_its_builtin_client(socket_mode: TwinControl) -> None:
    heard: list[str] = []
    mentioned = threading.Event()
    app = App(client=WebClient(token="xoxb-acc", base_url=f"{socket_mode.url}/api/"))

    @app.command("/im")
    def on_command(ack: Any, body: Act) -> None:
        ack(f"you said {body['text']}")

    @app.action("ack")
    def on_action(ack: Any, respond: Any) -> None:
        ack()
        respond(text="acknowledged", replace_original=True)

    @app.event("app_mention")
    def on_mention(event: Act) -> None:
        heard.append(event["text"])
        mentioned.set()

    handler: Any = SocketModeHandler(app, "xapp-acc")
    handler.connect()
    try:
        said = asyncio.run(socket_mode.act("slash_command", user="ann", channel="incidents", text="hi"))
        assert said["shown"]["text"] == "you said hi"
        button = {"type": "button", "action_id": "ack", "text": {"type": "plain_text", "text": "Ack"}}
        blocks = [{"type": "actions", "elements": [button]}]
        posted = app.client.chat_postMessage(channel="C0INCIDENTS", text="SEV-1", blocks=blocks)
        where = {"user": "bob", "channel": "incidents", "ts": posted["ts"]}
        assert asyncio.run(socket_mode.act("press_button", **where, action_id="ack"))["status"] == 200
        asyncio.run(socket_mode.act("message", user="ann", channel="incidents", text="<@U0BOTACC> yes"))
        assert mentioned.wait(60)
        assert heard == ["<@U0BOTACC> yes"]
    finally:
        # The client reads for up to three seconds before it notices that it was closed, unless it is cut off.
        handler.client.auto_reconnect_enabled = False
        asyncio.run(socket_mode.act("socket_cut"))
        handler.close()
