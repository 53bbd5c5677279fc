"""The twin's answers against Atlassian's own OpenAPI documents, where a copy lies beside the project."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from callout.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID, SEED_REFRESH_TOKEN
from tests.sandbox.jira.conftest import doc

if TYPE_CHECKING:
    from tests.sandbox.jira.conftest import Rest

SPECS = Path(__file__).resolve().parents[4] / "shared" / "specs" / "jira"
PLATFORM, DESK = "jira-platform-v3.openapi.json", "jira-service-management.openapi.json"


@functools.cache
def specification(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SPECS / name).read_text())
    return document


@functools.cache
def components(name: str) -> Any:
    """The document's schemas as JSON Schema."""
    found = _with_nulls(specification(name)["components"])
    changes = found["schemas"].get("ChangeDetails", {"properties": {}})["properties"]
    for item in ("from", "fromString", "to", "toString"):
        # The document forgets that a change starts from nothing; every real changelog has nulls here.
        changes[item] = {"type": ["string", "null"]}
    return found


@functools.cache
def validator_for(name: str, method: str, path: str, status: int) -> jsonschema.Draft4Validator:
    """A validator of one answer."""
    operation = specification(name)["paths"][path][method.lower()]
    content = operation["responses"][str(status)]["content"]
    schema = next(value for kind, value in content.items() if "json" in kind)["schema"]
    return jsonschema.Draft4Validator({**_with_nulls(schema), "components": components(name)})


def _with_nulls(schema: Any) -> Any:
    """OpenAPI 3.0 writes `nullable`, JSON Schema a second type."""
    if isinstance(schema, list):
        return [_with_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _with_nulls(value) for key, value in schema.items()}
    if changed.get("nullable") is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
    return changed


def faults(value: Any, name: str, method: str, path: str, status: int) -> list[str]:
    """What is wrong with an answer, nothing when it fits."""
    validator = validator_for(name, method, path, status)
    return [
        f"{method} {path} {list(error.absolute_path)}: {error.message[:200]}"
        for error in validator.iter_errors(value)
    ]


def check(value: Any, name: str, method: str, path: str, status: int) -> None:
    assert faults(value, name, method, path, status) == []


def check_all(v3: Rest, name: str, calls: list[Any]) -> None:
    attachment = furnish(v3)
    found: list[str] = []
    for method, path, values, query, body, status in calls:
        url = f"{v3.control.url}{fill(path, values, attachment)}{query}"
        found += faults(v3.ask(method, url, status, json=body), name, method, path, status)
    assert found == []


# Method, path of the document, what fills its braces, query, body, status.
CALLS: list[tuple[str, str, dict[str, str], str, Any, int]] = [
    ("GET", "/rest/api/3/myself", {}, "", None, 200),
    ("GET", "/rest/api/3/serverInfo", {}, "", None, 200),
    ("GET", "/rest/api/3/mypermissions", {}, "?permissions=CREATE_ISSUES&projectKey=TST", None, 200),
    (
        "GET",
        "/rest/api/3/issue/{issueIdOrKey}",
        {},
        "?expand=names,schema,transitions,changelog,renderedFields",
        None,
        200,
    ),
    ("PUT", "/rest/api/3/issue/{issueIdOrKey}", {}, "?returnIssue=true", {"fields": {"summary": "n"}}, 200),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/editmeta", {}, "", None, 200),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/changelog", {}, "", None, 200),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/transitions", {}, "?expand=transitions.fields", None, 200),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/comment", {}, "?expand=renderedBody", None, 200),
    ("POST", "/rest/api/3/issue/{issueIdOrKey}/comment", {}, "", {"body": doc("x")}, 201),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/watchers", {}, "", None, 200),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/properties", {}, "", None, 200),
    (
        "GET",
        "/rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey}",
        {"propertyKey": "callout"},
        "",
        None,
        200,
    ),
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/remotelink", {}, "?globalId=callout", None, 200),
    (
        "POST",
        "/rest/api/3/issue/{issueIdOrKey}/remotelink",
        {},
        "",
        {"globalId": "x", "object": {"url": "https://a.b", "title": "t"}},
        201,
    ),
    (
        "POST",
        "/rest/api/3/issue",
        {},
        "",
        {"fields": {"project": {"key": "TST"}, "issuetype": {"name": "Bug"}, "summary": "s"}},
        201,
    ),
    ("POST", "/rest/api/3/issue", {}, "", {"fields": {"project": {"key": "TST"}}}, 400),
    (
        "POST",
        "/rest/api/3/issue/bulk",
        {},
        "",
        {
            "issueUpdates": [
                {"fields": {}},
                {"fields": {"project": {"key": "TST"}, "issuetype": {"name": "Bug"}, "summary": "s"}},
            ]
        },
        201,
    ),
    ("POST", "/rest/api/3/issue/bulkfetch", {}, "", {"issueIdsOrKeys": ["TST-1", "X-1"]}, 200),
    ("GET", "/rest/api/3/issue/createmeta", {}, "?expand=projects.issuetypes.fields", None, 200),
    (
        "GET",
        "/rest/api/3/issue/createmeta/{projectIdOrKey}/issuetypes",
        {"projectIdOrKey": "OPS"},
        "",
        None,
        200,
    ),
    (
        "GET",
        "/rest/api/3/issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}",
        {"projectIdOrKey": "OPS", "issueTypeId": "10101"},
        "",
        None,
        200,
    ),
    ("POST", "/rest/api/3/comment/list", {}, "", {"ids": [1]}, 200),
    ("GET", "/rest/api/3/attachment/meta", {}, "", None, 200),
    ("GET", "/rest/api/3/attachment/{id}", {"id": "<attachment>"}, "", None, 200),
    (
        "POST",
        "/rest/api/3/search/jql",
        {},
        "",
        {"jql": "project = TST", "fields": ["*all"], "expand": "names,schema"},
        200,
    ),
    ("POST", "/rest/api/3/search/approximate-count", {}, "", {"jql": "project = TST"}, 200),
    ("POST", "/rest/api/3/jql/match", {}, "", {"jqls": ["project = TST", "x"], "issueIds": [10001]}, 200),
    ("GET", "/rest/api/3/project", {}, "", None, 200),
    ("GET", "/rest/api/3/project/search", {}, "?maxResults=1", None, 200),
    ("GET", "/rest/api/3/project/{projectIdOrKey}", {"projectIdOrKey": "OPS"}, "", None, 200),
    ("GET", "/rest/api/3/project/{projectIdOrKey}/statuses", {"projectIdOrKey": "OPS"}, "", None, 200),
    ("GET", "/rest/api/3/project/{projectIdOrKey}/components", {"projectIdOrKey": "OPS"}, "", None, 200),
    ("GET", "/rest/api/3/field", {}, "", None, 200),
    ("GET", "/rest/api/3/field/search", {}, "?type=custom", None, 200),
    ("GET", "/rest/api/3/field/{fieldId}/context", {"fieldId": "customfield_10042"}, "", None, 200),
    (
        "GET",
        "/rest/api/3/field/{fieldId}/context/{contextId}/option",
        {"fieldId": "customfield_10042", "contextId": "10142"},
        "",
        None,
        200,
    ),
    ("GET", "/rest/api/3/priority", {}, "", None, 200),
    ("GET", "/rest/api/3/priority/search", {}, "", None, 200),
    ("GET", "/rest/api/3/priority/{id}", {"id": "1"}, "", None, 200),
    ("GET", "/rest/api/3/status", {}, "", None, 200),
    ("GET", "/rest/api/3/statuses/search", {}, "", None, 200),
    ("GET", "/rest/api/3/statuscategory", {}, "", None, 200),
    ("GET", "/rest/api/3/issuetype", {}, "", None, 200),
    ("GET", "/rest/api/3/resolution", {}, "", None, 200),
    ("GET", "/rest/api/3/resolution/search", {}, "", None, 200),
    ("GET", "/rest/api/3/user/search", {}, "?query=a", None, 200),
    ("GET", "/rest/api/3/user/assignable/search", {}, "?project=TST", None, 200),
    ("GET", "/rest/api/3/user/bulk", {}, "?accountId=5b10ac8d82e05b22cc7d4ef5", None, 200),
    ("GET", "/rest/api/3/label", {}, "", None, 200),
]
DESK_CALLS: list[tuple[str, str, dict[str, str], str, Any, int]] = [
    ("GET", "/rest/servicedeskapi/servicedesk", {}, "", None, 200),
    (
        "GET",
        "/rest/servicedeskapi/servicedesk/{serviceDeskId}/requesttype",
        {"serviceDeskId": "1"},
        "",
        None,
        200,
    ),
    (
        "GET",
        "/rest/servicedeskapi/servicedesk/{serviceDeskId}/requesttype/{requestTypeId}/field",
        {"serviceDeskId": "1", "requestTypeId": "10"},
        "",
        None,
        200,
    ),
    (
        "POST",
        "/rest/servicedeskapi/request",
        {},
        "",
        {
            "serviceDeskId": "1",
            "requestTypeId": "10",
            "requestFieldValues": {"summary": "s", "description": "d"},
        },
        201,
    ),
    ("GET", "/rest/servicedeskapi/request/{issueIdOrKey}", {"issueIdOrKey": "HELP-1"}, "", None, 200),
    ("GET", "/rest/servicedeskapi/request/{issueIdOrKey}/status", {"issueIdOrKey": "HELP-1"}, "", None, 200),
    ("GET", "/rest/servicedeskapi/request/{issueIdOrKey}/comment", {"issueIdOrKey": "HELP-1"}, "", None, 200),
    (
        "POST",
        "/rest/servicedeskapi/request/{issueIdOrKey}/comment",
        {"issueIdOrKey": "HELP-1"},
        "",
        {"body": "b", "public": False},
        201,
    ),
    (
        "POST",
        "/rest/servicedeskapi/request/{issueIdOrKey}/comment",
        {"issueIdOrKey": "HELP-1"},
        "",
        {"body": "b"},
        400,
    ),
    (
        "GET",
        "/rest/servicedeskapi/request/{issueIdOrKey}",
        {"issueIdOrKey": "HELP-1"},
        "?expand=sla,requestType,serviceDesk",
        None,
        200,
    ),
    (
        "GET",
        "/rest/servicedeskapi/request/{issueIdOrKey}/transition",
        {"issueIdOrKey": "HELP-1"},
        "",
        None,
        200,
    ),
    ("GET", "/rest/servicedeskapi/request/{issueIdOrKey}/sla", {"issueIdOrKey": "HELP-1"}, "", None, 200),
]


def furnish(v3: Rest) -> str:
    """One busy issue in TST and one in HELP; returns the id of an attachment."""
    ann = "5b10ac8d82e05b22cc7d4ef5"
    v3.create(
        labels=["a"],
        description=doc("d"),
        assignee={"accountId": ann},
        customfield_10042={"value": "Test"},
        customfield_10044=[{"value": "Asia"}],
    )
    v3.ask("PUT", "/issue/TST-1/properties/callout", 201, json={"id": 1})
    v3.ask("POST", "/issue/TST-1/comment", 201, json={"body": doc("c")})
    link = {"globalId": "callout", "object": {"url": "https://a.b", "title": "t"}}
    v3.ask("POST", "/issue/TST-1/remotelink", 201, json=link)
    token = {"X-Atlassian-Token": "no-check"}
    (file,) = v3.ask(
        "POST", "/issue/TST-1/attachments", 200, files={"file": ("a.png", b"x", "image/png")}, headers=token
    )
    v3.ask("POST", "/issue/TST-1/transitions", 204, json={"transition": {"id": "21"}})
    v3.create(project="HELP")
    v3.ask("POST", "/issue/HELP-1/comment", 201, json={"body": doc("c")})
    return str(file["id"])


def fill(path: str, values: dict[str, str], attachment: str) -> str:
    known = {"issueIdOrKey": "TST-1", **values}
    return re.sub(r"\{(\w+)\}", lambda found: known[found[1]].replace("<attachment>", attachment), path)


if SPECS.is_dir():

    def test_every_answer_fits_the_vendors_document(v3: Rest) -> None:
        check_all(v3, PLATFORM, CALLS)

    def test_every_service_desk_answer_fits_too(v3: Rest) -> None:
        check_all(v3, DESK, DESK_CALLS)

    def test_uploads_and_an_apps_webhooks_fit(v3: Rest) -> None:
        v3.create()
        path = "/rest/api/3/issue/{issueIdOrKey}/attachments"
        token = {"X-Atlassian-Token": "no-check"}
        made = v3.ask("POST", "/issue/TST-1/attachments", 200, files={"file": ("a", b"x")}, headers=token)
        check(made, PLATFORM, "POST", path, 200)
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        grant = {"grant_type": "refresh_token", "refresh_token": SEED_REFRESH_TOKEN, **app}
        access = v3.ask("POST", f"{v3.control.url}/oauth/token", 200, json=grant, auth=None)["access_token"]
        hooks = f"{v3.control.url}/ex/jira/{CLOUD_ID}/rest/api/3/webhook"
        options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {access}"}, "auth": None}
        wanted = [{"events": ["jira:issue_updated"], "jqlFilter": "project = TST"}]
        body = {"url": "https://example.com", "webhooks": wanted}
        path = "/rest/api/3/webhook"
        check(v3.ask("POST", hooks, 200, json=body, **options), PLATFORM, "POST", path, 200)
        check(v3.ask("GET", hooks, 200, **options), PLATFORM, "GET", path, 200)
        refreshed = v3.ask("PUT", f"{hooks}/refresh", 200, json={"webhookIds": [1]}, **options)
        check(refreshed, PLATFORM, "PUT", f"{path}/refresh", 200)

    def test_the_check_itself_can_fail() -> None:
        with pytest.raises(AssertionError, match="accountId"):
            check({"accountId": 7}, PLATFORM, "GET", "/rest/api/3/myself", 200)
