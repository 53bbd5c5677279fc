"""Cron expressions: the five classic fields, in UTC. Small, so that the default install needs no package for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", re.ASCII)
_SUNDAY = 7
_LONGEST_SEARCH_DAYS = 366 * 8 + 1
"""29 February comes after at most eight years."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. When both day and weekday are restricted, either one suffices, as in cron itself."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read `minute hour day month weekday` with `*`, lists, ranges and steps. Raises ValueError with the part at fault."""
        parts = text.split()
        if len(parts) != len(_FIELDS):
            msg = f"{text!r} is not a cron expression: it needs five fields, minute hour day month weekday"
            raise ValueError(msg)
        values = [_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]
        cron = cls(
            minutes=tuple(sorted(values[0])),
            hours=tuple(sorted(values[1])),
            days=values[2],
            months=values[3],
            weekdays=frozenset(number % _SUNDAY for number in values[4]),
            any_day=parts[2].startswith("*"),
            any_weekday=parts[4].startswith("*"),
        )
        cron.after(datetime(2000, 1, 1))  # noqa: DTZ001  # a day that never comes (31 February) is refused at once
        return cron

    def after(self, moment: datetime) -> datetime:
        """Return the first minute after `moment` that fits. Raises ValueError when none does."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for ahead in range(_LONGEST_SEARCH_DAYS):
            day = start if ahead == 0 else start.replace(hour=0, minute=0) + timedelta(days=ahead)
            if not self._fits(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    if (hour, minute) >= (day.hour, day.minute):
                        return day.replace(hour=hour, minute=minute)
        msg = "the cron expression names a day that never comes"
        raise ValueError(msg)

    def _fits(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            msg = f"{part!r} is not a cron expression for the {name}"
            raise ValueError(msg)
        first, last, step = match.groups()
        start = low if first is None else int(first)
        end = high if first is None or (last is None and step is not None) else int(last or first)
        if not (low <= start <= end <= high) or step == "0":
            msg = f"{part!r} is not a cron expression for the {name}: it goes from {low} to {high}"
            raise ValueError(msg)
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)
