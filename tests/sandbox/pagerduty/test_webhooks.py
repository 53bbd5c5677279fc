"""Webhooks v3 as the vendor sends them: bodies, signatures, filters, order, retries, the circuit breaker."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.sandbox.pagerduty.seed import ANN, API_KEY, BATCH, CAROL, CHECKOUT
from callout.sandbox.pagerduty.subscriptions import EVENTS, signature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

# PagerDuty/go-pagerduty, webhookv3/webhookv3_test.go (Apache-2.0), commit d34fb98c09850c92771001dd77a3609acda0ca29.
PUBLISHED_SECRET = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"
PUBLISHED_BODY = (
    '{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident",'
    '"occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV",'
    '"self":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,'
    '"data":{"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2",'
    '"html_url":"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered",'
    '"title":"A little bump in the road","service":{"html_url":"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH",'
    '"self":"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":"service_reference"},'
    '"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":"PTUXL6G",'
    '"self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],'
    '"escalation_policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE",'
    '"self":"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},'
    '"teams":[{"html_url":"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0",'
    '"self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":"team_reference"}],'
    '"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM",'
    '"self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},"urgency":"high",'
    '"conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null}}}'
)
PUBLISHED_SIGNATURE = "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"


class Receiver:
    """An HTTP receiver that keeps what it gets and answers with the statuses given, then 202."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append(({k.decode(): v.decode() for k, v in scope["headers"]}, body))
        status = self.statuses.pop(0) if self.statuses else 202
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body)["event"] for _, body in self.seen]

    def types(self) -> list[str]:
        return [event["event_type"].removeprefix("incident.") for event in self.events()]


@pytest.fixture
async def api(twin: TwinControl) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Token token={API_KEY}", "From": "admin@example.com"}
    async with httpx.AsyncClient(base_url=twin.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
async def receiver(
    serve: Callable[..., contextlib.AbstractAsyncContextManager[str]],
) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serve(receiver) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def subscribe(api: httpx.AsyncClient, url: str, **more: Any) -> dict[str, Any]:
    body = {
        "type": "webhook_subscription",
        "events": sorted(EVENTS),
        "filter": {"type": "account_reference"},
        "delivery_method": {
            "type": "http_delivery_method",
            "url": url,
            "custom_headers": [{"name": "X-Acme", "value": "s3cr3t"}],
        },
        **more,
    }
    answer = await api.post("/webhook_subscriptions", json={"webhook_subscription": body})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()["webhook_subscription"]
    return made


def test_the_published_signature() -> None:
    assert signature(PUBLISHED_SECRET, PUBLISHED_BODY.encode()) == PUBLISHED_SIGNATURE


async def test_a_signed_webhook(twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await subscribe(api, receiver.url)
    secret = made["delivery_method"]["secret"]
    assert len(secret) == 64
    incident = (await twin.act("trigger", title="Café is down", priority="P1"))["incident"]
    await twin.drain()

    headers, body = receiver.seen[0]
    assert headers["x-pagerduty-signature"] == signature(secret, body)
    assert headers["x-webhook-subscription"] == made["id"]
    assert headers["x-acme"] == "s3cr3t"
    assert "Café".encode() in body
    event = receiver.events()[0]
    assert (event["event_type"], event["resource_type"], event["agent"]["id"]) == (
        "incident.triggered",
        "incident",
        ANN,
    )
    data = event["data"]
    assert (data["type"], data["id"], data["number"], data["priority"]["summary"]) == (
        "incident",
        incident["id"],
        1,
        "P1",
    )
    # Other names than in REST, and less.
    assert not {"incident_number", "assignments", "updated_at", "body", "description"} & set(data)
    assert len(data["assignees"]) == 1


async def test_the_secret_and_header_values_are_told_once(api: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await subscribe(api, receiver.url)
    for answer in (
        await api.get(f"/webhook_subscriptions/{made['id']}"),
        await api.put(
            f"/webhook_subscriptions/{made['id']}", json={"webhook_subscription": {"description": "x"}}
        ),
    ):
        method = answer.json()["webhook_subscription"]["delivery_method"]
        assert method["secret"] is None
        assert method["custom_headers"] == [{"name": "X-Acme", "value": "<redacted>"}]
    listed = (await api.get("/webhook_subscriptions?filter_type=account")).json()
    assert [one["description"] for one in listed["webhook_subscriptions"]] == ["x"]


async def test_two_signatures_while_the_secret_is_replaced(
    twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    made = await subscribe(api, receiver.url)
    old = made["delivery_method"]["secret"]
    new = (await twin.act("rotate_secret", subscription=made["id"]))["secret"]
    await twin.act("trigger", title="t")
    await twin.drain()
    await twin.act("end_rotation", subscription=made["id"])
    await twin.act("trigger", title="t")
    await twin.drain()
    (during, body), (after, later) = (
        (headers["x-pagerduty-signature"], body) for headers, body in receiver.seen
    )
    assert during.split(",") == [signature(new, body), signature(old, body)]
    assert after == signature(new, later)


async def test_what_people_do_and_what_is_told(
    twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(api, receiver.url)
    ident = (await twin.act("trigger", title="t"))["id"]
    for action, more in (
        ("acknowledge", {}),
        ("unacknowledge", {}),
        ("note", {"content": "looking"}),
        ("set_priority", {"priority": "P2"}),
        ("reassign", {"to": "carol@example.com"}),
        ("escalate", {"level": 2}),
        ("delegate", {"policy": "PEP0001"}),
        ("edit_title", {"title": "t2"}),
        ("move_to_service", {"service": BATCH}),
        ("status_update", {"message": "soon"}),
        ("add_responder", {"user": CAROL, "message": "help"}),
        ("responder_reply", {"state": "joined", "as": CAROL}),
        ("snooze", {"seconds": 60}),
        ("resolve", {"resolution": "done"}),
        ("reopen", {}),
    ):
        await twin.act(action, incident=ident, **more)
    await twin.drain()
    # A new title and a snooze are told by no webhook of their own (the snooze acknowledges).
    assert receiver.types() == [
        "triggered",
        "acknowledged",
        "unacknowledged",
        "annotated",
        "priority_updated",
        "reassigned",
        "escalated",
        "delegated",
        "service_updated",
        "status_update_published",
        "responder.added",
        "responder.replied",
        "acknowledged",
        "resolved",
        "reopened",
    ]
    kinds = {event["event_type"]: event["data"] for event in receiver.events()}
    note = kinds["incident.annotated"]
    assert (note["type"], note["content"], note["trimmed"]) == ("incident_note", "looking", False)
    assert note["incident"] == {**note["incident"], "id": ident, "summary": "t", "type": "incident_reference"}
    replied = kinds["incident.responder.replied"]
    assert (replied["type"], replied["state"], replied["user"]["id"]) == (
        "incident_responder",
        "joined",
        CAROL,
    )


async def test_a_merge_tells_of_the_source(
    twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(api, receiver.url, events=["incident.resolved"])
    source, target = [(await twin.act("trigger", title=title))["id"] for title in "ab"]
    await twin.act("merge", into=target, incidents=[source])
    await twin.drain()
    data = receiver.events()[0]["data"]
    assert (data["id"], data["resolve_reason"]["incident"]["id"]) == (source, target)


async def test_filters(twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(api, receiver.url, filter={"type": "service_reference", "id": BATCH})
    await subscribe(
        api, receiver.url, filter={"type": "team_reference", "id": "PTEAM01"}, events=["incident.resolved"]
    )
    ident = (await twin.act("trigger", title="t", service=CHECKOUT))["id"]
    await twin.act("resolve", incident=ident)
    await twin.act("trigger", title="t", service=BATCH)
    await twin.drain()
    assert sorted(receiver.types()) == ["resolved", "triggered"]


async def test_ping_and_service_events(api: httpx.AsyncClient, twin: TwinControl, receiver: Receiver) -> None:
    made = await subscribe(api, receiver.url)
    assert (await api.post(f"/webhook_subscriptions/{made['id']}/ping")).status_code == 202
    await twin.drain()
    await api.put(f"/services/{BATCH}", json={"service": {"description": "new"}})
    await twin.drain()
    assert [(event["event_type"], event["data"]["type"]) for event in receiver.events()] == [
        ("pagey.ping", "ping"),
        ("service.updated", "service"),
    ]
    await api.delete(f"/webhook_subscriptions/{made['id']}")
    await twin.act("trigger", title="t")
    assert len(await twin.drain()) == 2


async def test_retries_keep_id_and_order(
    twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    twin.configure(webhook_speed=1e6)
    await subscribe(api, receiver.url)
    receiver.statuses = [503, 429]
    ident = (await twin.act("trigger", title="t"))["id"]
    await twin.act("acknowledge", incident=ident)
    await twin.drain()
    # What follows waits until the first has arrived.
    assert receiver.types() == ["triggered", "triggered", "triggered", "acknowledged"]
    ids = [headers["x-webhook-id"] for headers, _ in receiver.seen]
    assert ids[0] == ids[1] == ids[2] != ids[3]


async def test_three_drops_switch_a_subscription_off_for_a_day(
    twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    made = await subscribe(api, receiver.url)
    path = f"/webhook_subscriptions/{made['id']}"

    async def disabled() -> bool:
        method = (await api.get(path)).json()["webhook_subscription"]["delivery_method"]
        return bool(method["temporarily_disabled"])

    async def fail(times: int) -> None:
        receiver.statuses = [410] * times
        for _ in range(times):
            await twin.act("trigger", title="t")
            await twin.drain()

    await fail(2)
    assert not await disabled()
    await twin.act("trigger", title="a success between starts the count again")
    await twin.drain()
    await fail(3)
    assert await disabled()
    assert len(twin.effects("subscription.disable")) == 1
    await twin.act("trigger", title="lost")
    assert len(await twin.drain()) == 6
    assert (await api.post(f"{path}/enable")).status_code == 200
    assert not await disabled()
    await fail(3)
    assert await disabled()
    twin.configure(clock_offset=24 * 3600 + 1)
    assert not await disabled()


async def test_faults_reach_webhooks(twin: TwinControl, api: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await subscribe(api, receiver.url)
    twin.fault(
        {"match": {"event": "triggered"}, "effect": {"kind": "webhook_repeat", "times": 2}},
        {"match": {"event": "annotated"}, "effect": {"kind": "webhook_drop"}},
        {"match": {"event": "resolved"}, "effect": {"kind": "webhook_tamper"}},
    )
    ident = (await twin.act("trigger", title="t"))["id"]
    await twin.act("note", incident=ident, content="x")
    await twin.act("resolve", incident=ident)
    await twin.drain()
    assert receiver.types() == ["triggered", "triggered", "resolved"]
    headers, body = receiver.seen[-1]
    assert headers["x-pagerduty-signature"] != signature(made["delivery_method"]["secret"], body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": ["incident.imagined"]},
        {"events": []},
        {"filter": {"type": "service_reference", "id": "PNONE"}},
        {"filter": {"type": "world_reference"}},
        {"delivery_method": {"type": "http_delivery_method", "url": "ftp://example.com"}},
    ],
)
async def test_subscriptions_that_are_refused(api: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    body = {
        "type": "webhook_subscription",
        "events": ["incident.triggered"],
        "filter": {"type": "account_reference"},
        "delivery_method": {"type": "http_delivery_method", "url": "http://127.0.0.1:1/hook"},
        **wrong,
    }
    answer = await api.post("/webhook_subscriptions", json={"webhook_subscription": body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 2001)
