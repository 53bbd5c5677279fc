"""Working time: what counts as time for a clock, and when an amount of it is over. Pure.

Times of day are those of the calendar's time zone; what passes between two of them is real time, so that a working day across
a change of the clocks is an hour shorter or longer, as it is for the people.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT: Final = time(0)
LONGEST_WAIT: Final = 800
"""Days without any working time after which a calendar counts as one that never opens again."""
_RESOLUTION: Final = timedelta(milliseconds=1)
Span = tuple[time, time]
"""From, to; to midnight is the end of the day."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours. Without `hours` all time counts; `holidays` are whole days off, in the calendar's time zone."""

    name: str = "always"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    hours: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()

    @property
    def always(self) -> bool:
        """Whether all time counts."""
        return not self.hours

    def open_from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans of working time that end after `moment`, in UTC, in order; none of them is empty."""
        day = moment.astimezone(self.zone).date() - timedelta(days=1)
        last = moment
        for _ in range(LONGEST_WAIT):
            for start, end in self._day(day):
                # A change of the clocks may fold one span into the one before it: no moment counts twice.
                begin = max(start, last)
                if end > begin:
                    yield begin, end
                    last = end
            day += timedelta(days=1)

    def _day(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        if day in self.holidays:
            return ()
        return _spans(day, self.zone, self.hours.get(DAYS[day.weekday()], ()))


ALWAYS: Final = Calendar()


@lru_cache(maxsize=4096)
def _spans(day: date, zone: ZoneInfo, hours: tuple[Span, ...]) -> tuple[tuple[datetime, datetime], ...]:
    found = []
    for start, end in hours:
        last = day + timedelta(days=1) if end == MIDNIGHT else day
        # An hour that comes twice counts twice: the later time of day is meant at its end.
        found.append((_moment(day, start, zone, fold=0), _moment(last, end, zone, fold=1)))
    return tuple(found)


def _moment(day: date, at: time, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return when it is that time of day; of one that the clocks leave out, when they are put forward.

    `fold` says which is meant of two.
    """
    wall = datetime.combine(day, at)
    found = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # PEP 495: with fold 1 the offset behind the change is taken, with 0 the one before it, which is less.
    before, behind = (wall.replace(tzinfo=zone, fold=one).astimezone(UTC) for one in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while behind - before > _RESOLUTION:
        middle = before + (behind - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return behind.replace(microsecond=0)


def after(calendar: Calendar, start: datetime, amount: timedelta) -> datetime | None:
    """Return the first moment at which `amount` of working time has passed since `start`; None when it never does."""
    if calendar.always or amount <= timedelta():
        return start + max(amount, timedelta())
    left = amount
    for begin, end in calendar.open_from(start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    return None


def between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Return how much working time lies between two moments; nothing when `end` is not after `start`."""
    if end <= start:
        return timedelta()
    if calendar.always:
        return end - start
    total = timedelta()
    for begin, stop in calendar.open_from(start):
        if begin >= end:
            break
        total += min(stop, end) - begin
    return total


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Return whether `moment` is within working time."""
    if calendar.always:
        return True
    first = next(calendar.open_from(moment), None)
    return first is not None and first[0] <= moment


def ordered(spans: list[Span]) -> bool:
    """Return whether spans of one day follow each other without overlapping."""
    ends = [time.max if end == MIDNIGHT else end for _, end in spans]
    starts = [start for start, _ in spans]
    return all(start < end for start, end in zip(starts, ends, strict=True)) and all(
        bisect_right(ends, starts[n]) == n for n in range(len(starts))
    )


__all__ = ["ALWAYS", "DAYS", "Calendar", "Span", "after", "between", "is_open", "ordered"]
