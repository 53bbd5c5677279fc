"""One exchange with a vendor, from its first byte to its last: counted, timed and, while traces are on, a span."""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

from callout.kit import tracing

if TYPE_CHECKING:
    from callout.kit.http_call import Call

OTHER: Final = "other"
"""The provider of calls that belong to no integration, such as those of sign-in."""
NO_ANSWER: Final = "no_answer"
_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_UNAUTHORISED: Final = frozenset({401, 403})
_TOO_MANY: Final = 429
_REFUSED: Final = 400
_FAULT: Final = 500
_WORD: Final = re.compile(r"(?=.{1,32}$)(?:[a-z][a-z._-]*(?:v?\d)?|v?\d|[a-z][a-z.]*[A-Z][A-Za-z.]*)")
"""A segment of a path that is a word of the vendor's API: the others are ids, which must not become names."""

calls_total = Counter(
    "callout_vendor_calls_total", "Requests to vendors, each attempt by itself", ["provider", "outcome"]
)
call_seconds = Histogram(
    "callout_vendor_call_seconds",
    "How long vendors took, from the request to the end of the answer",
    ["provider"],
    buckets=_BUCKETS,
)


class Watch:
    """Watches one exchange; ended by `answered` or `broken`, whichever comes first."""

    __slots__ = ("_began", "_call", "_provider", "_span")

    def __init__(self, call: Call, provider: str) -> None:
        self._call: Call | None = call
        self._provider = provider
        self._began = time.monotonic()
        self._span: tracing.Span = tracing.NOTHING
        if tracing.is_on():
            self._span = tracing.begin(
                f"{call.method} {template(call.route)}",
                kind="client",
                attributes={
                    "callout.provider": provider,
                    "http.request.method": call.method,
                    "http.request.resend_count": len(call.wires),
                    "server.address": call.url.host,
                    "url.template": template(call.route),
                },
            )

    def answered(self, status: int) -> None:
        """Hear that the answer was read, or given up after its status."""
        call = self._over()
        if call is None:
            return
        outcome = outcome_of(status, accepted=status in call.accept)
        self._count(outcome)
        self._span.note({"http.response.status_code": status})
        if outcome != "ok":
            self._span.failed(str(status))
        self._span.end()

    def broken(self, error: BaseException) -> None:
        """Hear that no answer came."""
        if self._over() is None:
            return
        self._count(NO_ANSWER)
        self._span.failed(type(error).__name__)
        self._span.end()

    def _over(self) -> Call | None:
        call, self._call = self._call, None
        return call

    def _count(self, outcome: str) -> None:
        _counter(self._provider, outcome).inc()
        _histogram(self._provider).observe(time.monotonic() - self._began)


def outcome_of(status: int, *, accepted: bool = False) -> str:
    """Return in which class of outcomes an answer is; `accepted` ones are what the caller asked for."""
    if status < _REFUSED or accepted:
        return "ok"
    if status in _UNAUTHORISED:
        return "unauthorised"
    if status == _TOO_MANY:
        return "rate_limited"
    return "failed" if status >= _FAULT else "rejected"


def template(route: str) -> str:
    """Return a path without what varies: `/rest/api/3/issue/TST-1` is `/rest/api/3/issue/{}`."""
    return "/".join(part if not part or _WORD.fullmatch(part) else "{}" for part in route.split("/"))


@functools.cache
def _counter(provider: str, outcome: str) -> Counter:
    return calls_total.labels(provider, outcome)


@functools.cache
def _histogram(provider: str) -> Histogram:
    return call_seconds.labels(provider)
