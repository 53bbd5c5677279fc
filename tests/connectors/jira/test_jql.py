from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.connectors.jira import jql
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import TicketFilter, TicketOrder

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = {"HIGH": ("High",), "LOW": ("Low", "Minor")}


def clause(field: str, operator: str, *values: str) -> jql.Clause | None:
    condition = TicketFilter(field, operator, values)
    return jql.clause_for(condition, zone=BERLIN, priority_names=lambda wanted: NAMES.get(wanted, ()))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('say "hi"', r'"say \"hi\""'),
        ("C:\\", r'"C:\\"'),
        ('\\"', r'"\\\""'),
        ("a\nb\x00c", '"a b c"'),
    ],
)
def test_strings_are_escaped(text: str, quoted: str) -> None:
    assert jql.quoted(text) == quoted


@given(st.text())
def test_nothing_gets_out_of_the_quotes(text: str) -> None:
    inner = jql.quoted(text)[1:-1]
    unescaped = inner.replace("\\\\", "").replace('\\"', "")
    assert '"' not in unescaped
    assert "\\" not in unescaped


@pytest.mark.parametrize(
    ("field", "operator", "values", "text", "exact"),
    [
        ("status", "eq", ("Done",), 'status in ("Done")', True),
        ("status", "not in", ("Done", "To Do"), 'status not in ("Done", "To Do")', True),
        ("assignee", "neq", ("5b1",), '(assignee not in ("5b1") OR assignee is EMPTY)', True),
        ("creator", "eq", ("5b1",), 'reporter in ("5b1")', True),
        ("tags", "in", ("a", 'b"c'), r'labels in ("a", "b\"c")', True),
        ("priority", "eq", ("LOW",), 'priority in ("Low", "Minor")', False),
        ("created_at", "gt", ("2026-07-01T10:00:30Z",), 'created >= "2026-07-01 12:00"', False),
        ("created_at", "lte", ("2026-01-01T10:00:30Z",), 'created < "2026-01-01 11:01"', False),
        ("due_date", "lt", ("2026-05-01T00:00:00Z",), 'duedate <= "2026-05-02"', False),
    ],
)
def test_filters_become_clauses(
    field: str,
    operator: str,
    values: tuple[str, ...],
    text: str,
    exact: bool,
) -> None:
    assert clause(field, operator, *values) == jql.Clause(text, exact)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("summary", "like", "x"),
        ("summary", "eq", "x"),
        ("priority", "gt", "LOW"),
        ("priority", "eq", "PLANNING"),
        ("created_at", "neq", "2026-01-01T10:00:00Z"),
    ],
)
def test_what_jira_cannot_select_is_left_to_us(field: str, operator: str, value: str) -> None:
    assert clause(field, operator, value) is None


def shown(literal: str) -> datetime:
    return datetime.strptime(literal, '"%Y-%m-%d %H:%M"')  # noqa: DTZ007  # a wall clock on purpose


START = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.integers(0, 10 * 365 * 24 * 60 * 60).map(lambda seconds: START + timedelta(seconds=seconds))
zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])


@given(moments, zones, st.booleans())
def test_a_bound_never_cuts_off_what_it_should_include(moment: datetime, name: str, later: bool) -> None:
    """Whichever of the two hours an ambiguous wall clock means."""
    zone = ZoneInfo(name)
    low = shown(jql.at_least(moment, zone)).replace(tzinfo=zone, fold=int(later))
    high = shown(jql.below(moment, zone)).replace(tzinfo=zone, fold=int(later))
    assert low.astimezone(UTC) <= moment < high.astimezone(UTC)
    assert moment - low.astimezone(UTC) <= timedelta(hours=2, minutes=1)


def test_the_hour_that_comes_twice_is_widened() -> None:
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert jql.at_least(second_half_past_two, BERLIN) == '"2026-10-25 02:30"'
    first_half_past_two = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert jql.at_least(first_half_past_two, BERLIN) == '"2026-10-25 01:30"'
    assert jql.below(first_half_past_two, BERLIN) == '"2026-10-25 02:31"'


@pytest.mark.parametrize(
    ("orders", "text"),
    [
        ((), "ORDER BY created ASC, key ASC"),
        ((TicketOrder("time", descending=True),), "ORDER BY created DESC, key ASC"),
        ((TicketOrder("id", descending=True),), "ORDER BY key DESC"),
        (
            (TicketOrder("priority", descending=True), TicketOrder("summary"), TicketOrder("name")),
            "ORDER BY priority DESC, summary ASC, key ASC",
        ),
    ],
)
def test_orders_end_with_the_key(orders: tuple[TicketOrder, ...], text: str) -> None:
    assert jql.order_by(orders) == text


def test_an_order_that_jira_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        jql.order_by((TicketOrder("description"),))
