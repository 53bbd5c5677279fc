"""The Table API: shapes of values, paging, headers, refusals, rights."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.sandbox.conftest import TwinControl
from tests.sandbox.servicenow.conftest import ANN, CARLA, INTEGRATION, MIA, Rest

TABLE = "/api/now/table"
NOT_FOUND = {
    "error": {
        "message": "No Record found",
        "detail": "Record doesn't exist or ACL restricts the record retrieval",
    },
    "status": "failure",
}


def sys_id(rest: Rest, table: str, **field: str) -> str:
    ((name, value),) = field.items()
    (row,) = rest.rows(table, f"{name}={value}")
    found: str = row["sys_id"]
    return found


def test_values_raw_displayed_and_both(rest: Rest) -> None:
    ann = sys_id(rest, "sys_user", user_name="ann.lee")
    row = rest.create(assigned_to=ann, category="software")
    link = f"{rest.control.url}/api/now/table/sys_user/{ann}"
    raw = rest.read(row)
    assert raw["state"] == "1"
    assert raw["active"] == "true"
    assert raw["assigned_to"] == {"link": link, "value": ann}
    assert raw["assignment_group"] == ""
    assert all(isinstance(value, str | dict) for value in raw.values())
    shown = rest.read(row, sysparm_display_value="true")
    assert shown["state"] == "New"
    assert shown["category"] == "Software"
    assert shown["assigned_to"] == {"display_value": "Ann Lee", "link": link}
    both = rest.read(row, sysparm_display_value="all", sysparm_exclude_reference_link="true")
    assert both["state"] == {"display_value": "New", "value": "1"}
    assert both["assigned_to"] == {"display_value": "Ann Lee", "value": ann}
    assert both["sys_class_name"] == {"display_value": "Incident", "value": "incident"}
    assert rest.read(row, sysparm_exclude_reference_link="true")["assigned_to"] == ann


def test_fields_are_chosen_and_walked_and_unknown_ones_left_out(rest: Rest) -> None:
    row = rest.create(assigned_to=sys_id(rest, "sys_user", user_name="ann.lee"))
    read = rest.read(
        row, sysparm_fields="number,assigned_to.email,caller_id.name,nothing,assigned_to.nothing"
    )
    assert read == {"number": "INC0010001", "assigned_to.email": "ann.lee@example.com", "caller_id.name": ""}
    assert set(rest.read(row, sysparm_view="mobile")) == {
        "sys_id",
        "number",
        "short_description",
        "state",
        "priority",
        "assigned_to",
    }


def test_create_answers_201_with_its_location(rest: Rest) -> None:
    made = rest.ask("POST", f"{TABLE}/incident", json={"short_description": "x", "no_such_field": "y"})
    assert made.status_code == 201
    result = made.json()["result"]
    assert made.headers["location"] == f"{rest.control.url}{TABLE}/incident/{result['sys_id']}"
    assert re.fullmatch("[0-9a-f]{32}", result["sys_id"])
    assert result["number"] == "INC0010001"
    assert "no_such_field" not in result
    silent = rest.ask("POST", f"{TABLE}/incident", json={}, headers={"X-no-response-body": "true"})
    assert (silent.status_code, silent.content) == (201, b"")


def test_only_the_first_of_several_records_is_made(rest: Rest) -> None:
    rest.ask("POST", f"{TABLE}/incident", 201, json=[{"short_description": "a"}, {"short_description": "b"}])
    assert [row["short_description"] for row in rest.rows("incident")] == ["a"]


def test_a_method_can_be_overridden(rest: Rest) -> None:
    row = rest.create()
    path, override = f"{TABLE}/incident/{row['sys_id']}", {"X-http-method-override": "PATCH"}
    rest.ask("POST", path, 200, json={"urgency": "1"}, headers=override)
    assert rest.read(row)["urgency"] == "1"
    rest.ask("DELETE", path, 204)
    assert rest.ask("GET", path, 404) == NOT_FOUND


def test_pages_carry_count_and_links(rest: Rest) -> None:
    for _ in range(5):
        rest.create()
    params: dict[str, Any] = {"sysparm_query": "ORDERBYnumber", "sysparm_limit": 2, "sysparm_offset": 2}
    page = rest.ask("GET", f"{TABLE}/incident", params=params)
    assert [row["number"] for row in page.json()["result"]] == ["INC0010003", "INC0010004"]
    assert page.headers["x-total-count"] == "5"
    links = {name: url for url, name in re.findall(r'<([^>]+)>;rel="(\w+)"', page.headers["link"])}
    offsets = {name: re.search(r"sysparm_offset=(\d+)", url) for name, url in links.items()}
    assert {name: found and found[1] for name, found in offsets.items()} == {
        "next": "4",
        "prev": "0",
        "first": "0",
        "last": "4",
    }
    following = rest.control.http.get(links["next"], auth=rest.auth)
    assert [row["number"] for row in following.json()["result"]] == ["INC0010005"]
    bare = rest.ask(
        "GET", f"{TABLE}/incident", params={**params, "sysparm_suppress_pagination_header": "true"}
    )
    assert "link" not in bare.headers
    uncounted = rest.ask("GET", f"{TABLE}/incident", params={"sysparm_no_count": "true"})
    assert "x-total-count" not in uncounted.headers


def test_plain_parameters_are_a_query_too(rest: Rest) -> None:
    rest.create(correlation_id="a")
    rest.create(correlation_id="b")
    found = rest.ask("GET", f"{TABLE}/incident", 200, params={"correlation_id": "b"})["result"]
    assert [row["number"] for row in found] == ["INC0010002"]


def test_an_empty_list_is_a_404_in_version_1_only(rest: Rest) -> None:
    for path in ("/api/now", "/api/now/v2"):
        assert rest.ask("GET", f"{path}/table/incident", 200) == {"result": []}
    rest.ask("GET", "/api/now/v1/table/incident", 404)


def test_input_by_display_value(rest: Rest) -> None:
    fields = {"state": "In Progress", "assigned_to": "Ann Lee", "opened_at": "2026-03-11 12:00:00"}
    params = {"sysparm_input_display_value": "true", "sysparm_exclude_reference_link": "true"}
    made = rest.ask("POST", f"{TABLE}/incident", 201, json=fields, params=params)["result"]
    assert made["state"] == "2"
    assert made["assigned_to"] == sys_id(rest, "sys_user", user_name="ann.lee")
    # Without it a label or a name is kept as it came, and means nothing.
    orphan = rest.create(category="Software", assigned_to="Ann Lee")
    shown = rest.read(orphan, sysparm_display_value="true", sysparm_exclude_reference_link="true")
    assert (shown["category"], shown["assigned_to"]) == ("Software", "")


def test_text_is_cut_to_its_column(rest: Rest) -> None:
    assert rest.create(short_description="x" * 200)["short_description"] == "x" * 160


@pytest.mark.parametrize(
    ("request_line", "options", "status", "message"),
    [
        (f"GET {TABLE}/nope", {}, 400, "Invalid table nope"),
        (f"GET {TABLE}/incident/" + "0" * 32, {}, 404, "No Record found"),
        (f"POST {TABLE}/incident", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400,
         "Exception while reading request"),
        (f"POST {TABLE}/incident", {"content": b"a=1", "headers": {"Content-Type": "text/plain"}}, 415,
         "Unsupported Media Type"),
        (f"PUT {TABLE}/incident", {"json": {}}, 405, "Method not supported"),
        (f"GET {TABLE}/incident", {"headers": {"Accept": "text/html"}}, 406, "Not acceptable"),
        ("GET /api/now/nothing", {}, 404, "Requested URI does not represent any resource"),
        (f"GET {TABLE}/incident", {"auth": ("admin", "x")}, 401, "User Not Authenticated"),
        (f"GET {TABLE}/incident", {"auth": None}, 401, "User Not Authenticated"),
        (f"GET {TABLE}/sys_choice", {"auth": CARLA}, 403, "Insufficient rights to query records"),
    ],
)  # fmt: skip
def test_refusals(rest: Rest, request_line: str, options: dict[str, Any], status: int, message: str) -> None:
    method, path = request_line.split()
    refusal = rest.ask(method, path, status, **options)
    assert refusal["status"] == "failure"
    assert refusal["error"]["message"] == message


def test_who_is_not_signed_in_is_told_how(rest: Rest) -> None:
    answer = rest.ask("GET", f"{TABLE}/incident", auth=None)
    detail = "Required to provide Auth information"
    assert answer.json()["error"] == {"message": "User Not Authenticated", "detail": detail}
    assert "BASIC" in answer.headers["www-authenticate"]


def test_an_api_key_in_header_or_address(rest: Rest, twin: TwinControl) -> None:
    key = twin.get("credentials")["api_key"]
    made = rest.ask("POST", f"{TABLE}/incident", 201, json={}, auth=None, headers={"x-sn-apikey": key})
    assert made["result"]["sys_created_by"] == "callout.integration"
    assert (
        len(rest.ask("GET", f"{TABLE}/incident", 200, auth=None, params={"x-sn-apikey": key})["result"]) == 1
    )
    rest.ask("GET", f"{TABLE}/incident", 401, auth=None, headers={"x-sn-apikey": "wrong"})


def test_a_page_may_be_short_because_rights_come_after_the_limit(rest: Rest, twin: TwinControl) -> None:
    carla = sys_id(rest, "sys_user", user_name="carla.customer")
    for number in range(6):
        rest.create(caller_id=carla if number % 3 == 0 else "")
    params: dict[str, Any] = {"sysparm_query": "ORDERBYnumber", "sysparm_limit": 3}
    page = Rest(twin, CARLA).ask("GET", f"{TABLE}/incident", params=params)
    assert [row["number"] for row in page.json()["result"]] == ["INC0010001"]
    assert page.headers["x-total-count"] == "6"


def test_a_forbidden_list_may_come_back_empty(rest: Rest, twin: TwinControl) -> None:
    twin.configure(forbidden_lists="empty")
    assert Rest(twin, ANN).rows("sys_journal_field") == []


def test_dictionary_tables_and_choices_can_be_read(twin: TwinControl) -> None:
    rest = Rest(twin, INTEGRATION)
    (incident,) = rest.rows("sys_db_object", "name=incident", sysparm_fields="name,label,super_class.name")
    assert incident == {"name": "incident", "label": "Incident", "super_class.name": "task"}
    query = "nameINincident,task^elementISNOTEMPTY^active=true"
    fields = {row["element"]: row for row in rest.rows("sys_dictionary", query)}
    assert fields["correlation_id"]["max_length"] == "100"
    assert fields["assigned_to"]["reference"] == "sys_user"
    assert fields["work_notes"]["internal_type"] == "journal_input"
    assert fields["u_external_reference"]["column_label"] == "External reference"
    states = rest.rows(
        "sys_choice", "nameINincident,task^element=state^inactive=false^language=en^ORDERBYsequence"
    )
    labels = {(row["name"], row["value"]): row["label"] for row in states}
    assert labels["incident", "6"] == "Resolved"
    assert labels["task", "3"] == "Closed Complete"


def test_rights_to_write(rest: Rest, twin: TwinControl) -> None:
    row, ann = rest.create(), Rest(twin, ANN)
    refused = ann.ask("DELETE", f"{TABLE}/incident/{row['sys_id']}", 403)["error"]
    assert refused["detail"] == "ACL Exception Delete Failed due to security constraints"
    ann.ask("POST", f"{TABLE}/sys_choice", 403, json={"name": "incident"})
    Rest(twin, MIA).ask("DELETE", f"{TABLE}/incident/{row['sys_id']}", 204)
    (trace,) = rest.rows("sys_audit_delete", f"tablename=incident^documentkey={row['sys_id']}")
    assert trace["display_value"] == "INC0010001"


def test_keyset_polling_sees_every_record_of_one_second(rest: Rest) -> None:
    made = [rest.create() for _ in range(7)]
    seen: list[str] = []
    cursor = ("1970-01-01 00:00:00", "")
    while True:
        since, last = cursor
        newer = f"sys_updated_on>{since}^NQsys_updated_on={since}^sys_id>{last}"
        page = rest.rows("incident", f"{newer}^ORDERBYsys_updated_on^ORDERBYsys_id", sysparm_limit=2)
        if not page:
            break
        seen += [row["sys_id"] for row in page]
        cursor = (page[-1]["sys_updated_on"], page[-1]["sys_id"])
    assert sorted(seen) == sorted(row["sys_id"] for row in made)


def test_a_lagging_list_shows_the_past_and_a_read_by_id_does_not(rest: Rest, twin: TwinControl) -> None:
    old = rest.create(correlation_id="old")
    twin.configure(clock_offset=100)
    rest.patch(old, short_description="changed")
    rest.create(correlation_id="new")
    twin.fault({"effect": {"kind": "lagging_search", "seconds": 30}})
    assert [row["short_description"] for row in rest.rows("incident")] == ["Checkout is slow"]
    assert rest.rows("incident", "correlation_id=new") == []
    assert rest.read(old)["short_description"] == "changed"
    twin.configure(clock_offset=200)
    assert len(rest.rows("incident")) == 2
