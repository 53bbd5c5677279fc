from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.wire import IncidentBean, PriorityBean
from callout.ports.ticketing import StatusCategory
from callout.ports.values import Audience, Person, Priority


def scheme(*names: str) -> list[PriorityBean]:
    return [PriorityBean(id=f"P{number}", name=name) for number, name in enumerate(names)]


FIVE = scheme("P1", "P2", "P3", "P4", "P5")
ODD = scheme("Meltdown", "Ouch", "Meh")


def incident(**more: Any) -> IncidentBean:
    return cast(
        "IncidentBean",
        {
            "id": "Q1",
            "type": "incident",
            "incident_number": 42,
            "title": "Checkout latency",
            "created_at": "2026-05-01T09:00:00Z",
            "updated_at": "2026-05-01T09:30:00Z",
            "status": "triggered",
            "incident_key": "callout-inc-7",
            "service": {"id": "PSVC", "summary": "Checkout"},
            "assignments": [
                {
                    "at": "2026-05-01T09:00:00Z",
                    "assignee": {"id": "PUSR1", "summary": "Ann", "email": "ann@x.test"},
                },
                {"at": "2026-05-01T09:00:00Z", "assignee": {"id": "PUSR2", "summary": "Bob"}},
            ],
            "escalation_policy": {"id": "PEP"},
            "priority": {"id": "P1", "summary": "P2"},
            "urgency": "high",
            "html_url": "https://acme.pagerduty.com/incidents/Q1",
            **more,
        },
    )


def test_an_incident_in_the_unified_model() -> None:
    ticket = mapping.ticket(incident(body={"details": "slow"}), scheme=FIVE)
    assert (ticket.id, ticket.key, ticket.title, ticket.description) == (
        "Q1",
        "42",
        "Checkout latency",
        "slow",
    )
    assert (ticket.status, ticket.status_category) == ("triggered", StatusCategory.NEW)
    assert (ticket.priority, ticket.priority_name) == (Priority.HIGH, "P2")
    assert ticket.assignee == Person("PUSR1", "Ann", "ann@x.test")
    assert ticket.unmapped["assignees"] == ["PUSR2"]
    assert (ticket.project, ticket.unmapped["escalation_policy"]) == ("PSVC", "PEP")
    assert ticket.updated_at == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    assert ticket.marks == ("callout-inc-7",)


def test_every_field_may_be_missing() -> None:
    ticket = mapping.ticket(cast("IncidentBean", {"id": "Q1"}), scheme=None)
    assert (ticket.title, ticket.status_category, ticket.version) == ("", StatusCategory.UNKNOWN, "")
    empty = incident(
        priority=None, service=None, assignments=None, escalation_policy=None, incident_type=None
    )
    assert mapping.ticket(empty, scheme=()).priority is Priority.HIGH, "urgency is all there is"
    assert mapping.ticket(empty, scheme=FIVE).priority is None
    assert mapping.ticket(empty, scheme=None).priority is None


def test_a_description_comes_from_the_body_or_the_first_entry() -> None:
    entry = {"id": "R", "channel": {"type": "api", "details": "from the log"}}
    assert mapping.details(incident(first_trigger_log_entry=entry)) == "from the log"
    assert mapping.details(incident(first_trigger_log_entry=entry, body={"details": "own"})) == "own"
    alert = {"id": "R", "channel": {"details": {"p95": "4.1 s", "zone": "eu"}}}
    assert mapping.details(incident(first_trigger_log_entry=alert)) == "p95: 4.1 s\nzone: eu"
    assert mapping.details(incident(first_trigger_log_entry={"id": "R"})) == ""


@pytest.mark.parametrize(
    ("bean", "known", "expected"),
    [
        ({"summary": "P1"}, (), Priority.URGENT),
        ({"summary": "p-3"}, (), Priority.MEDIUM),
        ({"name": "SEV-2", "summary": "x"}, (), Priority.HIGH),
        ({"summary": "Critical"}, (), Priority.CRITICAL),
        ({"id": "P0", "summary": "Meltdown"}, ODD, Priority.URGENT),
        ({"id": "P1", "summary": "Ouch"}, ODD, Priority.MEDIUM),
        ({"id": "P2", "summary": "Meh"}, ODD, Priority.PLANNING),
        ({"id": "P9", "summary": "Gone"}, ODD, None),
        ({"summary": "Ouch"}, (), None),
        (None, FIVE, None),
    ],
)
def test_priorities_are_read_by_name_or_place(
    bean: Any, known: list[PriorityBean], expected: Priority | None
) -> None:
    assert mapping.priority_of(bean, known) is expected


@pytest.mark.parametrize(
    ("wanted", "known", "name"),
    [
        (Priority.URGENT, FIVE, "P1"),
        (Priority.CRITICAL, FIVE, "P1"),
        (Priority.HIGH, FIVE, "P2"),
        (Priority.MODERATE, FIVE, "P3"),
        (Priority.PLANNING, FIVE, "P5"),
        (Priority.PLANNING, FIVE[:3], "P3"),
        (Priority.URGENT, ODD, "Meltdown"),
        (Priority.MEDIUM, ODD, "Ouch"),
        (Priority.LOW, ODD, "Meh"),
        (Priority.HIGH, scheme("Sev 1", "Sev 2"), "Sev 2"),
        (Priority.HIGH, scheme("only"), "only"),
        (Priority.HIGH, (), ""),
    ],
)
def test_priorities_are_chosen_by_name_or_place(
    wanted: Priority, known: list[PriorityBean], name: str
) -> None:
    chosen = mapping.choose_priority(wanted, known)
    assert (mapping.name_of(chosen) if chosen else "") == name


def test_a_version_differs_within_one_second() -> None:
    first = mapping.version_of(incident())
    assert first == mapping.version_of(incident(html_url="elsewhere"))
    changes: list[dict[str, Any]] = [
        {"title": "x"},
        {"urgency": "low"},
        {"status": "resolved"},
        {"assignments": []},
        {"priority": None},
        {"updated_at": "2026-05-01T09:30:01Z"},
    ]
    for change in changes:
        assert mapping.version_of(incident(**change)) != first


@pytest.mark.parametrize("key", ["short", "x" * 255, 'quote"d, with space'])
def test_a_key_stays_what_it_is(key: str) -> None:
    assert mapping.incident_key(key) == key


def test_long_keys_are_shortened_and_stay_apart() -> None:
    one, other = mapping.incident_key("x" * 400), mapping.incident_key("x" * 401)
    assert one != other
    assert len(one) == len(other) == 255


def test_a_title_is_one_line_of_bounded_length() -> None:
    assert mapping.title(" a\n\tb  c ") == "a b c"
    cut = mapping.title("y" * 5000)
    assert len(cut) == 1024
    assert cut.endswith("…")


@pytest.mark.parametrize("key", ["note-01a1fca8-491c", "ü b(c)", "x" * 300])
def test_a_note_carries_author_and_key(key: str) -> None:
    text = mapping.signed("It is\n\nback", author="Ann\nOnduty", key=key)
    comment = mapping.comment({"id": "N", "content": text, "created_at": "2026-05-01T09:00:00Z"}, "Q1")
    assert comment.content == "Ann Onduty: It is\n\nback"
    assert comment.mark == mapping.note_mark(key)
    assert comment.audience is Audience.RESPONDERS
    assert comment.updated_at == comment.created_at
    assert mapping.note_mark(key) != mapping.note_mark(key + "x")


@pytest.mark.parametrize(
    "text", ["plain", "(callout: x) in the middle", "f(callout)", "ends (callout: )", ""]
)
def test_other_notes_carry_none(text: str) -> None:
    comment = mapping.comment({"id": "N", "content": text}, "Q1")
    assert (comment.content, comment.mark) == (text, "")


def test_times_are_read_in_any_zone_and_written_in_utc() -> None:
    at = datetime(2026, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert mapping.stamp(at) == "2026-05-01T10:00:00Z"
    assert mapping.moment("2026-05-01T12:00:00+02:00") == at
    assert mapping.moment("2026-05-01T10:00:00") == at
    for odd in (None, "", "soon", 7):
        assert mapping.moment(odd) is None


def test_custom_values_by_path() -> None:
    bean = incident(
        custom_fields=[{"id": "PF1", "name": "environment", "value": "staging"}],
        conference_bridge={"conference_number": "+1", "conference_url": "https://x.test"},
        incident_type={"name": "major_incident"},
    )
    expected = {
        "custom_fields.environment": "staging",
        "environment": "staging",
        "PF1": "staging",
        "urgency": "high",
        "escalation_policy": "PEP",
        "incident_type": "major_incident",
        "conference_bridge.conference_url": "https://x.test",
        "nothing": None,
    }
    assert {path: mapping.at_path(bean, path) for path in expected} == expected


def test_a_merged_incident_says_where_it_went() -> None:
    bean = incident(resolve_reason={"type": "merge_resolve_reason", "incident": {"id": "Q2"}})
    assert mapping.ticket(bean, scheme=()).unmapped["merged_into"] == "Q2"
