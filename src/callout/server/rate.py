"""How many requests a second the API answers, of one token and of one address that shows none: more are asked to wait.

In this process and from memory alone: a limit that asked somebody would cost what it is to save. Of each there is one number, the
time at which what it has sent would be paid for at the rate agreed (GCRA); who is further ahead of now than the burst waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from prometheus_client import Counter

from callout.access.tries import home_of
from callout.server.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

API: Final = "/v1/"
BURST_SECONDS: Final = 10.0
"""So much of the rate may come at once."""
MOST: Final = 10_000
"""So many tokens, and so many addresses, are remembered; the one that was seen first is forgotten for one more."""
_WARN_SECONDS: Final = 60.0
_BELIEVED: Final = "callout.token_believed"
"""Where a request says that its token was."""
_log = structlog.get_logger(__name__)
K = TypeVar("K")

turned_away_total = Counter(
    "callout_api_turned_away_total", "API requests whose sender was asked to come again later", ["reason"]
)


class LimitRate:
    """ASGI middleware: answers 429 to whoever sends more than `per_second`, 0 for no limit.

    A token that was believed once has a bucket of its own. Everything else is counted by address, or whoever makes up a new token for
    each request would have a new bucket with each. Tokens are remembered by a hash that differs in every process and leads nowhere.
    """

    def __init__(
        self, app: ASGIApp, per_second: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._rate = per_second
        self._each = 1 / per_second if per_second else 0.0
        self._burst = max(BURST_SECONDS, self._each)
        self._monotonic = monotonic
        self._tokens: dict[int, float] = {}
        self._addresses: dict[str, float] = {}
        self._warned = -_WARN_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or ask its sender to wait."""
        if not self._each or scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        now, token = self._monotonic(), None
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = hash(value)
                break
        paid = None if token is None else self._tokens.get(token)
        if token is not None and paid is not None:
            paid = max(paid, now) + self._each
            if paid - now > self._burst:
                await self._turn_away("token", paid - now, scope, receive, send)
                return
            self._tokens[token] = paid
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        address = home_of(client[0] if client else "")
        paid = max(self._addresses.get(address, now), now) + self._each
        if paid - now > self._burst:
            await self._turn_away("address", paid - now, scope, receive, send)
            return
        _remember(self._addresses, address, paid)
        await self._app(scope, receive, send)
        if token is not None and _BELIEVED in scope:
            _remember(self._tokens, token, now + self._each)

    async def _turn_away(self, reason: str, ahead: float, scope: Scope, receive: Receive, send: Send) -> None:
        turned_away_total.labels(reason).inc()
        now = self._monotonic()
        if now - self._warned >= _WARN_SECONDS:
            self._warned = now
            client = scope.get("client")
            _log.warning(
                "api_turned_away", reason=reason, address=client[0] if client else "", per_second=self._rate
            )
        who = "with this token" if reason == "token" else "from this address, without a token that is known"
        answer = problem(
            429,
            "rate-limited",
            f"more than {self._rate:g} requests a second came {who}",
            remediation="Wait as long as Retry-After says. An operator can allow more: CALLOUT_API_PER_SECOND.",
            headers={"Retry-After": str(max(1, round(ahead - self._burst)))},
        )
        await answer(scope, receive, send)


def believed(scope: Scope) -> None:
    """Say of a request that its token was believed. An answer says nothing of it: some are given to everybody."""
    scope[_BELIEVED] = True


def _remember(known: dict[K, float], key: K, paid: float) -> None:
    if key not in known and len(known) >= MOST:
        del known[next(iter(known))]
    known[key] = paid
