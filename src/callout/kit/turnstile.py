"""The turnstile before a vendor account, within one process: so many calls at once, so many a second, the more urgent ones first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.kit.lanes import Lane, slots_of

if TYPE_CHECKING:
    from callout.kit.clock import Clock

PATIENCE: Final = 5.0
"""Seconds after which somebody who waits counts as one lane more urgent: nobody waits for ever."""


@dataclass(slots=True)
class _Waiter:
    lane: Lane
    since: float
    turn: asyncio.Future[None]

    def urgency(self, now: float) -> Lane:
        return Lane(max(Lane.URGENT, self.lane - int(max(0.0, now - self.since) // PATIENCE)))


class Turnstile:
    """Lets calls through in the order of their lanes, and within a lane in the order of their coming.

    Args:
        clock: tells how much time has passed.
        rate: calls a second.
        burst: calls that may come at once after a pause.
        concurrent: calls at once; less urgent lanes leave some of these places to more urgent ones.
    """

    def __init__(self, clock: Clock, *, rate: float, burst: int, concurrent: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._concurrent = concurrent
        self._tokens = float(burst)
        self._filled = clock.monotonic()
        self._running = 0
        self._waiting: list[_Waiter] = []
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, lane: Lane) -> None:
        """Wait for a place and a token; give the place back with `leave`."""
        waiter = _Waiter(lane, self._clock.monotonic(), asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._admit()
        try:
            await waiter.turn
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.turn.cancelled():
                self.leave(unused=True)  # its turn came in the moment in which it was called off
            raise

    def leave(self, *, unused: bool = False) -> None:
        """Give the place to whoever is next; `unused`: no call was made, so its token comes back, too."""
        self._running -= 1
        if unused:
            self._tokens = min(self._burst, self._tokens + 1)
        self._admit()

    def _admit(self) -> None:
        while (waiter := self._next()) is not None:
            wait = self._until_token()
            if wait > 0:
                self._look_again(wait)
                return
            self._tokens -= 1
            self._running += 1
            self._waiting.remove(waiter)
            waiter.turn.set_result(None)

    def _next(self) -> _Waiter | None:
        now = self._clock.monotonic()
        # One whose wait was called off takes itself out a moment later.
        able = [
            one
            for one in self._waiting
            if not one.turn.done() and self._running < slots_of(self._concurrent, one.urgency(now))
        ]
        return min(able, key=lambda one: one.urgency(now), default=None)

    def _until_token(self) -> float:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def _look_again(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._admit()
