"""Filters and orders as they come in a query."""

from __future__ import annotations

import pytest

from callout.ports.ticketing import TicketFilter, TicketOrder
from callout.ticketing.grammar import parse_filters, parse_orders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status[eq]Done", TicketFilter("status", "eq", ("Done",))),
        (' status [ eq ] "Done" ', TicketFilter("status", "eq", ("Done",))),
        ("project=XYZ", TicketFilter("project", "eq", ("XYZ",))),
        ("name=a=b", TicketFilter("name", "eq", ("a=b",))),
        ("name[eq]a[b]c", TicketFilter("name", "eq", ("a[b]c",))),
        ("name[EQ]a", TicketFilter("name", "eq", ("a",))),
        ("status[ne]Done", TicketFilter("status", "neq", ("Done",))),
        ("status[not_in]a,b", TicketFilter("status", "not in", ("a", "b"))),
        ("status[not  like]a*", TicketFilter("status", "not like", ("a*",))),
        ('tags[in]a, "b, c" ,d', TicketFilter("tags", "in", ("a", "b, c", "d"))),
        (r'tags[in]"a\"b","c\\"', TicketFilter("tags", "in", ('a"b', "c\\"))),
        ("name[like]a,b", TicketFilter("name", "like", ("a,b",))),
        (
            "created_at[gte]2026-01-02T00:00:00Z",
            TicketFilter("created_at", "gte", ("2026-01-02T00:00:00+00:00",)),
        ),
        ("created_at[gte]2026-01-02", TicketFilter("created_at", "gte", ("2026-01-02T00:00:00+00:00",))),
        (
            "created_at[gte]2026-01-02T00:00:00 02:00",  # a `+` that nobody encoded
            TicketFilter("created_at", "gte", ("2026-01-02T00:00:00+02:00",)),
        ),
    ],
)
def test_filters(text: str, expected: TicketFilter) -> None:
    assert parse_filters([text]) == (expected,)


def test_the_same_condition_twice_is_one() -> None:
    assert len(parse_filters(["status[eq]a", "status=a", "status[eq]b"])) == 2


def test_orders() -> None:
    assert parse_orders(["priority[desc]", "time", "name[ASC]", "priority"]) == (
        TicketOrder("priority", descending=True),
        TicketOrder("time"),
        TicketOrder("name"),
    )
