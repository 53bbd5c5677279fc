"""The time zone in which the instance reads a literal time of a query. What it answers is always UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_LENGTH: Final = 19
_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)


def moment(text: object) -> datetime | None:
    """Read a raw time (`2026-01-02 03:04:05`, UTC) or a date; None for anything else."""
    if not isinstance(text, str) or not text:
        return None
    try:
        if len(text) == _LENGTH and text[4::3] == "-- ::":
            return datetime.fromisoformat(f"{text}+00:00")  # several times as fast
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def raw(value: datetime) -> str:
    """Return a time as records hold it: UTC, whole seconds."""
    return value.astimezone(UTC).strftime(_FORMAT)


@dataclass(frozen=True, slots=True)
class QueryZone:
    """How times are written into queries. `verified` says whether the instance was asked; `name` is for people."""

    zone: tzinfo = UTC
    name: str = "UTC"
    verified: bool = False

    def literal(self, value: datetime) -> str:
        """Return the wall clock of that zone."""
        return value.astimezone(self.zone).strftime(_FORMAT)

    def twice(self, value: datetime) -> bool:
        """Return whether the wall clock shows this time twice (summer time ends): nobody can say which one is meant."""
        local = value.astimezone(self.zone)
        return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()

    def at_least(self, value: datetime) -> str:
        """Return a literal that is not after `value`."""
        whole = value.replace(microsecond=0)
        return self.literal(whole - _HOUR if self.twice(whole) else whole)

    def at_most(self, value: datetime) -> str:
        """Return a literal that is not before `value`."""
        whole = value.replace(microsecond=0) + _SECOND
        return self.literal(whole + _HOUR if self.twice(whole) else whole)


def zone_called(name: str) -> ZoneInfo | None:
    """Return a zone by its name, None where this machine does not know it."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
