"""The one place that talks to endpoints: signed POST, guarded address, bounded in time and in what is read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import callout
from callout.kit.connector import GuardedConnector
from callout.kit.retry import parse_retry_after
from callout.kit.transport import refusal_in, trusted_authorities

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from callout.kit.net import AddressGuard

ANSWER_BYTES: Final = 2_048
"""So much of an answer is read and kept; a longer one is cut off with its connection."""
ANSWER_SECONDS: Final = 2.0
"""How long the words of an answer are waited for once its status is known."""
LOOKUP_THREADS: Final = 64
KEPT_SECONDS: Final = 4.0
"""Shorter than most servers keep an idle connection: a request on one that they close that moment fails."""
_GONE: Final = 410
_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"Callout-Webhooks/{callout.__version__}",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `took` in seconds; without an answer `status` is None and `error` says why."""

    at: datetime
    took: float
    status: int | None
    error: str = ""
    answer: bytes = b""
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Whether the endpoint took it: any 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  # HTTP's own classes

    @property
    def gone(self) -> bool:
        """Whether the endpoint said that it wants no more, ever: 410."""
        return self.status == _GONE


class Lookup(AbstractResolver):
    """Name lookups in threads of their own: names that never resolve must not keep others' lookups waiting."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="webhook-lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up `host`. Raises OSError when it does not resolve."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _type, proto, _name, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(
    host: str, port: int, family: socket.AddressFamily
) -> list[tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]]:
    return socket.getaddrinfo(  # type: ignore[return-value]  # the first two are enumerations of int
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )


class SenderClosedError(Exception):
    """The sender was closed, as this process shuts down. That is no attempt: the endpoint had no part in it."""


class Sender:
    """Makes the requests. Every connection passes the guard when it is made, to the very address that was checked.

    Args:
        guard: the operator's rule about addresses.
        timeout: for one attempt as a whole, in seconds.
        resolver: the name lookup to guard; the system's by default.
        ssl_context: what certificates to trust; the usual authorities by default.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        timeout: float = 10.0,
        resolver: AbstractResolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._timeout = timeout
        self._limits = aiohttp.ClientTimeout(total=timeout)
        self._resolver = resolver
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None
        self.closed = False

    async def send(
        self, url: str, body: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> Outcome:
        """Make one attempt, `at` that time by our clock. Whatever goes wrong out there is its outcome.

        Raises SenderClosedError when we are closed, before it or under it: then it may have arrived, and is to be made again.
        """
        at, began = at or datetime.now(UTC), time.monotonic()
        try:
            return await self._send(url, body, headers, at=at, began=began)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self.closed:
                raise SenderClosedError from error
            return Outcome(at, time.monotonic() - began, None, self._words(error))

    async def _send(
        self, url: str, body: bytes, headers: Mapping[str, str], *, at: datetime, began: float
    ) -> Outcome:
        response = await self._open().post(
            URL(url),
            data=body,
            headers={**_HEADERS, **headers},
            allow_redirects=False,
            timeout=self._limits,
        )
        try:
            answer = await self._answer(response)
        finally:
            # A body read to its end has given its connection back already; of any other nothing more is wanted.
            response.close()
        error = ""
        if 300 <= response.status < 400:  # noqa: PLR2004  # HTTP's own classes
            error = "the endpoint answered with a redirect, which is not followed: give its new address"
        asked = response.headers.get("Retry-After")
        return Outcome(
            at,
            time.monotonic() - began,
            response.status,
            error,
            answer,
            None if asked is None else parse_retry_after(asked, datetime.now(UTC)),
        )

    @staticmethod
    async def _answer(response: aiohttp.ClientResponse) -> bytes:
        """Return the first 2 kB of the answer; its status counts even when its words never end, or break off."""
        kept = bytearray()
        if response.content.is_eof():  # it came in one piece with the status, as most do
            with contextlib.suppress(aiohttp.ClientError, OSError):
                kept += response.content.read_nowait()
            return bytes(kept[:ANSWER_BYTES])
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while len(kept) < ANSWER_BYTES:
                    chunk = await response.content.read(ANSWER_BYTES - len(kept))
                    if not chunk:
                        break
                    kept += chunk
        return bytes(kept)

    async def close(self) -> None:
        """Close the connections, those in use too; from now on nothing is sent."""
        self.closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self.closed:
            raise SenderClosedError
        # Made on the first attempt, because aiohttp wants a running loop.
        if self._session is None:
            connector = GuardedConnector(
                self._guard,
                resolver=self._resolver or Lookup(),
                ssl_context=self._ssl or trusted_authorities(),
                limit=0,
                keepalive_timeout=KEPT_SECONDS,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=16_384,
                max_field_size=16_384,
            )
        return self._session

    def _words(self, error: BaseException) -> str:
        refused = refusal_in(error)
        if refused is not None:
            return f"refused: {refused}"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return f"{type(error).__name__}: {error}"[:500] if str(error) else type(error).__name__


class Places:
    """How many requests may be under way in this process, so that endpoints in trouble never take the places of others.

    The first request of an endpoint, its further ones side by side, and those of endpoints that failed last each have places of
    their own.
    """

    def __init__(self, most: int = 1_024) -> None:
        self._first = asyncio.Semaphore(most // 2)
        self._troubled = asyncio.Semaphore(most // 4)
        self._further = most // 4

    def first(self, *, troubled: bool) -> asyncio.Semaphore:
        """Return what to enter for an endpoint's first request."""
        return self._troubled if troubled else self._first

    def further(self, wanted: int) -> int:
        """Take up to `wanted` places for more requests of one endpoint, without waiting; return how many were free."""
        taken = min(max(wanted, 0), self._further)
        self._further -= taken
        return taken

    def give_back(self, taken: int) -> None:
        """Give places for further requests back."""
        self._further += taken


def files_allowed() -> int:
    """Return how many requests may be under way with the files that this process may open; half of them are left to others."""
    try:
        import resource  # noqa: PLC0415  # not on every system
    except ImportError:
        return 256
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2_048 if soft == resource.RLIM_INFINITY else max(64, min(2_048, soft // 2))


__all__ = ["ANSWER_BYTES", "Lookup", "Outcome", "Places", "Sender", "SenderClosedError", "files_allowed"]
