"""What is wrong with a request of the management API is said, and nothing is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.desk import problem_of
from tests.server.management_routes import MANAGEMENT, place

if TYPE_CHECKING:
    from tests.server.desk import Desk

MOCK = {"type": "ticketing_mock_ticketing"}


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"x": value}
    return value


LISTED = [
    "/v1/accounts",
    "/v1/members",
    "/v1/tokens",
    "/v1/credentials/default",
    "/v1/integrations",
    "/v1/integrations/default",
    "/v1/status",
    "/v1/audit/organizations",
]


@pytest.mark.parametrize("path", LISTED)
async def test_filters_orders_and_limits_that_make_no_sense(desk: Desk, path: str) -> None:
    for query, kind, name in (
        ("filter=nothing[eq]x", "invalid-filter", "filter"),
        ("filter=name[about]x", "invalid-filter", "filter"),
        ("filter=created_at[gt]soon", "", "filter"),
        ("filter=x", "invalid-filter", "filter"),
        ("filter=", "invalid-filter", "filter"),
        ("order=nothing", "invalid-filter", "order"),
        ("order=name[up]", "invalid-filter", "order"),
        ("limit=0", "invalid-request", "limit"),
        ("limit=-5", "invalid-request", "limit"),
        ("limit=many", "invalid-request", "limit"),
        ("order=created_at&start_after=forged", "invalid-cursor", "start_after"),
    ):
        if path.startswith("/v1/audit") and "name[" in query:
            continue
        await desk.api.request(
            "POST", "/v1/credentials/default", json={"config": {"type": "token", "secret": "s"}}
        )
        said = problem_of(await desk.api.request("GET", f"{path}?{query}"), 400, kind)
        assert said["context"]["parameter"]["id"] == name, (query, said)
    assert (await desk.api.request("GET", f"{path}?limit=5000")).status_code == 200


async def test_unknown_names_answer_404_and_known_ones_resolve_as_ids_do(desk: Desk) -> None:
    await desk.api.request("POST", "/v1/integrations/default", json={"provider_config": MOCK, "name": "one"})
    for path in (
        "/v1/accounts/DEFAULT",
        "/v1/integrations/default/ONE",
        "/v1/status/default/one",
        "/v1/credentials/one",
    ):
        assert (await desk.api.request("GET", path)).status_code == 200, path
    for (method, path), (body, _) in MANAGEMENT.items():
        if "{" not in path or path.startswith(("/v1/mappings", "/v1/integration-points", "/v1/auth/sso")):
            continue
        names = {"account": "nobody", "owner": "nobody", "member": "nobody", "token": "nobody"}
        answer = await desk.api.request(method, place(path, **names), json=body)
        if path.endswith("/refresh"):
            problem_of(answer, 403, "forbidden")
        else:
            problem_of(answer, 404, "not-found")
    for awkward in ("..", "%2e%2e", "a%2Fb", "%F0%9F%94%A5", "x" * 150, "'--", "%25"):
        answer = await desk.api.request("GET", f"/v1/accounts/{awkward}")
        assert answer.status_code in {404, 405}, (awkward, answer.text)


async def test_bodies_that_are_no_requests(desk: Desk) -> None:
    before = await desk.written()
    for (method, path), (good, _) in MANAGEMENT.items():
        if method not in {"POST", "PUT", "PATCH"} or good is None:
            continue
        address = place(path)
        for content, kind in (
            (b"{", "invalid-request"),
            (b"\xff\xfe", "invalid-request"),
            (b'"\\ud800"', "invalid-request"),
            (b"[" * 100_000, "invalid-request"),
            (b'{"name": "a\\u0000b"}', "invalid-request"),
        ):
            said = problem_of(await desk.api.request(method, address, content=content), 400, kind)
            assert said["remediation"]
        problem_of(await desk.api.request(method, address, json=nested(30)), 400, "invalid-request")
        answer = await desk.api.request(
            method, address, content=b"a=b", headers={"content-type": "text/plain"}
        )
        problem_of(answer, 415, "unsupported-media-type")
        problem_of(
            await desk.api.request(method, address, content=b'"' + b"x" * (1 << 20) + b'"'), 413, "too-large"
        )
    assert await desk.written() == before


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "replace", "path": "/labels", "value": nested(12)}],
        [{"op": "replace", "path": "/labels", "value": ["not a label!"]}],
        [{"op": "replace", "path": "/environment", "value": "moon"}],
        [{"op": "replace", "path": "/fullname", "value": None}],
        [{"op": "remove", "path": "/name"}],
        [{"op": "add", "path": "/labels/7", "value": "x"}],
        [{"op": "add", "path": "", "value": {}}],
        [{"op": "replace", "path": "/updated_at", "value": "2026-01-01T00:00:00Z"}],
        [{"op": "replace", "path": "/nothing", "value": 1}],
        [{"op": "move", "path": "/name"}],
        [{"op": "jump", "path": "/name"}],
        [{"op": "add", "path": "/labels", "value": ["a" * 48] * 50}]
        + [{"op": "copy", "from": "/labels", "path": "/labels/-"}] * 100,
        {"op": "add"},
        "x",
    ],
)
async def test_patches_that_cannot_be_applied_leave_everything_as_it_was(desk: Desk, operations: Any) -> None:
    made = (await desk.api.request("POST", "/v1/accounts", json={"name": "kept", "labels": ["a"]})).json()
    before = await desk.written()
    problem_of(await desk.api.request("PATCH", "/v1/accounts/kept", json=operations), 400)
    assert await desk.written() == before
    assert (await desk.api.request("GET", "/v1/accounts/kept")).json()["result"] == made["result"]["account"]


async def test_a_patch_may_come_as_json_patch(desk: Desk) -> None:
    await desk.api.request("POST", "/v1/accounts", json={"name": "kept"})
    answer = await desk.api.request(
        "PATCH",
        "/v1/accounts/kept",
        content=b'[{"op": "add", "path": "/labels/-", "value": "a"}]',
        headers={"content-type": "application/json-patch+json"},
    )
    assert answer.json()["result"]["labels"] == ["a"]


async def test_a_repeat_is_answered_alike_but_shows_no_secret(desk_on_both: Desk) -> None:
    desk = desk_on_both
    body = {"resources": {"organizations": {"ids": ["*"]}}, "permission_set": "viewer"}
    headers = {"idempotency-key": "once"}
    first = await desk.api.request("POST", "/v1/tokens", json=body, headers=headers)
    secret = first.json()["result"]["primary"]["access"]["secret"]
    again = await desk.api.request("POST", "/v1/tokens", json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["result"]["id"] == first.json()["result"]["id"]
    assert again.json()["result"]["primary"]["access"]["secret"] == ""
    rows = await desk.core.database.read(
        lambda tx: tx.driver_all("SELECT body FROM idempotency_keys", "SELECT body FROM idempotency_keys")
    )
    assert secret not in str(rows)
    other = await desk.api.request("POST", "/v1/tokens", json=body | {"token_ttl": "1h"}, headers=headers)
    problem_of(other, 409, "conflict")
    gone = [await desk.api.request("POST", "/v1/auth/logoff", headers={"idempotency-key": "off"})]
    assert [one.status_code for one in gone] == [204]


async def test_names_are_taken_once_however_many_ask_at_the_same_time(desk_on_both: Desk) -> None:
    desk = desk_on_both
    many = [desk.api.request("POST", "/v1/accounts", json={"name": "one"}) for _ in range(8)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*many))
    assert statuses == [200] + [409] * 7


async def test_names_that_have_a_meaning_of_their_own(desk: Desk) -> None:
    problem_of(await desk.api.request("POST", "/v1/accounts", json={"name": "lookup"}), 400)
    for name in ("plan", "shadow", "verify"):
        body = {"provider_config": MOCK, "name": name}
        problem_of(await desk.api.request("POST", "/v1/integrations/default", json=body), 400)
    made = await desk.api.request(
        "POST", "/v1/integrations/default", json={"provider_config": MOCK, "fullname": "Plan"}
    )
    assert made.json()["result"]["integration"]["name"] != "plan"


async def test_paging_by_name_passes_over_nothing(desk: Desk) -> None:
    await desk.add_account("second")
    for account in ("default", "second"):
        for name in ("alike", f"own-{account}"):
            body = {"provider_config": MOCK, "name": name}
            assert (
                await desk.api.request("POST", f"/v1/integrations/{account}", json=body)
            ).status_code == 200
    seen: list[str] = []
    mark = ""
    for _ in range(5):
        page = (await desk.api.request("GET", f"/v1/integrations?limit=1{mark}&total=true")).json()
        assert page["total"] == 4
        if not page["result"]:
            break
        seen += [one["id"] for one in page["result"]]
        mark = f"&start_after={page['result'][-1]['name']}"
    assert len(seen) == len(set(seen)) == 4
