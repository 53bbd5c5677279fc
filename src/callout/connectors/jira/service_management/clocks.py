"""The clocks of a request: Jira Service Management's service level agreements, in our words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from callout.connectors.jira.service_management.config import CLOCKS
from callout.connectors.jira.service_management.wire import ClockBean, Moment, Span
from callout.ports.ticketing import RemoteField


@dataclass(frozen=True, slots=True)
class SlaClock:
    """One agreement on one request, in its latest cycle.

    `due_at` is when the goal is or was missed; None while paused. `stopped_at` is None while it runs. `remaining` is as of the
    reading and negative when the goal is missed.
    """

    id: str
    name: str
    breached: bool
    running: bool
    paused: bool = False
    goal: timedelta | None = None
    started_at: datetime | None = None
    due_at: datetime | None = None
    stopped_at: datetime | None = None
    remaining: timedelta | None = None


MEMBERS: Final = (
    ("due_at", "due", "datetime"),
    ("breached", "breached", "boolean"),
    ("stopped_at", "stopped", "datetime"),
    ("goal_seconds", "goal in seconds", "number"),
    ("paused", "paused", "boolean"),
)
"""What a custom field can be mapped to: member, what it is called, its kind."""


def clock(bean: ClockBean) -> SlaClock | None:
    """Return a clock in its running cycle, else its last one; None for one that never ran on this request."""
    completed = bean.get("completedCycles") or []
    ongoing = bean.get("ongoingCycle")
    cycle = ongoing or (max(completed, key=_started) if completed else None)
    if cycle is None:
        return None
    return SlaClock(
        id=str(bean.get("id", "")),
        name=bean.get("name", ""),
        breached=cycle.get("breached") is True,
        running=ongoing is not None,
        paused=cycle.get("paused") is True,
        goal=_span(cycle.get("goalDuration")),
        started_at=_moment(cycle.get("startTime")),
        due_at=_moment(cycle.get("breachTime")),
        stopped_at=_moment(cycle.get("stopTime")),
        remaining=_span(cycle.get("remainingTime")),
    )


def clocks(beans: Sequence[ClockBean]) -> list[SlaClock]:
    """Return the clocks that run or ran on a request."""
    return [found for bean in beans if (found := clock(bean)) is not None]


def as_values(found: Sequence[SlaClock]) -> dict[str, dict[str, Any]]:
    """Return the clocks as plain values by name: only what stays the same between two readings without a change."""
    return {
        entry.name: {
            "goal_seconds": None if entry.goal is None else int(entry.goal.total_seconds()),
            "started_at": _text(entry.started_at),
            "due_at": _text(entry.due_at),
            "stopped_at": _text(entry.stopped_at),
            "breached": entry.breached,
            "paused": entry.paused,
        }
        for entry in found
    }


def fields(found: Sequence[SlaClock], *, project: str) -> list[RemoteField]:
    """Return what a custom field mapping may name of these clocks. A path splits at dots: names with one cannot be mapped."""
    return [
        RemoteField(
            id=f"{CLOCKS}.{entry.name}.{member}",
            name=f"{entry.name}: {words}",
            path=f"{CLOCKS}.{entry.name}.{member}",
            kind=kind,
            project_id=project,
        )
        for entry in found
        if "." not in entry.name
        for member, words, kind in MEMBERS
    ]


def _started(cycle: Any) -> int:  # noqa: ANN401  # a Cycle
    return int((cycle.get("startTime") or {}).get("epochMillis") or 0)


def _moment(value: Moment | None) -> datetime | None:
    millis = (value or {}).get("epochMillis")
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)


def _span(value: Span | None) -> timedelta | None:
    millis = (value or {}).get("millis")
    return None if millis is None else timedelta(milliseconds=millis)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
