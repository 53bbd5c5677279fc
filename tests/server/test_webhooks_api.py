"""Webhooks and deliveries by API: made, shown without their secrets, rotated, switched, tested, sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from callout.webhooks.outbound import Happening
from tests.server.desk import JIRA, problem_of
from tests.stories.people import eventually
from tests.webhooks.sink import Sink, answering, sink_running

if TYPE_CHECKING:
    from tests.server.desk import Desk

OUT = "/v1/webhooks"
PUBLIC = "https://hooks.example.com/in"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with sink_running() as found:
        yield found


async def tell(desk: Desk, *ids: str) -> None:
    happenings = [
        Happening(f"msg_{one}", "TicketUpdated", "T", desk.core.clock.now(), {"ticket_id": one})
        for one in ids
    ]
    await desk.core.database.transaction(
        lambda tx: desk.core.outbound.router.tell(tx.account(desk.account), happenings)
    )


async def test_a_webhook_shows_its_secret_once_and_nowhere_else(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = {"idempotency-key": "once"}
    body = {"url": PUBLIC, "filters": ["TicketCreated"], "fullname": "Our hub"}
    answer = await desk.api.request("POST", OUT, json=body, headers=key)
    assert answer.status_code == 201, answer.text
    made = answer.json()["result"]
    assert made["name"] == "our-hub"
    assert made["secret"].startswith("whsec_")
    assert made["standard_webhooks_secret"] == made["secret"]
    again = await desk.api.request("POST", OUT, json=body, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["result"]["secret"] == ""
    rotated = await desk.api("POST", f"{OUT}/our-hub/rotate", {"overlap_hours": 1})
    assert rotated["secret"] not in {"", made["secret"]}
    assert rotated["previous_secret_until"] is not None
    for path in (OUT, f"{OUT}/{made['id']}"):
        text = (await desk.api.request("GET", path)).text
        assert made["secret"] not in text
        assert rotated["secret"] not in text
    audit = "SELECT data FROM audit_log"
    rows = await desk.core.database.read(lambda tx: tx.driver_all(audit, audit))
    assert "whsec_" not in str(rows)


async def test_a_webhook_is_changed_switched_and_removed(desk: Desk) -> None:
    one = await desk.add(JIRA)
    made = await desk.api("POST", OUT, {"url": PUBLIC, "name": "hub", "integration": "one"}, status=201)
    assert (made["scope"], made["integration_id"], made["filters"]) == ("integration", one.id, [])
    changed = await desk.api(
        "PATCH", f"{OUT}/hub", {"filters": ["TicketDeleted"], "raw_payload_format": "string"}
    )
    assert (changed["filters"], changed["raw_payload_format"], changed["url"]) == (
        ["TicketDeleted"],
        "string",
        PUBLIC,
    )
    assert (await desk.api("POST", f"{OUT}/hub/disable", {}))["state"] == "disabled"
    assert (await desk.api("POST", f"{OUT}/hub/enable", {"send_held": False}))["state"] == "enabled"
    assert [found["id"] for found in await desk.api("GET", f"{OUT}?integration=one")] == [made["id"]]
    assert (await desk.api.request("DELETE", f"{OUT}/hub")).status_code == 204
    problem_of(await desk.api.request("DELETE", f"{OUT}/hub"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "/url"),
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"url": "https://[::1]/"}, "/url"),
        ({"url": "https://169.254.169.254/"}, "/url"),
        ({"url": "gopher://example.com"}, "/url"),
        ({"url": PUBLIC, "filters": ["TicketEaten"]}, "/filters"),
        ({"url": PUBLIC, "filters": ["incident.*"], "integration": "one"}, "/filters"),
        ({"url": PUBLIC, "secret": "short"}, "/secret"),
        ({"url": PUBLIC, "raw_payload_format": "xml"}, "/raw_payload_format"),
        ({"url": PUBLIC, "surprise": 1}, "/surprise"),
        ({"url": PUBLIC, "name": "Not A Slug!"}, "/name"),
    ],
)
async def test_what_cannot_be_a_webhook_is_refused_by_name(
    desk: Desk, body: dict[str, Any], parameter: str
) -> None:
    await desk.add(JIRA)
    said = problem_of(await desk.api.request("POST", OUT, json=body), 400)
    assert said["context"]["parameter"]["id"] == parameter


async def test_an_integration_that_is_not_there_and_a_name_that_is(desk: Desk) -> None:
    problem_of(
        await desk.api.request("POST", OUT, json={"url": PUBLIC, "integration": "none"}), 404, "not-found"
    )
    await desk.api("POST", OUT, {"url": PUBLIC, "name": "hub"}, status=201)
    problem_of(await desk.api.request("POST", OUT, json={"url": PUBLIC, "name": "hub"}), 409, "conflict")


async def test_deliveries_are_listed_looked_into_and_sent_again(desk_on_both: Desk, sink: Sink) -> None:
    desk = desk_on_both
    await desk.api("POST", OUT, {"url": f"{sink.url}/in", "name": "hub"}, status=201)
    await tell(desk, "1", "2", "3")
    sink.script["/in"] = [answering(200, b"thanks")]
    stop = asyncio.Event()
    working = asyncio.create_task(desk.wired.worker().run(stop))
    try:

        async def delivered(count: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = await desk.api("GET", "/v1/deliveries?webhook=hub&state=delivered")
            assert len(found) == count
            return found

        three = await eventually(lambda: delivered(3), what="three deliveries")
        assert [one["message_id"] for one in three] == ["msg_3", "msg_2", "msg_1"]
        page = (await desk.api.request("GET", "/v1/deliveries?limit=2")).json()
        rest = (await desk.api.request("GET", f"/v1/deliveries?limit=2&cursor={page['cursor']}")).json()
        assert [one["id"] for one in page["result"] + rest["result"]] == [one["id"] for one in three]
        assert rest["cursor"] == ""

        first = await desk.api("GET", f"/v1/deliveries/{three[-1]['id']}")
        [attempt] = first["attempt_list"]
        assert (attempt["status"], attempt["answer"], attempt["number"]) == (200, "thanks", 1)
        assert first["body"] == '{"ticket_id":"1"}'
        viewer = await desk.client("viewer")
        assert (await viewer("GET", f"/v1/deliveries/{three[-1]['id']}"))["body"] is None

        fresh = await desk.api("POST", f"/v1/deliveries/{first['id']}/redeliver", {})
        assert fresh["redelivery_of"] == first["id"]
        await eventually(lambda: delivered(4), what="the fourth")
        done = await desk.api("POST", "/v1/deliveries/redeliver", {"webhook": "hub", "state": "delivered"})
        assert done == {
            "count": 3,
            "after": None,
        }  # the first was sent again already; its second time was not
        await eventually(lambda: delivered(7), what="the others")
        sent = await desk.api("POST", f"{OUT}/hub/test", {})
        assert sent["test"] is True
        await eventually(lambda: delivered(8), what="the test")
    finally:
        stop.set()
        await working
        await desk.wired.connections.close()
    assert [got.id for got in sink.at("/in")[:4]] == ["msg_1", "msg_2", "msg_3", "msg_1"]


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=-1", "limit=0", "state=lost", "since=2026-01-01T00:00:00", "since=x"]
)
async def test_a_query_that_cannot_be_read_is_refused(desk: Desk, query: str) -> None:
    problem_of(await desk.api.request("GET", f"/v1/deliveries?{query}"), 400)


async def test_nothing_of_another_account_is_seen_or_sent_again(desk_on_both: Desk) -> None:
    desk = desk_on_both
    theirs_id = await desk.add_account("theirs")
    await desk.add_account("ours")
    theirs = await desk.client(resources={"accounts": {"ids": ["theirs"]}})
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    hook = await theirs("POST", OUT, {"url": PUBLIC, "name": "theirs"}, status=201)
    organization = await desk.api(
        "POST",
        "/v1/organization/webhooks",
        {"url": PUBLIC, "filters": ["TicketUpdated"], "secret": {"value": "k" * 32}, "name": "org"},
    )
    happening = Happening("msg_1", "TicketUpdated", "T", desk.core.clock.now(), {"ticket_id": "1"})
    told = await desk.core.database.transaction(
        lambda tx: desk.core.outbound.router.tell(tx.account(theirs_id), [happening])
    )
    assert told == 2
    [seen] = await theirs("GET", "/v1/deliveries")
    assert seen["webhook"] == "theirs", (
        "who opens one account sees nothing of the organization's own webhooks"
    )
    assert {one["webhook"] for one in await desk.api("GET", "/v1/deliveries?account=theirs")} == {
        "theirs",
        "org",
    }
    for caller in (ours, theirs):
        for path in (f"{OUT}/{organization['id']}", f"/v1/deliveries?webhook={organization['id']}"):
            problem_of(await caller.request("GET", path), 404, "not-found")
        problem_of(await caller.request("GET", "/v1/organization/webhooks"), 403, "forbidden")
    assert await ours("GET", "/v1/deliveries") == []
    assert await ours("GET", OUT) == []
    for method, path in (
        ("GET", f"{OUT}/{hook['id']}"),
        ("POST", f"{OUT}/{hook['id']}/test"),
        ("POST", f"{OUT}/{hook['id']}/rotate"),
        ("DELETE", f"{OUT}/{hook['id']}"),
        ("GET", f"/v1/deliveries/{seen['id']}"),
        ("POST", f"/v1/deliveries/{seen['id']}/redeliver"),
    ):
        body: dict[str, Any] | None = {} if method == "POST" else None
        problem_of(await ours.request(method, path, json=body), 404, "not-found")
    assert await ours("POST", "/v1/deliveries/redeliver", {}) == {"count": 0, "after": None}


async def test_the_organizations_webhooks_in_the_contracts_shape(desk: Desk) -> None:
    where = "/v1/organization/webhooks"
    body: dict[str, Any] = {
        "url": PUBLIC,
        "filters": ["account_create", "all"],
        "secret": {"value": "s" * 30},
        "fullname": "Audit Hub",
    }
    made = await desk.api("POST", where, body)
    for name in (
        "id",
        "name",
        "fullname",
        "environment",
        "filters",
        "url",
        "credential_id",
        "created_at",
        "updated_at",
    ):
        assert made[name], name
    assert made["environment"] == "prod"
    assert "s" * 30 not in str(made)
    assert await desk.api("GET", f"{where}/audit-hub") == made
    listed = (await desk.api.request("GET", f"{where}?total=true&filter=name[like]audit*")).json()
    assert (listed["total"], [one["id"] for one in listed["result"]]) == (1, [made["id"]])
    replaced = await desk.api("PUT", f"{where}/audit-hub", {**made, "filters": ["integration_delete"]})
    assert replaced["filters"] == ["integration_delete"]
    problem_of(
        await desk.api.request("PUT", f"{where}/audit-hub", json={**made, "filters": ["all"]}),
        409,
        "conflict",
    )
    patched = await desk.api(
        "PATCH", f"{where}/audit-hub", [{"op": "add", "path": "/filters/-", "value": "all"}]
    )
    assert patched["filters"] == ["integration_delete", "all"]
    problem_of(
        await desk.api.request(
            "PATCH", f"{where}/audit-hub", json=[{"op": "replace", "path": "/id", "value": "x"}]
        ),
        400,
    )
    rotated = await desk.api("POST", f"{where}/audit-hub/rotate", {})
    assert rotated["standard_webhooks_secret"].startswith("whsec_")
    assert (await desk.api("POST", f"{where}/audit-hub/test", {}))["test"] is True
    assert (await desk.api("POST", f"{where}/audit-hub/disable", {}))["disabled_why"] == "by request"
    assert (await desk.api("POST", f"{where}/audit-hub/enable", {}))["state"] == "enabled"
    assert (await desk.api.request("DELETE", f"{where}/audit-hub")).status_code == 204
    assert await desk.api("GET", where) == []
