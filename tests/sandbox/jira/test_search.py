"""Both generations of search: tokens, totals, bounds, and an index that lags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sandbox.jira.conftest import Rest


def test_without_fields_only_ids_come_back_and_there_is_no_total(v3: Rest) -> None:
    created = v3.create()
    page = v3.ask("POST", "/search/jql", 200, json={"jql": "project = TST"})
    assert page == {"issues": [{"id": created["id"]}], "isLast": True}
    same = v3.ask("GET", "/search/jql?jql=project%20%3D%20TST&fields=summary,status", 200)
    assert set(same["issues"][0]["fields"]) == {"summary", "status"}


def test_an_unbounded_query_is_refused_by_the_new_search_only(v3: Rest) -> None:
    v3.create()
    for jql in ("", "ORDER BY created"):
        answer = v3.ask("POST", "/search/jql", 400, json={"jql": jql})
        assert answer["errorMessages"][0].startswith("Unbounded JQL queries are not allowed here.")
    v3.control.configure(legacy_search="legacy")
    assert v3.ask("POST", "/search", 200, json={"jql": "ORDER BY created"})["total"] == 1


def test_pages_are_shortened_by_the_server_and_the_token_leads_on(v3: Rest) -> None:
    keys = [v3.create(str(number))["key"] for number in range(5)]
    v3.control.configure(page_limit=2)
    body = {"jql": "project = TST ORDER BY key ASC", "fields": ["summary"], "maxResults": 100}
    page = v3.ask("POST", "/search/jql", 200, json=body)
    assert (len(page["issues"]), page["isLast"]) == (2, False)
    assert v3.keys("project = TST ORDER BY key ASC", fields=["key", "summary"]) == keys
    foreign = {**body, "jql": "project = OPS", "nextPageToken": page["nextPageToken"]}
    assert v3.ask("POST", "/search/jql", json=foreign).status_code == 400


def test_an_issue_that_leaves_the_result_between_pages_hides_no_other(v3: Rest) -> None:
    keys = [v3.create(str(number))["key"] for number in range(5)]
    body = {"jql": "project = TST AND status = 'To Do' ORDER BY key ASC", "fields": ["key"], "maxResults": 2}
    first = v3.ask("POST", "/search/jql", 200, json=body)
    v3.ask("POST", f"/issue/{keys[0]}/transitions", 204, json={"transition": {"id": "21"}})
    rest = v3.ask("POST", "/search/jql", 200, json={**body, "nextPageToken": first["nextPageToken"]})
    assert [issue["key"] for issue in rest["issues"]] == keys[2:4]


def test_the_index_lags_while_reads_by_id_are_fresh(v3: Rest) -> None:
    v3.control.configure(search_lag=30.0)
    created = v3.create(labels=["inc-7"])
    assert v3.keys("labels = inc-7") == []
    assert v3.ask("GET", f"/issue/{created['key']}", 200)["fields"]["labels"] == ["inc-7"]
    assert v3.keys("labels = inc-7", reconcileIssues=[int(created["id"])]) == [created["key"]]
    v3.control.configure(clock_offset=31)
    assert v3.keys("labels = inc-7") == [created["key"]]
    v3.ask("PUT", f"/issue/{created['key']}", 204, json={"fields": {"summary": "New"}})
    stale = v3.ask("POST", "/search/jql", 200, json={"jql": "labels = inc-7", "fields": ["summary"]})
    assert stale["issues"][0]["fields"]["summary"] == "Checkout is slow"
    v3.ask("DELETE", f"/issue/{created['key']}", 204)
    assert v3.keys("labels = inc-7") == [created["key"]]
    v3.control.configure(clock_offset=90)
    assert v3.keys("labels = inc-7") == []


def test_the_lagging_search_fault_does_the_same(v3: Rest) -> None:
    v3.create(labels=["inc-8"])
    v3.control.fault(
        {"match": {"path": "/search", "first": 1}, "effect": {"kind": "lagging_search", "seconds": 60}}
    )
    assert v3.keys("labels = inc-8") == []
    assert v3.keys("labels = inc-8") == ["TST-1"]


def test_the_count_is_a_post(v3: Rest) -> None:
    v3.create()
    assert v3.ask("POST", "/search/approximate-count", 200, json={"jql": "project = TST"}) == {"count": 1}


@pytest.mark.parametrize("version", [2, 3])
def test_the_old_search_pages_by_start_and_total_where_it_still_lives(
    v3: Rest, v2: Rest, version: int
) -> None:
    rest = v3 if version == 3 else v2
    gone = rest.ask("GET", "/search?jql=project=TST", 410)
    assert "has been removed" in gone["errorMessages"][0]
    for number in range(3):
        v2.create(str(number), description="*b*")
    rest.control.configure(legacy_search="legacy")
    page = rest.ask("GET", "/search?jql=project%3DTST%20order%20by%20key&startAt=1&maxResults=1", 200)
    assert (page["startAt"], page["maxResults"], page["total"]) == (1, 1, 3)
    assert page["issues"][0]["key"] == "TST-2"
    assert isinstance(page["issues"][0]["fields"]["description"], str if version == 2 else dict)


def test_polling_in_the_accounts_zone_finds_what_utc_would_miss(v3: Rest) -> None:
    v3.control.configure(admin_time_zone="America/Los_Angeles")
    key = v3.create()["key"]
    updated = v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"]
    local = updated[:16].replace("T", " ")
    assert v3.keys(f'project = TST AND updated >= "{local}"') == [key]
    v3.control.configure(admin_time_zone="Asia/Tokyo")
    ahead = v3.ask("GET", f"/issue/{key}", 200)["fields"]["updated"][:16].replace("T", " ")
    assert ahead > local
    v3.control.configure(admin_time_zone="America/Los_Angeles")
    assert v3.keys(f'project = TST AND updated >= "{ahead}"') == []
