"""Dates in JQL: literals read in the asking account's zone, periods, and date functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_ABSOLUTE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}):(\d{2}))?")
_PERIOD = re.compile(r"([-+]?)((?:\d+[wdhmMy]?\s*)+)")
_PART = re.compile(r"(\d+)([wdhmMy]?)")
_MONTH_DAYS, _YEAR_DAYS = 30, 365
_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "M": timedelta(days=_MONTH_DAYS),
    "y": timedelta(days=_YEAR_DAYS),
    # A bare number means minutes.
    "": timedelta(minutes=1),
}
DATE_FUNCTIONS = frozenset(
    f"{edge}of{unit}" for edge in ("start", "end") for unit in ("day", "week", "month", "year")
) | {"now"}


def read_moment(text: str, *, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The instant (UTC) a literal means, None when it is not a date.

    Absolute literals have minute precision and no zone: they are read in `zone`.
    """
    text = text.strip()
    if found := _ABSOLUTE.fullmatch(text):
        year, month, day, hour, minute = (int(part or 0) for part in found.groups())
        try:
            return datetime(year, month, day, hour, minute, tzinfo=zone).astimezone(UTC)
        except ValueError:
            return None
    period = read_period(text)
    return None if period is None else now + period


def read_period(text: str) -> timedelta | None:
    """A period such as `-15m` or `4w 2d`, None when it is not one."""
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        return None
    total = sum((int(n) * _UNITS[unit] for n, unit in _PART.findall(found[2])), timedelta())
    return -total if found[1] == "-" else total


def date_function(name: str, arguments: tuple[str, ...], *, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The value of `now()`, `startOfDay(-1)` and their like; None when an argument is not a period."""
    name = name.lower()
    if name == "now":
        return now
    edge, unit = name.split("of")
    local = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    shift = 0
    if arguments:
        period = arguments[0].strip()
        found = re.fullmatch(r"([-+]?\d+)[a-zA-Z]?", period)
        if found is None:
            return None
        shift = int(found[1])
    if edge == "end":
        shift += 1
    start = _start_of(unit, local, shift)
    return (start - timedelta(milliseconds=1) if edge == "end" else start).astimezone(UTC)


def _start_of(unit: str, midnight: datetime, shift: int) -> datetime:
    if unit == "day":
        return midnight + timedelta(days=shift)
    if unit == "week":
        # from memory: weeks start on Sunday unless the site says otherwise.
        return midnight - timedelta(days=(midnight.weekday() + 1) % 7) + timedelta(weeks=shift)
    if unit == "month":
        months = midnight.year * 12 + midnight.month - 1 + shift
        return midnight.replace(year=months // 12, month=months % 12 + 1, day=1)
    return midnight.replace(year=midnight.year + shift, month=1, day=1)
