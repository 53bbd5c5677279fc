"""What is stored secretly goes nowhere it was not given for: into no answer, no audit row, and to no other address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.desk import JIRA, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

CANARIES = (
    "canary-basic-1",
    "canary-shared-2",
    "canary-vendor-key-3-canary-vendor",
    "canary horse battery",
    "canary staple horse",
)
CREDENTIAL = {"type": "basic", "username": "a@example.com", "secret": CANARIES[0]}


async def made(desk: Desk, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await desk.api.request("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


async def test_a_secret_is_in_no_answer_and_no_audit_row(desk_on_both: Desk) -> None:
    desk = desk_on_both
    config = JIRA | {"credential": CREDENTIAL}
    hooks = {"provider_key": CANARIES[2], "items": []}
    bodies = [
        (
            "POST",
            "/v1/integrations/default",
            {"name": "one", "provider_config": config, "webhook_config": hooks},
        ),
        (
            "POST",
            "/v1/credentials/default",
            {"name": "kept", "config": {"type": "token", "secret": CANARIES[1]}},
        ),
        ("POST", "/v1/members", {"name": "ana@example.com", "secret": CANARIES[3]}),
        ("POST", "/v1/auth/logon/organization", {"name": "ana@example.com", "secret": CANARIES[3]}),
        ("POST", "/v1/auth/logon/organization", {"name": "ana@example.com", "secret": CANARIES[4]}),
        ("POST", "/v1/auth/change_password", {"old_secret": CANARIES[3], "new_secret": CANARIES[4]}),
        (
            "PATCH",
            "/v1/credentials/default/kept",
            [{"op": "replace", "path": "/config/secret", "value": CANARIES[1]}],
        ),
        (
            "PATCH",
            "/v1/credentials/default/kept",
            [{"op": "replace", "path": "/config", "value": CANARIES[1]}],
        ),
        (
            "POST",
            "/v1/integrations/default",
            {"name": "x", "provider_config": config | {"password": CANARIES[1]}},
        ),
        ("POST", "/v1/integrations/default/verify", {"integration": {"provider_config": config}}),
        ("POST", "/v1/integrations/default/one/verify", None),
        ("POST", "/v1/members", {"name": "bob@example.com", "secret": CANARIES[0] + "x" * 80}),
    ]
    answers = [await desk.api.request(method, path, json=body) for method, path, body in bodies]
    answers += [
        await desk.api.request("GET", path)
        for path in (
            "/v1/integrations?expand=all",
            "/v1/integrations/default/one",
            "/v1/credentials/default",
            "/v1/credentials/one",
            "/v1/members",
            "/v1/tokens?all=true",
            "/v1/status?expand=all",
            "/v1/audit/organizations?all=true",
        )
    ]
    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    rows = await desk.core.database.read(
        lambda tx: tx.driver_all("SELECT * FROM audit_log", "SELECT * FROM audit_log")
    )
    for canary in CANARIES:
        assert canary not in "".join(answer.text for answer in answers)
        assert canary not in str([tuple(row) for row in rows])
    shown = [answer.text for answer in answers if "co_org_" in answer.text or "co_int_" in answer.text]
    assert len(shown) == 2  # the integration that was made, and who signed in
    assert "co_hook_" not in "".join(answer.text for answer in answers)


@pytest.mark.parametrize("field", ["url", "api_url"])
async def test_a_stored_credential_is_not_sent_to_another_address(desk: Desk, field: str) -> None:
    config = JIRA | {"credential": CREDENTIAL}
    one = (await made(desk, "/v1/integrations/default", {"name": "one", "provider_config": config}))[
        "integration"
    ]
    moved = one["provider_config"] | {field: "http://127.0.0.1:10/collector"}
    whole = one | {"provider_config": moved}
    patch = [{"op": "add", "path": f"/provider_config/{field}", "value": moved[field]}]
    for method, path, body in (
        ("PATCH", "/v1/integrations/default/one", patch),
        ("PUT", "/v1/integrations/default/one", whole),
        ("POST", "/v1/integrations/default/one/verify", whole),
    ):
        said = problem_of(await desk.api.request(method, path, json=body), 400, "invalid-request")
        assert said["context"]["parameter"]["id"] == f"/provider_config/{field}"
    again = await desk.api.request(
        "PUT",
        "/v1/integrations/default/one",
        json=whole | {"provider_config": moved | {"credential": CREDENTIAL}},
    )
    assert again.status_code == 200


async def test_the_secrets_of_an_oauth_client_do_not_follow_another_token_address(desk: Desk) -> None:
    client = {
        "type": "o_auth_client",
        "client_id": "client",
        "client_secret": "canary-client-secret",
        "token_url": "https://login.example.com/token",
    }
    kept = await made(desk, "/v1/credentials/default", {"config": client, "name": "kept"})
    path = f"/v1/credentials/default/{kept['id']}"
    elsewhere = "https://collector.example.net/token"
    moved = [{"op": "replace", "path": "/config/token_url", "value": elsewhere}]
    said = problem_of(await desk.api.request("PATCH", path, json=moved), 400, "invalid-request")
    assert said["context"]["parameter"]["id"] == "/config/token_url"
    secret = [{"op": "add", "path": "/config/client_secret", "value": "another"}]
    assert (await desk.api.request("PATCH", path, json=[*moved, *secret])).status_code == 200
    renamed = [{"op": "replace", "path": "/config/client_id", "value": "renamed"}]
    assert (await desk.api.request("PATCH", path, json=renamed)).status_code == 200


async def test_who_may_only_connect_refers_to_no_stored_credential(desk: Desk) -> None:
    kept = await made(desk, "/v1/credentials/default", {"config": CREDENTIAL, "name": "kept"})
    one = (
        await made(
            desk,
            "/v1/integrations/default",
            {"name": "one", "provider_config": JIRA | {"credential": CREDENTIAL}},
        )
    )["integration"]
    connect = await desk.client("connect-ui")
    referring = JIRA | {"credential": {"type": "basic_id", "value": kept["id"]}}
    whole = one | {"provider_config": referring}
    for method, path, body in (
        ("POST", "/v1/integrations/default", {"provider_config": referring}),
        ("POST", "/v1/integrations/default/verify", {"integration": {"provider_config": referring}}),
        ("PUT", "/v1/integrations/default/one", whole),
        ("POST", "/v1/integrations/default/one/verify", whole),
    ):
        said = problem_of(await connect.request(method, path, json=body), 403, "forbidden")
        assert "credential.write" in said["message"]
    renamed = [{"op": "replace", "path": "/fullname", "value": "Renamed"}]
    assert (await connect.request("PATCH", "/v1/integrations/default/one", json=renamed)).status_code == 200
    settings = [{"op": "add", "path": "/settings/ticketing", "value": {"pass_through": "write"}}]
    problem_of(
        await connect.request("PATCH", "/v1/integrations/default/one", json=settings), 400, "invalid-patch"
    )
