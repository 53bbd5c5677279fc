"""Our business rule in the instance: what it posts, how it signs, and that nothing is sent twice by itself."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

SECRET = "rule-secret"


class Receiver:
    """Keeps what it gets and answers with the statuses given, then 200."""

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
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.seen]


@pytest.fixture
async def receiver(
    twin: TwinControl, serve: Callable[..., contextlib.AbstractAsyncContextManager[str]]
) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serve(receiver) as url:
        receiver.url = f"{url}/hook"
        twin.configure(business_rules=[{"url": receiver.url, "secret": SECRET, "table": "incident"}])
        yield receiver


async def create(twin: TwinControl, **fields: str) -> dict[str, Any]:
    made: dict[str, Any] = await twin.act(
        "create_record", fields={"short_description": "Disk full", **fields}
    )
    return made


async def test_a_write_is_posted_and_signed(twin: TwinControl, receiver: Receiver) -> None:
    row = await create(twin, correlation_id="INC-7", impact="1")
    await twin.drain()
    ((headers, body),) = receiver.seen
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    assert headers["x-sn-signature"] == base64.b64encode(mac).decode()
    assert headers["content-type"] == "application/json"
    event = json.loads(body)
    assert event["event"] == "incident.inserted"
    assert event["event_id"] == f"incident:{row['sys_id']}:0"
    assert event["number"] == "INC0010001"
    assert event["sys_updated_by"] == "ann.lee"
    assert event["record"]["correlation_id"] == "INC-7"
    assert event["record"]["state"] == "1"
    assert set(event["changed_fields"]) == {"short_description", "correlation_id", "impact"}


async def test_a_whole_life_told_in_order(twin: TwinControl, receiver: Receiver) -> None:
    row = await create(twin)
    record = row["number"]
    await twin.act("edit_record", record=record, fields={"state": "In Progress"}, by_display=True)
    await twin.act("comment", record=record, text="We look into it")
    await twin.act("work_note", record=record, text="Cache")
    await twin.act("resolve", record=record)
    await twin.act("reopen", record=record)
    await twin.act("close", record=record)
    await twin.act("delete_record", record=record)
    await twin.drain()
    events = sorted(receiver.events(), key=lambda e: (e["operation"] == "delete", int(e["sys_mod_count"])))
    assert [e["operation"] for e in events] == ["insert", *["update"] * 6, "delete"]
    assert [e["journal"][0]["value"] for e in events if e["journal"]] == ["We look into it", "Cache"]
    assert [e["journal"][0]["element"] for e in events if e["journal"]] == ["comments", "work_notes"]
    assert "state" in events[1]["changed_fields"]
    assert events[4]["record"]["close_code"] == "Solution provided"
    assert len({e["event_id"] for e in events}) == 8


async def test_a_write_through_the_api_runs_the_rule_and_an_empty_one_does_not(
    twin: TwinControl, receiver: Receiver
) -> None:
    row = await create(twin)
    url = f"{twin.url}/api/now/table/incident/{row['sys_id']}"
    async with httpx.AsyncClient(auth=("admin", "admin")) as http:
        await http.patch(url, json={"urgency": "1"})
        await http.patch(url, json={"urgency": "1", "priority": "1"})
    await twin.drain()
    assert sorted(e["sys_updated_by"] for e in receiver.events()) == ["admin", "ann.lee"]


async def test_a_failed_delivery_is_never_repeated(twin: TwinControl, receiver: Receiver) -> None:
    receiver.statuses = [500]
    await create(twin)
    (attempt,) = await twin.drain()
    assert (attempt["status"], attempt["will_retry"]) == (500, False)
    assert len(receiver.seen) == 1


async def test_rules_watch_tables_and_operations(twin: TwinControl, receiver: Receiver) -> None:
    rule = {"url": receiver.url, "secret": SECRET, "table": "task", "operations": ["update"]}
    extra = {"header": "X-Ours", "headers": {"Authorization": "Bearer hook"}}
    twin.configure(business_rules=[{**rule, **extra}])
    row = await twin.act("create_record", table="problem", fields={"short_description": "Leak"})
    await twin.act("work_note", record=row["number"], text="x")
    await twin.drain()
    ((headers, body),) = receiver.seen
    assert json.loads(body)["event"] == "problem.updated"
    assert headers["authorization"] == "Bearer hook"
    assert "x-ours" in headers
    assert "x-sn-signature" not in headers


async def test_faults_drop_repeat_and_tamper(twin: TwinControl, receiver: Receiver) -> None:
    twin.fault({"match": {"event": "inserted"}, "effect": {"kind": "webhook_drop"}})
    row = await create(twin)
    twin.fault({"effect": {"kind": "webhook_repeat", "times": 2}})
    await twin.act("comment", record=row["number"], text="once")
    twin.fault({"effect": {"kind": "webhook_tamper"}})
    await twin.drain()
    assert [e["event"] for e in receiver.events()] == ["incident.updated"] * 2
    await twin.act("comment", record=row["number"], text="twice")
    await twin.drain()
    headers, body = receiver.seen[-1]
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    assert headers["x-sn-signature"] != base64.b64encode(mac).decode()


async def test_acts_name_the_person_and_refuse_what_the_instance_refuses(twin: TwinControl) -> None:
    row = await create(twin)
    await twin.act("attach", record=row["number"], filename="a.txt", text="hello", **{"as": "sam.sec"})
    await twin.act("change_choice_label", table="incident", element="state", value="2", label="Working")
    await twin.act("add_choice", table="incident", element="category", value="power", label="Power")
    (attached,) = twin.effects("attachment.add")
    assert attached["actor"] == "sam.sec"
    refused = {
        "close": {"record": row["number"], "as": "ann.lee"},
        "comment": {"record": "INC9999999", "text": "x"},
        "resolve": {},
        "dance": {},
    }
    for action, body in refused.items():
        answer = twin.http.post(f"{twin.url}/_twin/act/{action}", json=body)
        assert answer.status_code == 400, action
        assert answer.json()["error"]


def test_the_ledger_says_what_happened_to_which_record(twin: TwinControl) -> None:
    auth = ("callout.integration", "integration")
    url = f"{twin.url}/api/now/table/incident"
    made = twin.http.post(url, json={"correlation_id": "INC-7", "work_notes": "made by us"}, auth=auth).json()
    record = made["result"]
    twin.http.patch(f"{url}/{record['sys_id']}", json={"urgency": "1"}, auth=auth)
    (created,), (changed,), (noted,) = (
        twin.effects(kind) for kind in ("record.create", "record.update", "journal.add")
    )
    facts = {k: created["summary"][k] for k in ("table", "number", "sys_id", "correlation_id")}
    assert facts == {
        "table": "incident",
        "number": "INC0010001",
        "sys_id": record["sys_id"],
        "correlation_id": "INC-7",
    }
    assert changed["summary"]["values"] == {"urgency": "1", "priority": "3"}
    assert noted["summary"]["audience"] == "internal"
    assert {created["actor"], changed["actor"]} == {"callout.integration"}


def test_faults_of_requests(twin: TwinControl) -> None:
    url, auth = f"{twin.url}/api/now/table/incident", ("admin", "admin")
    twin.fault(
        {"match": {"first": 1}, "effect": {"kind": "html"}},
        {"match": {"first": 1}, "effect": {"kind": "status", "status": 429, "retry_after": 7}},
        {"match": {"first": 1}, "effect": {"kind": "expired_token"}},
        {"match": {"first": 1}, "effect": {"kind": "status", "status": 503, "after_write": True}},
    )
    hibernating = twin.http.post(url, json={}, auth=auth)
    assert hibernating.status_code == 200
    assert hibernating.headers["content-type"].startswith("text/html")
    throttled = twin.http.post(url, json={}, auth=auth)
    assert throttled.status_code == 429
    assert throttled.headers["retry-after"] == "7"
    assert throttled.json()["error"]["message"] == "Rate limit exceeded"
    assert {"x-ratelimit-limit", "x-ratelimit-reset", "x-ratelimit-rule"} <= set(throttled.headers)
    assert twin.http.post(url, json={}, auth=auth).status_code == 401
    # Answered with an error, and yet done.
    assert twin.http.post(url, json={}, auth=auth).status_code == 503
    assert len(twin.effects("record.create")) == 1


def test_a_rate_limit_rule_bites_by_user_and_hour(twin: TwinControl) -> None:
    twin.configure(rate_limit=2)
    url = f"{twin.url}/api/now/table/incident"
    codes = [twin.http.get(url, auth=("admin", "admin")).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = twin.http.get(url, auth=("admin", "admin"))
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert twin.http.get(url, auth=("ann.lee", "ann")).headers["x-ratelimit-limit"] == "2"
    twin.configure(clock_offset=3600)
    assert twin.http.get(url, auth=("admin", "admin")).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"no_such": 1},
        {"choices": "mine"},
        {"admin_time_zone": "Mars/Olympus"},
        {"rate_limit": "many"},
        {"business_rules": [{"url": "http://127.0.0.1"}]},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(twin: TwinControl, settings: dict[str, Any]) -> None:
    answer = twin.http.put(f"{twin.url}/_twin/config", json=settings)
    assert answer.status_code == 400
    assert answer.json()["error"]
