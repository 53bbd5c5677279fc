"""Webhooks as the vendor sends them: bodies, signatures, filters, retries."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from callout.sandbox.jira.hooks import signature
from callout.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID, SEED_REFRESH_TOKEN
from tests.sandbox.jira.conftest import ADMIN, doc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.conftest import TwinControl

SECRET = "hook-secret"
EVERY_ISSUE_EVENT = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]
EVERY_COMMENT_EVENT = ["comment_created", "comment_updated", "comment_deleted"]


class Receiver:
    """An HTTP receiver that keeps what it gets and answers with the statuses given, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
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
async def site(twin: TwinControl) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=twin.url, auth=ADMIN, timeout=60) as client:
        yield client


@pytest.fixture
async def receiver(
    serve: Callable[..., contextlib.AbstractAsyncContextManager[str]],
) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serve(receiver) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def register(site: httpx.AsyncClient, url: str, **more: Any) -> dict[str, Any]:
    events = [*EVERY_ISSUE_EVENT, *EVERY_COMMENT_EVENT, "attachment_created"]
    body = {"name": "callout", "url": url, "events": events, "secret": SECRET, **more}
    answer = await site.post("/rest/webhooks/1.0/webhook", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_the_vendors_own_signature_example() -> None:
    # The example of Atlassian's webhook page.
    expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert signature("It's a Secret to Everybody", b"Hello World!") == expected


async def test_a_persons_edit_arrives_signed_in_wiki_markup(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(site, receiver.url)
    await twin.act("create_issue", fields={"project": "TST", "summary": "Disk full", "description": "*now*"})
    await twin.act("edit_issue", issue="TST-1", fields={"priority": "High"})
    await twin.drain()
    created, updated = receiver.events()
    assert created["webhookEvent"] == "jira:issue_created"
    assert created["issue"]["fields"]["description"] == "*now*"
    assert "changelog" not in created
    assert updated["issue_event_type_name"] == "issue_updated"
    (item,) = updated["changelog"]["items"]
    assert (item["fieldId"], item["fromString"], item["toString"]) == ("priority", "Medium", "High")
    assert updated["user"]["displayName"] == "Ann Agent"
    assert "emailAddress" not in json.dumps(updated)
    assert isinstance(updated["timestamp"], int)
    for headers, body in receiver.seen:
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature"] == f"sha256={mac}"
        assert headers["x-atlassian-webhook-flow"] == "Primary"
        assert "x-atlassian-webhook-retry" not in headers
    identifiers = {headers["x-atlassian-webhook-identifier"] for headers, _ in receiver.seen}
    assert len(identifiers) == 2


async def test_a_status_change_is_an_update_with_a_status_item(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(site, receiver.url)
    await twin.act("create_issue", fields={"project": "OPS", "summary": "x"})
    await twin.act("transition", issue="OPS-1", to="In Progress")
    await twin.act("transition", issue="OPS-1", to="Done", fields={"resolution": "Duplicate"})
    await twin.drain()
    items = {item["field"]: item for item in receiver.events()[-1]["changelog"]["items"]}
    assert (items["status"]["from"], items["status"]["to"]) == ("3", "10001")
    assert items["resolution"]["toString"] == "Duplicate"
    assert receiver.events()[-1]["issue_event_type_name"] == "issue_generic"


async def test_comment_events_carry_a_reduced_issue(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(site, receiver.url, events=EVERY_COMMENT_EVENT)
    await twin.act("create_issue", fields={"project": "HELP", "summary": "x"})
    made = await twin.act("comment", issue="HELP-1", body="only *us*", internal=True)
    await twin.act("edit_comment", issue="HELP-1", comment=made["comment"]["id"], body="all")
    await twin.act("delete_comment", issue="HELP-1", comment=made["comment"]["id"])
    await twin.drain()
    created, updated, deleted = receiver.events()
    assert created["comment"]["body"] == "only *us*"
    assert created["comment"]["jsdPublic"] is False
    expected = {"summary", "issuetype", "project", "assignee", "priority", "status"}
    assert set(created["issue"]["fields"]) == expected
    assert (updated["webhookEvent"], updated["comment"]["body"]) == ("comment_updated", "all")
    assert deleted["webhookEvent"] == "comment_deleted"


async def test_an_older_site_sends_an_issue_update_for_a_comment_too(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await site.put("/_twin/config", json={"issue_updated_on_comment": True})
    await register(site, receiver.url)
    await twin.act("create_issue", fields={"project": "TST", "summary": "x"})
    await twin.act("comment", issue="TST-1", body="hi")
    await twin.drain()
    names = sorted(event.get("issue_event_type_name", event["webhookEvent"]) for event in receiver.events())
    assert names == ["comment_created", "issue_commented", "issue_created"]


async def test_our_own_rest_writes_come_back_as_webhooks(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(site, receiver.url)
    fields = {
        "project": {"key": "TST"},
        "issuetype": {"name": "Task"},
        "summary": "x",
        "description": doc("y"),
    }
    await site.post("/rest/api/3/issue", json={"fields": fields})
    await twin.drain()
    (event,) = receiver.events()
    assert event["user"]["displayName"] == "Ada Admin"
    assert event["issue"]["fields"]["description"] == "y"


async def test_the_filter_and_the_event_list_decide(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    filters = {"issue-related-events-section": "project = OPS"}
    await register(site, receiver.url, filters=filters, events=["jira:issue_created"])
    for project in ("TST", "OPS"):
        await twin.act("create_issue", fields={"project": project, "summary": "x"})
    await twin.act("edit_issue", issue="OPS-1", fields={"summary": "y"})
    await twin.drain()
    assert [event["issue"]["key"] for event in receiver.events()] == ["OPS-1"]


async def test_every_act_sends_its_event(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(site, receiver.url)
    await twin.act("create_issue", fields={"project": "TST", "summary": "x"})
    await twin.act("assign", issue="TST-1", to="admin@example.com")
    await twin.act("attach", issue="TST-1", filename="a.txt", text="hello")
    await twin.act("bulk_edit", issues=["TST-1"], fields={"summary": "y"})
    await twin.act("move_issue", issue="TST-1", project="OPS")
    await twin.act("delete_issue", issue="TST-1")
    await twin.drain()
    names = [event.get("issue_event_type_name", event["webhookEvent"]) for event in receiver.events()]
    assert sorted(names) == sorted(
        [
            "issue_created",
            "issue_assigned",
            "attachment_created",
            "issue_updated",
            "issue_updated",
            "issue_moved",
            "issue_deleted",
        ]
    )
    flows = [headers["x-atlassian-webhook-flow"] for headers, _ in receiver.seen]
    assert flows.count("Secondary") == 1
    refused = await site.post("/_twin/act/transition", json={"issue": "TST-1", "to": "Done"})
    assert refused.status_code == 400


async def test_a_failed_delivery_is_retried_under_one_identifier(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.statuses = [503, 429]
    await site.put("/_twin/config", json={"webhook_speed": 100_000})
    await register(site, receiver.url)
    await twin.act("create_issue", fields={"project": "TST", "summary": "x"})
    await twin.drain()
    headers = [headers for headers, _ in receiver.seen]
    assert [item.get("x-atlassian-webhook-retry") for item in headers] == [None, "1", "2"]
    assert len({item["x-atlassian-webhook-identifier"] for item in headers}) == 1
    assert len({body for _, body in receiver.seen}) == 1
    receiver.statuses = [404]
    await twin.act("edit_issue", issue="TST-1", fields={"summary": "y"})
    await twin.drain()
    assert len(receiver.seen) == 4


async def test_the_secret_is_never_shown_and_registrations_can_be_changed(site: httpx.AsyncClient) -> None:
    made = await register(site, "https://example.com/hook")
    assert made["isSigned"] is True
    assert SECRET not in json.dumps(made)
    path = made["self"].partition("/jira")[2]
    changed = await site.put(path, json={"name": "renamed", "enabled": False})
    assert (changed.json()["name"], changed.json()["isSigned"]) == ("renamed", True)
    listed = (await site.get("/rest/webhooks/1.0/webhook")).json()
    assert [hook["name"] for hook in listed] == ["renamed"]
    assert (await site.delete(path)).status_code == 204
    assert (await site.get(path)).status_code == 404
    bad = {"name": "x", "url": "https://example.com", "events": ["jira:nothing"]}
    assert (await site.post("/rest/webhooks/1.0/webhook", json=bad)).status_code == 400
    other = await site.get("/rest/webhooks/1.0/webhook", auth=("ann@example.com", "token2"))
    assert other.status_code == 403


async def test_an_apps_webhooks_carry_a_token_and_expire(
    twin: TwinControl, site: httpx.AsyncClient, receiver: Receiver
) -> None:
    app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    grant = {"grant_type": "refresh_token", "refresh_token": SEED_REFRESH_TOKEN, **app}
    token = (await site.post("/oauth/token", json=grant, auth=httpx.Auth())).json()["access_token"]
    path, bearer = f"/ex/jira/{CLOUD_ID}/rest/api/3/webhook", {"Authorization": f"Bearer {token}"}
    site.auth = httpx.Auth()
    wanted = [
        {"events": ["jira:issue_updated"], "jqlFilter": "project = OPS", "fieldIdsFilter": ["status"]},
        {"events": ["jira:issue_updated"], "jqlFilter": "summary ~ x"},
    ]
    body = {"url": receiver.url, "webhooks": wanted}
    results = (await site.post(path, json=body, headers=bearer)).json()["webhookRegistrationResult"]
    ident = results[0]["createdWebhookId"]
    assert results[1]["errors"] == ["Clause summary is unsupported"]
    await twin.act("create_issue", fields={"project": "OPS", "summary": "x"})
    await twin.act("edit_issue", issue="OPS-1", fields={"summary": "y"})
    await twin.act("transition", issue="OPS-1", to="In Progress")
    await twin.drain()
    ((headers, raw),) = receiver.seen
    assert json.loads(raw)["matchedWebhookIds"] == [ident]
    assert "x-hub-signature" not in headers
    claims = jwt.decode(headers["authorization"].removeprefix("Bearer "), CLIENT_SECRET, algorithms=["HS256"])
    assert claims["iss"] == CLIENT_ID
    listed = (await site.get(path, headers=bearer)).json()["values"]
    assert listed[0]["expirationDate"] > 0
    refreshed = await site.put(f"{path}/refresh", json={"webhookIds": [ident]}, headers=bearer)
    assert refreshed.json()["expirationDate"] >= listed[0]["expirationDate"]
    gone = await site.request("DELETE", path, json={"webhookIds": [ident]}, headers=bearer)
    assert gone.status_code == 202
    assert (await site.get(path, headers=bearer)).json()["values"] == []
