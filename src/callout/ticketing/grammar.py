"""The query grammar of the contract: `field[operator]value` and `field[asc|desc]`, as filters and orders of the port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from callout.ports.filtering import FIELDS, OPERATORS, ORDER_FIELDS
from callout.ports.ticketing import TicketFilter, TicketOrder
from callout.ticketing.errors import InvalidFilterError

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 1000
LARGEST_TEXT: Final = 4000
MOST_TERMS: Final = 50
MOMENT_FIELDS: Final = frozenset({"created_at", "updated_at", "due_date", "completion_date"})

_SPELLINGS: Final = {
    "ne": "neq",
    "not_in": "not in",
    "notin": "not in",
    "not_like": "not like",
    "notlike": "not like",
}
_BRACKETED = re.compile(r"\s*([A-Za-z_][\w.]*)\s*\[\s*([A-Za-z_ ]+?)\s*\](.*)", re.DOTALL)
_EQUALS = re.compile(r"\s*([A-Za-z_][\w.]*)\s*=(.*)", re.DOTALL)
_ORDER = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(?:\[\s*(asc|desc)\s*\])?\s*", re.IGNORECASE)


def parse_filters(texts: Iterable[str], *, fields: frozenset[str] = FIELDS) -> tuple[TicketFilter, ...]:
    """Return the conditions of repeated `filter` parameters, all of which hold. Raises InvalidFilterError."""
    found = tuple(_filter(text, fields) for text in _bounded(texts, "filter"))
    return tuple(dict.fromkeys(found))


def parse_orders(texts: Iterable[str], *, fields: frozenset[str] = ORDER_FIELDS) -> tuple[TicketOrder, ...]:
    """Return the sort keys of repeated `order` parameters, the first the strongest. Raises InvalidFilterError."""
    keys: dict[str, TicketOrder] = {}
    for text in _bounded(texts, "order"):
        match = _ORDER.fullmatch(text)
        if match is None:
            raise InvalidFilterError(
                f"the order {text[:80]!r} cannot be read",
                fields={"order": "expected field[asc] or field[desc]"},
                remediation="Write `order=created_at[desc]`.",
            )
        field = match[1]
        if field not in fields:
            raise _unknown("order", field, fields)
        keys.setdefault(field, TicketOrder(field, descending=(match[2] or "asc").lower() == "desc"))
    return tuple(keys.values())


def _bounded(texts: Iterable[str], name: str) -> Sequence[str]:
    given = list(texts)
    if len(given) > MOST_TERMS or any(len(text) > LARGEST_TEXT for text in given):
        raise InvalidFilterError(
            f"at most {MOST_TERMS} times {name}, each of at most {LARGEST_TEXT} characters",
            fields={name: "too long"},
            remediation="Ask for less at once.",
        )
    return given


def _filter(text: str, fields: frozenset[str]) -> TicketFilter:
    match = _BRACKETED.fullmatch(text)
    if match is not None:
        field, operator, value = match[1], " ".join(match[2].lower().split()), match[3]
    else:
        plain = _EQUALS.fullmatch(text)
        if plain is None:
            raise InvalidFilterError(
                f"the filter {text[:80]!r} cannot be read", fields={"filter": "expected field[operator]value"}
            )
        field, operator, value = plain[1], "eq", plain[2]
    operator = _SPELLINGS.get(operator, operator)
    if field not in fields:
        raise _unknown("filter", field, fields)
    if operator not in OPERATORS:
        raise InvalidFilterError(
            f"unknown filter operator {operator!r}",
            fields={"filter": f"unknown operator {operator}"},
            remediation=f"Use one of: {', '.join(sorted(OPERATORS))}.",
        )
    values = _list(value) if operator in {"in", "not in"} else (_unquoted(value.strip()),)
    if not values or not any(values):
        raise InvalidFilterError(
            f"the filter on {field} has no value",
            fields={"filter": "value missing"},
            remediation=f"Write `{field}[{operator}]value`.",
        )
    if field in MOMENT_FIELDS:
        values = tuple(_moment(one) for one in values)
    return TicketFilter(field, operator, values)


def _unknown(name: str, field: str, fields: frozenset[str]) -> InvalidFilterError:
    return InvalidFilterError(
        f"there is no {name} field {field!r}",
        fields={name: f"unknown field {field}"},
        remediation=f"Use one of: {', '.join(sorted(fields))}." if fields else "This list takes no filter.",
    )


def _list(text: str) -> tuple[str, ...]:
    """Split at commas outside of double quotes."""
    parts: list[str] = []
    start, quoted, place = 0, False, 0
    while place < len(text):
        letter = text[place]
        if letter == "\\" and quoted:
            place += 1
        elif letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    parts.append(text[start:])
    return tuple(value for part in parts if (value := _unquoted(part.strip())))


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text


def _moment(text: str) -> str:
    """A time without a zone is UTC; what is no time is left to be refused with its field's name."""
    # A `+` that nobody encoded arrives as a space.
    fixed = re.sub(r" (\d\d:?\d\d)$", r"+\1", text)
    try:
        value = datetime.fromisoformat(fixed)
    except ValueError:
        return text
    return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).isoformat()


def limited(limit: int) -> int:
    """Return a page size within bounds. Raises InvalidFilterError below 1."""
    if limit < 1:
        raise InvalidFilterError(
            "limit must be at least 1",
            fields={"limit": "at least 1"},
            remediation=f"Ask for 1 to {LARGEST_LIMIT}.",
        )
    return min(limit, LARGEST_LIMIT)
