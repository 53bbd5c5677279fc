"""REST v2 and v3, request by request: shapes, refusals, and the rules that bite."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.jira.conftest import Rest, doc

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl

LONG = "x" * 32_768


def test_both_versions_show_one_text(v2: Rest, v3: Rest) -> None:
    key = v2.create(description="h2. Impact\n\n*All* of [Europe|https://example.com]\n\n* a\n* b")["key"]
    document = v3.ask("GET", f"/issue/{key}", 200)["fields"]["description"]
    assert [block["type"] for block in document["content"]] == ["heading", "paragraph", "bulletList"]
    assert document["content"][1]["content"][0] == {
        "type": "text",
        "text": "All",
        "marks": [{"type": "strong"}],
    }
    v3.ask("PUT", f"/issue/{key}", 204, json={"fields": {"description": doc("one", "two")}})
    assert v2.ask("GET", f"/issue/{key}", 200)["fields"]["description"] == "one\n\ntwo"


def test_timestamps_carry_the_offset_of_the_account_without_a_colon(v3: Rest, twin: TwinControl) -> None:
    key = v3.create()["key"]
    twin.configure(admin_time_zone="Asia/Kolkata")
    created = v3.ask("GET", f"/issue/{key}", 200)["fields"]["created"]
    assert created.endswith("+0530")
    assert len(created) == len("2026-01-30T18:30:41.962+0100")
    assert datetime.fromisoformat(created).utcoffset() is not None


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"summary": ""}, "summary", "You must specify a summary of the issue."),
        ({"summary": "x" * 256}, "summary", "Summary can't exceed 255 characters."),
        ({"summary": "a\nb"}, "summary", "The summary is invalid because it contains newline characters."),
        ({"project": {"key": "NOPE"}}, "project", "Specify a valid project ID or key"),
        ({"issuetype": {"name": "Nope"}}, "issuetype", "Specify a valid issue type"),
        ({"priority": {"name": "Urgent"}}, "priority", "Priority name 'Urgent' is not valid"),
        ({"priority": {"id": "99"}}, "priority", "Priority id '99' is not valid"),
        ({"labels": ["a b"]}, "labels", "The label 'a b' contains spaces which is invalid."),
        ({"labels": "a"}, "labels", "data was not an array"),
        ({"assignee": {"accountId": "nobody"}}, "assignee", "User 'nobody' does not exist."),
        ({"components": [{"name": "Nope"}]}, "components", "Component name 'Nope' is not valid"),
        ({"status": {"name": "Done"}}, "status", "Field 'status' cannot be set."),
        ({"resolution": {"name": "Done"}}, "resolution", "Field 'resolution' cannot be set."),
        ({"customfield_1": 1}, "customfield_1", "Field 'customfield_1' cannot be set."),
        ({"customfield_10042": {"value": "Moon"}}, "customfield_10042", "Option value 'Moon' is not valid"),
        ({"customfield_10043": "3"}, "customfield_10043", "Operation value must be a number"),
        ({"customfield_10045": "soon"}, "customfield_10045", "Error parsing time: soon"),
        ({"duedate": "tomorrow"}, "duedate", "Error parsing date string: tomorrow"),
        ({"description": "text"}, "description", "Operation value must be an Atlassian Document"),
        ({"description": {"type": "doc", "version": 2, "content": []}}, "description", "INVALID_INPUT"),
        ({"description": doc(LONG)}, "description", "It exceeds the allowed limit of 32,767 characters."),
        ({"parent": {"key": "TST-99"}}, "parent", "Could not find issue by id or key."),
    ],
)
def test_a_create_is_refused_by_field(v3: Rest, fields: dict[str, Any], field: str, message: str) -> None:
    body = {"project": {"key": "TST"}, "issuetype": {"name": "Task"}, "summary": "x", **fields}
    answer = v3.ask("POST", "/issue", 400, json={"fields": body})
    assert set(answer["errors"]) == {field}
    assert message in answer["errors"][field]
    assert v3.control.effects("issue.create") == []


def test_custom_values_of_every_kind_survive_a_round_trip(v3: Rest) -> None:
    ann = v3.ask("GET", "/user/search?query=ann", 200)[0]["accountId"]
    sent: dict[str, Any] = {
        "customfield_10040": "PO-7",
        "customfield_10041": doc("Many customers"),
        "customfield_10042": {"value": "Production"},
        "customfield_10043": 12.5,
        "customfield_10044": [{"value": "Asia"}, {"id": "10021"}],
        "customfield_10045": "2026-05-01T10:00:00.000+0000",
        "customfield_10046": {"accountId": ann},
        "customfield_10047": ["b", "a"],
        "duedate": "2026-05-01",
    }
    fields = v3.ask("GET", f"/issue/{v3.create(**sent)['key']}", 200)["fields"]
    assert fields["customfield_10040"] == "PO-7"
    assert fields["customfield_10041"] == doc("Many customers")
    assert fields["customfield_10042"]["id"] == "10011"
    assert fields["customfield_10043"] == 12.5
    assert [option["value"] for option in fields["customfield_10044"]] == ["Asia", "Europe"]
    assert fields["customfield_10045"] == "2026-05-01T12:00:00.000+0200"
    assert fields["customfield_10046"]["displayName"] == "Ann Agent"
    assert fields["customfield_10047"] == ["a", "b"]
    assert fields["duedate"] == "2026-05-01"


def test_two_identical_creates_make_two_issues(v3: Rest) -> None:
    first, second = v3.create(labels=["inc-7"]), v3.create(labels=["inc-7"])
    assert first["key"] != second["key"]
    created = v3.control.effects("issue.create")
    assert [entry["summary"]["labels"] for entry in created] == [["inc-7"], ["inc-7"]]


def test_an_edit_changes_only_what_it_names_and_bumps_updated(v3: Rest) -> None:
    key = v3.create(labels=["a"], priority={"name": "Low"})["key"]
    before = v3.ask("GET", f"/issue/{key}", 200)["fields"]
    v3.control.configure(clock_offset=60)
    body = {"fields": {"summary": "New"}, "update": {"labels": [{"add": "b"}, {"remove": "a"}]}}
    after = v3.ask("PUT", f"/issue/{key}?returnIssue=true", 200, json=body)["fields"]
    assert (after["summary"], after["labels"], after["priority"]["name"]) == ("New", ["b"], "Low")
    assert after["updated"] > before["updated"]
    history = v3.ask("GET", f"/issue/{key}/changelog", 200)["values"][0]
    changes = {item["fieldId"]: (item["fromString"], item["toString"]) for item in history["items"]}
    assert changes == {"summary": ("Checkout is slow", "New"), "labels": ("a", "b")}


def test_an_edit_to_the_same_values_is_no_change(v3: Rest) -> None:
    key = v3.create(labels=["a"])["key"]
    before = v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"]
    v3.control.configure(clock_offset=60)
    v3.ask("PUT", f"/issue/{key}", 204, json={"fields": {"labels": ["a"], "summary": "Checkout is slow"}})
    assert v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"] == before
    assert v3.control.effects("issue.edit") == []


def test_a_field_cannot_be_set_and_updated_at_once_and_then_nothing_changes(v3: Rest) -> None:
    key = v3.create(labels=["a"])["key"]
    body = {"fields": {"labels": ["b"], "summary": "New"}, "update": {"labels": [{"add": "c"}]}}
    assert "labels" in v3.ask("PUT", f"/issue/{key}", 400, json=body)["errors"]
    assert v3.ask("GET", f"/issue/{key}", 200)["fields"]["summary"] == "Checkout is slow"


def test_a_transition_inside_an_edit_is_ignored(v3: Rest) -> None:
    key = v3.create()["key"]
    v3.ask("PUT", f"/issue/{key}", 204, json={"fields": {"summary": "New"}, "transition": {"id": "21"}})
    assert v3.ask("GET", f"/issue/{key}", 200)["fields"]["status"]["name"] == "To Do"


def test_done_in_ops_asks_for_a_resolution_and_done_in_tst_does_not(v3: Rest) -> None:
    easy, key = v3.create(project="TST")["key"], v3.create(project="OPS")["key"]
    for started in (easy, key):
        v3.ask("POST", f"/issue/{started}/transitions", 204, json={"transition": {"id": "21"}})
    v3.ask("POST", f"/issue/{easy}/transitions", 204, json={"transition": {"id": "31"}})
    path = f"/issue/{key}/transitions"
    listed = v3.ask("GET", f"{path}?expand=transitions.fields", 200)["transitions"]
    done = next(item for item in listed if item["to"]["statusCategory"]["key"] == "done")
    assert done["fields"]["resolution"]["required"] is True
    chosen = done["fields"]["resolution"]["allowedValues"][2]
    refused = v3.ask("POST", path, 400, json={"transition": {"id": "31"}, "fields": {}})
    assert refused["errors"] == {"resolution": "Resolution is required."}
    v3.ask(
        "POST", path, 204, json={"transition": {"id": "31"}, "fields": {"resolution": {"id": chosen["id"]}}}
    )
    fields = v3.ask("GET", f"/issue/{key}", 200)["fields"]
    assert (fields["resolution"]["name"], fields["status"]["name"]) == (chosen["name"], "Done")
    assert fields["resolutiondate"] is not None
    v3.ask("POST", path, 204, json={"transition": {"id": "41"}})
    assert v3.ask("GET", f"/issue/{key}", 200)["fields"]["resolution"] is None


def test_a_transition_from_the_wrong_state_or_with_a_foreign_field_is_refused(v3: Rest) -> None:
    key = v3.create()["key"]
    path = f"/issue/{key}/transitions"
    assert (
        "not valid for the current state"
        in v3.ask("POST", path, 400, json={"transition": {"id": "31"}})["errorMessages"][0]
    )
    body = {"transition": {"id": "21"}, "fields": {"summary": "x"}}
    assert set(v3.ask("POST", path, 400, json=body)["errors"]) == {"summary"}
    assert v3.control.effects("issue.transition") == []


def test_what_may_not_be_seen_is_not_found(v3: Rest) -> None:
    key = v3.create(project="OPS")["key"]
    carol = Rest(v3.control, 3, ("carol@example.com", "token3"))
    assert carol.ask("GET", f"/issue/{key}", 404) == carol.ask("GET", "/issue/OPS-99", 404)
    assert [p["key"] for p in carol.ask("GET", "/project/search", 200)["values"]] == ["HELP", "TST"]
    assert carol.ask("POST", "/search/jql", json={"jql": "project = OPS"}).status_code == 400
    assert carol.ask("POST", "/search/jql", 200, json={"jql": "summary ~ checkout"})["issues"] == []


def test_mail_addresses_stay_private(v3: Rest) -> None:
    (carol,) = v3.ask("GET", "/user/search?query=carol", 200)
    assert "emailAddress" not in carol
    assert v3.ask("GET", "/user/search?query=carol@example", 200) == []
    own = Rest(v3.control, 3, ("carol@example.com", "token3")).ask("GET", "/myself", 200)
    assert own["emailAddress"] == "carol@example.com"


def test_nobody_signed_in_gets_plain_text_or_an_empty_list(v3: Rest) -> None:
    stranger = Rest(v3.control, 3, None)
    refused = stranger.ask("GET", "/myself")
    assert (refused.status_code, refused.headers["content-type"]) == (401, "text/plain; charset=utf-8")
    assert stranger.ask("GET", "/serverInfo", 200)["deploymentType"] == "Cloud"
    assert stranger.ask("GET", "/project/search", 200)["values"] == []


def test_a_moved_issue_is_found_under_both_keys(v3: Rest) -> None:
    created = v3.create()
    v3.control.http.post(f"{v3.control.url}/_twin/act/move_issue", json={"issue": "TST-1", "project": "OPS"})
    assert v3.ask("GET", "/issue/TST-1", 200)["key"] == "OPS-1"
    assert v3.ask("GET", f"/issue/{created['id']}", 200)["fields"]["project"]["key"] == "OPS"


def test_comments_page_sort_and_bump_updated(v3: Rest) -> None:
    key = v3.create()["key"]
    for number in range(5):
        v3.ask("POST", f"/issue/{key}/comment", 201, json={"body": doc(f"c{number}")})
    page = v3.ask("GET", f"/issue/{key}/comment?startAt=1&maxResults=2&orderBy=-created", 200)
    assert (page["total"], page["startAt"], page["maxResults"]) == (5, 1, 2)
    assert [c["body"]["content"][0]["content"][0]["text"] for c in page["comments"]] == ["c3", "c2"]
    before = v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"]
    v3.control.configure(clock_offset=60)
    edited = {"body": doc("edited")}
    v3.ask("PUT", f"/issue/{key}/comment/{page['comments'][0]['id']}", 200, json=edited)
    assert v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"] > before
    assert v3.ask("POST", f"/issue/{key}/comment", 400, json={"body": doc()})["errors"]["comment"]
    assert v3.ask("POST", f"/issue/{key}/comment", 400, json={"body": "text"})["errors"]["comment"]
    assert v3.ask("GET", f"/issue/{key}/comment?orderBy=updated").status_code == 400


def test_an_internal_comment_is_marked_on_both_apis(v3: Rest) -> None:
    key = v3.create(project="HELP")["key"]
    note = {"body": doc("secret"), "properties": [{"key": "sd.public.comment", "value": {"internal": True}}]}
    made = v3.ask("POST", f"/issue/{key}/comment", 201, json=note)
    assert made["jsdPublic"] is False
    asked = f"/issue/{key}/comment/{made['id']}?expand=properties"
    assert v3.ask("GET", asked, 200)["properties"] == note["properties"]
    desk = f"{v3.control.url}/rest/servicedeskapi/request/{key}/comment"
    v3.ask("POST", desk, 201, json={"body": "hello customer", "public": True})
    v3.ask("POST", desk, 201, json={"body": "among us", "public": False})
    bodies = {c["body"]: c["public"] for c in v3.ask("GET", desk, 200)["values"]}
    assert bodies == {"secret": False, "hello customer": True, "among us": False}
    assert [c["body"] for c in v3.ask("GET", f"{desk}?internal=false", 200)["values"]] == ["hello customer"]


def test_a_customer_request_is_an_issue(v3: Rest) -> None:
    api = f"{v3.control.url}/rest/servicedeskapi"
    (desk,) = v3.ask("GET", f"{api}/servicedesk", 200)["values"]
    kinds = v3.ask("GET", f"{api}/servicedesk/{desk['id']}/requesttype", 200)["values"]
    values = {"summary": "VPN is down", "description": "since *noon*"}
    body = {"serviceDeskId": desk["id"], "requestTypeId": kinds[0]["id"], "requestFieldValues": values}
    made = v3.ask("POST", f"{api}/request", 201, json=body)
    assert made["currentStatus"]["statusCategory"] == "NEW"
    assert v3.ask("GET", f"/issue/{made['issueKey']}", 200)["fields"]["summary"] == "VPN is down"
    (clock,) = v3.ask("GET", f"{api}/request/{made['issueKey']}/sla", 200)["values"]
    assert clock["ongoingCycle"]["breached"] is False
    v3.control.configure(clock_offset=5 * 3600)
    (clock,) = v3.ask("GET", f"{api}/request/{made['issueKey']}/sla", 200)["values"]
    assert clock["ongoingCycle"]["breached"] is True
    assert v3.ask("GET", f"{api}/request/NOPE-1", 404)["errorMessage"]


def test_an_upload_needs_its_header_and_its_part_name(v3: Rest) -> None:
    key = v3.create()["key"]
    path, files = f"/issue/{key}/attachments", {"file": ("a.txt", b"hello", "text/plain")}
    token = {"X-Atlassian-Token": "no-check"}
    assert v3.ask("POST", path, files=files).status_code == 403
    assert v3.ask("POST", path, files={"upload": ("a.txt", b"x")}, headers=token).status_code == 400
    v3.control.configure(upload_limit=4)
    assert v3.ask("GET", "/attachment/meta", 200) == {"enabled": True, "uploadLimit": 4}
    assert v3.ask("POST", path, files=files, headers=token).status_code == 413
    assert v3.control.effects("attachment.create") == []
    v3.control.configure(upload_limit=1000)
    (made,) = v3.ask("POST", path, 200, files=files, headers=token)
    redirect = v3.ask("GET", f"/attachment/content/{made['id']}")
    assert redirect.status_code == 303
    assert v3.ask("GET", redirect.headers["location"], auth=None).content == b"hello"
    assert (
        v3.ask("GET", redirect.headers["location"].replace("token=", "token=x"), auth=None).status_code == 403
    )
    direct = f"/attachment/content/{made['id']}?redirect=false"
    assert v3.ask("GET", direct).content == b"hello"
    part = v3.ask("GET", direct, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"ell")


def test_editmeta_and_the_fields_expansions(v3: Rest) -> None:
    key = v3.create()["key"]
    meta = v3.ask("GET", f"/issue/{key}/editmeta", 200)["fields"]
    assert meta["labels"]["operations"] == ["add", "set", "remove"]
    assert "status" not in meta
    assert "resolution" not in meta
    expanded = v3.ask(
        "GET", f"/issue/{key}?fields=summary,status&expand=names,schema,transitions,renderedFields", 200
    )
    assert set(expanded["fields"]) == {"summary", "status"}
    assert expanded["names"]["summary"] == "Summary"
    assert expanded["schema"]["status"] == {"type": "status", "system": "status"}
    assert [t["id"] for t in expanded["transitions"]] == ["21"]
    without = v3.ask("GET", f"/issue/{key}?fields=*all,-comment", 200)["fields"]
    assert "comment" not in without
    assert "description" in without


def test_bulk_fetch_keeps_what_it_finds(v3: Rest) -> None:
    keys = [v3.create(f"issue {number}")["key"] for number in range(2)]
    body = {"issueIdsOrKeys": [*keys, "TST-99"], "fields": ["summary"]}
    answer = v3.ask("POST", "/issue/bulkfetch", 200, json=body)
    assert [issue["fields"]["summary"] for issue in answer["issues"]] == ["issue 0", "issue 1"]
    assert [error["id"] for error in answer["issueErrors"]] == ["TST-99"]


def test_broken_json_and_wrong_media_types_are_refused(v3: Rest) -> None:
    json_header = {"Content-Type": "application/json"}
    assert v3.ask("POST", "/issue", content=b"{", headers=json_header).status_code == 400
    assert v3.ask("POST", "/issue", content=b"[]", headers=json_header).status_code == 400
    assert v3.ask("POST", "/issue", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_throttling_shows_the_documented_headers(v3: Rest) -> None:
    effect = {"kind": "status", "status": 429, "retry_after": 7}
    v3.control.fault({"match": {"path": "/myself", "first": 1}, "effect": effect})
    answer = v3.ask("GET", "/myself")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["ratelimit-reason"] == "jira-burst-based"
    assert answer.headers["x-ratelimit-reset"].endswith("Z")
    assert v3.ask("GET", "/myself").status_code == 200


def test_a_write_whose_answer_is_lost_still_happened(v3: Rest) -> None:
    effect = {"kind": "status", "status": 503, "after_write": True}
    v3.control.fault({"match": {"method": "POST", "path": "/issue$"}, "effect": effect})
    fields = {"project": {"key": "TST"}, "issuetype": {"name": "Task"}, "summary": "x", "labels": ["inc-1"]}
    assert v3.ask("POST", "/issue", json={"fields": fields}).status_code == 503
    assert [entry["target"] for entry in v3.control.effects("issue.create")] == ["TST-1"]
    assert v3.keys("labels = inc-1") == ["TST-1"]


def test_unknown_settings_are_refused(twin: TwinControl) -> None:
    for settings in ({"nope": 1}, {"legacy_search": "sometimes"}, {"admin_time_zone": "Mars/Base"}):
        assert twin.http.put(f"{twin.url}/_twin/config", json=settings).status_code == 400
