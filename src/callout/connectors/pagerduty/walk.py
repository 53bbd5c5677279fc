"""Walks over incidents by age, over any span of time, whatever happens meanwhile.

The API pages by offset, which drifts while incidents come and go, and looks at six months at most. So a walk goes by windows of
time, and each page begins anew at the last moment seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.rest import LARGEST_PAGE
from callout.connectors.pagerduty.wire import IncidentBean
from callout.kit.clock import Clock
from callout.ports.errors import UnavailableError

WINDOW: Final = timedelta(days=180)
"""The API takes six months at most."""
SECOND: Final = timedelta(seconds=1)
AHEAD: Final = timedelta(days=1)
"""A walk looks so far into our future, because their clock may be ahead."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What PagerDuty itself can be asked for: everything that fits is among it."""

    params: Mapping[str, Sequence[str]]
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] | None = None


class Walker:
    """Walks over the incidents of one account."""

    def __init__(self, client: IncidentsClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def walk(
        self,
        narrowing: Narrowing,
        *,
        descending: bool = False,
        after: tuple[datetime, int] | None = None,
    ) -> AsyncIterator[IncidentBean]:
        """Yield all incidents there are, by age, each once.

        Args:
            narrowing: what to ask for.
            descending: newest first.
            after: time of creation and number of the last one already seen.
        """
        if not set(narrowing.params.get("statuses[]", ())) <= set(mapping.STATUSES):
            return  # a status that PagerDuty does not have
        pages = _Pages(self._client, narrowing, descending=descending)
        last = narrowing.until or self._clock.now() + AHEAD
        if descending:
            found = pages.backward(last if after is None else min(last, after[0] + SECOND))
        else:
            found = pages.forward(last, None if after is None else after[0])
        async for incident in found:
            place = (created(incident), number(incident))
            if after is None or (place < after if descending else place > after):
                after = place
                yield incident


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of one walk; some incidents come twice."""

    client: IncidentsClient
    narrowing: Narrowing
    descending: bool

    async def forward(self, last: datetime, start: datetime | None) -> AsyncIterator[IncidentBean]:
        first = max(filter(None, (start, self.narrowing.since)), default=None) or await self._oldest()
        while first is not None and first < last:
            high = min(first + WINDOW, last)
            async for incident in self._window(first, high):
                yield incident
            first = high

    async def backward(self, last: datetime) -> AsyncIterator[IncidentBean]:
        first = self.narrowing.since
        while first is None or first < last:
            low = last - WINDOW if first is None else max(last - WINDOW, first)
            async for incident in self._window(low, last):
                yield incident
            last = low
            # Asked only by whoever goes beyond the first window.
            first = first or await self._oldest()
            if first is None:
                return

    async def _window(self, low: datetime, high: datetime) -> AsyncIterator[IncidentBean]:
        low = low.replace(microsecond=0)
        high = (high + SECOND).replace(microsecond=0)
        direction = "desc" if self.descending else "asc"
        offset = 0
        while True:
            page = await self.client.list_incidents(
                {
                    **self.narrowing.params,
                    "since": mapping.stamp(low),
                    "until": mapping.stamp(high),
                    "sort_by": f"created_at:{direction},incident_number:{direction}",
                    "limit": LARGEST_PAGE,
                    "offset": offset,
                },
            )
            incidents = page["incidents"]
            for incident in incidents:
                yield incident
            if not incidents or not page.get("more"):
                return
            edge = created(incidents[-1])
            # The page after begins at the last moment of this one: an offset would jump over what slips forward.
            if not self.descending and edge > low:
                low, offset = edge, 0
            elif self.descending and edge + SECOND < high:
                high, offset = edge + SECOND, 0
            else:
                offset += len(incidents)

    async def _oldest(self) -> datetime | None:
        page = await self.client.list_incidents(
            {**self.narrowing.params, "date_range": "all", "sort_by": "created_at:asc", "limit": 1},
        )
        return created(page["incidents"][0]) if page["incidents"] else None


def created(incident: IncidentBean) -> datetime:
    """Return when an incident was created."""
    found = mapping.moment(incident.get("created_at"))
    if found is None:
        raise UnavailableError("PagerDuty told of an incident without a time of creation")
    return found


def number(incident: IncidentBean) -> int:
    """Return the number that people call an incident by."""
    return int(incident.get("incident_number") or 0)
