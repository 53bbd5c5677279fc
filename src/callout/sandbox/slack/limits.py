"""Slack's rate limits: per method and minute, and per channel for posting."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.sandbox.core.clock import SandboxClock

TIER_PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
POST_PER_SECOND = 1.0
# from memory: short bursts are tolerated; Slack does not say how long.
POST_BURST = 5
MINUTE = 60.0


class RateLimits:
    """Counts calls; off until switched on."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self.enabled = False
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self._posts: dict[str, tuple[float, float]] = {}

    def wait_for_method(self, method: str, tier: int, *, team: str = "") -> int:
        """Count a call of a method in a team; return 0, or the whole seconds to wait when it is over its tier."""
        if not self.enabled:
            return 0
        now = self._clock.now()
        calls = self._calls[f"{team}/{method}"]
        while calls and now - calls[0] >= MINUTE:
            calls.popleft()
        if len(calls) >= TIER_PER_MINUTE[tier]:
            return max(1, math.ceil(MINUTE - (now - calls[0])))
        calls.append(now)
        return 0

    def wait_for_post(self, channel: str) -> int:
        """Count a post to a channel; return 0 or the whole seconds to wait."""
        if not self.enabled:
            return 0
        now = self._clock.now()
        tokens, at = self._posts.get(channel, (float(POST_BURST), now))
        tokens = min(float(POST_BURST), tokens + (now - at) * POST_PER_SECOND)
        if tokens < 1.0:
            self._posts[channel] = (tokens, now)
            return max(1, math.ceil((1.0 - tokens) / POST_PER_SECOND))
        self._posts[channel] = (tokens - 1.0, now)
        return 0
