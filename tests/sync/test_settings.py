"""An integration's `sync` settings: what they mean, and how a wrong one is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callout.incidents import Incident
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Severity, Status
from callout.sync.mapping import FieldMappings
from callout.sync.merge import Resolution, SyncDirection
from callout.sync.rules import check_rules, wants_ticket

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def incident(severity: int = 3, **fields: Any) -> Incident:  # an incident's own
    return Incident("i1", "default", 1, "x", Severity(severity), Status.OPEN, NOW, NOW, **fields)


@pytest.mark.parametrize(
    ("create", "about", "wanted"),
    [
        (True, incident(), True),
        (False, incident(), False),
        ([], incident(), False),
        ([{}], incident(), True),
        ([{"severity": ["SEV-1", "SEV-2"]}], incident(2), True),
        ([{"severity": ["SEV-1", "SEV-2"]}], incident(3), False),
        ([{"severity": ["sev1"]}], incident(1), True),
        ([{"severity": ["SEV-1"], "service": ["web"]}], incident(1, service="mail"), False),
        ([{"severity": ["SEV-1"], "service": ["web"]}], incident(1, service="web"), True),
        ([{"team": ["ops"]}, {"tag": ["p0"]}], incident(tags=("p0", "x")), True),
        ([{"team": ["ops"]}, {"tag": ["p0"]}], incident(team="dev"), False),
    ],
)
def test_which_incidents_become_tickets(create: object, about: Incident, wanted: bool) -> None:
    check_rules({"create": create})
    assert wants_ticket(about, {"create": create}) is wanted


def test_without_a_rule_every_incident_becomes_a_ticket() -> None:
    check_rules({})
    assert wants_ticket(incident(), {})


@pytest.mark.parametrize(
    ("create", "place"),
    [
        ("yes", "/sync/create"),
        ({"severity": ["SEV-1"]}, "/sync/create"),
        (["SEV-1"], "/sync/create/0"),
        ([{}, {"color": ["red"]}], "/sync/create/1"),
        ([{"service": "web"}], "/sync/create/0/service"),
        ([{"team": []}], "/sync/create/0/team"),
        ([{"tag": [1]}], "/sync/create/0/tag"),
        ([{"severity": ["terrible"]}], "/sync/create/0/severity"),
    ],
)
def test_a_rule_that_can_never_hold_is_refused_by_its_place(create: object, place: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_rules({"create": create})
    assert list(refused.value.fields) == [place]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"fields": ["title"]}, "/sync/fields"),
        ({"fields": {"colour": {}}}, "/sync/fields/colour"),
        ({"fields": {"title": "inbound"}}, "/sync/fields/title"),
        ({"fields": {"title": {"direction": "sideways"}}}, "/sync/fields/title/direction"),
        ({"fields": {"title": {"resolution": "coin"}}}, "/sync/fields/title/resolution"),
        ({"severities": "all"}, "/sync/severities"),
        ({"severities": {"SEV-1": "blocker"}}, "/sync/severities/SEV-1"),
        ({"severities": {"bad": "HIGH"}}, "/sync/severities/bad"),
        ({"severities_in": {"HIGH": "very"}}, "/sync/severities_in/HIGH"),
        ({"statuses": {"broken": "Open"}}, "/sync/statuses/broken"),
        ({"statuses": {"open": ""}}, "/sync/statuses/open"),
        ({"statuses": {"open": None}}, "/sync/statuses/open"),
        ({"statuses_in": {"Reviewed": "nearly"}}, "/sync/statuses_in/Reviewed"),
        ({"comments": "loud"}, "/sync/comments"),
        ({"transition_fields": []}, "/sync/transition_fields"),
    ],
)
def test_a_wrong_mapping_is_refused_by_its_place(settings: dict[str, object], place: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        FieldMappings.from_settings(settings)
    assert list(refused.value.fields) == [place]


def test_a_field_whose_direction_alone_is_set_still_merges_its_own_way() -> None:
    rules = FieldMappings.from_settings({"fields": {"status": {"direction": "inbound"}}}).rules("int")
    assert rules["status"].direction is SyncDirection.INBOUND
    assert rules["status"].resolution is Resolution.MERGE
    rules = FieldMappings.from_settings({"fields": {"title": {"resolution": "local"}}}).rules("int")
    assert (rules["title"].direction, rules["title"].resolution) == (
        SyncDirection.BIDIRECTIONAL,
        Resolution.LOCAL,
    )


def test_spellings_of_people_are_read() -> None:
    mapping = FieldMappings.from_settings(
        {"severities": {"sev1": "CRITICAL"}, "severities_in": {"CRITICAL": "2"}}
    )
    rules = mapping.rules("int")
    assert rules["severity"].encode("SEV-1") == "CRITICAL"
    assert rules["severity"].decode("CRITICAL") == "SEV-2"


@pytest.mark.parametrize("status", Status)
def test_what_a_status_leads_to_means_the_same(status: Status) -> None:
    rule = FieldMappings().rules("int")["status"]
    theirs = {
        "category:new": "To Do|new",
        "category:active": "In Progress|active",
        "category:done": "Done|done",
    }
    assert rule.same(status.value, theirs[rule.encode(status.value)])


@pytest.mark.parametrize("severity", ["SEV-1", "SEV-2", "SEV-3", "SEV-4", "SEV-7"])
def test_what_a_severity_leads_to_means_the_same(severity: str) -> None:
    rule = FieldMappings().rules("int")["severity"]
    assert rule.same(severity, rule.encode(severity))
    assert not rule.same(severity, None)


def test_a_person_known_only_there_comes_back_as_the_same() -> None:
    rule = FieldMappings().rules("int")["assignee"]
    theirs = {"id": "5b10", "name": "Ann", "email": ""}
    ours = rule.decode(theirs)
    assert rule.same(ours, theirs)
    assert rule.encode(ours) == theirs
    assert FieldMappings().rules("other")["assignee"].encode(ours)["id"] == ""
    assert not rule.same(None, theirs)
