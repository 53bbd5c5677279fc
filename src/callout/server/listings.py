"""The query of management lists: `limit`, `start_after`, `order`, `filter`, `total`, `expand`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Query

from callout.access import Filter, Listed, Listing
from callout.ports.errors import InvalidRequestError
from callout.ticketing.errors import InvalidCursorError, InvalidFilterError
from callout.ticketing.grammar import limited, parse_filters, parse_orders

MOMENTS: Final = frozenset({"created_at", "updated_at", "expires", "last_logon", "pin_expires"})
"""Fields of any resource that are times."""
_SPACE_FOR_PLUS: Final = re.compile(r" (\d\d:?\d\d)$")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters as they came."""

    limit: int
    start_after: str | None
    order: tuple[str, ...]
    filter: tuple[str, ...]

    def listing(
        self, known: frozenset[str], *, default: tuple[tuple[str, bool], ...] = (("name", False),)
    ) -> Listing:
        """Return what is wanted of a resource with the fields `known`. Raises InvalidFilterError, InvalidCursorError."""
        order = (
            tuple((one.field, one.descending) for one in parse_orders(self.order, fields=known)) or default
        )
        filters = tuple(
            Filter(one.field, one.operator, _moments(one.field, one.operator, one.values))
            for one in parse_filters(self.filter, fields=known)
        )
        return Listing(limited(self.limit), _mark(order, self.start_after), order, filters)


def _moments(field: str, operator: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if field.rpartition(".")[2] not in MOMENTS:
        return values
    if operator in {"like", "not like"}:
        raise InvalidFilterError(f"{operator} does not apply to {field}", fields={"filter": "a time"})
    return tuple(_moment(value, InvalidFilterError, "filter").isoformat() for value in values)


def _moment(text: str, wrong: type[InvalidRequestError], parameter: str) -> datetime:
    # A `+` that nobody encoded arrives as a space.
    try:
        moment = datetime.fromisoformat(_SPACE_FOR_PLUS.sub(r"+\1", text))
    except ValueError:
        raise wrong(
            f"{text[:40]!r} is not a time",
            remediation="Write RFC 3339, such as 2026-01-02T00:00:00Z.",
            fields={parameter: "not a time"},
        ) from None
    if not 1970 <= moment.year <= 9000:  # noqa: PLR2004  # what a database keeps
        raise wrong("the time is out of range", fields={parameter: "out of range"})
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mark(order: tuple[tuple[str, bool], ...], text: str | None) -> str | None:
    if not text or not order or order[0][0].rpartition(".")[2] not in MOMENTS:
        return text or None
    return _moment(text, InvalidCursorError, "start_after").isoformat()


async def list_query(
    limit: Annotated[int, Query(ge=1, description="At most 1000 are returned at once.")] = 100,
    start_after: Annotated[
        str | None, Query(max_length=500, description="The sort key of the last item seen.")
    ] = None,
    order: Annotated[
        list[str] | None, Query(description="`field`, `field[asc]` or `field[desc]`; repeat for several.")
    ] = None,
    filter: Annotated[  # noqa: A002  # its name on the wire
        list[str] | None,
        Query(description="`field[operator]value`; repeat for several, all of which must hold."),
    ] = None,
) -> ListQuery:
    """FastAPI dependency: the query of a list."""
    return ListQuery(limit, start_after, tuple(order or ()), tuple(filter or ()))


Total = Annotated[bool, Query(description="Whether to tell how many there are in all.")]


def names_of(record: type[Any], *more: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the fields of a record that a list may be filtered and ordered by, and `more`."""
    assert is_dataclass(record)  # noqa: S101  # given by our own modules
    return frozenset({one.name for one in fields(record)} | set(more)) - without


def below(prefix: str, names: frozenset[str]) -> frozenset[str]:
    """Return `names` as those of an expanded object."""
    return frozenset(f"{prefix}.{name}" for name in names)


def expansions(given: list[str] | None, known: Mapping[str, str]) -> frozenset[str]:
    """Return what is to be expanded; `known` says what each accepted word means (`all`: everything). Raises InvalidRequestError."""
    wanted: set[str] = set()
    for word in given or ():
        if word == "all":
            wanted.update(known.values())
        elif word in known:
            wanted.add(known[word])
        else:
            raise InvalidRequestError(
                f"{word[:40]!r} cannot be expanded",
                remediation=f"Use one of: all, {', '.join(sorted(known))}.",
                fields={"expand": "unknown"},
            )
    return frozenset(wanted)


def paged(listed: Listed[Any], items: list[Any], *, total: bool) -> dict[str, Any]:
    """Return a list's answer."""
    return {"result": items, "total": listed.total} if total else {"result": items}
