"""Who may call what of the management API: kinds of tokens, permission sets, and accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callout.access import PERMISSIONS
from tests.server.desk import JIRA, OPERATOR, problem_of
from tests.server.management_routes import ANYBODY, MANAGEMENT, OWN, place
from tests.stories.people import Api

if TYPE_CHECKING:
    from tests.server.desk import Desk


async def _refused(desk: Desk, caller: Api, status: int, kind: str, word: str) -> None:
    before = await desk.written()
    for (method, path), (body, _) in MANAGEMENT.items():
        if path.endswith("/refresh") and word == "refresh half":
            continue
        answer = await caller.request(method, place(path), json=body)
        assert word in problem_of(answer, status, kind)["message"], (method, path)
    assert await desk.written() == before


async def test_without_a_token_nothing_opens(desk: Desk) -> None:
    for (method, path), (body, _) in MANAGEMENT.items():
        answer = await desk.http.request(method, place(path), json=body)
        assert "no token" in problem_of(answer, 401, "unauthenticated")["message"]


async def test_an_unknown_an_expired_and_a_revoked_token_open_nothing(desk: Desk) -> None:
    await _refused(desk, Api(desk.http, "", "co_org_unknown"), 401, "unauthenticated", "not known")
    token = await desk.token()
    await desk.core.database.transaction(lambda tx: desk.core.tokens.revoke(tx, token.id, actor=OPERATOR))
    await _refused(desk, desk.holder(token), 401, "unauthenticated", "revoked")
    short = await desk.client(ttl="1h")
    desk.clock.advance(timedelta(minutes=61))
    await _refused(desk, short, 401, "unauthenticated", "expired")


async def test_the_token_of_an_integration_manages_nothing(desk: Desk) -> None:
    one = await desk.add(JIRA)
    token = await desk.core.database.transaction(
        lambda tx: desk.core.tokens.create_for_integration(
            tx, account_id=desk.account, integration_id=one.id, actor=OPERATOR
        )
    )
    caller, before = desk.holder(token), await desk.written()
    for (method, path), (body, need) in MANAGEMENT.items():
        said = problem_of(await caller.request(method, place(path), json=body), 403, "forbidden")
        assert ("access half" if need is OWN else "organization token") in said["message"], (method, path)
    assert await desk.written() == before


async def test_the_refresh_half_renews_and_resets_its_own_token_and_opens_nothing_else(desk: Desk) -> None:
    token = await desk.token()
    other = await desk.token()
    caller = desk.holder(token, "refresh")
    for (method, path), (body, _) in MANAGEMENT.items():
        answer = await caller.request(method, place(path, token=other.id), json=body)
        assert "refresh half" in problem_of(answer, 403, "forbidden")["message"], (method, path)
    renewed = (await caller.request("PUT", f"/v1/tokens/{token.id}/refresh")).json()["result"]
    newer = Api(desk.http, "", renewed["primary"]["refresh"]["secret"])
    reset = await newer.request("PUT", f"/v1/tokens/organization/{token.id}/reset")
    assert reset.status_code == 200
    problem_of(await newer.request("PUT", f"/v1/tokens/{token.id}/refresh"), 401)


@pytest.mark.parametrize("permission_set", sorted(set(PERMISSIONS) - {"integration"}))
async def test_a_permission_set_opens_what_it_names_and_nothing_else(desk: Desk, permission_set: str) -> None:
    held = PERMISSIONS[permission_set]
    for (method, path), (body, need) in MANAGEMENT.items():
        if (
            need is OWN
            or path.startswith("/v1/auth/")
            or (method, path) == ("DELETE", "/v1/accounts/{account}")
        ):
            continue
        caller = await desk.client(permission_set)
        answer = await caller.request(method, place(path), json=body)
        if need is ANYBODY or need in held:
            # Whoever may make tokens still makes none that does more than their own.
            assert answer.status_code in {200, 204, 400, 403, 404, 409, 501}, (method, path, answer.text)
            assert "needs the permission" not in answer.text, (method, path)
        else:
            said = problem_of(answer, 403, "forbidden")["message"]
            assert f"needs the permission {need}" in said, (method, path, said)


async def test_a_disabled_organization_has_nothing_opened(desk: Desk) -> None:
    text = "UPDATE organizations SET state = 'disabled' RETURNING id"
    await desk.core.database.transaction(lambda tx: tx.driver_all(text, text))
    for (method, path), (body, _) in MANAGEMENT.items():
        if not path.endswith("/refresh"):
            answer = await desk.api.request(method, place(path), json=body)
            problem_of(answer, 402, "organization-disabled")
    answer = await desk.http.post("/v1/auth/logon/organization", json={"name": "a", "secret": "b"})
    problem_of(answer, 402, "organization-disabled")


async def test_nothing_of_another_account_is_seen_or_changed(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await desk.add_account("ours")
    theirs_id = await desk.add_account("theirs")
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    theirs = await desk.client(resources={"accounts": {"ids": ["theirs"]}})
    config = {"type": "ticketing_mock_ticketing"}
    made = await theirs.request(
        "POST", "/v1/integrations/theirs", json={"provider_config": config, "name": "one"}
    )
    one = made.json()["result"]["integration"]
    await ours.request("POST", "/v1/integrations/ours", json={"provider_config": config, "name": "own"})
    kept = await theirs.request(
        "POST", "/v1/credentials/theirs", json={"config": {"type": "token", "secret": "s"}, "name": "kept"}
    )
    credential = kept.json()["result"]["id"]
    before = await desk.written()

    for (method, path), (body, _) in MANAGEMENT.items():
        if "{account}" in path or "{owner}" in path:
            for owner in ("theirs", theirs_id):
                names = {"account": owner, "owner": owner, "integration": one["id"], "credential": credential}
                answer = await ours.request(method, place(path, **names), json=body)
                if "/tokens/{owner}" in path:
                    problem_of(answer, 404, "not-found")
                else:
                    problem_of(answer, 403, "forbidden")
        if "{account}/{integration}" in path:
            answer = await ours.request(method, place(path, account="ours", integration=one["id"]), json=body)
            problem_of(answer, 404, "not-found")
    problem_of(await ours.request("GET", f"/v1/credentials/lookup/{credential}"), 403, "forbidden")
    problem_of(await ours.request("GET", f"/v1/credentials/{one['id']}"), 403, "forbidden")
    problem_of(await ours.request("GET", "/v1/credentials/one"), 404, "not-found")
    own_token = one["refresh_token_id"]
    for method, path in (
        ("GET", f"/v1/tokens/{own_token}/info"),
        ("DELETE", f"/v1/tokens/{own_token}"),
        ("DELETE", f"/v1/tokens/{own_token}/secondary"),
        ("PUT", f"/v1/tokens/{one['id']}/{own_token}/reset"),
        ("PUT", f"/v1/tokens/{one['id']}/{own_token}/rotate"),
    ):
        problem_of(await ours.request(method, path), 403, "forbidden")

    assert await desk.written() == before
    assert [a["name"] for a in await ours("GET", "/v1/accounts")] == ["ours"]
    assert [i["name"] for i in await ours("GET", "/v1/integrations")] == ["own"]
    assert [s["account_id"] for s in await ours("GET", "/v1/status")] == [
        a["id"] for a in await ours("GET", "/v1/accounts")
    ]
    seen = {entry.get("account_id") for entry in await ours("GET", "/v1/audit/organizations?all=true")}
    assert theirs_id not in seen


async def test_a_token_of_some_accounts_has_no_say_over_the_organization(desk: Desk) -> None:
    await desk.add_account("ours")
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    for (method, path), (body, need) in MANAGEMENT.items():
        if need in {"organization.write", "member.write"} and "sso" not in path:
            said = problem_of(await ours.request(method, place(path), json=body), 403, "forbidden")
            assert "whole organization" in said["message"]
    said = problem_of(await ours.request("POST", "/v1/accounts", json={"name": "mine"}), 403, "forbidden")
    assert "would not open" in said["message"]
    wide = await desk.token()
    for method, path in (
        ("DELETE", f"/v1/tokens/{wide.id}"),
        ("PUT", f"/v1/tokens/organization/{wide.id}/rotate"),
    ):
        problem_of(await ours.request(method, path), 403, "forbidden")
    labelled = await desk.client(resources={"accounts": {"labels": ["gold"]}})
    made = await labelled.request("POST", "/v1/accounts", json={"name": "golden", "labels": ["gold"]})
    assert made.status_code == 200
