"""How long to wait before the next attempt, and when to stop."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

MAX_RETRY_AFTER: Final = timedelta(hours=24)

_SECONDS = re.compile(r"\d{1,12}(?:\.\d{0,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with full jitter, bounded in number and in time.

    Args:
        first: upper bound of the wait after the first failed attempt.
        factor: growth of that bound from attempt to attempt.
        cap: largest bound of one wait.
        max_attempts: attempts in all, the first one included.
        deadline: time since the first attempt after which no further one starts.

    Raises:
        ValueError: a value that would never wait, never grow or never try.
    """

    first: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    cap: timedelta = timedelta(minutes=5)
    max_attempts: int = 10
    deadline: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        if self.first <= timedelta(0) or self.cap < self.first:
            msg = "backoff: 0 < first <= cap must hold"
            raise ValueError(msg)
        if not 1.0 <= self.factor < math.inf:
            msg = "backoff: factor must be a finite number of at least 1"
            raise ValueError(msg)
        if self.max_attempts < 1 or self.deadline <= timedelta(0):
            msg = "backoff: max_attempts and deadline must be positive"
            raise ValueError(msg)

    def bound(self, attempt: int) -> timedelta:
        """Return the longest wait after failed attempt number `attempt` (the first is 1)."""
        if attempt < 1:
            msg = f"attempts are counted from 1, not {attempt}"
            raise ValueError(msg)
        first, cap = self.first.total_seconds(), self.cap.total_seconds()
        # Compared as logarithms, because factor ** attempt overflows for a large attempt number.
        if math.log(first) + (attempt - 1) * math.log(self.factor) >= math.log(cap):
            return self.cap
        return timedelta(seconds=first * self.factor ** (attempt - 1))

    def delay(self, attempt: int, rng: random.Random) -> timedelta:
        """Return the wait after failed attempt number `attempt`: anything from zero to its bound."""
        return self.bound(attempt) * rng.random()

    def next_delay(
        self,
        attempt: int,
        rng: random.Random,
        *,
        elapsed: timedelta = timedelta(0),
        retry_after: timedelta | None = None,
    ) -> timedelta | None:
        """Return the wait before the attempt after `attempt`, or None when there is none left.

        Args:
            attempt: number of the attempt that just failed, counted from 1.
            rng: source of the jitter.
            elapsed: time since the first attempt started.
            retry_after: what the other side asked for; never undercut, and spread by up to `first` beyond it.
        """
        if attempt >= self.max_attempts:
            return None
        wait = self.delay(attempt, rng)
        if retry_after is not None and wait < retry_after:
            wait = retry_after + self.first * rng.random()
        return None if elapsed + wait > self.deadline else wait


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait a `Retry-After` header asks for, or None when it says nothing usable.

    Takes seconds (whole, or with a fraction, which some vendors send) or an HTTP date. The result is
    between zero and 24 hours: a date in the past means now, and a longer wait is cut.

    Args:
        value: the header, None when it was absent.
        now: the current time, aware.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        wait = min(float(text), MAX_RETRY_AFTER.total_seconds())
        return timedelta(seconds=wait)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(timedelta(0), min(at - now, MAX_RETRY_AFTER))
