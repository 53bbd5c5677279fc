"""Which zone the instance reads literal times of our queries in: asked, not assumed.

Documents do not agree whether it is the asking user's or UTC. So a record whose time is known is looked for by that time, written in
each zone that could be meant; where none fits, the distance is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final, NamedTuple

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.people import USER_FIELDS
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone, moment, zone_called
from callout.ports.errors import PermissionDeniedError

_STEP: Final = timedelta(minutes=15)
_WESTMOST: Final = timedelta(hours=-12)
_EASTMOST: Final = timedelta(hours=14)


class _Sample(NamedTuple):
    """A record whose time of creation is known."""

    table: str
    sys_id: str
    at: datetime


async def myself(api: TableApi, *, user_name: str = "") -> Record | None:
    """Return the user we act as, None where the instance does not say."""
    queries = [encoded.equals("user_name", user_name)] if encoded.sayable(user_name) and user_name else []
    # The one script that we send ourselves: written here, never taken from anybody.
    queries.append(f"sys_id={encoded.ME}")
    for query in queries:
        try:
            page = await api.query("sys_user", query, fields=USER_FIELDS, limit=2)
        except PermissionDeniedError:
            return None
        rows = [
            row
            for row in page.records
            if not user_name or row.get("user_name", "").casefold() == user_name.casefold()
        ]
        # More than one: the condition was not understood, and everybody came.
        if len(rows) == 1 and len(page.records) == 1:
            return rows[0]
    return None


async def calibrated(
    api: TableApi, table: str, *, user: Awaitable[Record | None], newest: Awaitable[Sequence[Record]]
) -> QueryZone:
    """Return how times are to be written into queries.

    Args:
        table: the one whose `newest` record is known, so that summer time is today's.
        user: whom we act as, the sample where there is no record.
    """
    me, default, rows = await asyncio.gather(user, _default_zone(api), newest)
    profile = (me or {}).get("time_zone", "")
    samples = _samples([*((table, row) for row in rows), *([("sys_user", me)] if me else [])])
    candidates: list[tuple[str, tzinfo]] = []
    for name in (profile, default, "UTC"):
        known = zone_called(name)
        if known is not None and name not in {other for other, _ in candidates}:
            candidates.append((name, known))
    if not samples:
        name, zone = candidates[0]
        return QueryZone(zone, name)
    for name, zone in candidates:
        tried = QueryZone(zone, name, verified=True)
        # In the hour that a clock shows twice nothing can be told.
        told = next((sample for sample in samples if not tried.twice(sample.at)), None)
        if told is not None and await _finds(
            api, told, encoded.equals("sys_created_on", tried.literal(told.at))
        ):
            return tried
    return await _measured(api, samples[0]) or QueryZone()


async def _default_zone(api: TableApi) -> str:
    """Return the instance's own zone, which users without one have; empty where we may not ask."""
    query = encoded.equals("name", "glide.sys.default.tz")
    try:
        page = await api.query("sys_properties", query, fields=("name", "value"), limit=1)
    except PermissionDeniedError:
        return ""
    return next(
        (row.get("value", "") for row in page.records if row.get("name") == "glide.sys.default.tz"), ""
    )


def _samples(found: Iterable[tuple[str, Record]]) -> list[_Sample]:
    """Return those of the records, with their tables, whose time of creation is known."""
    return [
        _Sample(where, row["sys_id"], at)
        for where, row in found
        if row.get("sys_id") and (at := moment(row.get("sys_created_on"))) is not None
    ]


async def _finds(api: TableApi, sample: _Sample, condition: str) -> bool:
    query = encoded.both(encoded.equals("sys_id", sample.sys_id), condition)
    page = await api.query(sample.table, query, fields=("sys_id",), limit=1)
    return any(row.get("sys_id") == sample.sys_id for row in page.records)


async def _measured(api: TableApi, sample: _Sample) -> QueryZone | None:
    """Return the distance from UTC at which the instance reads times, in quarters of an hour, by halving."""
    low, high = 0, (_EASTMOST - _WESTMOST) // _STEP

    async def reads_at_least(step: int) -> bool:
        literal = QueryZone().literal(sample.at + _WESTMOST + step * _STEP)
        return await _finds(api, sample, encoded.compares("sys_created_on", ">=", literal))

    if not await reads_at_least(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if await reads_at_least(middle):
            low = middle
        else:
            high = middle - 1
    # A literal that is read as not after the record: the largest such one is the record's own time in that zone.
    offset = timezone(_WESTMOST + low * _STEP)
    return QueryZone(offset, str(offset), verified=True)
