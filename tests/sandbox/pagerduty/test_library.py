"""The vendor's own Python library lives a whole incident against the twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pagerduty import EventsApiV2Client, HttpError, RestApiV2Client

from callout.sandbox.pagerduty.seed import ANN, API_KEY, BATCH, CHECKOUT, USER_KEY

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl


def draft(title: str = "Checkout is slow", **more: Any) -> dict[str, Any]:
    return {
        "type": "incident",
        "title": title,
        "service": {"id": CHECKOUT, "type": "service_reference"},
        **more,
    }


def test_a_whole_incident(library: RestApiV2Client, twin: TwinControl) -> None:
    priorities = {one["name"]: one for one in library.rget("/priorities")}
    assert list(priorities) == ["P1", "P2", "P3", "P4", "P5"]

    made: Any = library.rpost(
        "/incidents",
        json=draft(
            incident_key="acme-INC-7",
            urgency="high",
            priority={"id": priorities["P2"]["id"], "type": "priority_reference"},
            body={"type": "incident_body", "details": "line 1\nline 2"},
        ),
    )
    assert (made["status"], made["incident_key"], made["priority"]["summary"]) == (
        "triggered",
        "acme-INC-7",
        "P2",
    )

    acknowledged: Any = library.rput(made, json={"type": "incident", "status": "acknowledged"})
    assert acknowledged["acknowledgements"][0]["acknowledger"]["summary"] == "Alex Admin"
    note: Any = library.rpost(f"/incidents/{made['id']}/notes", json={"content": "Rolled back 🎉"})
    assert note["user"]["summary"] == "Alex Admin"
    snoozed: Any = library.rpost(f"/incidents/{made['id']}/snooze", json={"duration": 3600})
    assert [action["type"] for action in snoozed["pending_actions"]] == ["unacknowledge"]
    resolved: Any = library.rput(
        made["self"], json={"type": "incident", "status": "resolved", "resolution": "disk replaced"}
    )
    assert (resolved["status"], resolved["assignments"]) == ("resolved", [])

    log: Any = library.list_all(f"/incidents/{made['id']}/log_entries")
    assert [entry["type"].removesuffix("_log_entry") for entry in log] == [
        "resolve",
        "snooze",
        "annotate",
        "acknowledge",
        "assign",
        "trigger",
    ]
    assert log[0]["note"] == "disk replaced"
    assert [entry["channel"]["summary"] for entry in library.iter_incident_notes(made["id"])] == [
        "Rolled back 🎉"
    ]
    found: Any = library.rget("/incidents", params={"incident_key": "acme-INC-7", "date_range": "all"})
    assert [one["id"] for one in found] == [made["id"]]
    assert [entry["kind"] for entry in twin.get("ledger", effect="true")["entries"]] == [
        "incident.create",
        "incident.update",
        "note.create",
        "incident.update",
        "incident.update",
    ]


def test_paging_in_both_styles(library: RestApiV2Client) -> None:
    for number in range(7):
        library.rpost("/incidents", json=draft(f"incident {number}"))

    seen: list[Any] = []
    titles = [
        one["title"]
        for one in library.iter_all(
            "/incidents",
            page_size=3,
            total=True,
            item_hook=lambda _, number, total: seen.append((number, total)),
        )
    ]
    assert titles == [f"incident {number}" for number in range(7)]
    assert seen[-1] == (7, 7)

    for number in range(3):
        policy = {"id": "PEP0001", "type": "escalation_policy_reference"}
        library.rpost(
            "/services", json={"type": "service", "name": f"s{number}", "escalation_policy": policy}
        )
    records: Any = list(library.iter_cursor("/audit/records", page_size=2))
    assert [record["root_resource"]["summary"] for record in records] == ["s2", "s1", "s0"]

    # Far more than 10,000 are the reason for this method; here it only has to find them all.
    now = datetime.now(UTC)
    span = (now - timedelta(hours=1), now + timedelta(minutes=1))
    assert len(list(library.iter_history("/log_entries", *span))) == 14


def test_the_library_finds_its_way_about(library: RestApiV2Client) -> None:
    service: Any = library.find("services", "Nightly batch")
    assert service["id"] == BATCH
    ann: Any = library.find("users", "ann@example.com", attribute="email")
    assert ann["id"] == ANN
    assert library.account_has_ability("teams")
    assert not library.account_has_ability("live_call_routing")
    assert library.api_key_access == "account"
    on_call: Any = library.rget("/oncalls", params={"escalation_policy_ids[]": ["PEP0001"]})
    assert sorted({call["escalation_level"] for call in on_call}) == [1, 2]
    made: Any = library.rpost("/incidents", json=draft())
    many: Any = library.rput(
        "/incidents", json=[{"id": made["id"], "type": "incident_reference", "status": "resolved"}]
    )
    assert [one["status"] for one in many] == ["resolved"]


def test_a_user_key_is_its_user(library: RestApiV2Client, twin: TwinControl) -> None:
    with RestApiV2Client(USER_KEY) as client:
        client._url = twin.url
        assert client.api_key_access == "user"
        made: Any = client.rpost("/incidents", json=draft())
        assert made["last_status_change_by"]["id"] == ANN


def test_a_wrong_key_and_a_taken_dedup_key(library: RestApiV2Client, twin: TwinControl) -> None:
    library.rpost("/incidents", json=draft(incident_key="k"))
    with pytest.raises(HttpError) as refused:
        library.rpost("/incidents", json=draft(incident_key="k"))
    answer: Any = refused.value.response
    assert answer.status_code == 400
    assert "Open incident with matching dedup key already exists on this service" in answer.text
    with RestApiV2Client(API_KEY + "x") as stranger:
        stranger._url = twin.url
        with pytest.raises(HttpError, match="401"):
            stranger.rget("/users")


def test_the_library_waits_out_a_rate_limit(library: RestApiV2Client, twin: TwinControl) -> None:
    library.sleep_timer = 0.01
    twin.fault({"match": {"path": "^/priorities", "first": 2}, "effect": {"kind": "status", "status": 429}})
    assert len(library.rget("/priorities")) == 5
    assert twin.get("faults")["rules"][0]["fired"] == 2


def test_an_alert_from_trigger_to_resolve(events: EventsApiV2Client, library: RestApiV2Client) -> None:
    key = events.trigger(
        "Disk full", "db1", custom_details={"free": "0 B"}, links=[{"href": "https://a.b", "text": "x"}]
    )
    assert events.trigger("Disk full", "db1", dedup_key=key) == key
    found: Any = library.rget("/incidents", params={"incident_key": key})
    assert [one["title"] for one in found] == ["Disk full"]
    incident = found[0]
    alerts: Any = library.rget(f"/incidents/{incident['id']}/alerts")
    assert [(alert["alert_key"], alert["severity"]) for alert in alerts] == [(key, "critical")]
    events.acknowledge(key)
    acknowledged: Any = library.rget(incident)
    assert acknowledged["acknowledgements"][0]["acknowledger"]["type"] == "integration_reference"
    events.resolve(key)
    resolved: Any = library.rget(incident)
    assert (resolved["status"], resolved["alert_counts"]) == (
        "resolved",
        {"all": 1, "triggered": 0, "resolved": 1},
    )
    # The time is given because the library (7.2.0) cannot make one itself: it asks `datetime.datetime.timezone`.
    events.submit("Deployed 1.2", source="ci", timestamp="2026-05-01T10:00:00Z")
