"""The address guard at the only moment that counts: when the connection is made.

Used by `kit.http` and by whoever talks aiohttp directly. Checking a URL beforehand is not enough, because the
name may mean another address by the time of connecting; here the very addresses that are dialled are judged.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from callout.kit.net import AddressGuard, url_host

if TYPE_CHECKING:
    import ssl

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import AddrInfoType, Connection
    from aiohttp.tracing import Trace
    from yarl import URL

PASSED_URLS: Final = 4_096
"""So many URLs that passed are remembered."""


class GuardedResolver(AbstractResolver):
    """Name lookup that answers only with addresses the guard lets pass."""

    def __init__(self, guard: AddressGuard, inner: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._inner = inner or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look up `host`; one refused address refuses the name.

        Raises:
            AddressRefused: see `AddressGuard.check_address`.
            OSError: the name does not resolve.
        """
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            self._guard.check_address(entry["host"], host=host)
        return found

    async def close(self) -> None:
        await self._inner.close()


class GuardedConnector(aiohttp.TCPConnector):
    """A TCP connector whose every connection, also after a redirect, has passed the guard.

    Args:
        guard: the operator's rule.
        resolver: the name lookup to guard; the system's by default.
        ssl_context: what certificates to trust.
        limit: connections at most, over all hosts.
        limit_per_host: connections at most to one host and port.
        keepalive_timeout: seconds an idle connection is kept.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        resolver: AbstractResolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        limit: int = 100,
        limit_per_host: int = 0,
        keepalive_timeout: float = 15.0,
    ) -> None:
        self._guard = guard
        self._guarded_resolver = GuardedResolver(guard, resolver)
        self._passed: set[URL] = set()
        super().__init__(
            resolver=self._guarded_resolver,
            ssl=ssl_context if ssl_context is not None else True,
            limit=limit,
            limit_per_host=limit_per_host,
            keepalive_timeout=keepalive_timeout,
            family=socket.AF_UNSPEC,
            ttl_dns_cache=30,
            socket_factory=self._open_socket,
        )

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Give out a connection, new or kept, after the URL has passed.

        Raises:
            AddressRefused: the URL, or an address its name stands for, is refused.
        """
        # What is said of a URL alone stays true: only what its name stands for may change, and is judged at each connection.
        if req.url not in self._passed:
            self._guard.check_url(str(req.url.with_user(None)))
            if len(self._passed) >= PASSED_URLS:
                self._passed.clear()
            self._passed.add(req.url)
        if self._guard.require_https and req.url.scheme == "http":
            await self._check_plain(str(req.url.with_user(None)), req.port or 80)
        return await super().connect(req, traces, timeout)

    async def _check_plain(self, url: str, port: int) -> None:
        found = await self._resolve_host(url_host(url), port)
        self._guard.check_addresses(url, [entry["host"] for entry in found])

    def _open_socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _name, address = info
        # The last line: whatever was looked up or cached, this is the address that would be dialled.
        self._guard.check_address(str(address[0]), host=str(address[0]))
        return socket.socket(family, kind, protocol)
