"""The description of the API is valid, and the API does what it says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.server.desk import ADDRESS, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

EXAMPLES = 12
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


async def test_generated_requests_are_answered_as_described(desk: Desk) -> None:
    document = (await desk.http.get("/v1/meta/openapi")).json()
    key = await desk.api.declare("down")
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
        given["headers"] = {**dict(given.get("headers", {})), "authorization": f"Bearer {desk.api.token}"}
        request = desk.http.request(wire["method"], wire["url"], **given)
        return asyncio.run_coroutine_threadsafe(request, loop).result(20)

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
                if "incident" in case.path_parameters and sent % 2:
                    case.path_parameters["incident"] = key
                answer = send(case)
                case.validate_response(answer, checks=CHECKS)
                if not answer.is_success:
                    problem_of(answer, answer.status_code)

            judge()
        return sent

    assert await asyncio.to_thread(explore) >= 60
