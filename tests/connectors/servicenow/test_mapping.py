"""Records → tickets, and what labels mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.connectors.servicenow import mapping
from callout.connectors.servicenow.meaning import (
    Choice,
    category_of,
    choose_priority,
    levels_for,
    needs_closure,
    priority_of,
    states_of,
)
from callout.connectors.servicenow.metadata import Column, Table
from callout.connectors.servicenow.values import read_custom, write_custom
from callout.ports.errors import RejectedError
from callout.ports.ticketing import StatusCategory
from callout.ports.values import Person, Priority

LEVELS = tuple(Choice(str(n), label) for n, label in enumerate(("1 - High", "2 - Medium", "3 - Low"), 1))
PRIORITIES = tuple(
    Choice(str(n), f"{n} - {label}")
    for n, label in enumerate(("Critical", "High", "Moderate", "Low", "Planning"), 1)
)


def table(**columns: Column) -> Table:
    choices = {
        "state": (Choice("1", "New"), Choice("6", "Resolved")),
        "priority": PRIORITIES,
        "u_env": (Choice("p", "Production"),),
    }
    return Table(
        "incident",
        "Incident",
        ("incident", "task"),
        columns,
        choices,
        states_of(choices["state"], lambda _: None),
        readable=True,
    )


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("New", StatusCategory.NEW),
        ("Open", StatusCategory.NEW),
        ("Draft", StatusCategory.NEW),
        ("In Progress", StatusCategory.ACTIVE),
        ("On Hold", StatusCategory.ACTIVE),
        ("Awaiting Evidence", StatusCategory.ACTIVE),
        ("Contain", StatusCategory.ACTIVE),
        ("Resolved", StatusCategory.DONE),
        ("Closed", StatusCategory.DONE),
        ("Closed Incomplete", StatusCategory.DONE),
        ("Cancelled", StatusCategory.DONE),
        ("Canceled", StatusCategory.DONE),
        ("", StatusCategory.UNKNOWN),
    ],
)
def test_a_state_means_what_its_label_says(label: str, category: StatusCategory) -> None:
    assert category_of(label) is category


def test_the_first_state_is_new_where_no_label_says_so_and_settings_come_first() -> None:
    choices = (Choice("10", "Eingang"), Choice("20", "In Arbeit"), Choice("60", "Erledigt"))
    assert [s.category for s in states_of(choices, lambda _: None)][:2] == [
        StatusCategory.NEW,
        StatusCategory.ACTIVE,
    ]
    known = {"Erledigt": StatusCategory.DONE}
    assert [s.category for s in states_of(choices, known.get)][2] is StatusCategory.DONE
    assert states_of((), known.get) == ()


def test_what_is_called_off_needs_no_close_code() -> None:
    states = states_of(
        (Choice("7", "Closed"), Choice("8", "Canceled"), Choice("4", "Closed Skipped")), lambda _: None
    )
    # The first of a list counts as new where none does.
    assert [needs_closure(state) for state in states] == [False, False, False]
    closed = states_of((Choice("1", "New"), Choice("7", "Closed")), lambda _: None)[1]
    assert needs_closure(closed)


@pytest.mark.parametrize(
    ("label", "priority"),
    [
        ("1 - Critical", Priority.CRITICAL),
        ("2 - High", Priority.HIGH),
        ("3 - Moderate", Priority.MODERATE),
        ("Low", Priority.LOW),
        ("5 - Planning", Priority.PLANNING),
        ("P1: urgent", Priority.URGENT),
        ("Bedeutungslos", None),
    ],
)
def test_a_priority_means_what_its_label_says(label: str, priority: Priority | None) -> None:
    assert priority_of(label) is priority


def test_a_priority_of_a_foreign_name_means_its_place() -> None:
    assert [priority_of("?", place, 5) for place in range(5)] == [
        Priority.CRITICAL,
        Priority.HIGH,
        Priority.MODERATE,
        Priority.LOW,
        Priority.PLANNING,
    ]
    assert priority_of("?", 0, 1) is Priority.CRITICAL


def test_the_nearest_priority_is_chosen() -> None:
    assert [choose_priority(p, PRIORITIES) for p in (Priority.URGENT, Priority.MEDIUM)] == [
        PRIORITIES[0],
        PRIORITIES[2],
    ]
    assert choose_priority(Priority.PLANNING, PRIORITIES[:4]) == PRIORITIES[3]
    assert choose_priority(Priority.LOW, ()) is None


def test_the_matrix_as_delivered_is_met() -> None:
    """Impact + urgency - 1 is the priority of a stock instance."""
    for place, priority in enumerate(
        (Priority.CRITICAL, Priority.HIGH, Priority.MODERATE, Priority.LOW, Priority.PLANNING), 1
    ):
        levels = levels_for(priority, LEVELS, LEVELS)
        assert levels is not None
        assert int(levels[0]) + int(levels[1]) - 1 == place
    assert levels_for(Priority.LOW, (), LEVELS) is None


def test_an_empty_record_is_a_ticket() -> None:
    found = mapping.ticket({"sys_id": "a" * 32}, table(), site="https://x", custom={"env": "u_env"})
    assert (found.title, found.status, found.priority, found.assignee) == ("", "", None, None)
    assert found.status_category is StatusCategory.UNKNOWN
    assert found.custom_fields == {"env": ""}


def test_what_has_no_place_is_kept_beside() -> None:
    record = {
        "sys_id": "a" * 32,
        "close_code": "x",
        "assignment_group": "g",
        "assignment_group.name": "IT",
        "sys_created_by": "ann",
    }
    assert mapping.ticket(record, table(), site="https://x", custom={}).unmapped == {
        "close_code": "x",
        "assignment_group": "IT",
        "created_by": "ann",
    }


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("integer", "-7", -7),
        ("decimal", "1.5", 1.5),
        ("decimal", "x", "x"),
        ("glide_date_time", "2026-01-02 03:04:05", "2026-01-02T03:04:05+00:00"),
        ("string", "text", "text"),
    ],
)
def test_mapped_columns_are_read_by_their_type_and_written_back(kind: str, raw: str, value: object) -> None:
    column = Column("u_x", "X", kind)
    one = table(u_x=column)
    assert read_custom({"u_x": raw}, "u_x", one) == value
    assert write_custom(value, column, one, name="x") == raw


def test_a_choice_is_read_and_written_by_its_label() -> None:
    column = Column("u_env", "Environment", choice=True)
    one = table(u_env=column)
    assert read_custom({"u_env": "p"}, "u_env", one) == "Production"
    assert write_custom("production", column, one, name="env") == "p"
    with pytest.raises(RejectedError) as caught:
        write_custom("Mars", column, one, name="env")
    assert "Production" in caught.value.fields["custom_fields/env"]


def test_other_values_are_written_as_columns_hold_them() -> None:
    one = table()
    at = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
    assert write_custom(None, None, one, name="x") == ""
    assert write_custom(at, None, one, name="x") == "2026-01-02 03:04:05"
    assert write_custom(Person("a" * 32), None, one, name="x") == "a" * 32
    assert write_custom(["a", "b"], None, one, name="x") == "a,b"


@given(st.text(min_size=1).filter(str.strip), st.from_regex(r"[A-Za-z0-9_.:/-]{1,60}", fullmatch=True))
def test_an_entry_gives_back_its_text_and_key(text: str, key: str) -> None:
    text = text.replace("\r", "").replace("[", "(").rstrip("\n")
    written = mapping.entry_text(text, key=key)
    assert mapping.entry_parts(written) == (text, key)


@pytest.mark.parametrize(
    "text", ["quoted:\n\n[callout:note-1]\n\nthanks", "> [callout:note-1] yes", "[callout:]", "plain"]
)
def test_a_key_counts_at_the_end_only(text: str) -> None:
    assert mapping.entry_parts(text) == (text, "")


def test_notes_of_people_have_the_beginning_of_their_text_as_title() -> None:
    assert mapping.note_parts(mapping.note_text("Cause", "disk full")) == ("Cause", "disk full")
    assert mapping.note_parts("Called the vendor\nwho will call back") == (
        "Called the vendor",
        "Called the vendor\nwho will call back",
    )
    assert mapping.note_parts("") == ("Work note", "")


def test_tags_are_a_list_with_commas() -> None:
    assert mapping.tags_of(" a, b ,,a") == ("a", "b")
    assert mapping.tags_text(("a", "b c")) == "a, b c"
    with pytest.raises(RejectedError):
        mapping.tags_text(("a,b",))
