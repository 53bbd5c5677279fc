"""Incidents by our key, and what an incident no longer says by itself: whom it was assigned to before it was resolved."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.wire import IncidentBean
from callout.ports.values import Person

REMEMBERED: Final = 500
ASSIGNED: Final = "assign_log_entry"


async def by_key(client: IncidentsClient, key: str) -> list[IncidentBean]:
    """Return the incidents, open and resolved, that carry our key; none for an empty one, which would mean all open ones."""
    if not key.strip():
        return []
    wanted = mapping.incident_key(key)
    found: list[IncidentBean] = []
    offset = 0
    while True:
        page = await client.list_incidents(
            {
                "incident_key": wanted,
                "date_range": "all",
                "sort_by": "created_at:asc",
                "limit": 100,
                "offset": offset,
            }
        )
        incidents = page["incidents"]
        # An incident that holds alerts has no key itself: then the filter has compared the alerts' keys.
        found += [one for one in incidents if one.get("incident_key") in {wanted, None}]
        offset += len(incidents)
        if not incidents or not page.get("more"):
            return found


class LastAssigned:
    """Whom resolved incidents were assigned to last. A resolved incident says nobody, which is nobody's decision."""

    def __init__(self, client: IncidentsClient) -> None:
        self._client = client
        self._known: OrderedDict[tuple[str, str], Person | None] = OrderedDict()

    async def of(self, incident: IncidentBean) -> Person | None:
        """Return the first of those whom the incident's log says were assigned last, or None."""
        key = (
            incident["id"],
            str(incident.get("last_status_change_at") or incident.get("resolved_at") or ""),
        )
        if key not in self._known:
            self._known[key] = await self._read(incident["id"])
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    async def _read(self, incident_id: str) -> Person | None:
        offset = 0
        while True:
            page = await self._client.list_incident_log_entries(incident_id, offset=offset)
            for entry in page["log_entries"]:
                people = entry.get("assignees") or []
                if entry.get("type") == ASSIGNED and people:
                    return mapping.person(people[0])
            offset += len(page["log_entries"])
            if not page["log_entries"] or not page.get("more"):
                return None
