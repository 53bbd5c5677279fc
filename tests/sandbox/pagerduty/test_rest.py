"""Rules of the REST API: who may ask, what incidents may become, how answers are cut and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from callout.sandbox.pagerduty.oauth import ACCOUNT_SCOPE, CLIENT_ID, CLIENT_SECRET, SEED_REFRESH_TOKEN
from callout.sandbox.pagerduty.seed import ADMIN, ANN, BATCH, CAROL, CHECKOUT, READ_ONLY_KEY

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl
    from tests.sandbox.pagerduty.conftest import Rest


def set_status(rest: Rest, ident: str, status: str, answer: int = 200) -> Any:
    body = {"incident": {"type": "incident_reference", "status": status}}
    got = rest.ask("PUT", f"/incidents/{ident}", answer, json=body)
    return got.get("incident") or got["error"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": None}, 401, 2006),
        ({"Authorization": "Token token=nope"}, 401, 2006),
        ({"Authorization": "Bearer nope"}, 401, 2006),
        ({"Authorization": f"Token token={READ_ONLY_KEY}"}, 403, 2010),
        ({"Accept": "application/vnd.pagerduty+json;version=1"}, 406, 2002),
        ({"From": None}, 400, 2001),
        ({"From": "nobody@example.com"}, 400, 1008),
    ],
)
def test_who_may_write(rest: Rest, headers: dict[str, str], status: int, code: int) -> None:
    body = {
        "incident": {
            "type": "incident",
            "title": "t",
            "service": {"id": CHECKOUT, "type": "service_reference"},
        }
    }
    assert rest.ask("POST", "/incidents", status, json=body, headers=headers)["error"]["code"] == code
    assert rest.ask("GET", "/incidents", 200)["incidents"] == []


def test_oauth_gives_only_the_known_scopes(rest: Rest, twin: TwinControl) -> None:
    def token(scope: str) -> Any:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": scope,
        }
        return twin.http.post(f"{twin.url}/oauth/token", data=form).json()

    assert token("incidents.read")["scope"] == "openid"
    granted = token(f"{ACCOUNT_SCOPE} incidents.read nonsense.read")
    assert granted["scope"] == "incidents.read"
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    assert rest.ask("GET", "/incidents", headers=bearer).status_code == 200
    assert rest.ask("GET", "/services", 403, headers=bearer)["error"]["code"] == 2010
    twin.configure(clock_offset=864_001)
    assert rest.ask("GET", "/incidents", headers=bearer).status_code == 401


def test_a_refresh_token_is_spent_once(twin: TwinControl, rest: Rest) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": SEED_REFRESH_TOKEN,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    first = twin.http.post(f"{twin.url}/oauth/token", data=form).json()
    me = rest.ask("GET", "/users/me", 200, headers={"Authorization": f"Bearer {first['access_token']}"})
    assert me["user"]["id"] == ADMIN
    assert twin.http.post(f"{twin.url}/oauth/token", data=form).json()["error"] == "invalid_grant"
    assert first["refresh_token"] != SEED_REFRESH_TOKEN


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"title": " "}, 2001, "Title cannot be empty"),
        ({"service": None}, 2001, "Service must be a reference with an id"),
        ({"service": {"id": "PNONE", "type": "service_reference"}}, 2001, "Service not found"),
        ({"priority": {"id": "PNONE", "type": "priority_reference"}}, 1020, "Invalid Priority"),
        ({"urgency": "medium"}, 2001, "Urgency must be high or low"),
        (
            {"assignments": [{"assignee": {"id": "PNONE", "type": "user_reference"}}]},
            1007,
            "Assigned To User Not Found",
        ),
    ],
)
def test_what_cannot_be_opened(
    rest: Rest, twin: TwinControl, given: dict[str, Any], code: int, said: str
) -> None:
    body = {
        "type": "incident",
        "title": "t",
        "service": {"id": CHECKOUT, "type": "service_reference"},
        **given,
    }
    error = rest.ask("POST", "/incidents", 400, json={"incident": body})["error"]
    assert (error["code"], error["errors"]) == (code, [said])
    assert twin.effects("incident.create") == []


def test_a_dedup_key_is_free_again_after_resolution_and_on_other_services(rest: Rest) -> None:
    first = rest.create(incident_key="k")
    other = rest.create(incident_key="k", service=BATCH)
    set_status(rest, first["id"], "resolved")
    second = rest.create(incident_key="k")
    found = rest.ask("GET", "/incidents?incident_key=k&statuses[]=triggered", 200)["incidents"]
    assert [one["id"] for one in found] == [other["id"], second["id"]]
    # The trap of the vendor: a blank key is no filter at all, it returns everything open.
    assert len(rest.ask("GET", "/incidents?incident_key=", 200)["incidents"]) == 2
    assert set_status(rest, first["id"], "triggered", 400)["code"] == 2002


def test_the_states_of_an_incident(rest: Rest) -> None:
    ident = rest.create()["id"]
    assert set_status(rest, ident, "acknowledged")["status"] == "acknowledged"
    assert set_status(rest, ident, "acknowledged", 400)["code"] == 1002
    assert set_status(rest, ident, "triggered")["acknowledgements"] == []
    resolved = set_status(rest, ident, "resolved")
    assert (resolved["assignments"], resolved["resolved_at"] is None) == ([], False)
    assert set_status(rest, ident, "resolved", 400)["code"] == 1001
    reopened = set_status(rest, ident, "acknowledged")
    assert (reopened["status"], reopened["resolved_at"], len(reopened["assignments"])) == (
        "acknowledged",
        None,
        1,
    )
    assert set_status(rest, ident, "closed", 400)["code"] == 1003


def test_fields_that_can_and_cannot_be_changed(rest: Rest) -> None:
    made = rest.create(body={"type": "incident_body", "details": "old"})
    changed = rest.change(
        str(made["incident_number"]),
        title="New title",
        priority="P1",
        urgency="low",
        body={"type": "incident_body", "details": "new"},
        conference_bridge={"conference_url": "https://meet.example.com/1"},
        assignments=[{"assignee": {"id": ADMIN, "type": "user_reference"}}],
    )
    assert (changed["title"], changed["priority"]["summary"], changed["urgency"]) == (
        "New title",
        "P1",
        "low",
    )
    assert [one["assignee"]["id"] for one in changed["assignments"]] == [ADMIN]
    assert changed["assigned_via"] == "direct_assignment"
    shown = rest.ask(
        "GET", f"/incidents/{made['id']}?include[]=body&include[]=conference_bridge&include[]=assignees", 200
    )["incident"]
    assert shown["body"]["details"] == "old"
    assert shown["conference_bridge"]["conference_url"] == "https://meet.example.com/1"
    assert shown["assignments"][0]["assignee"]["email"] == "admin@example.com"
    assert rest.change(made["id"], priority=None)["priority"] is None
    assert rest.change(made["id"], status=400, escalation_level=9)["code"] == 1006


def test_escalation_by_hand_and_by_time(rest: Rest, twin: TwinControl) -> None:
    made = rest.create()
    assert made["assignments"][0]["assignee"]["id"] in {ANN, CAROL}
    assert [one["type"] for one in made["pending_actions"]] == ["escalate"]
    assert rest.change(made["id"], escalation_level=2)["assignments"][0]["assignee"]["id"] == ADMIN
    waiting = rest.create("nobody answers")
    twin.configure(clock_offset=30 * 60 + 1)
    shown = rest.ask("GET", f"/incidents/{waiting['id']}", 200)["incident"]
    assert [one["assignee"]["id"] for one in shown["assignments"]] == [ADMIN]


def test_a_snoozed_incident_calls_again(rest: Rest, twin: TwinControl) -> None:
    ident = rest.create()["id"]
    for seconds in (0, 604_801, "60"):
        error = rest.ask("POST", f"/incidents/{ident}/snooze", 400, json={"duration": seconds})["error"]
        assert error["code"] == 1013
    assert (
        rest.ask("POST", f"/incidents/{ident}/snooze", 201, json={"duration": 60})["incident"]["status"]
        == "acknowledged"
    )
    twin.configure(clock_offset=61)
    assert rest.ask("GET", f"/incidents/{ident}", 200)["incident"]["status"] == "triggered"


def test_merge_moves_alerts_and_resolves_the_sources(rest: Rest, twin: TwinControl) -> None:
    key = rest.event("trigger")["dedup_key"]
    source = rest.ask("GET", f"/incidents?incident_key={key}", 200)["incidents"][0]
    target = rest.create()
    body = {"source_incidents": [{"id": source["id"], "type": "incident_reference"}]}
    merged = rest.ask("PUT", f"/incidents/{target['id']}/merge", 200, json=body)["incident"]
    assert merged["alert_counts"] == {"all": 1, "triggered": 1, "resolved": 0}
    gone = rest.ask("GET", f"/incidents/{source['id']}", 200)["incident"]
    assert (gone["status"], gone["resolve_reason"]["incident"]["id"]) == ("resolved", target["id"])
    assert rest.ask("PUT", f"/incidents/{target['id']}/merge", 400, json=body)["error"]["code"] == 1019
    assert [entry["target"] for entry in twin.effects("incident.merge")] == [target["id"]]
    rest.event("resolve", key)
    assert rest.ask("GET", f"/incidents/{target['id']}", 200)["incident"]["status"] == "resolved"


def test_many_are_changed_together_or_not_at_all(rest: Rest) -> None:
    idents = [rest.create(f"i{number}")["id"] for number in range(2)]
    set_status(rest, idents[1], "resolved")
    work = [{"id": ident, "type": "incident_reference", "status": "resolved"} for ident in idents]
    assert rest.ask("PUT", "/incidents", 400, json={"incidents": work})["error"]["code"] == 1001
    assert rest.ask("GET", f"/incidents/{idents[0]}", 200)["incident"]["status"] == "triggered"
    assert rest.ask("PUT", "/incidents", json={"incidents": work[:1] * 251}).status_code == 413


def test_pages_and_their_limits(rest: Rest) -> None:
    for number in range(5):
        rest.create(f"i{number}")
    page = rest.ask("GET", "/incidents?limit=2&offset=2&total=true&sort_by=incident_number:desc", 200)
    assert [one["title"] for one in page["incidents"]] == ["i2", "i1"]
    assert {key: page[key] for key in ("limit", "offset", "more", "total")} == {
        "limit": 2,
        "offset": 2,
        "more": True,
        "total": 5,
    }
    assert rest.ask("GET", "/incidents?limit=100&offset=9900", 200)["total"] is None
    assert rest.ask("GET", "/incidents?limit=100&offset=9901", 400)["error"]["code"] == 2002
    assert rest.ask("GET", "/incidents?limit=1000", 200)["limit"] == 100
    assert rest.ask("GET", "/incidents?sort_by=title", 400)["error"]["code"] == 2002


def test_the_window_of_a_list_is_about_creation(rest: Rest, twin: TwinControl) -> None:
    old = rest.create("old")
    twin.configure(clock_offset=40 * 24 * 3600)
    rest.change(old["id"], title="old, but changed now")
    assert rest.ask("GET", "/incidents", 200)["incidents"] == []
    assert len(rest.ask("GET", "/incidents?date_range=all", 200)["incidents"]) == 1
    wide = "since=2026-01-01T00:00:00Z&until=2026-12-01T00:00:00Z"
    assert rest.ask("GET", f"/incidents?{wide}", 400)["error"]["code"] == 2005
    assert rest.ask("GET", "/incidents?since=yesterday", 400)["error"]["code"] == 2004
    # What polling has to use instead: the log, by the time of the change, newest first.
    changed = rest.ask("GET", f"/log_entries?since={old['created_at']}&include[]=incidents", 200)[
        "log_entries"
    ]
    assert changed[0]["incident"]["title"] == "old, but changed now"
    assert changed[0]["type"] == "field_value_change_log_entry"
    assert [one["created_at"] for one in changed] == sorted(
        (one["created_at"] for one in changed), reverse=True
    )


def test_times_in_another_zone(rest: Rest) -> None:
    rest.create()
    shown = rest.ask("GET", "/incidents?time_zone=Asia/Kolkata", 200)["incidents"][0]
    assert shown["created_at"].endswith("+05:30")
    assert rest.ask("GET", "/incidents?time_zone=Mars/Base", 400)["error"]["code"] == 2002


def test_a_lagging_list_and_an_exact_read(rest: Rest, twin: TwinControl) -> None:
    twin.configure(search_lag=60)
    ident = rest.create(incident_key="k")["id"]
    assert rest.ask("GET", "/incidents?incident_key=k", 200)["incidents"] == []
    assert rest.ask("GET", "/log_entries", 200)["log_entries"] == []
    assert rest.ask("GET", f"/incidents/{ident}", 200)["incident"]["id"] == ident


def test_rate_limits_with_headers_and_faults_without(rest: Rest, twin: TwinControl) -> None:
    twin.configure(rate_limit=3)
    left = [rest.ask("GET", "/abilities").headers["ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = rest.ask("GET", "/abilities")
    assert (refused.status_code, refused.json()) == (
        429,
        {"error": {"message": "Rate Limit Exceeded", "code": 2020}},
    )
    assert 0 < int(refused.headers["ratelimit-reset"]) <= 60
    twin.configure(clock_offset=61)
    assert rest.ask("GET", "/abilities").status_code == 200
    twin.fault({"match": {"first": 1}, "effect": {"kind": "status", "status": 429, "body": ""}})
    bare = rest.ask("GET", "/abilities")
    assert (bare.status_code, bare.content, "ratelimit-reset" in bare.headers) == (429, b"", False)


def test_a_create_whose_answer_is_lost_is_found_by_its_key(rest: Rest, twin: TwinControl) -> None:
    twin.fault(
        {"match": {"method": "POST"}, "effect": {"kind": "status", "status": 502, "after_write": True}}
    )
    body = {
        "type": "incident",
        "title": "t",
        "service": {"id": CHECKOUT, "type": "service_reference"},
        "incident_key": "k",
    }
    assert rest.ask("POST", "/incidents", json={"incident": body}).status_code == 502
    assert len(rest.ask("GET", "/incidents?incident_key=k", 200)["incidents"]) == 1
    assert [entry["summary"]["incident_key"] for entry in twin.effects("incident.create")] == ["k"]


def test_unknown_things_and_paths(rest: Rest, twin: TwinControl) -> None:
    for path in ("/incidents/QNONE", "/incidents/99", "/services/PNONE", "/nowhere"):
        assert rest.ask("GET", path, 404)["error"]["code"] == 2100
    assert rest.ask("POST", "/incidents", 400, content=b"{")["error"]["code"] == 2002
    twin.configure(priorities=False)
    assert rest.ask("GET", "/priorities", 402)["error"]["code"] == 2014


def test_events_that_are_refused_dropped_or_throttled(rest: Rest, twin: TwinControl) -> None:
    refused = rest.event("trigger", status=400, payload={"source": "s", "severity": "critical"})
    assert refused["errors"] == ["'payload.summary' is missing or blank"]
    assert rest.event("trigger", status=400, routing_key="0" * 32)["errors"] == ["Invalid routing key"]
    assert rest.event("explode", status=400)["status"] == "invalid event"
    assert rest.event("resolve", "never seen")["status"] == "success"
    assert twin.effects("incident.*") == []
    twin.configure(events_rate_limit=2)
    rest.event("trigger", "k")
    assert rest.event("trigger", "k", status=429)["status"] == "throttle exceeded"
    assert len(twin.effects("event.enqueue")) == 2


def test_an_event_may_open_its_incident_later(rest: Rest, twin: TwinControl) -> None:
    twin.configure(event_lag_seconds=5)
    rest.event("trigger", "k")
    assert rest.ask("GET", "/incidents?incident_key=k", 200)["incidents"] == []
    twin.configure(clock_offset=6)
    found = rest.ask("GET", "/incidents?incident_key=k", 200)["incidents"]
    assert [(one["incident_key"], one["alert_counts"]["all"]) for one in found] == [(None, 1)]


def test_on_calls_follow_schedule_and_override(rest: Rest) -> None:
    query = "since=2026-01-06T09:00:00Z&until=2026-01-15T09:00:00Z&schedule_ids[]=PSCHED1"
    calls = rest.ask("GET", f"/oncalls?{query}", 200)["oncalls"]
    assert [(one["user"]["id"], one["start"]) for one in calls] == [
        (ANN, "2026-01-05T09:00:00Z"),
        (CAROL, "2026-01-12T09:00:00Z"),
    ]
    override = {
        "start": "2026-01-07T00:00:00Z",
        "end": "2026-01-08T00:00:00Z",
        "user": {"id": ADMIN, "type": "user_reference"},
    }
    rest.ask("POST", "/schedules/PSCHED1/overrides", 201, json={"override": override})
    calls = rest.ask("GET", f"/oncalls?{query}", 200)["oncalls"]
    assert [one["user"]["id"] for one in calls] == [ANN, ADMIN, ANN, CAROL]
    permanent = rest.ask("GET", f"/oncalls?user_ids[]={ADMIN}&include[]=users", 200)["oncalls"]
    assert [(one["schedule"], one["start"], one["user"]["email"]) for one in permanent] == [
        (None, None, "admin@example.com")
    ]


def test_tags(rest: Rest) -> None:
    body = {"add": [{"type": "tag", "label": "apac"}], "remove": [{"type": "tag_reference", "id": "PTAG001"}]}
    rest.ask("POST", f"/users/{ADMIN}/change_tags", 200, json=body)
    assert [tag["label"] for tag in rest.ask("GET", f"/users/{ADMIN}/tags", 200)["tags"]] == ["apac"]
    assert rest.ask("GET", "/tags/PTAG001/users", 200)["users"] == []


def test_notes_are_written_changed_and_taken_away(rest: Rest, twin: TwinControl) -> None:
    ident = rest.create()["id"]
    path = f"/incidents/{ident}/notes"
    note = rest.ask("POST", path, 200, json={"note": {"content": "first"}})["note"]
    assert rest.ask("POST", path, 400, json={"note": {"content": " "}})["error"]["code"] == 2001
    rest.ask("PUT", f"{path}/{note['id']}", 200, json={"note": {"content": "better"}})
    assert [one["content"] for one in rest.ask("GET", path, 200)["notes"]] == ["better"]
    rest.ask("DELETE", f"{path}/{note['id']}", 204)
    assert rest.ask("GET", path, 200) == {"notes": []}
    assert [entry["kind"] for entry in twin.effects("note.*")] == [
        "note.create",
        "note.update",
        "note.delete",
    ]


def test_custom_fields_take_only_their_options(rest: Rest) -> None:
    path = f"/incidents/{rest.create()['id']}/custom_fields/values"

    def put(value: str, status: int) -> Any:
        return rest.ask(
            "PUT", path, status, json={"custom_fields": [{"name": "environment", "value": value}]}
        )

    put("moon", 400)
    put("staging", 201)
    values = {one["name"]: one["value"] for one in rest.ask("GET", path, 200)["custom_fields"]}
    assert values == {"environment": "staging", "ticket_url": None}


def test_a_service_comes_changes_and_goes(rest: Rest, twin: TwinControl) -> None:
    policy = {"id": "PEP0001", "type": "escalation_policy_reference"}
    body = {"type": "service", "name": "Search", "escalation_policy": policy}
    service = rest.ask("POST", "/services", 201, json={"service": body})["service"]
    assert rest.ask("POST", "/services", 400, json={"service": body})["error"]["code"] == 2001
    integration = {"type": "events_api_v2_inbound_integration", "name": "ours"}
    made = rest.ask("POST", f"/services/{service['id']}/integrations", 201, json={"integration": integration})
    rest.event("trigger", "k", routing_key=made["integration"]["integration_key"])
    assert rest.ask("GET", f"/services/{service['id']}", 200)["service"]["status"] == "critical"
    assert rest.ask("DELETE", f"/services/{service['id']}", 400)["error"]["code"] == 2001
    rest.event("resolve", "k", routing_key=made["integration"]["integration_key"])
    rest.ask("DELETE", f"/services/{service['id']}", 204)
    assert [entry["kind"] for entry in twin.effects("service.*")] == ["service.create", "service.delete"]


def test_severity_decides_the_urgency_where_the_service_says_so(rest: Rest) -> None:
    batch = "ba7c0000000000000000000000000002"
    for key, severity in (("a", "critical"), ("b", "info")):
        payload = {"summary": key, "source": "s", "severity": severity}
        rest.event("trigger", key, routing_key=batch, payload=payload)
    assert [one["urgency"] for one in rest.ask("GET", "/incidents", 200)["incidents"]] == ["high", "low"]


def test_the_few_writes_that_need_no_from_header(rest: Rest) -> None:
    path = f"/incidents/{rest.create()['id']}"
    note = rest.ask("POST", f"{path}/notes", 200, json={"note": {"content": "x"}})["note"]
    anonymous = {"From": None}
    rest.ask("DELETE", f"{path}/notes/{note['id']}", 204, headers=anonymous)
    fields = {"custom_fields": [{"name": "environment", "value": "staging"}]}
    rest.ask("PUT", f"{path}/custom_fields/values", 201, json=fields, headers=anonymous)
    target = {"responder_request_target": {"id": CAROL, "type": "user_reference"}}
    asked = {"requester_id": ANN, "message": "help", "responder_request_targets": [target]}
    made = rest.ask("POST", f"{path}/responder_requests", 200, json=asked, headers=anonymous)[
        "responder_request"
    ]
    assert made["requester"]["id"] == ANN
    log = rest.ask("GET", f"{path}/log_entries", 200)["log_entries"]
    assert [entry["agent"]["id"] for entry in log[:2]] == [ANN, CHECKOUT]
