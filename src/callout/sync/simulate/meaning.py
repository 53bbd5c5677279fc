"""What the values of both sides mean to each other: written anew from the mapping's tables, so that it can judge the real mapping.

Nothing here is taken from :mod:`callout.sync.mapping` but the tables themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callout.ports.ticketing import StatusCategory
from callout.ports.values import Person, Priority, Status
from callout.sync.mapping import FieldMappings
from callout.sync.merge import SyncDirection
from callout.sync.simulate.quirks import Flow
from callout.sync.simulate.vendor import Vendor

TICKET_FIELD: Mapping[str, str] = {
    "title": "title",
    "description": "description",
    "severity": "priority",
    "status": "status",
    "assignee": "assignee",
}
OUR_FIELD: Mapping[str, str] = {theirs: ours for ours, theirs in TICKET_FIELD.items()}
FIELDS = tuple(TICKET_FIELD)
UNKNOWN = object()
"""Stands for a value of theirs that means nothing here."""
_CATEGORY: Mapping[str, StatusCategory] = {
    Status.OPEN: StatusCategory.NEW,
    Status.ACKNOWLEDGED: StatusCategory.ACTIVE,
    Status.MITIGATED: StatusCategory.ACTIVE,
    Status.RESOLVED: StatusCategory.DONE,
    Status.CLOSED: StatusCategory.DONE,
}
_RANK = {status.value: rank for rank, status in enumerate(Status)}


def rank(status: str) -> int:
    """Return how far along the life of an incident a status is."""
    return _RANK[status]


class Meaning:
    """The meaning of values under one mapping."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        known = FieldMappings.from_settings(settings)
        # A ticket is always wanted here: which incidents get one is no matter of the mapping.
        self.settings = {**settings, "create": True}
        self._severities, self._severities_in = dict(known.severities), dict(known.severities_in)
        self._statuses, self._statuses_in = dict(known.statuses), dict(known.statuses_in)
        self._directions = dict(known.directions)
        self.transition_fields = known.transition_fields
        self.comments = known.comments
        self.files = known.files
        named = {name: _CATEGORY[ours] for ours, name in self._statuses.items() if ":" not in name}
        read = {name: _CATEGORY[ours] for name, ours in self._statuses_in.items() if ":" not in name}
        self.flow = Flow({**read, **named})
        """The statuses of the vendors: those that the mapping names are among them."""

    def direction(self, name: str) -> SyncDirection:
        """Return which way a field travels."""
        return self._directions.get(name, SyncDirection.BIDIRECTIONAL)

    def ours(self, name: str, theirs: Any, vendor: str) -> Any:  # noqa: ANN401
        """Return a value of theirs as ours, or UNKNOWN."""
        if name == "severity":
            return UNKNOWN if theirs is None else self._severities_in.get(theirs, UNKNOWN)
        if name == "status":
            by_name = self._statuses_in.get(theirs)
            return by_name or self._statuses_in.get(f"category:{self.flow.category(theirs).value}", UNKNOWN)
        if name == "title":
            return " ".join(theirs.split())[:255].rstrip()
        if name == "assignee":
            return None if theirs is None else Person(f"{vendor}:{theirs.id}", theirs.name, theirs.email)
        return theirs

    def sent(self, name: str, ours: Any) -> Any:  # noqa: ANN401
        """Return what is sent for a value of ours."""
        if name == "severity":
            return Priority(self._severities.get(ours, Priority.LOW))
        if name == "status":
            return self._statuses[ours]
        return ours

    def agree(self, vendor: Vendor, name: str, ours: Any, theirs: Any) -> bool:  # noqa: ANN401, PLR0911  # a line for each kind of field
        """Return whether both values mean the same, as far as that vendor and the mapping can hold it."""
        meant = self.ours(name, theirs, vendor.name)
        if meant is UNKNOWN:
            return False
        if name == "title":
            return bool(meant == " ".join(ours.split()) or vendor.quirks.title(ours) == theirs)
        if name == "description":
            return tidy(ours) == tidy(theirs)
        if name == "assignee":
            return same_person(ours, meant)
        if meant == ours:
            return True
        sent = self.sent(name, ours)
        if name == "severity":
            return bool(vendor.quirks.priority(sent) == theirs)
        return sent in {theirs, f"category:{self.flow.category(theirs).value}"}


def tidy(text: str) -> str:
    """Return a text without what no reader sees: spaces at the ends of lines, empty lines."""
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def same_person(left: Person | None, right: Person | None) -> bool:
    """Return whether two people are one."""
    if left is None or right is None:
        return left is right
    if left.id == right.id:
        return True
    return bool(left.email) and left.email.casefold() == right.email.casefold()
