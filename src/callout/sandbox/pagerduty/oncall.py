"""Who is on call: turns of a rotation, overrides, levels of a policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.model import User

if TYPE_CHECKING:
    from datetime import datetime

    from callout.sandbox.pagerduty.model import EscalationPolicy, Schedule

INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Shift:
    """A contiguous time one user is on call."""

    user: User
    start: datetime
    end: datetime

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Whether any of it lies in the range."""
        return self.start < until and self.end > since


@dataclass(frozen=True, slots=True)
class OnCall:
    """An on-call; without schedule and times for a user named by the policy itself."""

    policy: EscalationPolicy
    level: int
    user: User
    schedule: Schedule | None = None
    start: datetime | None = None
    end: datetime | None = None


def shifts(schedule: Schedule, since: datetime, until: datetime) -> list[Shift]:
    """The whole shifts that touch the range, in order, overrides laid over the rotation."""
    if not schedule.users:
        return []
    turn = timedelta(seconds=schedule.turn_seconds)
    number = (since - schedule.start) // turn
    found: list[Shift] = []
    while (begin := schedule.start + number * turn) < until:
        found.append(Shift(schedule.users[number % len(schedule.users)], begin, begin + turn))
        number += 1
    for override in schedule.overrides:
        laid = Shift(override.user, override.start, override.end)
        if laid.overlaps(since, until):
            found = [part for shift in found for part in _around(shift, laid)]
            found.append(laid)
    found.sort(key=lambda shift: shift.start)
    return [shift for shift in _joined(found) if shift.overlaps(since, until)]


def _around(shift: Shift, laid: Shift) -> list[Shift]:
    """What is left of a shift under an override."""
    if not shift.overlaps(laid.start, laid.end):
        return [shift]
    before = [replace(shift, end=laid.start)] if shift.start < laid.start else []
    after = [replace(shift, start=laid.end)] if shift.end > laid.end else []
    return before + after


def _joined(found: list[Shift]) -> list[Shift]:
    whole: list[Shift] = []
    for shift in found:
        if whole and whole[-1].user is shift.user and whole[-1].end == shift.start:
            whole[-1] = replace(whole[-1], end=shift.end)
        else:
            whole.append(shift)
    return whole


def on_calls(policy: EscalationPolicy, since: datetime, until: datetime) -> list[OnCall]:
    """Every on-call of a policy that touches the range, by level."""
    found: list[OnCall] = []
    for level, rule in enumerate(policy.rules, start=1):
        for target in rule.targets:
            if isinstance(target, User):
                found.append(OnCall(policy, level, target))
            else:
                found += [
                    OnCall(policy, level, shift.user, target, shift.start, shift.end)
                    for shift in shifts(target, since, until)
                ]
    return found


def called(policy: EscalationPolicy, level: int, at: datetime) -> list[User]:
    """Who is called on a level at a moment, each once."""
    users = [call.user for call in on_calls(policy, at, at + INSTANT) if call.level == level]
    return list(dict.fromkeys(users))
