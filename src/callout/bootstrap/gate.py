"""The gate in front of one vendor account: how many calls at once, how many a second, what the vendor allows, what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from callout.kit.allowance import Answer, used_up
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    PermissionDeniedError,
    RateLimitedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from callout.bootstrap.allowances import Allowances
    from callout.integrations import Health
    from callout.kit.allowance import Allowance
    from callout.kit.clock import Clock
    from callout.kit.lanes import Lane
    from callout.kit.turnstile import Turnstile
    from callout.storage import AccountTx, Tx


class IntegrationGate:
    """Bounds the calls to one integration and remembers their outcomes until they are written down.

    The turnstile is this process's own: it keeps one job with many calls, or a person at the API, from running away, and lets the more
    urgent ones go first. What the vendor allows is counted for all processes together.
    """

    def __init__(self, clock: Clock, *, turnstile: Turnstile, allowances: Allowances) -> None:
        self._clock = clock
        self._turnstile = turnstile
        self._allowances = allowances
        self._requests = 0
        self._failed = 0
        self._last: CalloutError | None = None
        self.used = False

    async def before(self, *, method: str, path: str, lane: Lane, part: str) -> None:
        """Let the call go once it is its turn. Raises RateLimitedError when the vendor allows no more for longer than a moment."""
        self.used = True
        parts = self._allowances.parts(method=method, path=path, part=part)
        while True:
            await self._allowances.wait(parts, lane)
            await self._turnstile.enter(lane)
            if self._allowances.take(parts, lane):
                return
            self._turnstile.leave(
                unused=True
            )  # while it waited, the vendor said no, or others took the last calls

    async def after(
        self, *, status: int | None, headers: Mapping[str, str], method: str, path: str, part: str
    ) -> None:
        """Let the next one go; remember the outcome, and what the vendor said of its limits."""
        self._turnstile.leave()
        now = self._clock.now()
        answer = None if status is None else Answer(status, headers, now, method, path, part)
        said = self._allowances.done(method=method, path=path, part=part, answer=answer)
        self._requests += 1
        self._last = self._trouble(status, said)
        self._failed += self._last is not None

    @property
    def has_news(self) -> bool:
        """Whether there is something to report."""
        return self._requests > 0 or self._allowances.has_news

    @property
    def successes(self) -> int:
        """How many calls there were since the last report, where all went well and nothing else is to be told; else 0."""
        well = not self._failed and self._last is None and not self._allowances.has_news
        return self._requests if well else 0

    def reported(self, successes: int) -> None:
        """Learn that so many of them were written down."""
        self._requests -= successes

    async def remember_limits(self, tx: Tx) -> Callable[[], None]:
        """Write down what the vendor said of its limits; call what this returns after the commit."""
        return await self._allowances.flush(tx)

    async def report(self, tx: AccountTx, health: Health, integration_id: str) -> Callable[[], None]:
        """Write what happened since the last report into the integration's health; call what this returns after the commit."""
        limits_written = await self.remember_limits(tx.system)
        requests, failed, last = self._requests, self._failed, self._last
        if requests and last is None:
            await health.succeeded(tx, integration_id, requests=requests)
        elif requests and last is not None:
            await health.failed(tx, integration_id, last, requests=requests, failed=failed)

        def committed() -> None:
            limits_written()
            self._requests -= requests
            self._failed -= failed

        return committed

    def _trouble(self, status: int | None, said: Allowance | None) -> CalloutError | None:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            words = "the other side asks us to slow down"
            if said is not None and said.asked_wait is not None:
                words = used_up(said.name, self._clock.now() + said.asked_wait)
            return RateLimitedError(words, status=status)
        return _trouble(status)


def _trouble(status: int | None) -> CalloutError | None:
    if status is None:
        return UnavailableError("the other side did not answer")
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthFailedError("the other side refused our credentials", status=status)
    if status == HTTPStatus.FORBIDDEN:
        return PermissionDeniedError("the other side denied us a permission", status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"the other side answered {status}", status=status)
    return None
