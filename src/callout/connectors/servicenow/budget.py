"""What is left of the hour: ServiceNow tells its limit and when the hour ends, but not what remains, so calls are counted here.

The last tenth is kept for writes: polling and long listings stop before it, and say until when.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from callout.kit.clock import Clock
from callout.ports.errors import RateLimitedError

RESERVED: Final = 0.1


class HourlyBudget:
    """The calls of this process to one instance. Without a rule of the customer's there is no limit and nothing to tell."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = 0
        self._reset: datetime | None = None
        self._used = 0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer."""
        limit, reset = headers.get("x-ratelimit-limit", ""), headers.get("x-ratelimit-reset", "")
        if not limit.isdecimal() or not reset.isdecimal():
            return
        try:
            until = datetime.fromtimestamp(int(reset), UTC)
        except (ValueError, OverflowError, OSError):
            return
        if until != self._reset:
            self._used = 0
        self._limit, self._reset = int(limit), until
        self._used += 1

    def spare(self) -> None:
        """Go on only while there is more left than is kept for writes. Raises RateLimitedError."""
        if self._reset is None or self._used < self._limit * (1 - RESERVED):
            return
        left = self._reset - self._clock.now()
        if left.total_seconds() > 0:
            raise RateLimitedError(
                f"{self._used} of the {self._limit} calls that ServiceNow allows in this hour are used: the rest is kept for"
                f" writes, reading goes on at {self._reset:%H:%M:%S} UTC",
                retry_after=left,
            )
