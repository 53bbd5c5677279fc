"""What a simulated vendor keeps, and the words in which its troubles are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from callout.ports.ticketing import Change, Comment, FieldEdit
from callout.ports.values import Person, Priority
from callout.sync.simulate.vendor_files import FILE_READS, RemoteFile

FAULTS = (
    "time-out before",
    "time-out after",
    "time-out, done later",
    "429",
    "429 without a time",
    "502 before",
    "502 after",
    "web page instead of data",
    "connection refused",
    "token expired",
)
AFTER = frozenset({"time-out after", "time-out, done later", "502 after"})
PATIENCE = timedelta(seconds=20)
"""After so long we stop waiting for an answer."""
LATER = timedelta(seconds=1)
"""So long after that a request may still arrive."""
FIELDS = ("title", "description", "priority", "status", "assignee")
READS = FILE_READS | {
    "get_ticket",
    "get_ticket_with_edits",
    "list_comments",
    "find_by_key",
    "find_comment",
    "changes_since",
}
PEOPLE = tuple(
    Person(f"v{n}", name, f"{name.lower()}@example.com") for n, name in enumerate(("Ann", "Ben", "Cleo"))
)
BOT = Person("bot", "Callout")
IN_STEPS, CHECKED, WRITTEN = (
    "between fields and status",
    "between the look at the version and the write",
    "between the write and the read-back",
)
WINDOWS = (
    "before get_ticket",
    "after get_ticket",
    "before patch_ticket",
    CHECKED,
    CHECKED,
    IN_STEPS,
    WRITTEN,
    WRITTEN,
    "after patch_ticket",
)
"""Where a visit stands while somebody edits, each as often as it is drawn."""


@dataclass(slots=True)
class Record:
    """A ticket as the vendor keeps it."""

    id: str
    key: str
    mark: str
    title: str
    description: str
    priority: Priority | None
    status: str
    assignee: Person | None
    project: str
    created_at: datetime
    updated_at: datetime
    changed_at: datetime
    """By the true clock, which searches lag behind."""
    revision: int = 1
    deleted: bool = False
    comments: list[Comment] = field(default_factory=list)
    files: list[RemoteFile] = field(default_factory=list)
    edits: list[FieldEdit] = field(default_factory=list)

    def value(self, name: str) -> Any:  # noqa: ANN401
        """Return the value of a ticket's field."""
        return getattr(self, name)


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook on its way."""

    id: int
    change: Change
