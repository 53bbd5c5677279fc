"""HTTP to a vendor: one thin client with time limits, a budget gate, size limits and errors without secrets.

Retrying here is short and only for safe methods; everything else belongs to the job that called.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar

import httpx

from callout.kit.clock import Clock, SystemClock
from callout.kit.http_auth import Auth, StaticAuth, basic_auth, bearer_auth
from callout.kit.http_call import NO_BODY, Call, FilePart, Headers, Params, Target, path_segment
from callout.kit.http_errors import (
    HttpError,
    HttpStatusError,
    NotJsonError,
    ResponseTooLarge,
    TransportError,
    TransportKind,
)
from callout.kit.http_gate import Gate
from callout.kit.http_response import HttpResponse, read_at_most, status_error, transport_error
from callout.kit.http_watch import OTHER, Watch
from callout.kit.lanes import Lane
from callout.kit.net import AddressRefused
from callout.kit.retry import Backoff, parse_retry_after
from callout.kit.secrets import Secret
from callout.kit.transport import WIRE, Wire

__all__ = [
    "Auth",
    "Download",
    "FilePart",
    "Gate",
    "HttpError",
    "HttpResponse",
    "HttpStatusError",
    "NotJsonError",
    "ResponseTooLarge",
    "StaticAuth",
    "Timeouts",
    "TransportError",
    "TransportKind",
    "VendorHttp",
    "basic_auth",
    "bearer_auth",
    "path_segment",
]

DEFAULT_MAX_BYTES: Final = 32 * 1024 * 1024
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GATEWAY_TROUBLE: Final = frozenset({502, 503, 504})
_LONGEST_SHORT_WAIT: Final = timedelta(seconds=5)
_SHORT_RETRY: Final = Backoff(
    first=timedelta(milliseconds=200),
    factor=3,
    cap=timedelta(seconds=2),
    max_attempts=3,
    deadline=timedelta(seconds=30),
)

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of one call, in seconds.

    Args:
        connect: to get a connection, TLS included.
        read: between two pieces of the answer.
        total: wall-clock time for everything, waiting at the gate and retries included.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 30.0


class Download:
    """A body that arrives in pieces; read it once, inside the `async with` that gave it."""

    def __init__(self, *, status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece.

        Raises:
            ResponseTooLarge, TransportError: as for `VendorHttp.request`.
        """
        return self._chunks

    async def read(self) -> bytes:
        """Return the whole body."""
        return b"".join([chunk async for chunk in self._chunks])


class VendorHttp:
    """HTTP to one vendor account.

    Args:
        base_url: scheme, host and path prefix that relative paths are appended to.
        transport: where requests go: a `GuardedTransport` in production, a twin or `MockTransport` in tests.
            It stays its owner's to close, so that many clients can share one pool of connections.
        auth: credentials, sent to the base URL's origin only.
        headers: sent with every call to that origin.
        timeouts: limits of one call, unless the call says otherwise.
        gate: the account's budget.
        max_bytes: longest answer read into memory.
        provider: whose API it is, in metrics and traces.
        user_agent: who we say we are.
        clock: tells the time for `Retry-After` dates and the time used up by short retries.
        rng: source of jitter.
        sleep: how to wait between short retries.

    Raises:
        AddressRefused: the base URL is not an http(s) URL with a host.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.AsyncBaseTransport,
        auth: Auth | None = None,
        headers: Headers | None = None,
        timeouts: Timeouts | None = None,
        gate: Gate | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        provider: str = OTHER,
        user_agent: str = "callout",
        clock: Clock | None = None,
        rng: random.Random | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._target = Target(base_url)
        self._transport = transport
        self._auth = auth or StaticAuth({})
        self._headers = dict(headers or {})
        self._timeouts = timeouts or Timeouts()
        self._gate = gate
        self._max_bytes = max_bytes
        self._provider = provider
        self._user_agent = user_agent
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._sleep = sleep

    @property
    def base_url(self) -> str:
        """The base URL, without a slash at its end."""
        return self._target.base_url

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = NO_BODY,
        form: Mapping[str, str | Secret] | None = None,
        content: bytes | None = None,
        files: Sequence[FilePart] = (),
        headers: Headers | None = None,
        safe: bool | None = None,
        accept: Collection[int] = (),
        follow_redirects: bool = False,
        lane: Lane | None = None,
        part: str = "",
        route: str | None = None,
        timeouts: Timeouts | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """Make one call and read its whole answer.

        Args:
            method: the HTTP method.
            path: appended to the base URL; made of `path_segment`s. An absolute http(s) URL is taken as it
                is, and gets no credentials unless it has the base URL's origin.
            params: query; None values are left out, secrets are masked in errors.
            json: body, secrets revealed; None is sent as `null`.
            form: URL-encoded body, or the plain fields when there are `files`.
            content: raw body.
            files: multipart body.
            headers: of this call alone; they win over all others.
            safe: whether repeating can do no harm; by default GET, HEAD and OPTIONS are.
            accept: statuses outside 2xx to return instead of raising.
            follow_redirects: go where a 3xx points, safe calls only; other origins get no credentials.
            lane: which queue of the budget the call stands in; by default that of the job or request at hand.
            part: what the call is about, where the vendor limits each such thing on its own (a channel).
            route: what to show instead of the path where the path itself is secret.
            timeouts: limits of this call.
            max_bytes: longest answer of this call.

        Raises:
            HttpStatusError, ResponseTooLarge, TransportError: see `kit.http_errors`.
            ValueError: the path leaves the base URL, or more than one body is given.
            TypeError: `json` holds something JSON has no form for.
        """
        call = self._target.call(
            method,
            path,
            params=params,
            json=json,
            form=form,
            content=content,
            files=files,
            headers=headers,
            safe=method.upper() in SAFE_METHODS if safe is None else safe,
            accept=accept,
            follow=follow_redirects,
            lane=lane,
            part=part,
            route=route,
        )
        limits = timeouts or self._timeouts
        limit = self._max_bytes if max_bytes is None else max_bytes
        async with self._within(call, limits):
            return await self._retrying(call, limits, lambda: self._fetch(call, limits, limit))

    async def request_json(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = NO_BODY,
        form: Mapping[str, str | Secret] | None = None,
        headers: Headers | None = None,
        safe: bool | None = None,
        lane: Lane | None = None,
        route: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Any:  # noqa: ANN401 - the caller's wire.py gives it a type
        """Make one call, described as for `request`, and return its parsed JSON; None for an empty answer.

        Raises:
            NotJsonError: the call succeeded with something else, such as a login page.
            HttpStatusError, ResponseTooLarge, TransportError, ValueError, TypeError: as for `request`.
        """
        response = await self.request(
            method,
            path,
            params=params,
            json=json,
            form=form,
            headers={"Accept": "application/json", **(headers or {})},
            safe=safe,
            lane=lane,
            route=route,
            timeouts=timeouts,
        )
        return response.json()

    async def upload(
        self,
        path: str,
        *,
        files: Sequence[FilePart],
        form: Mapping[str, str | Secret] | None = None,
        params: Params | None = None,
        headers: Headers | None = None,
        method: str = "POST",
        lane: Lane | None = None,
        route: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Any:  # noqa: ANN401 - as for `request_json`
        """Send files as multipart form data and return the parsed answer; never repeated by itself.

        Raises:
            HttpError: as for `request_json`.
        """
        response = await self.request(
            method,
            path,
            files=files,
            form=form,
            params=params,
            headers={"Accept": "application/json", **(headers or {})},
            safe=False,
            lane=lane,
            route=route,
            timeouts=timeouts,
        )
        return response.json()

    @asynccontextmanager
    async def download(
        self,
        path: str,
        *,
        max_bytes: int,
        params: Params | None = None,
        headers: Headers | None = None,
        follow_redirects: bool = True,
        lane: Lane | None = None,
        route: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> AsyncIterator[Download]:
        """Open a GET whose body is read in pieces; `timeouts.total` covers the reading too.

        File links usually redirect to another host, which gets no credentials.

        Raises:
            HttpStatusError, ResponseTooLarge, TransportError, ValueError: as for `request`.
        """
        call = self._target.call(
            "GET",
            path,
            params=params,
            headers=headers,
            safe=True,
            follow=follow_redirects,
            lane=lane,
            route=route,
        )
        limits = timeouts or self._timeouts
        async with self._within(call, limits):
            exchange = await self._retrying(call, limits, lambda: self._open(call, limits))
            try:
                yield Download(
                    status=exchange.response.status_code,
                    headers=exchange.response.headers,
                    chunks=read_at_most(exchange.call, exchange.response, limit=max_bytes),
                )
            finally:
                await exchange.close()

    @asynccontextmanager
    async def _within(self, call: Call, limits: Timeouts) -> AsyncIterator[None]:
        total = asyncio.timeout(limits.total)
        try:
            async with total:
                yield
        except TimeoutError:
            if not total.expired():
                raise
            raise TransportError(
                f"no complete answer within {limits.total:g} seconds",
                method=call.method,
                url=call.shown_url,
                kind=TransportKind.TIMEOUT,
                maybe_sent=call.maybe_sent,
            ) from None

    async def _retrying(self, call: Call, limits: Timeouts, attempt: Callable[[], Awaitable[_T]]) -> _T:
        started = self._clock.monotonic()
        number = 0
        renewed = False
        while True:
            number += 1
            try:
                return await attempt()
            except (HttpStatusError, TransportError) as error:
                if not renewed and await self._renewed_credentials(call, error):
                    renewed = True
                    continue
                used = timedelta(seconds=self._clock.monotonic() - started)
                wait = self._short_wait(call, error, number, used=used)
                if wait is None or used + wait >= timedelta(seconds=limits.total):
                    raise
            await self._sleep(wait.total_seconds())

    async def _renewed_credentials(self, call: Call, error: HttpError) -> bool:
        # A call answered with 401 was not carried out, so this one repeat is right for any method.
        unauthorised = isinstance(error, HttpStatusError) and error.status == httpx.codes.UNAUTHORIZED
        return unauthorised and call.own_origin and await self._auth.rejected()

    def _short_wait(
        self, call: Call, error: HttpStatusError | TransportError, number: int, *, used: timedelta
    ) -> timedelta | None:
        if not call.safe:
            return None
        asked: timedelta | None = None
        if isinstance(error, HttpStatusError):
            if error.status not in _GATEWAY_TROUBLE:
                return None
            asked = parse_retry_after(error.headers.get("retry-after"), self._clock.now())
            if asked is not None and asked > _LONGEST_SHORT_WAIT:
                return None
        elif error.kind in {TransportKind.TLS, TransportKind.REFUSED, TransportKind.STOPPED}:
            return None  # none of them changes within seconds
        return _SHORT_RETRY.next_delay(number, self._rng, elapsed=used, retry_after=asked)

    async def _fetch(self, call: Call, limits: Timeouts, limit: int) -> HttpResponse:
        exchange = await self._open(call, limits)
        try:
            chunks = [chunk async for chunk in read_at_most(exchange.call, exchange.response, limit=limit)]
        finally:
            await exchange.close()
        return HttpResponse(
            status=exchange.response.status_code,
            headers=exchange.response.headers,
            content=b"".join(chunks),
            method=call.method,
            url=call.shown_url,
            secrets=tuple(call.secrets),
        )

    async def _open(self, call: Call, limits: Timeouts) -> _Exchange:
        """Send and follow redirects until there is a success whose body can be read."""
        for _ in range(_MAX_REDIRECTS + 1):
            exchange = await self._send(call, limits)
            try:
                status = exchange.response.status_code
                location = exchange.response.headers.get("location")
                if status not in _REDIRECTS or not call.follow or location is None:
                    if not (exchange.response.is_success or status in call.accept):
                        raise await status_error(call, exchange.response)  # noqa: TRY301 - closed below
                    return exchange
                next_call = self._target.redirected(call, location)
            except BaseException:
                await exchange.close()
                raise
            await exchange.close()
            call = next_call
        raise TransportError(
            f"more than {_MAX_REDIRECTS} redirects",
            method=call.method,
            url=call.shown_url,
            kind=TransportKind.REFUSED,
            maybe_sent=True,
        )

    async def _send(self, call: Call, limits: Timeouts) -> _Exchange:
        if self._gate is not None:
            await self._gate.before(method=call.method, path=call.route, lane=call.lane, part=call.part)
        wire, watch = Wire(), Watch(call, self._provider)
        try:
            request = call.build(
                user_agent=self._user_agent,
                shared=[self._headers, await self._auth.headers()] if call.own_origin else [],
            )
            request.extensions = {
                WIRE: wire,
                "timeout": {
                    "connect": limits.connect,
                    "read": limits.read,
                    "write": limits.read,
                    "pool": limits.total,
                },
            }
            call.wires.append(wire)
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            watch.broken(error)
            await self._tell_gate(call, None, {})
            if isinstance(error, httpx.HTTPError | httpx.InvalidURL | AddressRefused):
                raise transport_error(call, error) from None
            raise
        return _Exchange(call, response, self._tell_gate, watch)

    async def _tell_gate(self, call: Call, status: int | None, headers: Mapping[str, str]) -> None:
        if self._gate is not None:
            await self._gate.after(
                status=status, headers=headers, method=call.method, path=call.route, part=call.part
            )


class _Exchange:
    """A request under way, from its answer's first line until `close`."""

    def __init__(
        self,
        call: Call,
        response: httpx.Response,
        tell_gate: Callable[[Call, int | None, Mapping[str, str]], Awaitable[None]],
        watch: Watch,
    ) -> None:
        self.call = call
        self.response = response
        self._tell_gate = tell_gate
        self._watch = watch

    async def close(self) -> None:
        try:
            await self.response.aclose()
        finally:
            self._watch.answered(self.response.status_code)
            await self._tell_gate(self.call, self.response.status_code, self.response.headers)
