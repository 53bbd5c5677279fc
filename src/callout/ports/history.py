"""What a ticketing system holds from before, read in parts that may be read side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Protocol, runtime_checkable

from callout.ports.ticketing import Comment, Ticket


@dataclass(frozen=True, slots=True)
class PastScope:
    """Which tickets of the past are wanted. Each is a hint that saves calls: a wider answer is cut to size by the caller.

    Args:
        since: only tickets changed at or after it.
        open_only: none that is done.
        projects: only those of these projects (Jira's key, ServiceNow's table); empty for all.
    """

    since: datetime | None = None
    open_only: bool = False
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastPlan:
    """The cursors at which the parts begin, and how many tickets they hold together, where that can be had cheaply."""

    parts: Sequence[str]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class PastTicket:
    """One ticket with all its comments, oldest first; None where they were not read."""

    ticket: Ticket
    comments: Sequence[Comment] | None = None


@dataclass(frozen=True, slots=True)
class PastPage:
    """Some tickets of a part, and the cursor of the next page; empty at the part's end."""

    tickets: Sequence[PastTicket]
    cursor: str = ""


@runtime_checkable
class SupportsPast(Protocol):
    """Can be read from the beginning in large pages, with the comments."""

    async def plan_past(self, scope: PastScope, *, parts: int) -> PastPlan:
        """Return about `parts` parts that hold every ticket of `scope`, those made meanwhile included."""
        ...

    async def read_past(self, cursor: str, *, comments: bool) -> PastPage:
        """Return a page. A cursor stays good for days: it may be read a second time after a crash.

        Raises InvalidRequestError for a cursor it does not know.
        """
        ...


def windows(oldest: datetime, newest: datetime, parts: int) -> list[tuple[datetime | None, datetime | None]]:
    """Cut the time from `oldest` to `newest` into whole minutes: (from, before) of each part, without end on both sides."""
    first = oldest.replace(second=0, microsecond=0)
    step = (newest - first) / parts
    borders = sorted({(first + step * n).replace(second=0, microsecond=0) for n in range(1, parts)} - {first})
    return list(pairwise([None, *borders, None]))


__all__ = ["PastPage", "PastPlan", "PastScope", "PastTicket", "SupportsPast", "windows"]
