"""No text of a user escapes its term: what we write is read back by the twin's parser, which was written independently."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.encoded import UnsayableError
from callout.connectors.servicenow.mapping import correlation_of
from callout.connectors.servicenow.meaning import Choice, states_of
from callout.connectors.servicenow.metadata import Column, Table
from callout.connectors.servicenow.selection import Sorting, clause_for
from callout.connectors.servicenow.zone import QueryZone
from callout.ports.filtering import FIELDS
from callout.ports.ticketing import TicketFilter, TicketOrder
from callout.sandbox.servicenow.query_syntax import Condition, parse

NASTY = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            [
                "^",
                "^OR",
                "^NQ",
                "=",
                "IN",
                "STANCEOF",
                "javascript:",
                "gs.x()",
                "@",
                ",",
                "state",
                "ORDERBY",
                " ",
                "\n",
                "a",
            ]
        ),
        max_size=8,
    ).map("".join),
)
INCIDENT = Table(
    name="incident",
    label="Incident",
    lineage=("incident", "task"),
    columns={"caller_id": Column("caller_id", "Caller")},
    choices={
        "priority": (Choice("1", "1 - Critical"), Choice("4", "4 - Low")),
        "state": (Choice("1", "New"), Choice("6", "Resolved")),
    },
    states=states_of((Choice("1", "New"), Choice("6", "Resolved")), lambda _: None),
    readable=True,
)


def conditions(query: str) -> list[Condition]:
    """Every condition of a query, whichever way they are joined."""
    return [one for branch in parse(query).branches for group in branch for one in group]


@given(NASTY)
@example("x^state=6")
@example("x^ORstate=6")
@example("x^NQactive=true")
@example("javascript:gs.addErrorMessage(1)")
@example(" JavaScript : gs.x()")
@example("=x")
def test_a_value_stays_one_value(text: str) -> None:
    try:
        query = encoded.both(encoded.equals("short_description", text), encoded.equals("active", "true"))
    except UnsayableError:
        return
    first, second = conditions(query)
    assert (second.field, second.operator, second.value) == ("active", "=", "true")
    if text:
        assert (first.field, first.operator, first.value) == ("short_description", "=", text)
        assert not text.lower().replace(" ", "").startswith("javascript:")
    else:
        assert (first.field, first.operator) == ("short_description", "ISEMPTY")


@given(st.lists(NASTY, min_size=1, max_size=5))
@example(["STANCEOFtask"])
@example(["a,b"])
def test_one_of_several_is_no_more_than_that(values: list[str]) -> None:
    try:
        query = encoded.any_of("category", values)
    except UnsayableError:
        return
    found: set[str] = set()
    for one in conditions(query):
        assert one.field == "category"
        assert one.operator in {"IN", "=", "ISEMPTY"}
        found |= set(one.value.split(",")) if one.operator == "IN" else {one.value}
    assert found == set(values)


@pytest.mark.parametrize("name", ["", "State", "a b", "a^b", "x=1", "a..b", "1a", "état", "a,b"])
def test_what_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(UnsayableError):
        encoded.equals(name, "x")


@given(
    st.sampled_from(sorted(FIELDS - {"created_at", "updated_at", "due_date", "completion_date", "priority"})),
    st.sampled_from(["eq", "neq", "in", "not in", "like", "not like"]),
    st.lists(NASTY, min_size=1, max_size=3),
)
def test_a_filter_names_only_its_own_columns(field: str, operator: str, values: list[str]) -> None:
    query = clause_for(TicketFilter(field, operator, tuple(values)), INCIDENT, QueryZone())
    own = {"sys_id", "number", "assigned_to", "opened_by", "caller_id", "state"}
    assert {one.field for one in conditions(query)} <= own
    assert all(one.operator in {"=", "IN", "ISEMPTY"} for one in conditions(query))


@given(NASTY, NASTY, st.booleans(), st.booleans())
def test_a_forged_position_only_moves_within_the_query(
    title: str, sys_id: str, by_time: bool, descending: bool
) -> None:
    """A cursor is not signed: whatever it holds is a value, never a condition, and the filter stands in each branch."""
    field = "created_at" if by_time else "summary"
    sorting = Sorting.of((TicketOrder(field, descending),), tags_field="", contact="caller_id")
    query, exact = sorting.after("assignment_group=1", [title, sys_id], QueryZone())
    assert (
        query == "assignment_group=1"
        if not exact
        else query.count("assignment_group=1") == query.count("^NQ") + 1
    )
    for branch in parse(query).branches:
        names = {one.field for group in branch for one in group}
        assert names <= {"assignment_group", "short_description", "sys_created_on", "sys_id"}
        assert "assignment_group" in names


@given(st.text(max_size=200), st.text(max_size=200))
def test_keys_can_be_said_and_never_meet(one: str, other: str) -> None:
    for key in (one, other):
        if key:
            assert encoded.sayable(correlation_of(key))
            assert len(correlation_of(key)) <= 100
    if one != other:
        assert correlation_of(one) != correlation_of(other)


def test_states_and_priorities_are_asked_for_by_the_values_of_the_instance() -> None:
    zone = QueryZone()
    assert clause_for(TicketFilter("status", "eq", ("resolved",)), INCIDENT, zone) == "stateIN6"
    assert clause_for(TicketFilter("status", "neq", ("Resolved",)), INCIDENT, zone) == ""
    assert clause_for(TicketFilter("priority", "gt", ("LOW",)), INCIDENT, zone) == "priorityIN1"
    assert clause_for(TicketFilter("status", "eq", ("nonsense",)), INCIDENT, zone) == "sys_id=none"
    assert clause_for(TicketFilter("status", "eq", ("resolved",)), None, zone) == "", (
        "tables differ in their states"
    )


def test_a_time_is_asked_for_a_second_wider() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC).isoformat()
    zone = QueryZone()
    assert (
        clause_for(TicketFilter("created_at", "gt", (at,)), None, zone)
        == "sys_created_on>=2026-01-02 03:04:05"
    )
    assert (
        clause_for(TicketFilter("created_at", "lt", (at,)), None, zone)
        == "sys_created_on<=2026-01-02 03:04:06"
    )
