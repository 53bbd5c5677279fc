"""Incremental polling: there is no "updated since" for incidents, so the account's log tells, and open incidents are compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.comments import Comments
from callout.connectors.pagerduty.rest import LARGEST_PAGE, REACH
from callout.connectors.pagerduty.walk import SECOND, Narrowing, Walker
from callout.connectors.pagerduty.wire import IncidentBean, LogEntryBean, UserBean
from callout.ports.errors import RecordNotFoundError
from callout.ports.ticketing import Change, ChangeKind, Ticket

OPEN: Final = ("triggered", "acknowledged")
NOTE_ENTRY: Final = "annotate_log_entry"
ALL_FIELDS: Final = frozenset(Ticket.__dataclass_fields__) - {"id", "key", "url", "unmapped"}
ANNOUNCED: Final = frozenset(
    f"{kind}_log_entry"
    for kind in (
        "trigger",
        "acknowledge",
        "unacknowledge",
        "resolve",
        "reopen",
        "escalate",
        "delegate",
        "assign",
        "annotate",
        "priority_change",
    )
)
"""Entries of the log that a webhook tells of, too: not those of a snooze, another urgency or somebody's notification."""
NOT_TOLD: Final = frozenset({"description", "custom_fields"})
"""What neither the log nor a webhook tells of an incident."""


def told_fields(ticket: Ticket) -> frozenset[str]:
    """Return the fields that a listing tells: PagerDuty forgets whom a resolved incident was assigned to."""
    silent = set(NOT_TOLD)
    if ticket.status == mapping.RESOLVED:
        silent.add("assignee")
    if ticket.priority is None:
        silent |= {"priority", "priority_name"}
    return ALL_FIELDS - silent


@dataclass(slots=True)
class _Touched:
    incident: IncidentBean
    at: datetime
    actor: UserBean | None
    entry: str
    noted: bool = False
    announced_at: datetime | None = None


class Changes:
    """Polls one account."""

    def __init__(self, client: IncidentsClient, account: Account, walker: Walker, comments: Comments) -> None:
        self._client = client
        self._account = account
        self._walker = walker
        self._comments = comments

    async def everything(self) -> AsyncIterator[Change]:
        """Yield every incident there is, oldest first; notes are read where an incident is visited."""
        async for incident in self._walker.walk(Narrowing({})):
            ticket = mapping.ticket(incident, scheme=await self._account.priorities())
            yield self._change(ChangeKind.CREATED, ticket, occurred_at=ticket.updated_at)

    async def since(self, start: datetime) -> AsyncIterator[Change]:
        """Yield the incidents and notes that changed at or after `start`, oldest first."""
        touched = await self._from_log(start)
        await self._from_open(start, touched)
        scheme = await self._account.priorities()
        for one in sorted(touched.values(), key=lambda found: (found.at, found.incident["id"])):
            ticket = mapping.ticket(one.incident, scheme=scheme)
            # The entry belongs to the mark: two things may happen to one incident within a second.
            told = replace(ticket, version=f"{ticket.version}+{one.entry}" if one.entry else ticket.version)
            created = ticket.created_at is not None and ticket.created_at >= start
            kind = ChangeKind.CREATED if created else ChangeKind.UPDATED
            actor = mapping.person(one.actor)
            change = self._change(kind, told, occurred_at=one.at)
            yield replace(change, actor=actor, silent=one.announced_at is None, announced_at=one.announced_at)
            if one.noted:
                async for change in self._notes(ticket, start):
                    yield change

    async def _from_log(self, start: datetime) -> dict[str, _Touched]:
        touched: dict[str, _Touched] = {}
        until, offset = "", 0
        while True:
            page = await self._client.list_log_entries(since=mapping.stamp(start), until=until, offset=offset)
            entries = page["log_entries"]
            for entry in entries:
                await self._take(entry, touched)
            if not entries or not page.get("more"):
                return touched
            # Newest first: what happens meanwhile pushes entries to later pages, which repeats some and skips none.
            offset += len(entries)
            if offset + LARGEST_PAGE > REACH:
                oldest = mapping.moment(entries[-1].get("created_at"))
                if oldest is None:
                    return touched
                until, offset = mapping.stamp(oldest + SECOND), 0

    async def _take(self, entry: LogEntryBean, touched: dict[str, _Touched]) -> None:
        bean = entry.get("incident") or {}
        at = mapping.moment(entry.get("created_at"))
        if not bean.get("id") or at is None:
            return
        found = touched.get(bean["id"])
        if found is None:
            if "status" not in bean:  # a reference only
                try:
                    bean = await self._client.get_incident(bean["id"])
                except RecordNotFoundError:
                    return
            found = touched[bean["id"]] = _Touched(bean, at, entry.get("agent"), str(entry.get("id", "")))
        found.noted |= entry.get("type") == NOTE_ENTRY
        if entry.get("type") in ANNOUNCED:
            found.announced_at = max(at, found.announced_at or at)

    async def _from_open(self, start: datetime, touched: dict[str, _Touched]) -> None:
        """Add what changed without a line in the log, such as a title: no webhook tells of it."""
        async for incident in self._walker.walk(Narrowing({"statuses[]": OPEN})):
            updated = mapping.moment(incident.get("updated_at"))
            if incident["id"] not in touched and updated is not None and updated >= start:
                touched[incident["id"]] = _Touched(incident, updated, None, "")

    async def _notes(self, ticket: Ticket, start: datetime) -> AsyncIterator[Change]:
        notes = await self._client.list_incident_notes(ticket.id)
        for comment in self._comments.ordered(notes, ticket.id):
            if comment.updated_at is None or comment.updated_at < start:
                continue
            edited = comment.created_at is not None and comment.created_at < start
            kind = ChangeKind.COMMENT_UPDATED if edited else ChangeKind.COMMENTED
            told = replace(ticket, version=f"{ticket.version}+{comment.id}")
            change = self._change(kind, told, occurred_at=comment.updated_at)
            yield replace(change, comment=comment, actor=comment.author)

    @staticmethod
    def _change(kind: ChangeKind, ticket: Ticket, *, occurred_at: datetime | None) -> Change:
        return Change(
            kind=kind,
            ticket_id=ticket.id,
            ticket_key=ticket.key,
            occurred_at=occurred_at,
            ticket=ticket,
            partial=True,
            known=told_fields(ticket),
            vendor_event="poll",
        )
