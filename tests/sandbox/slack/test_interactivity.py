"""Forms, homes, shortcuts and menus: a Bolt app is pressed, filled in and asked by people of the twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

Act = dict[str, Any]


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def option(value: str) -> dict[str, Any]:
    return {"text": plain(value), "value": value}


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    element = {"type": kind, "action_id": "v", **more}
    return {"type": "input", "block_id": name, "optional": True, "label": plain(name), "element": element}


CHOICES = {"options": [option("a"), option("b"), option("c")]}
FORM: dict[str, Any] = {
    "type": "modal",
    "callback_id": "form",
    "notify_on_close": True,
    "title": plain("Form"),
    "submit": plain("Go"),
    "blocks": [
        field("text", "plain_text_input", max_length=10, min_length=2),
        field("select", "static_select", **CHOICES),
        field("multi", "multi_static_select", max_selected_items=2, **CHOICES),
        field("user", "users_select"),
        field("users", "multi_users_select"),
        field("channel", "conversations_select", response_url_enabled=True),
        field("external", "external_select", min_query_length=2),
        field("date", "datepicker", initial_date="2026-01-31"),
        field("time", "timepicker"),
        field("when", "datetimepicker"),
        field("boxes", "checkboxes", **CHOICES),
        field("radio", "radio_buttons", **CHOICES),
        field("number", "number_input", is_decimal_allowed=False, min_value="1", max_value="9"),
        field("mail", "email_text_input"),
        field("link", "url_text_input"),
        field("rich", "rich_text_input"),
        field("file", "file_input", max_files=1),
    ],
}
HOME: dict[str, Any] = {
    "type": "home",
    "blocks": [
        {
            "type": "actions",
            "elements": [
                {"type": "button", "action_id": "refresh", "text": plain("Refresh")},
                {"type": "overflow", "action_id": "more", **CHOICES},
            ],
        }
    ],
}


class FormApp:
    """A Bolt application that opens the form for everything and keeps what it heard."""

    def __init__(self, slack: TwinControl) -> None:
        self.client = AsyncWebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")
        self.app = AsyncApp(client=self.client, signing_secret="slack-signing-secret")
        self.heard: list[Act] = []
        self.view: dict[str, Any] = FORM
        self.answer: dict[str, Any] = {}
        self.app.shortcut("declare")(self.open_form)
        self.app.view("form")(self.on_submit)
        self.app.view_closed("form")(self.on_anything)
        self.app.action("v")(self.on_anything)
        self.app.action("more")(self.on_anything)
        self.app.action("refresh")(self.open_form)
        self.app.options("v")(self.on_options)
        self.app.event("app_home_opened")(self.on_home)

    async def open_form(self, ack: Any, body: Act) -> None:
        self.heard.append(body)
        # Opened before the acknowledgement, so that whoever ran the shortcut finds it open.
        await self.client.views_open(trigger_id=body["trigger_id"], view=self.view)
        await ack()

    async def on_submit(self, ack: Any, body: Act) -> None:
        self.heard.append(body)
        await ack(**self.answer)

    async def on_anything(self, ack: Any, body: Act) -> None:
        self.heard.append(body)
        await ack()

    async def on_options(self, ack: Any, body: Act) -> None:
        self.heard.append(body)
        found = [option(name) for name in ("payments", "payroll", "search") if name.startswith(body["value"])]
        await ack(options=found)

    async def on_home(self, event: Act) -> None:
        if event["tab"] == "home":
            await self.client.views_publish(user_id=event["user"], view=HOME)
        self.heard.append(event)

    async def until(self, count: int) -> list[Act]:
        async with asyncio.timeout(60):
            while len(self.heard) < count:  # noqa: ASYNC110 - Bolt runs listeners after it has answered
                await asyncio.sleep(0.005)
        return self.heard


@pytest.fixture
async def bolt(slack: TwinControl, serve: Callable[..., Any]) -> AsyncIterator[FormApp]:
    app = FormApp(slack)
    async with serve(AsyncSlackRequestHandler(app.app, path="/slack")) as url:
        where = f"{url}/slack"
        slack.configure(
            command_url=where,
            interactivity_url=where,
            events_url=where,
            subscriptions=["app_home_opened"],
        )
        yield app
        slack.configure(command_url=None, interactivity_url=None, events_url=None)
        await slack.drain()


async def refusal(slack: TwinControl, name: str, **body: Any) -> str:
    """Return what the twin says a person cannot do."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{slack.url}/_twin/act/{name}", json=body)
    assert answer.status_code == 400
    error: str = answer.json()["error"]
    return error


async def test_a_form_with_every_element_is_opened_by_a_shortcut_and_filled(
    slack: TwinControl, bolt: FormApp
) -> None:
    run = await slack.act("global_shortcut", user="ann", callback_id="declare")
    assert run["status"] == 200
    assert (bolt.heard[0]["type"], bolt.heard[0]["callback_id"]) == ("shortcut", "declare")
    asked = await slack.act("suggest", user="ann", action_id="v", block_id="external", value="pa")
    assert [found["value"] for found in asked["options"]] == ["payments", "payroll"]
    assert (bolt.heard[1]["type"], bolt.heard[1]["value"]) == ("block_suggestion", "pa")
    uploaded = (await slack.act("upload_file", user="ann", filename="a.txt", content="x"))["file"]["id"]
    values = {
        "text": "down",
        "select": "a",
        "multi": ["a", "b"],
        "user": "U0BOB",
        "users": ["U0BOB", "U0CAT"],
        "channel": "C0INCIDENTS",
        "external": "payroll",
        "time": "09:30",
        "when": 1767225600,
        "boxes": ["c"],
        "radio": "b",
        "number": 7,
        "mail": "a@example.com",
        "link": "https://example.com",
        "rich": "hello",
        "file": [uploaded],
    }
    done = await slack.act("submit_view", user="ann", values=values)
    assert (done["outcome"], done["open_views"]) == ("closed", [])
    body = bolt.heard[-1]
    state = {name: value["v"] for name, value in body["view"]["state"]["values"].items()}
    assert state["text"]["value"] == "down"
    assert [picked["value"] for picked in state["multi"]["selected_options"]] == ["a", "b"]
    assert (state["user"]["selected_user"], state["users"]["selected_users"]) == ("U0BOB", ["U0BOB", "U0CAT"])
    assert state["external"]["selected_option"]["text"]["text"] == "payroll"
    assert (state["date"]["selected_date"], state["time"]["selected_time"]) == ("2026-01-31", "09:30")
    assert (state["when"]["selected_date_time"], state["number"]["value"]) == (1767225600, "7")
    assert state["rich"]["rich_text_value"]["type"] == "rich_text"
    assert state["file"]["files"][0]["name"] == "a.txt"
    (url,) = body["response_urls"]
    assert (url["channel_id"], url["block_id"]) == ("C0INCIDENTS", "channel")
    async with httpx.AsyncClient() as http:
        await http.post(url["response_url"], json={"text": "declared", "response_type": "in_channel"})
    seen = await slack.act("sees", user="ann", channel="incidents")
    assert seen["messages"][-1]["text"] == "declared"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"text": "x"}, "2 to 10 characters"),
        ({"text": "x" * 11}, "2 to 10 characters"),
        ({"select": "z"}, "offers no option 'z'"),
        ({"multi": ["a", "b", "c"]}, "no more than 2"),
        ({"user": "U0GONE"}, "does not offer"),
        ({"external": "payroll"}, "offers no option"),
        ({"date": "31.1.2026"}, "takes a date"),
        ({"time": "24:00"}, "takes a time"),
        ({"number": 10}, "out of bounds"),
        ({"number": "1.5"}, "takes a number"),
        ({"mail": "nobody"}, "e-mail address"),
        ({"file": ["F404"]}, "no file"),
        ({"nothing": "x"}, "no inputs"),
    ],
)
async def test_slack_itself_does_not_submit_nonsense(
    slack: TwinControl, bolt: FormApp, values: Act, problem: str
) -> None:
    await slack.act("global_shortcut", user="ann", callback_id="declare")
    assert problem in await refusal(slack, "submit_view", user="ann", values=values)
    assert len(bolt.heard) == 1


async def test_an_answer_updates_pushes_and_clears(slack: TwinControl, bolt: FormApp) -> None:
    await slack.act("global_shortcut", user="ann", callback_id="declare")
    changed = {**FORM, "title": plain("Again")}
    bolt.answer = {"response_action": "update", "view": changed}
    (first,) = (await slack.act("submit_view", user="ann", values={"text": "kept"}))["open_views"]
    seen = await slack.act("sees", user="ann")
    assert seen["modal"]["title"]["text"] == "Again"
    # What was filled in stays where the block and the action keep their names.
    assert seen["modal"]["state"]["values"]["text"]["v"]["value"] == "kept"
    bolt.answer = {"response_action": "push", "view": FORM}
    assert len((await slack.act("submit_view", user="ann"))["open_views"]) == 2
    assert len((await slack.act("submit_view", user="ann"))["open_views"]) == 3
    deep = await slack.act("submit_view", user="ann")
    assert (deep["outcome"], deep["problem"]["error"]) == ("view_error", "push_limit_reached")
    assert "on top" in await refusal(slack, "submit_view", user="ann", view_id=first)
    bolt.answer = {"response_action": "clear"}
    assert (await slack.act("submit_view", user="ann"))["open_views"] == []


async def test_a_closed_stack_is_told_with_is_cleared(slack: TwinControl, bolt: FormApp) -> None:
    await slack.act("global_shortcut", user="ann", callback_id="declare")
    await slack.act("close_view", user="ann", clear=True)
    body = bolt.heard[-1]
    assert (body["type"], body["is_cleared"], "trigger_id" in body) == ("view_closed", True, False)


async def test_a_message_action_knows_its_message(slack: TwinControl, bolt: FormApp) -> None:
    written = await slack.act("message", user="bob", channel="incidents", text="it burns")
    run = await slack.act(
        "message_action", user="ann", channel="incidents", ts=written["ts"], callback_id="declare"
    )
    body = next(heard for heard in bolt.heard if heard.get("type") == "message_action")
    assert (body["message"]["text"], body["message_ts"]) == ("it burns", written["ts"])
    assert body["channel"] == {"id": "C0INCIDENTS", "name": "incidents"}
    async with httpx.AsyncClient() as http:
        assert (await http.post(run["response_url"], json={"text": "noted"})).text == "ok"
    seen = await slack.act("sees", user="ann", channel="incidents")
    assert [message["text"] for message in seen["ephemerals"]] == ["noted"]
    assert (await slack.act("sees", user="bob", channel="incidents"))["ephemerals"] == []


async def test_the_home_is_published_when_opened_and_can_be_pressed(
    slack: TwinControl, bolt: FormApp
) -> None:
    first = await slack.act("open_home", user="ann")
    assert first["view"] is None
    await bolt.until(1)
    second = await slack.act("open_home", user="ann")
    heard = await bolt.until(2)
    assert heard[1]["view"]["id"] == second["view"]["id"]
    assert (heard[1]["tab"], heard[1]["channel"][0]) == ("home", "D")
    home = (await slack.act("sees", user="ann"))["home"]
    views = await slack.act("sees", user="ann", views=True)
    assert views == {"modal": None, "open_views": [], "home": home}
    await slack.act("press_button", user="ann", view_id=home["id"], action_id="refresh")
    assert (bolt.heard[-1]["container"]["type"], bolt.heard[-1]["view"]["type"]) == ("view", "home")
    chosen = await slack.act("choose", user="ann", view_id=home["id"], action_id="more", value="b")
    assert chosen["action"]["selected_option"]["value"] == "b"
    assert "not submitted" in await refusal(slack, "submit_view", user="ann", view_id=home["id"])
    await slack.act("open_home", user="bob", tab="messages")
    assert (await slack.act("sees", user="bob"))["home"] is None


async def test_inputs_stand_in_messages_too_and_keep_their_state(slack: TwinControl, bolt: FormApp) -> None:
    menu = field("service", "external_select", min_query_length=0)
    button = {"type": "button", "action_id": "v", "text": plain("Send")}
    blocks = [menu, {"type": "actions", "block_id": "send", "elements": [button]}]
    posted = await bolt.client.chat_postMessage(channel="C0INCIDENTS", text="which?", blocks=blocks)
    where = {"user": "bob", "channel": "incidents", "ts": posted["ts"], "action_id": "v"}
    asked = await slack.act("suggest", **where, block_id="service")
    assert len(asked["options"]) == 3
    await slack.act("choose", **where, block_id="service", value="search")
    body = bolt.heard[-1]
    assert body["state"]["values"]["service"]["v"]["selected_option"]["value"] == "search"
    assert "too few" in await refusal(
        slack, "suggest", user="bob", channel="incidents", ts=await _strict(bolt), action_id="v"
    )


async def _strict(bolt: FormApp) -> str:
    menu = field("service", "external_select")
    ts: str = (await bolt.client.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=[menu]))["ts"]
    return ts


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"type": "section", "text": plain("x"), "accessory": {"type": "plain_text_input"}},
            "unsupported type: plain_text_input [json-pointer:/view/blocks/0/accessory/type]",
        ),
        (
            field("a", "button", text=plain("x")),
            "unsupported type: button [json-pointer:/view/blocks/0/element/type]",
        ),
        (
            field("a", "static_select", options=[option(str(n)) for n in range(101)]),
            "no more than 100 items allowed [json-pointer:/view/blocks/0/element/options]",
        ),
        (
            field("a", "checkboxes", options=[option(str(n)) for n in range(11)]),
            "no more than 10 items allowed [json-pointer:/view/blocks/0/element/options]",
        ),
        (
            field("a", "number_input"),
            "missing required field: is_decimal_allowed [json-pointer:/view/blocks/0/element]",
        ),
        (
            field("a", "plain_text_input", max_length=3001),
            "must be less than 3001 [json-pointer:/view/blocks/0/element/max_length]",
        ),
        (
            field("a", "plain_text_input", placeholder=plain("x" * 151)),
            "must be less than 151 characters [json-pointer:/view/blocks/0/element/placeholder/text]",
        ),
    ],
)
def test_a_view_that_is_refused_is_explained(slack: TwinControl, block: Act, message: str) -> None:
    view = {**FORM, "blocks": [block]}
    answer = slack.http.post(
        f"{slack.url}/api/views.open",
        json={"trigger_id": "1.2.x", "view": view},
        headers={"Authorization": "Bearer xoxb-acc"},
    ).json()
    assert answer["error"] == "invalid_arguments"
    assert f"[ERROR] {message}" in answer["response_metadata"]["messages"]


def test_limits_of_a_view(slack: TwinControl) -> None:
    def messages(**changes: Any) -> list[str]:
        answer = slack.http.post(
            f"{slack.url}/api/views.open",
            json={"trigger_id": "1.2.x", "view": {**FORM, **changes}},
            headers={"Authorization": "Bearer xoxb-acc"},
        ).json()
        found: list[str] = answer.get("response_metadata", {}).get("messages", [answer["error"]])
        return found

    divider = {"type": "divider"}
    assert messages(blocks=[divider] * 100) == ["invalid_trigger_id"]
    assert messages(blocks=[divider] * 101) == [
        "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"
    ]
    assert messages(private_metadata="x" * 3001) == [
        "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"
    ]
    assert messages(title=plain("x" * 25)) == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    assert messages(private_metadata="x" * 3000) == ["invalid_trigger_id"]
