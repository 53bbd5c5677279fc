"""What PagerDuty's own headers say is left: calls stop before it is used up, polls before writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from callout.kit.clock import Clock
from callout.ports.errors import RateLimitedError

RESERVE: Final = 0.1
"""The part of the limit that is kept for writes and single reads when polls and long listings have used the rest."""


class Allowance:
    """The requests that are left in the current window, as the newest answer told it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = 0
        self._remaining = 0
        self._until = 0.0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset` (seconds from now) of an answer."""
        try:
            limit, remaining, reset = (
                int(headers[f"ratelimit-{name}"]) for name in ("limit", "remaining", "reset")
            )
        except (KeyError, ValueError):
            return  # not every answer is counted
        self._limit, self._remaining = limit, remaining
        self._until = self._clock.monotonic() + max(0, reset)

    def ask(self, *, background: bool) -> None:
        """Let a call go, or raise RateLimitedError that says until when there is nothing left for its kind."""
        left = self._until - self._clock.monotonic()
        if left <= 0 or self._limit <= 0:
            return
        reserved = int(self._limit * RESERVE) if background else 0
        if self._remaining <= reserved:
            raise RateLimitedError(
                f"this minute's {self._limit} requests to PagerDuty are used up"
                + (" but for those kept for urgent work" if reserved else ""),
                retry_after=timedelta(seconds=left),
            )
