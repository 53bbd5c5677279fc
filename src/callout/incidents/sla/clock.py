"""The clocks of one incident: what starts, stops, moves and breaks them. Pure; time is an argument.

A change of the rule in the middle (another severity, another service) moves the time that is due: what becomes looser counts from
the start, as if it had always been so; what becomes tighter counts from the change, since nobody can be late for what was not yet
asked, but never later than was promised before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from callout.incidents.sla.hours import ALWAYS, Calendar, after, between
from callout.ports.values import Status

OVER: Final = frozenset({Status.RESOLVED, Status.CLOSED})


class ClockKind(StrEnum):
    """What has to happen in time."""

    ACKNOWLEDGE = "acknowledge"
    UPDATE = "update"
    RESOLVE = "resolve"


class ClockState(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Limit:
    """How much working time there is, and while which statuses the clock stands still."""

    amount: timedelta
    pause: frozenset[Status] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """What one incident is held to. `warn` is the part of the time, in per cent, after which somebody is warned (0: never)."""

    name: str
    limits: Mapping[ClockKind, Limit]
    calendar: Calendar = ALWAYS
    warn: int = 80


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock. `left` is set while it stands still; `warned_at` and `breached_at` are when somebody was told.

    `due_at` is None for a time that never comes (a calendar without a working hour).
    """

    kind: ClockKind
    rule: str
    hours: str
    limit: timedelta
    started_at: datetime
    due_at: datetime | None
    warn_at: datetime | None = None
    left: timedelta | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    ended_at: datetime | None = None
    missed: int = 0
    """How often the time was missed, earlier turns of the clock among them."""

    def state(self, now: datetime) -> ClockState:
        """Return how it stands at `now`."""
        if self.breached_at is not None:
            return ClockState.BREACHED
        if self.ended_at is not None:
            return ClockState.MET
        if self.left is not None:
            return ClockState.PAUSED
        return ClockState.BREACHED if self.due_at is not None and self.due_at <= now else ClockState.RUNNING

    @property
    def runs(self) -> bool:
        """Whether time passes on it."""
        return self.ended_at is None and self.left is None

    def next_at(self) -> datetime | None:
        """Return when there is something to tell of it next."""
        if not self.runs or self.breached_at is not None:
            return None
        found = [self.due_at, None if self.warned_at is not None else self.warn_at]
        return min((one for one in found if one is not None), default=None)


Clocks = Mapping[ClockKind, Clock]


@dataclass(frozen=True, slots=True)
class Telling:
    """Somebody is to be told: `breached` or a warning; the clock as it stood."""

    clock: Clock
    breached: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to an incident, as far as clocks care. `before` is None for a new incident; `said`: somebody wrote about it."""

    at: datetime
    before: Status | None
    status: Status
    said: bool = False

    @property
    def begins(self) -> bool:
        """Whether everything starts anew."""
        reopened = self.before is not None and self.before is not Status.OPEN
        return self.status is Status.OPEN and (self.before is None or reopened)


def tick(clocks: Clocks, now: datetime, *, warn: bool = True) -> tuple[dict[ClockKind, Clock], list[Telling]]:
    """Return the clocks at `now` and what is to be told: of each clock at most one thing, the worst."""
    after_it, told = dict(clocks), []
    for kind, clock in clocks.items():
        if not clock.runs or clock.breached_at is not None:
            continue
        if clock.due_at is not None and clock.due_at <= now:
            after_it[kind] = replace(clock, breached_at=now, missed=clock.missed + 1)
            told.append(Telling(after_it[kind], breached=True))
        elif warn and clock.warned_at is None and clock.warn_at is not None and clock.warn_at <= now:
            after_it[kind] = replace(clock, warned_at=now)
            told.append(Telling(after_it[kind], breached=False))
    return after_it, told


def advance(clocks: Clocks, step: Step, rule: Rule | None) -> tuple[dict[ClockKind, Clock], list[Telling]]:
    """Return the clocks after something happened, and what was missed before it and is told now."""
    current, told = tick(clocks, step.at, warn=False)
    made: dict[ClockKind, Clock] = {}
    limits = {} if rule is None else rule.limits
    for kind in ClockKind:
        clock, limit = current.get(kind), limits.get(kind)
        if rule is None or limit is None:
            # What is not asked any more is not held against anybody; what is over stays as it was.
            if clock is not None and clock.ended_at is not None:
                made[kind] = clock
            continue
        if clock is None and not step.begins and _is_done(kind, step.status):
            continue
        if step.begins or clock is None:
            missed = 0 if clock is None else clock.missed
            clock = replace(_started(kind, rule, limit, step.at), missed=missed)
        elif clock.ended_at is None:
            clock = _moved(clock, rule, limit, step)
        made[kind] = _lived(clock, rule, limit, step)
    return made, told


def _started(kind: ClockKind, rule: Rule, limit: Limit, at: datetime) -> Clock:
    due = after(rule.calendar, at, limit.amount)
    return _warned(Clock(kind, rule.name, rule.calendar.name, limit.amount, at, due), rule)


def _warned(clock: Clock, rule: Rule, since: datetime | None = None) -> Clock:
    """Return `clock` with the time from which on no more than a part of its limit is left, reckoned from `since`."""
    if clock.due_at is None or not rule.warn:
        return replace(clock, warn_at=None)
    since = clock.started_at if since is None else since
    reserve = clock.limit * (100 - rule.warn) / 100
    warn_at = after(rule.calendar, since, between(rule.calendar, since, clock.due_at) - reserve)
    return replace(clock, warn_at=None if warn_at is None else min(warn_at, clock.due_at))


def _moved(clock: Clock, rule: Rule, limit: Limit, step: Step) -> Clock:
    """Return a clock that runs or stands still under a rule that may be another one than before."""
    if (clock.rule, clock.limit, clock.hours) == (rule.name, limit.amount, rule.calendar.name):
        return clock
    changed = replace(clock, rule=rule.name, limit=limit.amount, hours=rule.calendar.name)
    if clock.breached_at is not None:
        return changed
    if clock.left is not None:
        return replace(changed, left=min(clock.left, limit.amount))
    whole = after(rule.calendar, clock.started_at, limit.amount)
    fresh = after(rule.calendar, step.at, limit.amount)
    promised = _earlier(clock.due_at, fresh)
    due = None if whole is None or promised is None else max(whole, promised)
    moved = _warned(replace(changed, due_at=due), rule)
    if (
        clock.warned_at is not None
        and due is not None
        and moved.warn_at is not None
        and moved.warn_at > step.at
    ):
        moved = replace(moved, warned_at=None)
    return moved


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _lived(clock: Clock, rule: Rule, limit: Limit, step: Step) -> Clock:
    """Return `clock` after the step: ended, standing still, going on, begun again."""
    if clock.ended_at is not None:
        return clock
    if _is_done(clock.kind, step.status):
        return replace(clock, ended_at=step.at, left=None)
    if clock.kind is ClockKind.UPDATE and step.said and not step.begins:
        clock = replace(_started(clock.kind, rule, limit, step.at), missed=clock.missed)
    if clock.breached_at is not None:
        return clock
    if step.status in limit.pause:
        return clock if clock.left is not None else _paused(clock, rule, limit, step.at)
    return clock if clock.left is None else _resumed(clock, rule, limit, step.at)


def _paused(clock: Clock, rule: Rule, limit: Limit, at: datetime) -> Clock:
    left = limit.amount if clock.due_at is None else between(rule.calendar, at, clock.due_at)
    return replace(clock, left=left, due_at=None, warn_at=None)


def _resumed(clock: Clock, rule: Rule, limit: Limit, at: datetime) -> Clock:
    if clock.kind is ClockKind.UPDATE or clock.left is None:
        return replace(_started(clock.kind, rule, limit, at), missed=clock.missed)
    due = after(rule.calendar, at, clock.left)
    return _warned(replace(clock, due_at=due, left=None), rule, at)


def _is_done(kind: ClockKind, status: Status) -> bool:
    """Return whether what the clock waits for has happened."""
    return status is not Status.OPEN if kind is ClockKind.ACKNOWLEDGE else status in OVER


def next_of(clocks: Clocks) -> datetime | None:
    """Return when one of the clocks has something to tell next."""
    found = [one.next_at() for one in clocks.values()]
    return min((one for one in found if one is not None), default=None)


__all__ = [
    "Clock",
    "ClockKind",
    "ClockState",
    "Clocks",
    "Limit",
    "Rule",
    "Step",
    "Telling",
    "advance",
    "next_of",
    "tick",
]
