"""The twin's answers against PagerDuty's own OpenAPI document, where a copy lies beside the project."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema

from callout.sandbox.pagerduty.seed import ADMIN, CHECKOUT

if TYPE_CHECKING:
    from tests.sandbox.pagerduty.conftest import Rest

SPECIFICATION = (
    Path(__file__).resolve().parents[4] / "shared" / "specs" / "pagerduty" / "pagerduty-rest-v2.openapi.json"
)
# Members the document says, in words or by its own examples, may be null, but does not type so.
NULLABLE = frozenset(
    {
        "resolved_at",
        "incident_key",
        "alert_grouping",
        "resolve_reason",
        "priority",
        "schedule",
        "start",
        "end",
        "auto_resolve_timeout",
        "acknowledgement_timeout",
        "last_incident_timestamp",
        "support_hours",
        "parent",
        "description",
        "value",
        "default_value",
    }
)
# Sent by PagerDuty (its webhooks and sheet name them), forgotten by the document's list.
MORE_ENTRIES = frozenset(
    {"priority_change", "reopen", "status_update", "responder_request", "responder_reply"}
)


@functools.cache
def document() -> Any:
    return json.loads(SPECIFICATION.read_text())


def resolve(schema: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        found: Any = document()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            found = found[int(name)] if isinstance(found, list) else found[name]
        schema = found
    return schema


def inlined(schema: Any, depth: int = 0) -> Any:
    """The schema without references, and with the nulls that are allowed."""
    schema = resolve(schema)
    if isinstance(schema, list):
        return [inlined(item, depth + 1) for item in schema]
    if not isinstance(schema, dict) or depth > 30:
        return {} if depth > 30 else schema
    changed = {
        key: inlined(value, depth + 1) for key, value in schema.items() if key not in {"example", "examples"}
    }
    properties = changed.get("properties")
    if isinstance(properties, dict):
        changed["properties"] = {
            name: {"anyOf": [{"type": "null"}, inner]} if name in NULLABLE else inner
            for name, inner in properties.items()
        }
    if changed.get("nullable") is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
    elif changed.get("nullable") is True:
        changed = {"anyOf": [{"type": "null"}, changed]}
    if "oneOf" in changed:  # a reference and the whole object may both fit
        changed["anyOf"] = changed.pop("oneOf")
    enum = changed.get("enum")
    if isinstance(enum, list) and "trigger_log_entry" in enum:
        changed["enum"] = [*enum, *(f"{kind}_log_entry" for kind in MORE_ENTRIES)]
    if enum == ["acknowledgement_log_entry"]:  # elsewhere, and on the wire, it is `acknowledge_log_entry`
        changed["enum"] = ["acknowledge_log_entry"]
    return changed


@functools.cache
def validator(method: str, path: str, status: int) -> jsonschema.Draft4Validator:
    answer = resolve(document()["paths"][path][method.lower()]["responses"][str(status)])
    return jsonschema.Draft4Validator(inlined(answer["content"]["application/json"]["schema"]))


WHOLE = ("services", "teams", "users", "priorities", "escalation_policies", "first_trigger_log_entries")
NOTE = {"note": {"content": "x"}}
# Method, path of the document, what fills its braces, query, body, status.
CALLS: list[tuple[str, str, dict[str, str], str, Any, int]] = [
    ("GET", "/incidents", {}, "?total=true", None, 200),
    ("GET", "/incidents", {}, "?" + "&".join(f"include[]={name}" for name in WHOLE), None, 200),
    ("GET", "/incidents/{id}", {}, "?include[]=conference_bridge&include[]=body", None, 200),
    ("PUT", "/incidents/{id}", {}, "", {"incident": {"type": "incident", "priority": "P3"}}, 200),
    ("POST", "/incidents/{id}/snooze", {}, "", {"duration": 60}, 201),
    ("GET", "/incidents/{id}/alerts", {}, "", None, 200),
    ("GET", "/incidents/{id}/alerts/{alert_id}", {}, "", None, 200),
    ("GET", "/incidents/{id}/notes", {}, "", None, 200),
    ("POST", "/incidents/{id}/notes", {}, "", NOTE, 200),
    ("GET", "/incidents/{id}/log_entries", {}, "?include[]=channels", None, 200),
    ("GET", "/incidents/{id}/custom_fields/values", {}, "", None, 200),
    ("POST", "/incidents/{id}/status_updates", {}, "", {"message": "m"}, 200),
    (
        "POST",
        "/incidents/{id}/responder_requests",
        {},
        "",
        {
            "requester_id": ADMIN,
            "message": "help",
            "responder_request_targets": [
                {"responder_request_target": {"id": ADMIN, "type": "user_reference"}}
            ],
        },
        200,
    ),
    ("GET", "/incidents/types", {}, "", None, 200),
    (
        "GET",
        "/incidents/types/{type_id_or_name}/custom_fields",
        {"type_id_or_name": "incident_default"},
        "?include[]=field_options",
        None,
        200,
    ),
    ("GET", "/log_entries", {}, "", None, 200),
    ("GET", "/services", {}, "", None, 200),
    ("GET", "/services/{id}", {"id": CHECKOUT}, "", None, 200),
    ("GET", "/escalation_policies", {}, "?include[]=targets", None, 200),
    ("GET", "/oncalls", {}, "", None, 200),
    ("GET", "/schedules", {}, "", None, 200),
    ("GET", "/schedules/{id}", {"id": "PSCHED1"}, "", None, 200),
    ("GET", "/users", {}, "", None, 200),
    ("GET", "/users/{id}", {"id": ADMIN}, "", None, 200),
    ("GET", "/teams", {}, "", None, 200),
    ("GET", "/teams/{id}/members", {"id": "PTEAM01"}, "", None, 200),
    ("GET", "/priorities", {}, "", None, 200),
    ("GET", "/abilities", {}, "", None, 200),
    ("GET", "/tags", {}, "", None, 200),
    ("GET", "/audit/records", {}, "?since=2026-01-01T00:00:00Z", None, 200),
    ("GET", "/webhook_subscriptions", {}, "", None, 200),
    ("GET", "/incidents/{id}", {"id": "QNONE"}, "", None, 404),
]


def check_all(rest: Rest) -> None:
    key = rest.event("trigger")["dedup_key"]
    opened = rest.ask("GET", f"/incidents?incident_key={key}", 200)["incidents"][0]["id"]
    rest.create("by hand", conference_bridge={"conference_url": "https://meet.example.com/1"})
    alert = rest.ask("GET", f"/incidents/{opened}/alerts", 200)["alerts"][0]["id"]
    method = {"type": "http_delivery_method", "url": "http://127.0.0.1:1/x"}
    body = {
        "type": "webhook_subscription",
        "events": ["service.created"],
        "filter": {"type": "account_reference"},
        "delivery_method": method,
    }
    rest.ask("POST", "/webhook_subscriptions", 200, json={"webhook_subscription": body})
    wrong = []
    for verb, path, values, query, sent, status in CALLS:
        url = path
        for name, value in {"id": opened, "alert_id": alert, **values}.items():
            url = url.replace(f"{{{name}}}", value)
        answer = rest.ask(verb, url + query, status, json=sent)
        wrong += [
            f"{verb} {path} {list(error.absolute_path)}: {error.message[:200]}"
            for error in validator(verb, path, status).iter_errors(answer)
        ]
    assert wrong == []


if SPECIFICATION.is_file():

    def test_every_answer_fits_the_vendors_document(rest: Rest) -> None:
        check_all(rest)

    def test_the_check_itself_can_fail() -> None:
        assert list(validator("GET", "/abilities", 200).iter_errors({"abilities": [7]}))
