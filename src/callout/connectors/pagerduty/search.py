"""Finding incidents: unified queries with cursors that name an incident."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.walk import SECOND, Narrowing, Walker, created, number
from callout.connectors.pagerduty.wire import IncidentBean
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, RecordNotFoundError, RejectedError
from callout.ports.filtering import SortValue, check_filters, compare, matches, parse_moment, sort_values
from callout.ports.ticketing import Page, TicketFilter, TicketOrder, TicketQuery
from callout.ports.values import Person

LARGEST_QUERY: Final = 1000
SCAN_LIMIT: Final = 10_000
"""Incidents read at most for one page of a query whose filters or order PagerDuty cannot apply."""
_POSITIVE = frozenset({"eq", "in"})
_BY_AGE = TicketOrder("created_at")
_TIE = TicketOrder("id")


class Search:
    """Queries over one account's incidents."""

    def __init__(
        self, client: IncidentsClient, account: Account, walker: Walker, *, default_project: str
    ) -> None:
        self._client = client
        self._account = account
        self._walker = walker
        self._default_project = default_project

    async def query(self, query: TicketQuery) -> Page[IncidentBean]:
        """Return one page; never an empty one that is not the last. Raises InvalidRequestError."""
        check_filters(query.filters, query.order)
        if query.limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        order = query.order or (_BY_AGE,)
        scope = repr((query.filters, query.order))
        filters = await self._resolved(query.filters)
        narrowing = await self._narrowing(filters)
        by_age = order[0].field in {"created_at", "time"} and len(order) == 1
        after = _position(query.cursor, scope, length=len(order) + 1)
        size = min(query.limit, LARGEST_QUERY)
        if by_age and narrowing.ids is None:
            return await self._by_age(filters, narrowing, order[0], after, scope=scope, size=size)
        return await self._sorted(filters, narrowing, order, after, scope=scope, size=size)

    async def _by_age(
        self,
        filters: Sequence[TicketFilter],
        narrowing: Narrowing,
        order: TicketOrder,
        after: list[SortValue] | None,
        *,
        scope: str,
        size: int,
    ) -> Page[IncidentBean]:
        scheme = await self._account.priorities()
        found: list[IncidentBean] = []
        read = 0
        walk = self._walker.walk(
            narrowing, descending=order.descending, after=None if after is None else _place_of(after)
        )
        async for incident in walk:
            read += 1
            fits = all(matches(mapping.ticket(incident, scheme=scheme), one) for one in filters)
            if fits and len(found) == size:
                return Page(found, encode_cursor({"after": _age_key(found[-1])}, scope=scope))
            if fits:
                found.append(incident)
            if read >= SCAN_LIMIT:
                if not found:
                    raise _too_wide(read)
                return Page(found, encode_cursor({"after": _age_key(incident)}, scope=scope))
        return Page(found)

    async def _sorted(
        self,
        filters: Sequence[TicketFilter],
        narrowing: Narrowing,
        order: Sequence[TicketOrder],
        after: list[SortValue] | None,
        *,
        scope: str,
        size: int,
    ) -> Page[IncidentBean]:
        """Sort here what PagerDuty cannot: everything that fits is read for each page."""
        scheme = await self._account.priorities()
        keys = (*order, _TIE)
        found: list[tuple[list[SortValue], IncidentBean]] = []
        read = 0
        async for incident in self._candidates(narrowing):
            read += 1
            if read > SCAN_LIMIT:
                raise _too_wide(read - 1)
            ticket = mapping.ticket(incident, scheme=scheme)
            if all(matches(ticket, one) for one in filters):
                found.append(([*sort_values(ticket, order), number(incident)], incident))

        def by_order(
            one: tuple[list[SortValue], IncidentBean], other: tuple[list[SortValue], IncidentBean]
        ) -> int:
            return compare(one[0], other[0], keys)

        found.sort(key=functools.cmp_to_key(by_order))
        rest = [entry for entry in found if after is None or compare(entry[0], after, keys) > 0]
        page = rest[:size]
        more = len(rest) > len(page)
        return Page(
            [incident for _, incident in page],
            encode_cursor({"after": page[-1][0]}, scope=scope) if more else "",
        )

    async def _candidates(self, narrowing: Narrowing) -> AsyncIterator[IncidentBean]:
        if narrowing.ids is None:
            async for incident in self._walker.walk(narrowing):
                yield incident
            return
        seen: set[str] = set()
        for wanted in narrowing.ids:
            try:
                incident = await self._client.get_incident(wanted)
            except RecordNotFoundError:
                continue
            if incident["id"] not in seen:
                seen.add(incident["id"])
                yield incident

    async def _resolved(self, filters: Sequence[TicketFilter]) -> list[TicketFilter]:
        """Return the filters with services and people by id; the default service stands in for a missing one."""
        resolved: list[TicketFilter] = []
        for one in filters:
            values = one.values
            if one.field == "project" and one.operator in {"eq", "neq", "in", "not in"}:
                values = tuple([await self._service_id(value) for value in values])
            elif one.field == "assignee" and one.operator in {"eq", "neq", "in", "not in"}:
                values = tuple([await self._user_id(value) for value in values])
            resolved.append(replace(one, values=values))
        if self._default_project and not any(one.field == "project" for one in filters):
            service = await self._service_id(self._default_project)
            resolved.append(TicketFilter("project", "eq", (service,)))
        return resolved

    async def _service_id(self, value: str) -> str:
        try:
            return (await self._account.service(value))["id"]
        except RejectedError:
            return value  # nothing is in a service that does not exist

    async def _user_id(self, value: str) -> str:
        try:
            return (await self._account.user(Person(value), field="assignee")).id
        except RejectedError:
            return value

    async def _narrowing(self, filters: Sequence[TicketFilter]) -> Narrowing:
        params: dict[str, Sequence[str]] = {}
        since: datetime | None = None
        until: datetime | None = None
        ids: tuple[str, ...] | None = None
        for one in filters:
            if one.field in {"id", "key"} and one.operator in _POSITIVE:
                ids = one.values if ids is None else ids
            elif one.field == "project" and one.operator in _POSITIVE:
                params["service_ids[]"] = one.values
            elif one.field == "status" and one.operator in _POSITIVE:
                params["statuses[]"] = tuple(value.lower() for value in one.values)
            elif one.field == "created_at" and one.operator in {"gt", "gte", "eq"}:
                since = max(filter(None, (since, parse_moment(one.values[0]))))
            if one.field == "created_at" and one.operator in {"lt", "lte", "eq"}:
                bound = parse_moment(one.values[0]) + SECOND
                until = bound if until is None else min(until, bound)
        return Narrowing(params, since, until, ids)


def _age_key(incident: IncidentBean) -> list[SortValue]:
    return [created(incident).astimezone(UTC).isoformat(timespec="microseconds"), number(incident)]


def _place_of(after: Sequence[SortValue]) -> tuple[datetime, int]:
    try:
        moment = datetime.fromisoformat(str(after[0]))
        number = int(after[1] or 0)
    except ValueError as error:
        raise _bad_cursor() from error
    if moment.tzinfo is None:
        raise _bad_cursor()
    return moment, number


def _position(cursor: str, scope: str, *, length: int) -> list[SortValue] | None:
    if not cursor:
        return None
    try:
        after: Any = decode_cursor(cursor, scope=scope).get("after")
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"cursor": "not valid for this query"}) from error
    plain = isinstance(after, list) and all(
        value is None or (isinstance(value, int | str) and not isinstance(value, bool)) for value in after
    )
    if not plain or len(after) != length:
        raise _bad_cursor()
    found: list[SortValue] = after
    return found


def _bad_cursor() -> InvalidRequestError:
    return InvalidRequestError("this is not a cursor of ours", fields={"cursor": "not valid"})


def _too_wide(read: int) -> InvalidRequestError:
    return InvalidRequestError(
        f"more than {read} incidents have to be looked at, and PagerDuty cannot apply these filters or this order itself",
        fields={"filter": "too wide"},
        remediation="Add a filter on project, status or created_at, or order by created_at.",
    )
