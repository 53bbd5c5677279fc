"""Times as the instance keeps, shows and computes them: UTC within, the user's zone and format outside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

INTERNAL: Final = "%Y-%m-%d %H:%M:%S"
# The user's date format, in Java's letters, to Python's.
DATE_FORMATS: Final = {
    "yyyy-MM-dd": "%Y-%m-%d",
    "dd/MM/yyyy": "%d/%m/%Y",
    "dd.MM.yyyy": "%d.%m.%Y",
    "MM-dd-yyyy": "%m-%d-%Y",
}
_EXPRESSION = re.compile(r"^javascript:\s*gs\.([A-Za-z]+)\(([^()]*)\)\s*;?$")
_AGO = re.compile(r"^(minutes|hours|days)Ago(Start|End)?$")
_UNITS: Final = {"minute": 60, "hour": 3600, "dayofweek": 86_400, "day": 86_400, "week": 604_800}


class NotATimeError(ValueError):
    """The text is no time the instance understands."""


def stored(moment: datetime) -> str:
    """An aware moment as it is kept."""
    return moment.astimezone(UTC).strftime(INTERNAL)


def instant(value: str) -> datetime:
    """A kept time as an aware moment. Raises NotATimeError."""
    return read_time(value, UTC)


def read_time(text: str, zone: tzinfo) -> datetime:
    """A literal time or date, read in `zone`, as a moment in UTC. Raises NotATimeError."""
    for form in (INTERNAL, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            naive = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is put on below
        except ValueError:
            continue
        return naive.replace(tzinfo=zone).astimezone(UTC)
    raise NotATimeError(text)


def displayed(value: str, zone: ZoneInfo, date_format: str) -> str:
    """A kept time as a person sees it; text that is no time is shown as it is."""
    try:
        moment = instant(value)
    except NotATimeError:
        return value
    return moment.astimezone(zone).strftime(f"{DATE_FORMATS.get(date_format, '%Y-%m-%d')} %H:%M:%S")


def from_display(text: str, zone: ZoneInfo, date_format: str) -> str:
    """What a person wrote, in their zone and format, as it is kept. Raises NotATimeError."""
    try:
        form = f"{DATE_FORMATS.get(date_format, '%Y-%m-%d')} %H:%M:%S"
        naive = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is put on below
    except ValueError:
        return stored(read_time(text, zone))
    return stored(naive.replace(tzinfo=zone))


@dataclass(frozen=True, slots=True)
class QueryTime:
    """Times in a query: literals, `javascript:gs...` and relative ones, for a user's zone at a moment."""

    now: datetime
    zone: ZoneInfo
    literal_zone: ZoneInfo

    def moment(self, text: str) -> datetime:
        """A literal or an expression as a moment. Raises NotATimeError."""
        if text.startswith("javascript:"):
            return self._expression(text)
        return read_time(text, self.literal_zone)

    def span(self, text: str) -> tuple[datetime, datetime]:
        """`from@to` of BETWEEN, or the three parts or the bare date of ON. Raises NotATimeError."""
        parts = text.split("@")
        if len(parts) == 1:
            start = read_time(text[:10], self.literal_zone)
            return start, start + timedelta(days=1) - timedelta(seconds=1)
        return self.moment(parts[-2]), self.moment(parts[-1])

    def relative(self, text: str) -> datetime:
        """`@hour@ago@2` as a moment. Raises NotATimeError."""
        match text.strip("@").split("@"):
            case [unit, ("ago" | "ahead") as direction, count] if unit in _UNITS and count.isdecimal():
                shift = timedelta(seconds=_UNITS[unit] * int(count))
                return self.now - shift if direction == "ago" else self.now + shift
            case _:
                raise NotATimeError(text)

    def _expression(self, text: str) -> datetime:
        found = _EXPRESSION.match(text)
        if found is None:
            raise NotATimeError(text)
        name, given = found.groups()
        arguments = [part.strip().strip("'\"") for part in given.split(",") if part.strip()]
        today = self.now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        last_second = timedelta(days=1) - timedelta(seconds=1)
        simple = {
            "now": self.now,
            "nowDateTime": self.now,
            "beginningOfToday": today,
            "endOfToday": today + last_second,
            "beginningOfYesterday": today - timedelta(days=1),
            "endOfYesterday": today - timedelta(seconds=1),
            "beginningOfThisWeek": today - timedelta(days=today.weekday()),
            "beginningOfThisMonth": today.replace(day=1),
        }
        if name in simple:
            return simple[name].astimezone(UTC)
        if name == "dateGenerate":
            return self._generated(arguments)
        ago = _AGO.match(name)
        if ago is None or len(arguments) != 1 or not arguments[0].lstrip("-").isdecimal():
            raise NotATimeError(text)
        unit, edge = ago.groups()
        moment = self.now.astimezone(self.zone) - timedelta(**{unit: int(arguments[0])})
        return _edge(moment, unit, edge).astimezone(UTC)

    def _generated(self, arguments: list[str]) -> datetime:
        if len(arguments) != 2:  # noqa: PLR2004 - a date and a time
            raise NotATimeError(str(arguments))
        date, clock = arguments
        return read_time(f"{date} {({'start': '00:00:00', 'end': '23:59:59'}).get(clock, clock)}", self.zone)


def _edge(moment: datetime, unit: str, edge: str | None) -> datetime:
    """The first or last second of the minute, hour or day a moment lies in."""
    if edge is None:
        return moment
    start = moment.replace(second=0, microsecond=0)
    if unit in {"hours", "days"}:
        start = start.replace(minute=0)
    if unit == "days":
        start = start.replace(hour=0)
    return start if edge == "Start" else start + timedelta(**{unit: 1}) - timedelta(seconds=1)
