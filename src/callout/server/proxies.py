"""Who a request is really from, where a proxy that is trusted says so.

Anybody may send `X-Forwarded-For` and `Forwarded` (RFC 7239). They are read from the right, which is what the nearest proxy added, for
as long as each address is that of a trusted proxy; the first that is not is who asked. Where both are there and tell of different
people, one of them came from outside and neither is believed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LONGEST: Final = 50
"""So many addresses of one header are looked at."""


class BelieveProxies:
    """Puts the client's address, and whether it came by https, in the place of the proxy's.

    Args:
        app: what comes after.
        networks: of the proxies that are trusted, such as `10.1.2.0/24`; none: nobody is.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[str]) -> None:
        self._app = app
        self._trusted = tuple(ipaddress.ip_network(network) for network in networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope.get("client"):
            peer = _address(scope["client"][0])
            if peer is not None and self._trusts(peer):
                scope = self._told(scope, peer)
        await self._app(scope, receive, send)

    def _told(self, scope: Scope, peer: Address) -> Scope:
        headers = _Headers(scope)
        by_list = headers.listed(b"x-forwarded-for")
        by_forwarded = [_parameters(one) for one in headers.listed(b"forwarded")]
        chains = [by_list] if by_list else []
        if by_forwarded:
            chains.append([one.get("for", "") for one in by_forwarded])
        found = {self._from(chain, peer) for chain in chains}
        if len(found) != 1:
            return scope
        [client] = found
        scheme = (headers.listed(b"x-forwarded-proto") or [""])[-1]
        if by_forwarded and not by_list:
            scheme = by_forwarded[-1].get("proto", scheme)
        secure = {"https": {"http": "https", "ws": "wss"}, "http": {"https": "http", "wss": "ws"}}
        return {
            **scope,
            "client": (str(client), 0),
            "scheme": secure.get(scheme.lower(), {}).get(scope["scheme"], scope["scheme"]),
        }

    def _from(self, chain: Sequence[str], peer: Address) -> Address:
        """Return the address nearest to us that is no trusted proxy's, or the farthest that can be read."""
        for told in reversed(chain[-_LONGEST:]):
            if not self._trusts(peer):
                return peer
            further = _address(told)
            if further is None:
                return peer
            peer = further
        return peer

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


class _Headers:
    def __init__(self, scope: Scope) -> None:
        self._all: list[tuple[bytes, bytes]] = scope["headers"]

    def listed(self, name: bytes) -> list[str]:
        """Return the parts of a header that may come several times."""
        values = [value.decode("latin-1") for found, value in self._all if found == name]
        return [part.strip() for part in ",".join(values).split(",")] if values else []


def _parameters(element: str) -> dict[str, str]:
    """Return the parameters of one element of `Forwarded`."""
    pairs = (pair.partition("=") for pair in element.split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _address(told: str) -> Address | None:
    """Return the address in `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1` or `[2001:db8::1]:8080`; None for a name or nonsense."""
    text = told.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


__all__ = ["BelieveProxies"]
