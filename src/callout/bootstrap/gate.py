"""The gate in front of one vendor account: how many calls at once, how many a second, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    PermissionDeniedError,
    RateLimitedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from callout.integrations import Health
    from callout.kit.clock import Clock
    from callout.storage import AccountTx


class IntegrationGate:
    """Bounds the calls of this process to one integration and remembers their outcomes until they are written down.

    The budget that all processes share is asked before a job starts (`callout.jobs.Budgets`); this one keeps a single job with many
    calls, or a person at the API, from running away.
    """

    def __init__(self, clock: Clock, *, rate: float, burst: int, concurrent: int) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrent)
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled = clock.monotonic()
        self._requests = 0
        self._failed = 0
        self._last: CalloutError | None = None

    async def before(self, *, method: str, path: str, lane: str) -> None:
        """Let the call go once there is a slot and a token."""
        _ = (method, path, lane)
        await self._slots.acquire()
        try:
            while (wait := self._take()) > 0:  # noqa: ASYNC110  # time is what is waited for
                await asyncio.sleep(wait)
        except BaseException:
            self._slots.release()
            raise

    async def after(self, *, status: int | None, headers: Mapping[str, str]) -> None:
        """Free the slot; remember the outcome."""
        _ = headers
        self._slots.release()
        self._requests += 1
        self._last = _trouble(status)
        self._failed += self._last is not None

    def _take(self) -> float:
        """Take a token and return 0, or return how many seconds until there is one."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    @property
    def has_news(self) -> bool:
        """Whether there were calls since the last report."""
        return self._requests > 0

    async def report(self, tx: AccountTx, health: Health, integration_id: str) -> None:
        """Write what happened since the last report into the integration's health."""
        requests, failed, last = self._requests, self._failed, self._last
        if last is None:
            await health.succeeded(tx, integration_id, requests=requests)
        else:
            await health.failed(tx, integration_id, last, requests=requests, failed=failed)

    def reported(self) -> None:
        """Forget what a committed report told."""
        self._requests = self._failed = 0


def _trouble(status: int | None) -> CalloutError | None:
    if status is None:
        return UnavailableError("the other side did not answer")
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthFailedError("the other side refused our credentials", status=status)
    if status == HTTPStatus.FORBIDDEN:
        return PermissionDeniedError("the other side denied us a permission", status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError("the other side asks us to slow down", status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"the other side answered {status}", status=status)
    return None
