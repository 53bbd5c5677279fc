"""The production transport under `kit.http`: httpx's interface on a guarded aiohttp session.

`httpx_aiohttp.AiohttpTransport` gives the shape; four of its habits are replaced, because they lose what a
caller must know: it hands URLs through a re-quoting parser (which breaks signed URLs), reports a connection
the server closed *after* our request as a connect time-out, keeps cookies, and repeats PUT
and DELETE by itself.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from yarl import URL

from callout.kit.connector import GuardedConnector
from callout.kit.net import AddressRefused
from callout.kit.websocket import WebSocket, WebSocketError, open_on

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

    from callout.kit.net import AddressGuard

WIRE: Final = "callout_wire"
"""Request extension under which a `Wire` may be given to learn how far the request came."""


WEBSOCKET_SECONDS: Final = 10.0
"""How long opening a WebSocket may take."""


class Wire:
    """How far one request came: `sent` is True from just before its first byte leaves."""

    __slots__ = ("known", "sent")

    def __init__(self) -> None:
        self.known = False
        self.sent = False


class TransportStoppedError(httpx.TransportError):
    """The transport was closed, as this process shuts down: nothing was sent, and nothing will be."""

    def __init__(self) -> None:
        super().__init__("this process is shutting down")


class GuardedTransport(AiohttpTransport):
    """An httpx transport that connects only where the guard allows. Closed once, it stays closed: who comes late is refused.

    Args:
        guard: the operator's rule.
        limit: connections at most, over all hosts.
        limit_per_host: connections at most to one host, 0 for no limit of its own.
        resolver: the name lookup to guard; the system's by default.
        ssl_context: what certificates to trust; the usual authorities (and `SSL_CERT_FILE`) by default.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        limit: int = 200,
        limit_per_host: int = 0,
        resolver: AbstractResolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        context = ssl_context or trusted_authorities()
        super().__init__(verify=context, trust_env=False)
        self._make_connector = functools.partial(
            GuardedConnector,
            guard,
            resolver=resolver,
            ssl_context=context,
            limit=limit,
            limit_per_host=limit_per_host,
        )
        self._session: aiohttp.ClientSession | None = None
        self._stopped = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            AddressRefused: the guard says no.
            TransportStoppedError: it was closed.
            httpx.TransportError: connect errors when it was not sent, others when it may have been.
        """
        wire = request.extensions.get(WIRE)
        if not isinstance(wire, Wire):
            wire = Wire()
        wire.known = True
        timeout = request.extensions.get("timeout", {})
        body = await request.aread()
        with _as_httpx_errors(wire):
            response = await self._open_session().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=body or None,
                allow_redirects=False,
                compress=False,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=timeout.get("pool"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
                trace_request_ctx=wire,
            )
        return httpx.Response(
            status_code=response.status,
            headers=response.raw_headers,
            stream=_Body(response, wire),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def open_websocket(self, url: str) -> WebSocket:
        """Open a WebSocket. Raises WebSocketError, AddressRefused."""
        try:
            async with asyncio.timeout(WEBSOCKET_SECONDS):
                return await open_on(self._open_session(), url)
        except TransportStoppedError as error:
            raise WebSocketError(str(error)) from None
        except TimeoutError:
            raise WebSocketError(f"there was no answer within {WEBSOCKET_SECONDS:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            refused = refusal_in(error)
            if refused is not None:
                raise refused from None
            raise WebSocketError(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close the connections, those in use too; from now on every request is refused."""
        self._stopped = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # A late request, of a task that outlived its owner, would open a session that nobody closes.
        if self._stopped:
            raise TransportStoppedError
        # Made on the first request, because aiohttp wants a running loop.
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_mark_sent)
            self._session = aiohttp.ClientSession(
                connector=self._make_connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
                max_line_size=16_384,
                max_field_size=16_384,
            )
            # aiohttp repeats PUT and DELETE by itself when a kept connection breaks. Whether to repeat is for
            # kit.http and the job to decide. There is no public switch; a test notices when this one is gone.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session


@functools.cache
def trusted_authorities() -> ssl.SSLContext:
    """Return the process-wide TLS context; loading the authorities takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=True)


class _Body(AiohttpResponseStream):
    def __init__(self, response: aiohttp.ClientResponse, wire: Wire) -> None:
        super().__init__(response)
        self._response = response
        self._wire = wire

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors(self._wire):
            async for chunk in self._response.content.iter_chunked(self.CHUNK_SIZE):
                yield chunk

    async def aclose(self) -> None:
        # A body read to its end has given its connection back already; an unread one must not be reused.
        self._response.close()


async def _mark_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    wire = context.trace_request_ctx
    if isinstance(wire, Wire):
        wire.sent = True


@contextmanager
def _as_httpx_errors(wire: Wire) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        refused = refusal_in(error)
        if refused is not None:
            raise refused from None
        raise _httpx_error(error, wire)(_words(error)) from error


def _httpx_error(error: BaseException, wire: Wire) -> type[httpx.TransportError]:
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return httpx.UnsupportedProtocol
    if isinstance(error, aiohttp.SocketTimeoutError):
        return httpx.ReadTimeout
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout if wire.sent else httpx.ConnectTimeout
    if isinstance(error, aiohttp.ClientConnectorError) or not wire.sent:
        return httpx.ConnectError
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return httpx.RemoteProtocolError
    return httpx.ReadError


def refusal_in(error: BaseException | None) -> AddressRefused | None:
    """Return the guard's refusal that an error of the HTTP client came from, if it did."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, AddressRefused):
            return error
        seen.add(id(error))
        error = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.__cause__
    return None


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
