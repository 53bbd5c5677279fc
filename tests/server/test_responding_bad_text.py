"""Teams, services, policies and calls with characters that no database holds: dropped or refused in words, never an error of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.test_responding import POLICIES, add_ann

if TYPE_CHECKING:
    from tests.server.desk import Desk

BAD = "a\x00b\ud83dc"


async def _sent(desk: Desk, method: str, path: str, body: Any) -> int:
    answer = await desk.api.request(
        method, path, content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    return answer.status_code


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/teams", {"name": BAD}),
        ("POST", "/v1/teams", {"name": "t", "description": BAD, "channel": BAD, "group": BAD}),
        ("POST", "/v1/teams", {"name": "t", "members": [BAD]}),
        ("POST", "/v1/services", {"name": BAD, "team": BAD}),
        ("POST", "/v1/services", {"name": BAD}),
        (
            "PUT",
            "/v1/sla",
            {"document": {"rules": [{"name": BAD, "severity": "SEV-1", "acknowledge": "5m"}]}},
        ),
        ("PUT", "/v1/sla", {"document": {"rules": [{"service": BAD, "acknowledge": "5m"}]}}),
        ("PUT", "/v1/escalation", {"document": {"policies": {BAD: {"steps": [{"targets": ["ann"]}]}}}}),
        ("PUT", "/v1/escalation", {"document": {"policies": {"x": {"steps": [{"targets": [f"#{BAD}"]}]}}}}),
        ("POST", "/v1/incidents/INC-1/page", {"target": "ann", "reason": BAD}),
        ("POST", "/v1/incidents/INC-1/page", {"target": f"#{BAD}"}),
        ("POST", "/v1/incidents/INC-1/page", {"target": BAD}),
        ("POST", "/v1/incidents/INC-1/escalate", {"reason": BAD}),
        ("POST", "/v1/incidents/INC-1/escalate", {"policy": BAD}),
    ],
)
async def test_what_cannot_be_kept_is_no_error_of_ours(desk: Desk, method: str, path: str, body: Any) -> None:
    await add_ann(desk)
    await desk.api("PUT", "/v1/escalation", {"document": POLICIES})
    await desk.api("POST", "/v1/incidents", {"title": "db", "severity": "SEV-1"}, status=201)
    assert await _sent(desk, method, path, body) < 500
