"""Who may call what. The routes are read from the application: one that is added and not judged here fails the first test."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.desk import JIRA, OPERATOR, problem_of
from tests.server.management_routes import DESCRIPTIONS, MANAGEMENT, SIGN_IN
from tests.stories.people import Api
from tests.ticketing.routes import EITHER, ENGINE

if TYPE_CHECKING:
    from tests.server.desk import Desk

# Every route of the REST API, with a body that is right.
API: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", "/v1/incidents"): None,
    ("POST", "/v1/incidents"): {"title": "made by a stranger"},
    ("GET", "/v1/incidents/{incident}"): None,
    ("PATCH", "/v1/incidents/{incident}"): {"title": "changed by a stranger"},
    ("POST", "/v1/incidents/{incident}/actions"): {"action": "acknowledge"},
    ("GET", "/v1/incidents/{incident}/notes"): None,
    ("POST", "/v1/incidents/{incident}/notes"): {"text": "noted by a stranger"},
    ("GET", "/v1/incidents/{incident}/attachments"): None,
    ("POST", "/v1/incidents/{incident}/attachments"): {"any": "file of a stranger"},
    ("GET", "/v1/incidents/{incident}/attachments/{attachment}"): None,
    ("GET", "/v1/incidents/{incident}/timeline"): None,
    ("POST", "/v1/incidents/{incident}/timeline/{entry}/corrections"): {"text": "corrected by a stranger"},
    ("POST", "/v1/incidents/{incident}/timeline"): {"text": "said by a stranger"},
    ("GET", "/v1/incidents/{incident}/roles"): None,
    ("PUT", "/v1/incidents/{incident}/roles/{role}"): {"person": {"id": "a stranger"}},
    ("GET", "/v1/incidents/{incident}/participants"): None,
    ("POST", "/v1/incidents/{incident}/participants"): {"person": {"id": "a stranger"}},
    ("DELETE", "/v1/incidents/{incident}/participants"): None,
    ("GET", "/v1/incidents/{incident}/tasks"): None,
    ("POST", "/v1/incidents/{incident}/tasks"): {"title": "to be done by a stranger"},
    ("PATCH", "/v1/incidents/{incident}/tasks/{task}"): {"done": True},
    ("GET", "/v1/incidents/{incident}/links"): None,
    ("POST", "/v1/incidents/{incident}/links"): {"integration": "one", "ticket": "TST-1"},
    ("DELETE", "/v1/incidents/{incident}/links/{link}"): None,
    ("POST", "/v1/incidents/{incident}/links/{link}/actions"): {"action": "stop"},
    ("GET", "/v1/incidents/{incident}/notifications"): None,
    ("POST", "/v1/incidents/{incident}/notifications/{message}/repost"): {},
    ("GET", "/v1/incidents/{incident}/conflicts"): None,
    ("POST", "/v1/incidents/{incident}/conflicts/{link}/{field}"): {"choice": "theirs"},
    ("GET", "/v1/incidents/{incident}/needs"): None,
    ("GET", "/v1/incidents/{incident}/why/{field}"): None,
    ("POST", "/v1/incidents/{incident}/why/{field}/revert"): {},
    ("GET", "/v1/webhooks"): None,
    ("POST", "/v1/webhooks"): {"url": "https://hooks.example.com/in", "filters": ["TicketCreated"]},
    ("GET", "/v1/webhooks/{webhook}"): None,
    ("PATCH", "/v1/webhooks/{webhook}"): {"filters": ["TicketUpdated"]},
    ("DELETE", "/v1/webhooks/{webhook}"): None,
    ("POST", "/v1/webhooks/{webhook}/rotate"): {},
    ("POST", "/v1/webhooks/{webhook}/test"): {},
    ("POST", "/v1/webhooks/{webhook}/enable"): {},
    ("POST", "/v1/webhooks/{webhook}/disable"): {},
    ("GET", "/v1/deliveries"): None,
    ("GET", "/v1/deliveries/{delivery}"): None,
    ("POST", "/v1/deliveries/{delivery}/redeliver"): {},
    ("POST", "/v1/deliveries/redeliver"): {"state": "dead"},
    ("GET", "/v1/teams"): None,
    ("POST", "/v1/teams"): {"name": "strangers"},
    ("GET", "/v1/teams/{team}"): None,
    ("PATCH", "/v1/teams/{team}"): {"name": "strangers"},
    ("DELETE", "/v1/teams/{team}"): None,
    ("GET", "/v1/services"): None,
    ("POST", "/v1/services"): {"name": "of a stranger"},
    ("GET", "/v1/services/{service}"): None,
    ("PATCH", "/v1/services/{service}"): {"name": "of a stranger"},
    ("DELETE", "/v1/services/{service}"): None,
    ("GET", "/v1/sla"): None,
    ("PUT", "/v1/sla"): {"document": {"rules": []}},
    ("GET", "/v1/escalation"): None,
    ("PUT", "/v1/escalation"): {"document": {"policies": {}}},
    ("GET", "/v1/incidents/{incident}/sla"): None,
    ("GET", "/v1/incidents/{incident}/escalation"): None,
    ("POST", "/v1/incidents/{incident}/escalate"): {"reason": "said a stranger"},
    ("POST", "/v1/incidents/{incident}/page"): {"target": "#incidents"},
    ("GET", "/v1/integrations/{integration}/plan"): None,
    ("GET", "/v1/integrations/{integration}/shadow"): None,
}
# Whoever knocks here shows who they are in another way, or need not.
OPEN = {
    ("*", "/v1/chat/{integration}/{what}"),
    ("GET", "/v1/chat/installed"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/v1/meta/openapi"),
}


def at(path: str, incident: str, entry: str = "x") -> str:
    """Return the address of a route, for an incident and a line of its timeline."""
    return path.format(
        incident=incident,
        entry=entry,
        message="x",
        attachment="x",
        link="x",
        field="severity",
        integration="x",
        role="scribe",
        task=1,
        webhook="x",
        delivery="x",
        team="x",
        service="x",
    )


def pages(desk: Desk) -> list[tuple[str, str]]:
    """Return the routes of the dashboard, which are judged in test_who_may_pages.py."""
    return [
        route
        for route in desk.routes()
        if not route[1].startswith("/v1/") and route[1] not in ("/healthz", "/readyz", "/metrics")
    ]


async def test_every_route_is_judged_here(desk: Desk) -> None:
    # Those of ENGINE are judged in tests/ticketing: another kind of token opens them.
    managed = MANAGEMENT.keys() | {SIGN_IN}  # judged in test_who_may_manage.py
    api = API.keys() | ENGINE.keys() | EITHER.keys() | managed
    assert set(desk.routes()) - set(pages(desk)) == api | OPEN | DESCRIPTIONS
    described = desk.framework.openapi()["paths"]
    assert {(m.upper(), path) for path, item in described.items() for m in item} == api


async def _refused(desk: Desk, caller: Api, status: int, kind: str, word: str, *, only: str = "") -> None:
    key = await desk.api.declare()
    entry = (await desk.api.timeline(key))[0]["id"]
    before = await desk.written()
    for (method, path), body in API.items():
        if only and method not in only:
            continue
        address = at(path, key, entry)
        said = problem_of(await caller.request(method, address, json=body), status, kind)
        assert word in said["message"], (method, path, said)
    assert await desk.written() == before


async def test_without_a_token_nothing_opens(desk: Desk) -> None:
    key = await desk.api.declare()
    entry = (await desk.api.timeline(key))[0]["id"]
    before = await desk.written()
    for (method, path), body in API.items():
        for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}):
            answer = await desk.http.request(method, at(path, key, entry), json=body, headers=headers)
            assert "no token" in problem_of(answer, 401, "unauthenticated")["message"]
    assert await desk.written() == before


@pytest.mark.parametrize(
    "secret", ["co_org_unknown", "x" * 5000, "ü".encode("latin-1").decode("latin-1"), "' OR 1=1 --"]
)
async def test_an_unknown_token_opens_nothing(desk: Desk, secret: str) -> None:
    await _refused(
        desk,
        Api(desk.http, "", secret.encode("ascii", "ignore").decode() or "y"),
        401,
        "unauthenticated",
        "not known",
    )


async def test_an_expired_token_opens_nothing(desk: Desk) -> None:
    short = await desk.client(ttl="1h")
    assert await short("GET", "/v1/incidents") == []
    desk.clock.advance(timedelta(minutes=61))
    await _refused(desk, short, 401, "unauthenticated", "expired")


async def test_a_revoked_token_opens_nothing(desk: Desk) -> None:
    token = await desk.token()
    caller = desk.holder(token)
    assert await caller("GET", "/v1/incidents") == []
    await desk.core.database.transaction(lambda tx: desk.core.tokens.revoke(tx, token.id, actor=OPERATOR))
    await _refused(desk, caller, 401, "unauthenticated", "revoked")


async def test_the_token_of_an_integration_opens_the_other_api_only(desk: Desk) -> None:
    one = await desk.add(JIRA)
    token = await desk.core.database.transaction(
        lambda tx: desk.core.tokens.create_for_integration(
            tx, account_id=desk.account, integration_id=one.id, actor=OPERATOR
        )
    )
    await _refused(desk, desk.holder(token), 403, "forbidden", "organization token")


async def test_the_refresh_half_opens_nothing_but_its_renewal(desk: Desk) -> None:
    await _refused(desk, desk.holder(await desk.token(), "refresh"), 403, "forbidden", "refresh half")


async def test_a_viewer_reads_and_writes_nothing(desk: Desk) -> None:
    viewer = await desk.client("viewer")
    key = await desk.api.declare("seen by all")
    assert (await viewer.incident(key))["title"] == "seen by all"
    for path in ("", "/notes", "/timeline", "/links", "/conflicts", "/notifications", "/why/status"):
        await viewer("GET", f"/v1/incidents/{key}{path}")
    await _refused(desk, viewer, 403, "forbidden", "permission", only="POST PATCH")


async def test_a_token_for_integrations_reads_no_incident(desk: Desk) -> None:
    await _refused(desk, await desk.client("connect-ui"), 403, "forbidden", "permission")


async def test_a_disabled_organization_has_nothing_opened(desk: Desk) -> None:
    key = await desk.api.declare()
    text = "UPDATE organizations SET state = 'disabled' RETURNING id"
    await desk.core.database.transaction(lambda tx: tx.driver_all(text, text))
    for (method, path), body in API.items():
        answer = await desk.api.request(method, at(path, key), json=body)
        problem_of(answer, 402, "organization-disabled")


# ------------------------------------------------------------------------------------- another account


async def test_nothing_of_another_account_is_seen_or_changed(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await desk.add_account("ours")
    await desk.add_account("theirs")
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    theirs = await desk.client(resources={"accounts": {"ids": ["theirs"]}})
    own_key = await ours.declare("ours")
    own = await ours.incident(own_key)
    hidden = [await theirs.declare(f"theirs {number}") for number in (1, 2)]
    secret = await theirs.incident(hidden[1])
    entry = (await theirs.timeline(hidden[1]))[0]["id"]
    before = await desk.written()

    for (method, path), body in API.items():
        if "{incident}" in path:
            for name in (secret["id"], secret["key"]):
                address = at(path, name, entry)
                problem_of(await ours.request(method, address, json=body), 404, "not-found")
                naming = await ours.request(method, f"{address}?account=theirs", json=body)
                problem_of(naming, 403, "forbidden")
        else:
            naming = await ours.request(method, f"{path}?account={secret['account_id']}", json=body)
            problem_of(naming, 403, "forbidden")
    line = f"/v1/incidents/{own_key}/timeline/{entry}/corrections"
    problem_of(await ours.request("POST", line, json={"text": "x"}), 404, "not-found")

    assert await desk.written() == before
    assert await theirs.incident(hidden[1]) == secret
    assert await ours("GET", "/v1/incidents") == [own]
    assert [one["key"] for one in await theirs("GET", "/v1/incidents")] == [hidden[1], hidden[0]]


async def test_a_cursor_of_another_account_shows_nothing_of_it(desk: Desk) -> None:
    await desk.add_account("ours")
    await desk.add_account("theirs")
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    theirs = await desk.client(resources={"accounts": {"ids": ["theirs"]}})
    own = await ours.declare("ours")
    for number in range(3):
        await theirs.declare(f"theirs {number}")
    page = (await theirs.request("GET", "/v1/incidents?limit=1")).json()
    seen = await ours("GET", f"/v1/incidents?limit=1&cursor={page['cursor']}")
    assert [one["key"] for one in seen if one["title"] != "ours"] == []
    assert own == "INC-1"


async def test_who_opens_several_accounts_names_one(desk: Desk) -> None:
    await desk.add_account("second")
    said = problem_of(await desk.api.request("GET", "/v1/incidents"), 400)
    assert "default, second" in said["remediation"]
    assert said["context"]["parameter"] == {"id": "account", "location": "query"}
    made = await desk.api("POST", "/v1/incidents?account=second", {"title": "there"}, status=201)
    assert [one["id"] for one in await desk.api("GET", "/v1/incidents?account=second")] == [made["id"]]
    assert await desk.api("GET", "/v1/incidents?account=default") == []
    problem_of(await desk.api.request("GET", "/v1/incidents?account=third"), 404)
