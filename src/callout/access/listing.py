"""Filters, order and paging of management lists, over records already in memory: they are few."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from callout.ports.errors import InvalidRequestError

Item = TypeVar("Item")

OPERATORS: Final = frozenset({"eq", "neq", "gt", "lt", "gte", "lte", "in", "like", "not in", "not like"})


@dataclass(frozen=True, slots=True)
class Filter:
    """`field[operator]values`: more than one value only for `in` and `not in`."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What part of a list is wanted. `order` is (field, descending); `start_after` the sort key of the last
    item seen.
    """

    limit: int = 100
    start_after: str | None = None
    order: tuple[tuple[str, bool], ...] = (("name", False),)
    filters: tuple[Filter, ...] = ()


EVERYTHING: Final = Listing(limit=sys.maxsize)
"""The whole list, by name."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """One page, and how many items the filters let through in all."""

    items: Sequence[Item]
    total: int


def apply(items: Iterable[Item], listing: Listing, fields: Callable[[Item], dict[str, Any]]) -> Listed[Item]:
    """Return the part of `items` that `listing` asks for; `fields` gives an item's filterable values.

    A page is a little longer than asked for where several items share the sort key of its last: `start_after` would skip them.

    Raises InvalidRequestError for an unknown field or operator, or a limit below 1.
    """
    if listing.limit < 1:
        raise InvalidRequestError("limit must be at least 1", fields={"limit": "below 1"})
    pairs = [(item, fields(item)) for item in items]
    known = {name for _, values in pairs for name in values}
    for rule in listing.filters:
        if rule.operator not in OPERATORS:
            raise InvalidRequestError(
                f"unknown filter operator {rule.operator!r}", fields={"filter": "unknown operator"}
            )
        if pairs and rule.field not in known:
            raise InvalidRequestError(
                f"unknown filter field {rule.field!r}", fields={"filter": "unknown field"}
            )
        pairs = [(item, values) for item, values in pairs if matches(values.get(rule.field), rule)]
    # Sorted by the last key first: Python's sort is stable. The id breaks ties, so that paging never skips.
    pairs.sort(key=lambda pair: _sortable(pair[1].get("id")))
    for name, descending in reversed(listing.order):
        if pairs and name not in known:
            raise InvalidRequestError(f"cannot order by {name!r}", fields={"order": "unknown field"})
        pairs.sort(key=lambda pair: _sortable(pair[1].get(name)), reverse=descending)  # used at once
    total = len(pairs)
    if listing.start_after is not None and listing.order:
        name, descending = listing.order[0]
        mark = listing.start_after
        pairs = [
            (item, values) for item, values in pairs if _behind(values.get(name), mark, descending=descending)
        ]
    size = listing.limit
    if listing.order and len(pairs) > size:
        name = listing.order[0][0]
        last = _sortable(pairs[size - 1][1].get(name))
        while size < len(pairs) and _sortable(pairs[size][1].get(name)) == last:
            size += 1
    return Listed([item for item, _ in pairs[:size]], total)


def matches(value: object, rule: Filter) -> bool:
    """Return whether `value` passes `rule`; a list passes when one of its values does (for the negations:
    all).
    """
    negative = rule.operator in {"neq", "not in", "not like"}
    values = value if isinstance(value, (list, tuple)) else [value]
    hits = [_one(item, rule) for item in values]
    return all(hits) if negative else any(hits)


def _one(value: object, rule: Filter) -> bool:
    first = rule.values[0] if rule.values else ""
    positive = rule.operator.removeprefix("not ").removeprefix("n")
    if positive == "eq":
        hit = _same(value, first)
    elif positive == "in":
        hit = any(_same(value, v) for v in rule.values)
    elif positive == "like":
        hit = _like(value, first)
    else:
        return _compared(value, rule.operator, first)
    return hit is (positive == rule.operator)


def _same(value: object, text: str) -> bool:
    if isinstance(value, datetime):
        return value == _moment(text)
    if isinstance(value, int) and not isinstance(value, bool):
        return value == _number(text)
    return value is not None and str(value).casefold() == text.casefold()


def _like(value: object, pattern: str) -> bool:
    if value is None:
        return False
    text, wanted = str(value).casefold(), pattern.casefold()
    if "*" not in wanted:
        return wanted in text
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("*")), text, re.DOTALL) is not None


def _compared(value: object, operator: str, text: str) -> bool:
    if value is None:
        return False
    left: Any
    right: Any
    if isinstance(value, datetime):
        left, right = value, _moment(text)
    elif isinstance(value, int) and not isinstance(value, bool):
        left, right = value, _number(text)
    else:
        left, right = str(value), text
    answers = {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}
    return bool(answers[operator])


def _behind(value: object, mark: str, *, descending: bool) -> bool:
    return _compared(value, "lt" if descending else "gt", mark)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequestError(f"{text!r} is not a number", fields={"filter": "not a number"}) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError(
            f"{text!r} is not a time",
            remediation="Write RFC 3339, such as 2026-01-02T00:00:00Z.",
            fields={"filter": "not a time"},
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment


def _sortable(value: object) -> tuple[int, Any]:
    if value is None:
        return (0, "")
    return (1, value if isinstance(value, (datetime, int)) else str(value))
