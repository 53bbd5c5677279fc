"""Filters and orders of the unified grammar → encoded queries.

A condition selects at least what the filter selects; every row that comes is judged again by :func:`callout.ports.filtering.matches`,
because an instance drops a condition that it does not understand and then answers with everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import SYS_ID
from callout.connectors.servicenow.mapping import contact_column
from callout.connectors.servicenow.meaning import category_of, priority_of
from callout.connectors.servicenow.metadata import Table
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.ports.errors import InvalidRequestError
from callout.ports.filtering import matches, parse_moment
from callout.ports.ticketing import Ticket, TicketFilter, TicketOrder

MOMENTS: Final[Mapping[str, str]] = {
    "created_at": "sys_created_on",
    "updated_at": "sys_updated_on",
    "due_date": "due_date",
}
PEOPLE: Final = ("assignee", "creator", "contact")
_POSITIVE: Final = frozenset({"eq", "in"})
ORDERS: Final[Mapping[str, str]] = {
    **MOMENTS,
    "time": "sys_created_on",
    "completion_date": "closed_at",
    "id": "number",
    "key": "number",
    "name": "short_description",
    "summary": "short_description",
    "status": "state",
    "priority": "priority",
    "assignee": "assigned_to.name",
    "creator": "opened_by.name",
    "parent": "parent.number",
    "project": "sys_class_name",
    "issue_type": "sys_class_name",
}
_UPSIDE_DOWN: Final = frozenset({"priority"})
"""The most urgent priority has the smallest number, and comes last when ours are counted up."""
TIMES: Final = frozenset({*MOMENTS.values(), "closed_at"})


def clause_for(condition: TicketFilter, table: Table | None, zone: QueryZone) -> str:
    """Return a condition that selects at least what the filter selects; empty where none can be said.

    Args:
        condition: a checked filter; people are sys_ids already.
        table: of the records asked for; None for several at once, whose states and columns differ.
        zone: how times are written.
    """
    field, operator = condition.field, condition.operator
    try:
        if field in {"id", "key"} and operator in _POSITIVE:
            ids = [value for value in condition.values if SYS_ID.fullmatch(value)]
            numbers = [value.upper() for value in condition.values if not SYS_ID.fullmatch(value)]
            parts = [encoded.any_of("sys_id", ids)] if ids else []
            return encoded.either(*parts, *([encoded.any_of("number", numbers)] if numbers else []))
        if field in MOMENTS:
            return _times(MOMENTS[field], condition, zone)
        if field in PEOPLE and operator in _POSITIVE:
            column = _person_column(field, table)
            return encoded.any_of(column, condition.values) if column else ""
        if field in {"status", "priority"} and table is not None:
            return _chosen(condition, table)
    except encoded.UnsayableError:
        return ""
    return ""


def _person_column(field: str, table: Table | None) -> str:
    if field == "contact":
        return contact_column(table) if table is not None else ""
    return {"assignee": "assigned_to", "creator": "opened_by"}[field]


def _chosen(condition: TicketFilter, table: Table) -> str:
    """Return the values whose label satisfies the filter, by asking the filter itself."""
    column = "state" if condition.field == "status" else "priority"
    choices = table.choices.get(column, ())
    if not choices:
        return ""
    wanted: list[str] = []
    for place, choice in enumerate(choices):
        if column == "state":
            one = Ticket("", "", "", status=choice.label, status_category=category_of(choice.label))
        else:
            one = Ticket("", "", "", priority=priority_of(choice.label, place, len(choices)))
        if matches(one, condition):
            wanted.append(choice.value)
    if matches(Ticket("", "", ""), condition):
        return ""  # what has no value fits too, and so may a value that no choice names
    return encoded.any_of(column, wanted) if wanted else encoded.equals("sys_id", "none")


def _times(column: str, condition: TicketFilter, zone: QueryZone) -> str:
    values = [parse_moment(value) for value in condition.values]
    operator = condition.operator
    if operator in {"gt", "gte"}:
        return encoded.compares(column, ">=", zone.at_least(values[0]))
    if operator in {"lt", "lte"}:
        return encoded.compares(column, "<=", zone.at_most(values[0]))
    if operator in _POSITIVE:
        return encoded.both(
            encoded.compares(column, ">=", zone.at_least(min(values))),
            encoded.compares(column, "<=", zone.at_most(max(values))),
        )
    return ""


@dataclass(frozen=True, slots=True)
class Sorting:
    """Columns to sort by, (column, descending), the record's id last, so that the order is one."""

    keys: tuple[tuple[str, bool], ...]

    @classmethod
    def of(cls, orders: Sequence[TicketOrder], *, tags_field: str, contact: str) -> Sorting:
        """Return the sorting of unified orders. Raises InvalidRequestError for a field that ServiceNow cannot sort by."""
        keys: dict[str, bool] = {}
        for order in orders or (TicketOrder("created_at"),):
            column = ORDERS.get(order.field, "")
            if order.field == "tags":
                column = tags_field
            elif order.field == "contact" and contact:
                column = f"{contact}.name"
            if not column:
                raise InvalidRequestError(
                    f"ServiceNow cannot order tickets by {order.field!r}",
                    fields={"order": f"cannot order by {order.field}"},
                )
            keys.setdefault(column, order.descending != (order.field in _UPSIDE_DOWN))
        keys.pop("sys_id", None)
        return cls((*keys.items(), ("sys_id", False)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values make up a position."""
        return tuple(name for name, _ in self.keys)

    def position(self, record: Record) -> list[str]:
        """Return where a record stands in this order."""
        return [record.get(name, "") for name in self.columns]

    def after(self, query: str, position: Sequence[str], zone: QueryZone) -> tuple[str, bool]:
        """Return the query for what comes after a position, and whether it selects nothing else.

        A position that cannot be said (a title with `^`, a time that the clock shows twice) gives a wider query: what comes before
        the position in its answer is for the caller to drop.
        """
        said: list[str] = []
        for (column, _), value in zip(self.keys, position, strict=True):
            at = moment(value) if column in TIMES else None
            if column in TIMES and value and (at is None or zone.twice(at)):
                return query, False
            said.append(zone.literal(at) if at is not None else value)
            # A value that begins with `=` would turn `>` into `>=`.
            if not encoded.sayable(said[-1]) or said[-1].startswith("="):
                return query, False
        branches: list[str] = []
        for place, (column, descending) in enumerate(self.keys):
            further = _beyond(column, said[place], descending=descending)
            if further:
                same = [
                    encoded.equals(name, value)
                    for (name, _), value in zip(self.keys[:place], said[:place], strict=True)
                ]
                branches.append(encoded.both(query, *same, further))
        # `^NQ` begins another complete query: the conditions of the filter stand in each.
        return encoded.union(*branches), True


def _beyond(column: str, value: str, *, descending: bool) -> str:
    """Return what comes after a value; empty ones come first when counting up. Empty where nothing can."""
    if descending:
        if not value:
            return ""
        return encoded.either(encoded.compares(column, "<", value), encoded.is_empty(column))
    return encoded.compares(column, ">", value) if value else encoded.is_not_empty(column)
