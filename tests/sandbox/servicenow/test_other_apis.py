"""Attachments, aggregates, import sets, changes, batches, and the tokens they are asked with."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.sandbox.conftest import TwinControl
from tests.sandbox.servicenow.conftest import ANN, CARLA, Rest

ATTACHMENT = "/api/now/attachment"
CHANGE = "/api/sn_chg_rest/change"
CLIENT = {"client_id": "client", "client_secret": "secret"}


def upload(rest: Rest, row: dict[str, Any], content: bytes, status: int = 201) -> Any:
    params = {"table_name": "incident", "table_sys_id": row["sys_id"], "file_name": "log.txt"}
    headers = {"Content-Type": "text/plain"}
    return rest.ask("POST", f"{ATTACHMENT}/file", status, params=params, content=content, headers=headers)


def test_a_file_is_uploaded_listed_read_and_deleted(rest: Rest, twin: TwinControl) -> None:
    row, content = rest.create(correlation_id="INC-7"), b"line\n" * 100
    made = upload(rest, row, content)["result"]
    assert made["size_bytes"] == "500"
    assert made["hash"] == hashlib.sha256(content).hexdigest()
    query = {"sysparm_query": f"table_name=incident^table_sys_id={row['sys_id']}"}
    listed = rest.ask("GET", ATTACHMENT, params=query)
    assert [one["sys_id"] for one in listed.json()["result"]] == [made["sys_id"]]
    assert listed.headers["x-total-count"] == "1"
    assert rest.ask("GET", f"{ATTACHMENT}/{made['sys_id']}", 200)["result"] == made
    read = rest.control.http.get(made["download_link"], auth=rest.auth)
    assert read.content == content
    assert read.headers["content-type"].startswith("text/plain")
    assert json.loads(read.headers["x-attachment-metadata"])["file_name"] == "log.txt"
    (added,) = twin.effects("attachment.add")
    assert added["summary"]["correlation_id"] == "INC-7"
    assert added["target"] == row["number"]
    rest.ask("DELETE", f"{ATTACHMENT}/{made['sys_id']}", 204)
    rest.ask("GET", f"{ATTACHMENT}/{made['sys_id']}", 404)


def test_a_multipart_upload_wants_the_file_last(rest: Rest) -> None:
    row = rest.create()
    data = {"table_name": "incident", "table_sys_id": row["sys_id"]}
    made = rest.ask(
        "POST", f"{ATTACHMENT}/upload", 201, data=data, files={"uploadFile": ("a.bin", b"\0\1", "image/png")}
    )["result"]
    assert (made["file_name"], made["content_type"], made["size_bytes"]) == ("a.bin", "image/png", "2")
    rest.ask("POST", f"{ATTACHMENT}/upload", 400, files={"table_name": (None, "incident")})


def test_an_attachment_has_a_limit_and_its_record_to_be_seen(rest: Rest, twin: TwinControl) -> None:
    twin.configure(upload_limit=10)
    row = rest.create()
    upload(rest, row, b"x" * 11, 413)
    made = upload(rest, row, b"x" * 10)["result"]
    Rest(twin, CARLA).ask("GET", f"{ATTACHMENT}/{made['sys_id']}/file", 404)
    upload(rest, {"sys_id": "0" * 32}, b"x", 404)
    Rest(twin, ANN).ask("DELETE", f"{ATTACHMENT}/{made['sys_id']}", 403)


def test_aggregates(rest: Rest) -> None:
    for impact, state in (("1", "1"), ("2", "1"), ("3", "2")):
        rest.create(impact=impact, state=state)
    path = "/api/now/stats/incident"
    figures = {"sysparm_count": "true", "sysparm_avg_fields": "impact", "sysparm_max_fields": "impact"}
    assert rest.ask("GET", path, 200, params=figures)["result"] == {
        "stats": {"count": "3", "avg": {"impact": "2.0000"}, "max": {"impact": "3"}}
    }
    grouped = {"sysparm_count": "true", "sysparm_group_by": "state", "sysparm_display_value": "true"}
    assert rest.ask("GET", path, 200, params=grouped)["result"] == [
        {"stats": {"count": "2"}, "groupby_fields": [{"field": "state", "value": "New"}]},
        {"stats": {"count": "1"}, "groupby_fields": [{"field": "state", "value": "In Progress"}]},
    ]


def test_an_import_set_coalesces_on_the_correlation_id(rest: Rest) -> None:
    body = {"u_correlation_id": "INC-7", "short_description": "Disk full"}
    path, statuses = "/api/now/import/u_callout_incident", []
    result: dict[str, Any] = {}
    for change in ({}, {}, {"urgency": "1"}):
        (result,) = rest.ask("POST", path, 201, json={**body, **change})["result"]
        statuses.append(result["status"])
    assert statuses == ["inserted", "ignored", "updated"]
    assert rest.read(result)["urgency"] == "1"
    assert len(rest.rows("incident")) == 1


def test_the_change_api_shows_both_values_and_keeps_types_apart(rest: Rest) -> None:
    made = rest.ask("POST", f"{CHANGE}/normal", 200, json={"short_description": "New disk"})["result"]
    assert made["type"] == {"display_value": "Normal", "value": "normal"}
    ident = made["sys_id"]["value"]
    patched = rest.ask("PATCH", f"{CHANGE}/normal/{ident}", 200, json={"risk": "2"})["result"]
    assert patched["risk"] == {"display_value": "High", "value": "2"}
    rest.ask("GET", f"{CHANGE}/emergency/{ident}", 404)
    rest.ask("POST", f"{CHANGE}/{ident}/task", 200, json={"short_description": "Order it"})
    (task,) = rest.ask("GET", f"{CHANGE}/{ident}/task", 200)["result"]
    assert task["number"]["value"] == "CTASK0010001"
    rest.ask("POST", "/api/now/table/change_request", 403, json={"type": "standard"})
    (template,) = rest.ask("GET", f"{CHANGE}/standard/template", 200)["result"]
    standard = rest.ask("POST", f"{CHANGE}/standard/{template['sys_id']['value']}", 200, json={})["result"]
    assert standard["short_description"]["value"] == "Restart a web node"
    assert len(rest.ask("GET", f"{CHANGE}/standard", 200)["result"]) == 1
    rest.ask("DELETE", f"{CHANGE}/normal/{ident}", 204)


def test_a_batch_runs_as_its_sender_and_reports_each_part(rest: Rest, twin: TwinControl) -> None:
    def part(ident: str, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        encoded = base64.b64encode(json.dumps(body).encode()).decode() if body is not None else ""
        headers = [{"name": "Content-Type", "value": "application/json"}]
        return {"id": ident, "method": method, "url": url, "headers": headers, "body": encoded}

    parts = [
        part("1", "POST", "/api/now/table/incident", {"short_description": "one"}),
        part("2", "GET", "/api/now/table/nope"),
        part("3", "GET", "/api/now/table/incident?sysparm_fields=short_description"),
        part("4", "GET", "/api/unknown"),
    ]
    body = {"batch_request_id": 7, "rest_requests": parts}
    done = Rest(twin, ANN).ask("POST", "/api/now/v1/batch", 200, json=body)
    assert done["batch_request_id"] == "7"
    statuses = {one["id"]: one["status_code"] for one in done["serviced_requests"]}
    assert statuses == {"1": 201, "2": 400, "3": 200, "4": 404}
    listed = json.loads(base64.b64decode(done["serviced_requests"][2]["body"]))
    assert listed == {"result": [{"short_description": "one"}]}
    assert [e["actor"] for e in twin.effects("record.create")] == ["ann.lee"]
    rest.ask("POST", "/api/now/v1/batch", 400, json={"rest_requests": [{"id": "1"}]})


def token(rest: Rest, status: int = 200, **form: str) -> dict[str, Any]:
    granted: dict[str, Any] = rest.ask("POST", "/oauth_token.do", status, data={**CLIENT, **form}, auth=None)
    return granted


def bearer(rest: Rest, granted: dict[str, Any], status: int) -> Any:
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    return rest.ask("GET", "/api/now/table/incident", status, auth=None, headers=headers)


def test_tokens_are_granted_run_out_and_are_refreshed(rest: Rest, twin: TwinControl) -> None:
    granted = token(rest, grant_type="password", username="ann.lee", password="ann")
    assert (granted["token_type"], granted["expires_in"], granted["scope"]) == ("Bearer", 1799, "useraccount")
    bearer(rest, granted, 200)
    twin.configure(clock_offset=1800)
    refused = bearer(rest, granted, 401)
    assert refused["error"]["message"] == "User Not Authenticated"
    again = token(rest, grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert again["refresh_token"] == granted["refresh_token"]
    bearer(rest, again, 200)


def test_refresh_tokens_may_work_only_once(rest: Rest, twin: TwinControl) -> None:
    twin.configure(rotate_refresh_tokens=True)
    first = token(rest, grant_type="password", username="ann.lee", password="ann")["refresh_token"]
    second = token(rest, grant_type="refresh_token", refresh_token=first)["refresh_token"]
    assert second != first
    assert token(rest, 401, grant_type="refresh_token", refresh_token=first)["error"] == "access_denied"
    token(rest, grant_type="refresh_token", refresh_token=second)


def test_client_credentials_bring_no_refresh_token_and_can_be_off(rest: Rest, twin: TwinControl) -> None:
    assert "refresh_token" not in token(rest, grant_type="client_credentials")
    twin.configure(properties={"glide.oauth.inbound.client.credential.grant_type.enabled": "false"})
    assert token(rest, 401, grant_type="client_credentials")["error"] == "access_denied"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong", "grant_type": "client_credentials"}, "invalid_client"),
        ({"grant_type": "password", "username": "ann.lee", "password": "wrong"}, "access_denied"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "access_denied"),
        ({"grant_type": "magic"}, "access_denied"),
    ],
)
def test_a_refused_token_names_its_error_in_a_string(rest: Rest, form: dict[str, str], error: str) -> None:
    assert token(rest, 401, **form)["error"] == error


def test_hardening_switches_the_password_grant_off(rest: Rest, twin: TwinControl) -> None:
    twin.configure(password_grant=False)
    token(rest, 401, grant_type="password", username="ann.lee", password="ann")
