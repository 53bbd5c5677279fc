"""What a ticket filter and a ticket order mean, as pure functions.

The yardstick of every connector: what a vendor's own query language cannot say exactly is cut to size here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import Ticket, TicketFilter, TicketOrder
from callout.ports.values import Person, Priority

OPERATORS: Final = frozenset({"eq", "neq", "gt", "lt", "gte", "lte", "in", "like", "not in", "not like"})
PRIORITY_RANK: Final[Mapping[Priority, int]] = {
    Priority.PLANNING: 0,
    Priority.LOW: 1,
    Priority.MODERATE: 2,
    Priority.MEDIUM: 2,
    Priority.HIGH: 3,
    Priority.CRITICAL: 4,
    Priority.URGENT: 5,
}
SortValue = int | str | None

_COMPARISONS: Final = frozenset({"gt", "gte", "lt", "lte"})
_NEGATIONS: Final = {"neq": "eq", "not in": "in", "not like": "like"}


def _people(person: Person | None) -> tuple[str, ...]:
    return () if person is None else tuple(v for v in (person.id, person.name, person.email) if v)


def _words(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


_TEXTS: Final[Mapping[str, Callable[[Ticket], tuple[str, ...]]]] = {
    "id": lambda ticket: (ticket.id, ticket.key),
    "key": lambda ticket: (ticket.id, ticket.key),
    "name": lambda ticket: _words(ticket.title),
    "summary": lambda ticket: _words(ticket.title),
    "description": lambda ticket: _words(ticket.description),
    "status": lambda ticket: _words(ticket.status),
    "project": lambda ticket: _words(ticket.project),
    "issue_type": lambda ticket: _words(ticket.issue_type),
    "parent": lambda ticket: _words(ticket.parent),
    "priority": lambda ticket: _words(ticket.priority or ""),
    "creator": lambda ticket: _people(ticket.creator),
    "assignee": lambda ticket: _people(ticket.assignee),
    "contact": lambda ticket: _people(ticket.contact),
    "tags": lambda ticket: ticket.tags,
}
_MOMENTS: Final[Mapping[str, Callable[[Ticket], datetime | None]]] = {
    "created_at": lambda ticket: ticket.created_at,
    "updated_at": lambda ticket: ticket.updated_at,
    "due_date": lambda ticket: ticket.due_date,
    "completion_date": lambda ticket: ticket.completion_date,
}
FIELDS: Final = frozenset(_TEXTS) | frozenset(_MOMENTS)
ORDER_FIELDS: Final = FIELDS | {"time"}


def parse_moment(text: str) -> datetime:
    """Read an RFC 3339 date-time. Raises InvalidRequestError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequestError(
            f"{text!r} is not a date-time with a zone",
            fields={"filter": "expected RFC 3339, for example 2026-01-02T00:00:00Z"},
        )
    return moment


def parse_priority(text: str) -> Priority:
    """Read a unified priority in any case. Raises InvalidRequestError."""
    try:
        return Priority(text.upper())
    except ValueError as error:
        raise InvalidRequestError(
            f"{text!r} is not a priority",
            fields={"filter": f"use one of {', '.join(Priority)}"},
        ) from error


def check_filters(filters: Sequence[TicketFilter], order: Sequence[TicketOrder] = ()) -> None:
    """Refuse what nobody could carry out. Raises InvalidRequestError naming the filter or order."""
    for condition in filters:
        _check_filter(condition)
    for key in order:
        if key.field not in ORDER_FIELDS:
            raise InvalidRequestError(
                f"tickets cannot be ordered by {key.field!r}",
                fields={"order": f"unknown field {key.field}"},
                remediation=f"Use one of: {', '.join(sorted(ORDER_FIELDS))}.",
            )


def _check_filter(condition: TicketFilter) -> None:
    field, operator = condition.field, condition.operator
    if field not in FIELDS:
        raise InvalidRequestError(
            f"tickets have no filter field {field!r}",
            fields={"filter": f"unknown field {field}"},
            remediation=f"Use one of: {', '.join(sorted(FIELDS))}.",
        )
    if operator not in OPERATORS:
        raise InvalidRequestError(
            f"unknown filter operator {operator!r}",
            fields={"filter": f"unknown operator {operator}"},
            remediation=f"Use one of: {', '.join(sorted(OPERATORS))}.",
        )
    if not condition.values:
        raise InvalidRequestError(f"the filter on {field} has no value", fields={"filter": "value missing"})
    textual = operator in {"like", "not like"}
    if field in _MOMENTS:
        if textual:
            raise InvalidRequestError(
                f"{operator} does not apply to {field}",
                fields={"filter": f"operator {operator} on a date-time"},
            )
        for value in condition.values:
            parse_moment(value)
    elif field == "priority" and not textual:
        for value in condition.values:
            parse_priority(value)


def matches(ticket: Ticket, condition: TicketFilter) -> bool:
    """Return whether `ticket` satisfies a (checked) condition.

    Text compares case-insensitively; an empty field equals nothing.
    """
    positive = _NEGATIONS.get(condition.operator)
    if positive is not None:
        return not matches(ticket, TicketFilter(condition.field, positive, condition.values))
    if condition.field in _MOMENTS:
        moment = _MOMENTS[condition.field](ticket)
        return moment is not None and _compare_moment(moment, condition)
    if condition.field == "priority" and condition.operator in _COMPARISONS:
        return ticket.priority is not None and _compare(
            PRIORITY_RANK[ticket.priority],
            condition.operator,
            PRIORITY_RANK[parse_priority(condition.values[0])],
        )
    present = [text.casefold() for text in _TEXTS[condition.field](ticket)]
    wanted = [value.casefold() for value in condition.values]
    return any(_text_matches(text, condition.operator, value) for text in present for value in wanted)


def _text_matches(text: str, operator: str, wanted: str) -> bool:
    if operator in {"eq", "in"}:
        return text == wanted
    return _like(text, wanted) if operator == "like" else _compare(text, operator, wanted)


def _compare_moment(moment: datetime, condition: TicketFilter) -> bool:
    bounds = [parse_moment(value) for value in condition.values]
    if condition.operator in {"eq", "in"}:
        return moment in bounds
    return _compare(moment.timestamp(), condition.operator, bounds[0].timestamp())


_Comparable = TypeVar("_Comparable", float, str)


def _compare(left: _Comparable, operator: str, right: _Comparable) -> bool:
    order = (left > right) - (left < right)
    return {"gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0}[operator]


def _like(text: str, pattern: str) -> bool:
    """With `*` an anchored wildcard match, without it a substring match."""
    if "*" not in pattern:
        return pattern in text
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, text, re.DOTALL) is not None


def sort_values(ticket: Ticket, order: Sequence[TicketOrder]) -> list[SortValue]:
    """Return what `order` compares, as plain JSON values: for sorting and for cursors."""
    return [_sort_value(ticket, key.field) for key in order]


def _sort_value(ticket: Ticket, field: str) -> SortValue:
    if field == "time":
        field = "created_at"
    if field in _MOMENTS:
        moment = _MOMENTS[field](ticket)
        return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")
    if field == "priority":
        return None if ticket.priority is None else PRIORITY_RANK[ticket.priority]
    if field == "tags":
        return ",".join(sorted(tag.casefold() for tag in ticket.tags)) or None
    texts = _TEXTS[field](ticket)
    return texts[0].casefold() if texts else None


def compare(left: Sequence[SortValue], right: Sequence[SortValue], order: Sequence[TicketOrder]) -> int:
    """Return -1, 0 or 1 as `left` comes before, with or after `right`; empty comes first when ascending."""
    for one, other, key in zip(left, right, order, strict=True):
        result = _compare_values(one, other)
        if result:
            return -result if key.descending else result
    return 0


def _compare_values(one: SortValue, other: SortValue) -> int:
    if one is None or other is None:
        return (one is not None) - (other is not None)
    if isinstance(one, int) and isinstance(other, int):
        return (one > other) - (one < other)
    return (str(one) > str(other)) - (str(one) < str(other))
