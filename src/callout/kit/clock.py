"""Time as an argument, so that every time-dependent rule can be tested without waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol


class Clock(Protocol):
    """Where code asks for the time."""

    def now(self) -> datetime:
        """Return the wall-clock time, always aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean something."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is told to move.

    Raises:
        ValueError: `start` is not aware.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            msg = "a clock needs an aware start time, for example datetime(2026, 1, 1, tzinfo=UTC)"
            raise ValueError(msg)
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time this clock was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was advanced by so far."""
        return self._monotonic

    def advance(self, step: timedelta) -> None:
        """Move both readings forward by `step`.

        Raises:
            ValueError: `step` is negative.
        """
        if step < timedelta(0):
            msg = "a clock only moves forward"
            raise ValueError(msg)
        self._now += step
        self._monotonic += step.total_seconds()


def http_date(value: str | None) -> datetime | None:
    """Read a `Date` header; None when it holds no date. One without a zone means UTC."""
    try:
        told = parsedate_to_datetime(value) if value else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if told is None or told.tzinfo is not None:
        return told
    return told.replace(tzinfo=UTC)
