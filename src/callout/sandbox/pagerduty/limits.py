"""Fixed windows of a minute, one per key, user or app."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left: requests in this window, and seconds until the next."""

    limit: int
    remaining: int
    reset: int
    exceeded: bool = False

    def headers(self) -> dict[str, str]:
        """The headers of every answer that was counted."""
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset),
        }


@dataclass(slots=True)
class RateLimits:
    """Counts requests; `now` gives Unix seconds."""

    now: Callable[[], float]
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, who: str, limit: int) -> Allowance:
        """Count one request of `who`."""
        now = self.now()
        began, used = self._windows.get(who, (now, 0))
        if not 0 <= now - began < WINDOW_SECONDS:
            began, used = now, 0
        reset = math.ceil(began + WINDOW_SECONDS - now)
        if used >= limit:
            return Allowance(limit, 0, reset, exceeded=True)
        self._windows[who] = (began, used + 1)
        return Allowance(limit, limit - used - 1, reset)
