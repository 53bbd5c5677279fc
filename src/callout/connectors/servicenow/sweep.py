"""The journal of a whole instance read in one walk, where asking for the entries of each record would take more calls.

The address of a call holds some 250 ids: ten thousand records of which few were ever talked about would cost forty calls for a thousand
entries. Where all entries there are come in fewer, they are read once and kept for as long as pages of the past ask for them. What is said
meanwhile is read every half a minute; what is said after that is heard of as any change is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.journal import CHUNK, ELEMENTS, ENTRY_FIELDS, JOURNAL
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import QueryZone, moment
from callout.kit.clock import Clock
from callout.ports.errors import PermissionDeniedError, UnavailableError

PAGE: Final = 10_000
"""As many as the instance gives at once."""
MOST: Final = 20_000
"""Entries kept in memory at most, some tens of megabytes."""
FRESH_SECONDS: Final = 30.0
FORGET_SECONDS: Final = 120.0
_OVERLAP: Final = timedelta(minutes=2)
"""A list may be answered by a replica that is behind, and clocks of nodes may differ a little."""

Entries = Mapping[str, Mapping[str, Record]]
"""By record and by their own ids, those of each record oldest first."""


def pays(entries: int | None, *, records: int) -> bool:
    """Return whether reading all entries takes fewer calls than asking for those of so many records."""
    return entries is not None and entries <= MOST and 1 + entries // PAGE < records // CHUNK


class Sweep:
    """The journal entries of one instance."""

    def __init__(self, api: TableApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._reading = asyncio.Lock()
        self._forget: asyncio.TimerHandle | None = None
        self._drop()

    def _drop(self) -> None:
        self._entries: dict[str, dict[str, Record]] = {}
        self._newest: datetime | None = None
        self._fresh_until = 0.0

    async def size(self) -> int | None:
        """Return how many there are, None where the instance does not say."""
        try:
            page = await self._api.query(JOURNAL, _OF_PEOPLE, fields=("sys_id",), limit=1)
        except (PermissionDeniedError, UnavailableError):
            return None
        return page.total

    async def entries(self, zone: QueryZone) -> Entries:
        """Return all there are. Raises PermissionDeniedError, TooSlowError."""
        async with self._reading:
            if self._clock.monotonic() >= self._fresh_until:
                # Before the call: what is said from now on may not be in its answer.
                fresh_until = self._clock.monotonic() + FRESH_SECONDS
                await self._read(zone)
                self._fresh_until = fresh_until
        if self._forget is not None:
            self._forget.cancel()
        self._forget = asyncio.get_running_loop().call_later(FORGET_SECONDS, self._drop)
        return self._entries

    async def _read(self, zone: QueryZone) -> None:
        """Read what is new, everything at first."""
        query = _OF_PEOPLE
        if self._newest is not None:
            since = zone.at_least(self._newest - _OVERLAP)
            query = encoded.both(query, encoded.compares("sys_created_on", ">=", since))
        query, offset, newest = encoded.ordered(query, [("sys_created_on", False)]), 0, self._newest
        while True:
            page = await self._api.query(JOURNAL, query, fields=ENTRY_FIELDS, limit=PAGE, offset=offset)
            for entry in page.records:
                if entry.get("element") in ELEMENTS:
                    self._entries.setdefault(entry.get("element_id", ""), {})[entry["sys_id"]] = entry
            said = moment(page.records[-1].get("sys_created_on")) if page.records else None
            newest = max(filter(None, (said, newest)), default=None)
            offset += page.limit
            if page.total is None or offset >= page.total:
                self._newest = newest
                return


_OF_PEOPLE: Final = encoded.any_of("element", ELEMENTS)
