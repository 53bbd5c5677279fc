from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.ports.errors import InvalidRequestError
from callout.ports.filtering import FIELDS, OPERATORS, check_filters, compare, matches, sort_values
from callout.ports.ticketing import Ticket, TicketFilter, TicketOrder
from callout.ports.values import Person, Priority

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
TICKET = Ticket(
    "10042",
    "OPS-31",
    "Checkout is Slow",
    created_at=NOW,
    status="In Progress",
    priority=Priority.MEDIUM,
    assignee=Person("5b1", "Ann", "ann@example.com"),
    tags=("Red", "blue"),
)
EMPTY = Ticket("1", "OPS-1", "x")


@pytest.mark.parametrize(
    ("field", "operator", "values", "expected"),
    [
        ("id", "eq", ("OPS-31",), True),
        ("id", "eq", ("10042",), True),
        ("summary", "eq", ("checkout is slow",), True),
        ("summary", "eq", ("checkout",), False),
        ("summary", "like", ("IS SL",), True),
        ("summary", "like", ("checkout*",), True),
        ("summary", "like", ("is*",), False),
        ("summary", "like", ("*slow",), True),
        ("summary", "like", ("c*o*w",), True),
        ("summary", "like", ("*",), True),
        ("summary", "like", ("c.eckout",), False),
        ("summary", "not like", ("slow",), False),
        ("status", "in", ("Done", "in progress"), True),
        ("status", "not in", ("Done",), True),
        ("assignee", "eq", ("ANN@example.com",), True),
        ("assignee", "neq", ("ann",), False),
        ("tags", "eq", ("red",), True),
        ("tags", "in", ("green", "BLUE"), True),
        ("tags", "not in", ("green",), True),
        ("priority", "eq", ("medium",), True),
        ("priority", "gt", ("LOW",), True),
        ("priority", "gte", ("MODERATE",), True),
        ("priority", "gt", ("MODERATE",), False),
        ("priority", "lt", ("CRITICAL",), True),
        ("created_at", "eq", ("2026-05-01T12:00:00+02:00",), True),
        ("created_at", "gt", (NOW.isoformat(),), False),
        ("created_at", "gte", (NOW.isoformat(),), True),
        ("created_at", "lt", ((NOW + timedelta(microseconds=1)).isoformat(),), True),
    ],
)
def test_conditions(field: str, operator: str, values: tuple[str, ...], expected: bool) -> None:
    condition = TicketFilter(field, operator, values)
    check_filters([condition])
    assert matches(TICKET, condition) is expected


@pytest.mark.parametrize("field", ["assignee", "priority", "created_at", "tags", "status", "description"])
def test_an_empty_field_equals_nothing_and_differs_from_everything(field: str) -> None:
    value = {"priority": "LOW", "created_at": NOW.isoformat()}.get(field, "x")
    assert not matches(EMPTY, TicketFilter(field, "eq", (value,)))
    assert not matches(EMPTY, TicketFilter(field, "gt", (value,)))
    assert matches(EMPTY, TicketFilter(field, "neq", (value,)))


@pytest.mark.parametrize(
    ("field", "operator", "values"),
    [
        ("colour", "eq", ("red",)),
        ("status", "near", ("x",)),
        ("status", "eq", ()),
        ("priority", "eq", ("P0",)),
        ("created_at", "gt", ("2026-05-01",)),
        ("created_at", "gt", ("2026-05-01T10:00:00",)),
        ("created_at", "like", ("2026*",)),
    ],
)
def test_what_nobody_could_carry_out_is_refused(field: str, operator: str, values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_filters([TicketFilter(field, operator, values)])
    assert "filter" in caught.value.fields


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_filters([], [TicketOrder("colour")])
    assert "order" in caught.value.fields


tickets = st.builds(
    Ticket,
    id=st.text("ab", max_size=2),
    key=st.just("K"),
    title=st.sampled_from(["", "A", "a", "b"]),
    priority=st.none() | st.sampled_from(Priority),
    created_at=st.none() | st.just(NOW) | st.just(NOW + timedelta(days=1)),
)
orders = st.lists(
    st.builds(TicketOrder, st.sampled_from(["summary", "priority", "time", "id"]), st.booleans()), max_size=3
)


@given(tickets, tickets, tickets, orders)
def test_the_order_is_total_and_transitive(
    one: Ticket, two: Ticket, three: Ticket, order: list[TicketOrder]
) -> None:
    a, b, c = (sort_values(ticket, order) for ticket in (one, two, three))
    assert compare(a, a, order) == 0
    assert compare(a, b, order) == -compare(b, a, order)
    if compare(a, b, order) <= 0 and compare(b, c, order) <= 0:
        assert compare(a, c, order) <= 0


@given(tickets, st.sampled_from(sorted(FIELDS)), st.sampled_from(sorted(OPERATORS)), st.text(max_size=3))
def test_every_checked_condition_can_be_judged(ticket: Ticket, field: str, operator: str, value: str) -> None:
    condition = TicketFilter(field, operator, (value,))
    try:
        check_filters([condition])
    except InvalidRequestError:
        return
    assert matches(ticket, condition) in {True, False}
