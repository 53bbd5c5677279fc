"""What the instance does by itself: priority, states, policies, journals and their audience, times."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import TwinControl
from tests.sandbox.servicenow.conftest import ANN, CARLA, INTEGRATION, MIA, Rest

DONE: dict[str, Any] = {"close_code": "Solution provided", "close_notes": "Restarted."}
POLICY = "Data Policy Exception: The following fields are mandatory: "


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [
        ("1", "1", "1"), ("1", "2", "2"), ("1", "3", "3"),
        ("2", "1", "2"), ("2", "2", "3"), ("2", "3", "4"),
        ("3", "1", "3"), ("3", "2", "4"), ("3", "3", "5"),
    ],
)  # fmt: skip
def test_priority_is_computed(rest: Rest, impact: str, urgency: str, priority: str) -> None:
    assert rest.create(impact=impact, urgency=urgency, priority="1")["priority"] == priority


def test_a_written_priority_is_overwritten_and_leaves_no_trace(rest: Rest) -> None:
    row = rest.create()
    assert rest.patch(row, priority="1")["priority"] == "5"
    assert rest.read(row)["sys_mod_count"] == "0"
    assert rest.patch(row, impact="1", urgency="1")["priority"] == "1"
    assert rest.read(row)["sys_mod_count"] == "1"


def test_resolving_needs_code_and_notes_in_the_same_write(rest: Rest) -> None:
    row = rest.create()
    refused = rest.patch(row, status=403, state="6")
    assert refused == {"message": "Operation Failed", "detail": POLICY + "Resolution code, Close notes"}
    assert rest.patch(row, status=403, state="6", close_code="User error")["detail"] == POLICY + "Close notes"
    assert rest.read(row)["state"] == "1"
    resolved = rest.patch(row, state="6", **DONE)
    assert resolved["state"] == resolved["incident_state"] == "6"
    assert resolved["resolved_at"] == resolved["sys_updated_on"]
    assert resolved["active"] == "true"


def test_only_some_may_close_and_nobody_else_touches_it_afterwards(rest: Rest, twin: TwinControl) -> None:
    row, ann = rest.create(), Rest(twin, ANN)
    ann.patch(row, state="6", **DONE)
    assert "ACL Exception" in ann.patch(row, status=403, state="7")["detail"]
    closed = Rest(twin, MIA).patch(row, state="7")
    assert (closed["active"], closed["closed_at"] != "") == ("false", True)
    ann.patch(row, status=403, comments="and yet")


def test_a_reopened_incident_forgets_its_resolution(rest: Rest) -> None:
    row = rest.create()
    rest.patch(row, state="6", **DONE)
    again = rest.patch(row, state="2")
    assert (again["resolved_at"], again["resolved_by"], again["reopen_count"]) == ("", "", "1")


def test_on_hold_needs_a_reason_and_a_comment_when_the_caller_is_awaited(rest: Rest) -> None:
    row = rest.create()
    assert rest.patch(row, status=403, state="3")["detail"] == POLICY + "On hold reason"
    assert rest.patch(row, status=403, state="3", hold_reason="1")["detail"] == POLICY + "Additional comments"
    assert rest.patch(row, state="3", hold_reason="1", comments="Which page?")["hold_reason"] == "1"
    assert rest.patch(row, state="2")["hold_reason"] == ""


def test_the_old_state_column_still_leads(rest: Rest) -> None:
    assert rest.patch(rest.create(), incident_state="2")["state"] == "2"


def test_a_customised_instance_has_other_numbers_and_codes(rest: Rest, twin: TwinControl) -> None:
    twin.configure(choices="customised")
    row = rest.create()
    assert row["state"] == "10"
    assert rest.read(row, sysparm_display_value="true")["state"] == "Registered"
    assert rest.patch(row, status=403, state="60")["detail"].startswith(POLICY)
    assert rest.patch(row, state="60", close_code="Solved (Permanently)", close_notes="x")["resolved_at"]
    codes = {c["value"] for c in rest.rows("sys_choice", "name=incident^element=close_code")}
    assert "Solution provided" not in codes


def test_comments_and_work_notes_are_journals_and_keep_their_audience(rest: Rest, twin: TwinControl) -> None:
    carla = rest.rows("sys_user", "user_name=carla.customer")[0]["sys_id"]
    row = rest.create(caller_id=carla)
    written = rest.patch(row, comments="We are on it", work_notes="It is the cache")
    assert (written["comments"], written["work_notes"]) == ("", "")
    assert written["sys_mod_count"] == "1"
    query = f"element_id={row['sys_id']}^elementINcomments,work_notes^ORDERBYsys_created_on"
    entries = Rest(twin, INTEGRATION).rows("sys_journal_field", query)
    assert {(e["element"], e["value"], e["sys_created_by"], e["name"]) for e in entries} == {
        ("comments", "We are on it", "admin", "incident"),
        ("work_notes", "It is the cache", "admin", "incident"),
    }
    assert {e["summary"]["audience"]: e["summary"]["value"] for e in twin.effects("journal.add")} == {
        "customer": "We are on it",
        "internal": "It is the cache",
    }
    customer = Rest(twin, CARLA)
    seen = customer.read(row, sysparm_display_value="all")
    assert "We are on it" in seen["comments"]["display_value"]
    assert seen["comments"]["value"] == ""
    assert "work_notes" not in seen
    assert "comments_and_work_notes" not in seen
    assert "cache" not in str(seen)
    customer.ask("GET", "/api/now/table/sys_journal_field", 403)


def test_a_customer_comments_and_changes_nothing_else(rest: Rest, twin: TwinControl) -> None:
    customer = Rest(twin, CARLA)
    row = customer.create(work_notes="sneaky")
    changed = customer.patch(row, comments="Any news?", work_notes="sneaky", urgency="1")
    assert changed["urgency"] == "3"
    assert [e["summary"]["element"] for e in twin.effects("journal.add")] == ["comments"]
    other = rest.create()
    customer.ask("GET", f"/api/now/table/incident/{other['sys_id']}", 404)


def test_a_journal_shown_is_one_text_newest_first(rest: Rest, twin: TwinControl) -> None:
    row = rest.create(opened_at="2026-03-11 12:00:00")
    Rest(twin, ANN).patch(row, work_notes="first")
    rest.patch(row, comments="second")
    shown = rest.read(row, sysparm_display_value="true")["comments_and_work_notes"]
    lines = shown.split("\n")
    assert lines[0].endswith(" - System Administrator (Additional comments)")
    assert lines[1] == "second"
    assert lines[3].endswith(" - Ann Lee (Work notes)")
    assert lines[4] == "first"


def test_a_journal_entry_is_deleted_by_administrators_only(rest: Rest, twin: TwinControl) -> None:
    row = rest.create()
    rest.patch(row, comments="oops")
    (entry,) = rest.rows("sys_journal_field", f"element_id={row['sys_id']}")
    path = f"/api/now/table/sys_journal_field/{entry['sys_id']}"
    Rest(twin, INTEGRATION).ask("DELETE", path, 403)
    rest.ask("DELETE", path, 204)
    assert rest.read(row, sysparm_display_value="true")["comments"] == ""


def test_raw_times_are_utc_and_displayed_ones_are_the_users(rest: Rest, twin: TwinControl) -> None:
    row = rest.create(opened_at="2026-07-01 22:30:00")
    assert rest.read(row)["opened_at"] == "2026-07-01 22:30:00"
    berlin = Rest(twin, ANN).read(row, sysparm_display_value="all")["opened_at"]
    assert berlin == {"display_value": "02/07/2026 00:30:00", "value": "2026-07-01 22:30:00"}
    twin.configure(admin_time_zone="America/New_York")
    assert rest.read(row, sysparm_display_value="true")["opened_at"] == "2026-07-01 18:30:00"
    params = {"sysparm_input_display_value": "true"}
    rest.ask(
        "PATCH",
        f"/api/now/table/incident/{row['sys_id']}",
        200,
        json={"due_date": "2026-07-01 12:00:00"},
        params=params,
    )
    assert rest.read(row)["due_date"] == "2026-07-01 16:00:00"
    # The trap a connector has to notice when it connects.
    newest = rest.read(row)["sys_updated_on"]
    assert rest.rows("incident", f"sys_updated_on>={newest}") == []


def test_a_choice_added_or_renamed_shows_at_once(rest: Rest, twin: TwinControl) -> None:
    row = rest.create(category="power")
    rest.ask(
        "POST",
        "/api/now/table/sys_choice",
        201,
        json={
            "name": "incident",
            "element": "category",
            "value": "power",
            "label": "Power",
            "language": "en",
        },
    )
    assert rest.read(row, sysparm_display_value="true")["category"] == "Power"


def test_security_incidents_want_their_role_and_can_be_absent(rest: Rest, twin: TwinControl) -> None:
    row = rest.create("sn_si_incident", short_description="Phishing")
    assert (row["number"], row["state"]) == ("SIR0010001", "10")
    Rest(twin, ANN).ask("GET", f"/api/now/table/sn_si_incident/{row['sys_id']}", 404)
    Rest(twin, ANN).ask("GET", "/api/now/table/sn_si_incident", 403)
    sir = Rest(twin, INTEGRATION)
    assert sir.patch(row, "sn_si_incident", 403, state="3")["detail"] == POLICY + "Close code, Close notes"
    closed = sir.patch(
        row, "sn_si_incident", state="3", close_code="Threat mitigated", close_notes="Blocked."
    )
    assert closed["active"] == "false"
    twin.configure(security_incidents=False)
    rest.ask("GET", "/api/now/table/sn_si_incident", 400)
    assert rest.rows("sys_db_object", "name=sn_si_incident") == []


def test_a_change_walks_its_model(rest: Rest) -> None:
    row, kind = rest.create("change_request"), "change_request"
    refused = rest.patch(row, kind, 403, state="-1")["detail"]
    assert refused.startswith("Operation against file 'change_request' was aborted by Business Rule")
    assert rest.patch(row, kind, 403, state="-4")["detail"] == POLICY + "Assignment group"
    group = rest.rows("sys_user_group", "name=Database")[0]["sys_id"]
    rest.patch(row, kind, state="-4", assignment_group=group)
    assert rest.patch(row, kind, state="-3")["approval"] == "requested"
    rest.patch(row, kind, 403, state="-2")
    change = f"/api/sn_chg_rest/change/{row['sys_id']}"
    assert rest.ask("GET", f"{change}/nextstates", 200)["result"]["available_states"] == ["-3", "4"]
    approved = rest.ask("PATCH", f"{change}/approvals", 200, json={"state": "approved"})["result"]
    assert approved["state"] == {"display_value": "Scheduled", "value": "-2"}
    rest.patch(row, kind, state="-1")
    rest.patch(row, kind, state="0")
    rest.patch(row, kind, 403, state="4")
    assert rest.patch(row, kind, 403, state="3")["detail"] == POLICY + "Close code, Close notes"
    assert rest.patch(row, kind, state="3", close_code="successful", close_notes="Fine.")["active"] == "false"
