"""The judge of the SDK's tests judges."""

from __future__ import annotations

from typing import Any

import pytest
from synqly.engine.ticketing import QueryTicketsResponse
from synqly.management.integrations import Integration

from tests.unified.strict import differences

TICKET = {
    "id": "1",
    "name": "a",
    "summary": "a",
    "created_at": "2026-01-02T00:00:00Z",
    "updated_at": "2026-01-02T00:00:00+00:00",
}
ONE: dict[str, Any] = {
    "name": "one",
    "created_at": "2026-01-02T00:00:00Z",
    "updated_at": "2026-01-02T00:00:00Z",
    "id": "1",
    "fullname": "One",
    "refresh_token_id": "r",
    "account_id": "a",
    "category": "ticketing",
    "provider_config": {
        "type": "ticketing_jira",
        "url": "https://x",
        "credential": {"type": "basic_id", "value": "c"},
    },
    "provider_fullname": "Jira",
    "provider_type": "ticketing_jira",
}


def test_what_is_right_passes() -> None:
    assert differences(QueryTicketsResponse, {"result": [TICKET], "cursor": ""}) == []
    assert differences(Integration, ONE) == []
    mapping = {"name": "n", "project_id": "*", "provider_field_path": "p", "project_field_path": "p"}
    config = {**ONE["provider_config"], "custom_field_mappings": [mapping]}
    assert differences(Integration, {**ONE, "provider_config": config, "settings": {}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cursor": None}, "$.cursor: None"),
        ({"more": 1}, "$.more: unknown"),
        ({"result": {}}, "$.result: a list"),
        ({"result": [{**TICKET, "id": 1}]}, "$.result[0].id: 1"),
        ({"result": [{**TICKET, "id": None}]}, "$.result[0].id: None"),
        ({"result": [{**TICKET, "priority": "High"}]}, "$.result[0].priority: 'High'"),
        ({"result": [{**TICKET, "created_at": "2026-01-02T00:00:00"}]}, "$.result[0].created_at"),
        ({"result": [{**TICKET, "tags": "a"}]}, "$.result[0].tags: a list"),
        ({"result": [{k: v for k, v in TICKET.items() if k != "name"}]}, "$.result[0].name: missing"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], said: str) -> None:
    found = differences(QueryTicketsResponse, {"result": [TICKET], "cursor": "", **change})
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"type": "ticketing_nothing"}, "no kind of type 'ticketing_nothing'"),
        (
            {**ONE["provider_config"], "credential": {"type": "token", "secret": "s"}},
            "no kind of type 'token'",
        ),
        ({**ONE["provider_config"], "extra": 1}, ".extra: unknown"),
    ],
)
def test_a_union_is_judged_by_its_type(config: dict[str, Any], said: str) -> None:
    found = differences(Integration, {**ONE, "provider_config": config})
    assert len(found) == 1
    assert said in found[0]
