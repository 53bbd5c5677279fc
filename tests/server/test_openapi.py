"""The description of the API is valid, and the API does what it says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.server.desk import ADDRESS, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

EXAMPLES = 12
NOT_BUILT = 501
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


async def test_the_description_is_a_valid_document(desk: Desk) -> None:
    document = (await desk.http.get("/v1/meta/openapi")).json()
    assert document["openapi"].startswith("3.1")
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    ids = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))
    for path, item in document["paths"].items():
        for method, one in item.items():
            assert one["summary"], (method, path)
            problems = [status for status in one["responses"] if not status.startswith("2")]
            assert {"400", "401", "403"} <= set(problems), (method, path)
            for status in problems:
                content = one["responses"][status]["content"]["application/json"]["schema"]
                assert content == {"$ref": "#/components/schemas/Problem"}, (method, path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


PARTS: dict[str, frozenset[str]] = {
    "incidents": frozenset({"incidents"}),
    "accounts": frozenset({"accounts", "organization", "audit", "status", "mappings", "integration-points"}),
    "connections": frozenset({"integrations", "credentials"}),
    "people": frozenset({"members", "tokens", "auth"}),
    "rest": frozenset(),
}
"""Which addresses are tried together; what no other part names is in the rest."""


def part_of(path: str) -> str:
    """Return the part that an address belongs to."""
    word = path.split("/")[2]
    return next((part for part, words in PARTS.items() if word in words), "rest")


async def known_names(desk: Desk) -> dict[str, str]:
    """Return by parameter what is there to be asked for."""
    config = {"type": "ticketing_mock_ticketing"}
    made = await desk.api.request(
        "POST", "/v1/integrations/default", json={"provider_config": config, "name": "one"}
    )
    one = made.json()["result"]["integration"]
    kept = {"config": {"type": "token", "secret": "s"}, "name": "kept"}
    assert (await desk.api.request("POST", "/v1/credentials/default", json=kept)).status_code == 200
    member = {"name": "ana@example.com", "secret": "correct horse battery"}
    assert (await desk.api.request("POST", "/v1/members", json=member)).status_code == 200
    return {
        "incident": await desk.api.declare("down"),
        "account": "default",
        "owner": "default",
        "integration": "one",
        "credential": "kept",
        "member": "ana@example.com",
        "token": one["refresh_token_id"],
        "organization": "organization",
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", PARTS)
async def test_generated_requests_are_answered_as_described(desk: Desk, part: str) -> None:
    document = (await desk.http.get("/v1/meta/openapi")).json()
    document["paths"] = {path: item for path, item in document["paths"].items() if part_of(path) == part}
    names = await known_names(desk)
    leaving = [await desk.client() for _ in range(EXAMPLES)]
    loop = asyncio.get_running_loop()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=ADDRESS)

    def send(case: Any) -> httpx.Response:
        wire = case.as_transport_kwargs(base_url=ADDRESS)
        given = {
            name: wire[name] for name in ("json", "data", "params", "cookies", "headers") if wire.get(name)
        }
        if isinstance(given.get("data"), bytes | str):
            given["content"] = given.pop("data")
        caller = leaving.pop() if case.path.endswith("/logoff") and leaving else desk.api
        given["headers"] = {**dict(given.get("headers", {})), "authorization": f"Bearer {caller.token}"}
        request = desk.http.request(wire["method"], wire["url"], **given)
        return asyncio.run_coroutine_threadsafe(request, loop).result(60)

    def explore() -> int:
        sent = 0
        for found in schema.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]  # the document was judged above

            @hypothesis.settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.generate],
            )
            @hypothesis.given(case=operation.as_strategy())
            def judge(case: Any) -> None:
                nonlocal sent
                sent += 1
                # What a DELETE took away, the others could not be tried on.
                if sent % 2 and case.method != "DELETE":
                    case.path_parameters.update(
                        {name: names[name] for name in case.path_parameters if name in names}
                    )
                answer = send(case)
                # What is not built says so; every other fault of ours is one.
                checks = CHECKS[1:] if answer.status_code == NOT_BUILT else CHECKS
                case.validate_response(answer, checks=checks)
                if not answer.is_success:
                    problem_of(answer, answer.status_code)

            judge()
        return sent

    assert await asyncio.to_thread(explore) >= 40
