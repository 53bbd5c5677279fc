"""Encoded queries, ServiceNow's query language, written so that no text of a user can become a condition.

The language has no escape: `^` ends a value wherever it stands. A text that holds one (or a control character, or that the instance
would run as a script) cannot be said at all, and :class:`UnsayableError` tells the caller to select by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_COLUMN = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_TOKEN = re.compile(r"[A-Za-z0-9_.:-]+")
_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029^]")
_SCRIPT = re.compile(r"\s*javascript\s*:", re.IGNORECASE)
_LONGEST: Final = 1000
ME: Final = "javascript:gs.getUserID()"
"""The asking user, the one script that we ask for. # from memory: that it is allowed in every instance's queries."""


class UnsayableError(ValueError):
    """The language has no way to say this value."""


def sayable(text: str) -> bool:
    """Return whether `text` can stand as a value."""
    return (
        len(text) <= _LONGEST
        and text == text.strip()
        and _UNSAYABLE.search(text) is None
        and _SCRIPT.match(text) is None
    )


def _column(name: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise UnsayableError(f"{name!r} is not a column")
    return name


def _value(text: str) -> str:
    if not sayable(text):
        raise UnsayableError(f"{text[:80]!r} cannot be said in an encoded query")
    return text


def equals(column: str, value: str) -> str:
    """Return `column=value`; for an empty value that the column is empty. Raises UnsayableError."""
    return f"{_column(column)}={_value(value)}" if value else is_empty(column)


def differs(column: str, value: str) -> str:
    """Return `column!=value`. Raises UnsayableError."""
    return f"{_column(column)}!={_value(value)}" if value else is_not_empty(column)


def is_empty(column: str) -> str:
    """Return that the column is empty."""
    return f"{_column(column)}ISEMPTY"


def is_not_empty(column: str) -> str:
    """Return that the column is not empty."""
    return f"{_column(column)}ISNOTEMPTY"


def compares(column: str, operator: str, value: str) -> str:
    """Return a comparison by `>`, `>=`, `<` or `<=`. Raises UnsayableError."""
    if operator not in {">", ">=", "<", "<="} or not value or value[0] == "=":
        raise UnsayableError(f"{operator} {value[:80]!r}")
    return f"{_column(column)}{operator}{_value(value)}"


def any_of(column: str, values: Iterable[str]) -> str:
    """Return that the column has one of the values. Raises UnsayableError, also for no value at all."""
    wanted = list(dict.fromkeys(values))
    if not wanted:
        raise UnsayableError("one of nothing")
    # `IN` before a value that begins `STANCEOF` would be another operator, and a comma ends a value of a list.
    if all(_TOKEN.fullmatch(value) and not value.startswith("STANCEOF") for value in wanted):
        return f"{_column(column)}IN{','.join(wanted)}"
    return either(*(equals(column, value) for value in wanted))


def either(*conditions: str) -> str:
    """Return that one of the conditions holds."""
    return "^OR".join(conditions)


def both(*conditions: str) -> str:
    """Return that all conditions hold; empty ones say nothing."""
    return "^".join(condition for condition in conditions if condition)


def union(*branches: str) -> str:
    """Return that one of the complete queries holds."""
    return "^NQ".join(branches)


def ordered(query: str, columns: Sequence[tuple[str, bool]]) -> str:
    """Return the query in an order: (column, descending), the first one first."""
    parts = [f"ORDERBY{'DESC' if descending else ''}{_column(name)}" for name, descending in columns]
    return both(query, *parts)
