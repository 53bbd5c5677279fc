"""JQL: unified filters and orders as a query, escaped, in the account's time zone and to the minute."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callout.ports.errors import InvalidRequestError
from callout.ports.filtering import parse_moment
from callout.ports.ticketing import TicketFilter, TicketOrder

FIELDS: Final[Mapping[str, str]] = {
    "id": "id",
    "key": "id",
    "project": "project",
    "status": "status",
    "priority": "priority",
    "creator": "reporter",
    "assignee": "assignee",
    "contact": "reporter",
    "issue_type": "issuetype",
    "parent": "parent",
    "tags": "labels",
    "name": "summary",
    "summary": "summary",
    "description": "description",
    "created_at": "created",
    "updated_at": "updated",
    "due_date": "duedate",
    "completion_date": "resolutiondate",
}
"""Filter field of the unified grammar → JQL field."""

PEOPLE: Final = frozenset({"creator", "assignee", "contact"})
EVERYTHING: Final = 'created >= "1970-01-02"'
"""JQL refuses a query without a restriction; this one excludes nothing."""

_ORDERS: Final[Mapping[str, str]] = {
    **FIELDS,
    "time": "created",
    "id": "key",
    "key": "key",
}
_NO_ORDER = frozenset({"description"})
_MOMENTS = frozenset({"created_at", "updated_at", "completion_date"})
_COMPUTED = frozenset({"name", "summary", "description"})
"""JQL's text search knows words, not substrings or equality: these are selected by us, on what was read."""
_COMPARISONS = frozenset({"gt", "gte", "lt", "lte"})
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of JQL that selects at least what the filter selects; `exact` when it selects nothing else."""

    jql: str
    exact: bool


def quoted(text: str) -> str:
    """Return `text` as a JQL string: backslash and double quote escaped, control characters as spaces."""
    plain = _CONTROL.sub(" ", text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def at_least(moment: datetime, zone: ZoneInfo) -> str:
    """Return a JQL date that is not after `moment`: the account's wall clock, cut to the minute."""
    return _literal(moment, zone, margin=-_HOUR)


def below(moment: datetime, zone: ZoneInfo) -> str:
    """Return a JQL date that is after `moment`."""
    return _literal(moment + _MINUTE, zone, margin=_HOUR)


def _literal(moment: datetime, zone: ZoneInfo, *, margin: timedelta) -> str:
    local = moment.astimezone(zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        # The hour that comes twice when summer time ends: nobody can say which one the text means.
        local = (moment + margin).astimezone(zone)
    return f'"{local:%Y-%m-%d %H:%M}"'


def clause_for(
    condition: TicketFilter, *, zone: ZoneInfo, priority_names: Callable[[str], Sequence[str]]
) -> Clause | None:
    """Return the JQL of one filter, or None when JQL cannot help to select it.

    Args:
        condition: a checked filter; ids are numeric and people are account ids already.
        zone: the time zone of the querying account, in which JQL reads dates.
        priority_names: the site's names of a unified priority.
    """
    field, operator = condition.field, condition.operator
    name = FIELDS[field]
    if operator in {"like", "not like"} or field in _COMPUTED:
        return None
    if field in _MOMENTS:
        return _moments(name, operator, [parse_moment(value) for value in condition.values], zone)
    if field == "due_date":
        return _days(name, operator, [parse_moment(value) for value in condition.values])
    if operator in _COMPARISONS:
        # Jira orders priorities, keys and names in its own way.
        return None
    return _listed(name, condition, priority_names)


def _listed(
    name: str, condition: TicketFilter, priority_names: Callable[[str], Sequence[str]]
) -> Clause | None:
    values: Sequence[str] = condition.values
    if condition.field == "priority":
        values = [label for value in values for label in priority_names(value)]
    if not values:
        return None
    listed = ", ".join(quoted(value) for value in values)
    # Priorities of several names can mean the same to us and differ in what they are called: cut exactly by us.
    exact = condition.field != "priority"
    if condition.operator in {"eq", "in"}:
        return Clause(f"{name} in ({listed})", exact=exact)
    if condition.field in {"id", "key", "project", "status", "issue_type"}:
        return Clause(f"{name} not in ({listed})", exact=exact)
    # JQL's "not in" leaves out issues whose field is empty; the unified grammar keeps them.
    return Clause(f"({name} not in ({listed}) OR {name} is EMPTY)", exact=exact)


def _moments(name: str, operator: str, values: Sequence[datetime], zone: ZoneInfo) -> Clause | None:
    """Minutes are the finest that JQL knows: whole minutes are selected, and cut exactly by the caller."""
    if operator in {"gt", "gte"}:
        return Clause(f"{name} >= {at_least(values[0], zone)}", exact=False)
    if operator in {"lt", "lte"}:
        return Clause(f"{name} < {below(values[0], zone)}", exact=False)
    if operator in {"eq", "in"}:
        low, high = at_least(min(values), zone), below(max(values), zone)
        return Clause(f"({name} >= {low} AND {name} < {high})", exact=False)
    return None


def _days(name: str, operator: str, values: Sequence[datetime]) -> Clause | None:
    """A due date has no time of day: whole days are selected, with a day's margin for the zones."""
    low, high = min(values) - _DAY, max(values) + _DAY
    if operator in {"gt", "gte"}:
        return Clause(f'{name} >= "{low:%Y-%m-%d}"', exact=False)
    if operator in {"lt", "lte"}:
        return Clause(f'{name} <= "{high:%Y-%m-%d}"', exact=False)
    if operator in {"eq", "in"}:
        return Clause(f'({name} >= "{low:%Y-%m-%d}" AND {name} <= "{high:%Y-%m-%d}")', exact=False)
    return None


def order_fields() -> frozenset[str]:
    """Return the fields that tickets can be ordered by."""
    return frozenset(_ORDERS) - frozenset(_NO_ORDER)


def order_by(orders: Sequence[TicketOrder]) -> str:
    """Return the ORDER BY part; ties break by key, so that paging is stable. Raises InvalidRequestError."""
    parts: dict[str, str] = {}
    for order in orders or (TicketOrder("created_at"),):
        if order.field not in _ORDERS or order.field in _NO_ORDER:
            raise InvalidRequestError(
                f"Jira cannot order tickets by {order.field!r}",
                fields={"order": f"cannot order by {order.field}"},
            )
        parts.setdefault(_ORDERS[order.field], "DESC" if order.descending else "ASC")
    parts.setdefault("key", "ASC")
    return "ORDER BY " + ", ".join(f"{name} {direction}" for name, direction in parts.items())
