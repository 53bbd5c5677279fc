"""The records of the test provider: in memory, one store per integration, gone with the process."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from callout.ports.errors import RecordNotFoundError
from callout.ports.ticketing import AttachmentInfo, Change, Comment, Note, StatusCategory, Ticket

MAX_STORES: Final = 1000
MAX_JOURNAL: Final = 10_000
CATEGORIES: Final[Mapping[str, StatusCategory]] = {
    **dict.fromkeys(("to do", "open", "new", "backlog", "triggered"), StatusCategory.NEW),
    **dict.fromkeys(("in progress", "active", "acknowledged", "mitigated"), StatusCategory.ACTIVE),
    **dict.fromkeys(("done", "resolved", "closed", "completed"), StatusCategory.DONE),
}
USUAL: Final[Mapping[StatusCategory, str]] = {
    StatusCategory.NEW: "To Do",
    StatusCategory.ACTIVE: "In Progress",
    StatusCategory.DONE: "Done",
}


def category_of(status: str) -> StatusCategory:
    """Return what a status text means."""
    return CATEGORIES.get(status.strip().casefold(), StatusCategory.UNKNOWN)


@dataclass(slots=True)
class Record:
    """A ticket with what belongs to it. `number` is its place in the order of creation, `stored` keeps custom fields by path."""

    number: int
    ticket: Ticket
    stored: dict[str, Any] = field(default_factory=dict)
    comments: OrderedDict[str, Comment] = field(default_factory=OrderedDict)
    notes: OrderedDict[str, Note] = field(default_factory=OrderedDict)
    files: OrderedDict[str, tuple[AttachmentInfo, bytes]] = field(default_factory=OrderedDict)
    revision: int = 1


@dataclass(slots=True)
class Store:
    """Everything of one integration."""

    records: OrderedDict[str, Record] = field(default_factory=OrderedDict)
    journal: deque[tuple[datetime, Change]] = field(default_factory=lambda: deque(maxlen=MAX_JOURNAL))
    numbers: dict[str, int] = field(default_factory=dict)
    sequence: int = 0

    def next_id(self) -> str:
        """Return a number that no other record has."""
        self.sequence += 1
        return str(10_000 + self.sequence)

    def next_key(self, project: str) -> str:
        """Return the next key of a project."""
        self.numbers[project] = self.numbers.get(project, 0) + 1
        return f"{project}-{self.numbers[project]}"

    def record(self, ticket_id: str) -> Record:
        """Return a record by id or key. Raises RecordNotFoundError."""
        if ticket_id in self.records:
            return self.records[ticket_id]
        for record in self.records.values():
            if record.ticket.key == ticket_id:
                return record
        raise RecordNotFoundError(f"there is no ticket {ticket_id!r}", status=404)


class Stores:
    """The stores by integration: whoever builds the provider again sees the same tickets."""

    def __init__(self) -> None:
        self._stores: OrderedDict[str, Store] = OrderedDict()

    def of(self, integration_id: str) -> Store:
        """Return an integration's store; the one longest unused makes room."""
        store = self._stores.setdefault(integration_id, Store())
        self._stores.move_to_end(integration_id)
        while len(self._stores) > MAX_STORES:
            self._stores.popitem(last=False)
        return store
