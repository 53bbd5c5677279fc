"""The search index: what a search sees, which may lag behind what a read by id sees."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from callout.sandbox.jira.model import Issue

KEPT_SNAPSHOTS = 24


@dataclass(slots=True)
class SearchIndex:
    """Dated snapshots of issues, so that a search can be answered as of some moments ago.

    A deletion is a None snapshot: a deleted issue too lingers in results until the lag has passed. `version` counts
    the changes.
    """

    version: int = 0
    _history: dict[str, deque[tuple[datetime, Issue | None]]] = field(default_factory=dict)

    def put(self, issue: Issue, *, at: datetime) -> None:
        """Index the issue as it is now."""
        self._add(issue.id, replace(issue, values=dict(issue.values), properties=dict(issue.properties)), at)

    def drop(self, issue_id: str, *, at: datetime) -> None:
        """Forget a deleted issue."""
        self._add(issue_id, None, at)

    def _add(self, issue_id: str, snapshot: Issue | None, at: datetime) -> None:
        self.version += 1
        self._history.setdefault(issue_id, deque(maxlen=KEPT_SNAPSHOTS)).append((at, snapshot))

    def entries(self, *, as_of: datetime | None) -> Iterator[Issue]:
        """The issues as a search sees them: as they were at `as_of`, or as they are now for None."""
        for history in self._history.values():
            snapshot = history[-1][1]
            if as_of is not None and history[-1][0] > as_of:
                snapshot = next((then for at, then in reversed(history) if at <= as_of), None)
            if snapshot is not None:
                yield snapshot
