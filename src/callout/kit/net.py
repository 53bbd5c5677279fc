"""Which addresses we connect to: none inside the operator's own network unless the operator says so.

Base URLs and webhook endpoints are typed by users. Without this guard they could make us read cloud metadata
or internal services. The judgement on one address is here; `kit.connector` asks for it at connection time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

SETTING: Final = "CALLOUT_ALLOW_NETWORKS"

_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_NUMERIC_LAST_LABEL = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_EVER_REFUSED: Final[tuple[tuple[Network, str], ...]] = (
    (IPv4Network("0.0.0.0/8"), "unspecified"),
    (IPv4Network("100.64.0.0/10"), "carrier-grade NAT"),
    (IPv4Network("168.63.129.16/32"), "cloud metadata"),  # Azure's wire server has a public address
    (IPv4Network("192.0.0.0/24"), "protocol assignment"),
    (IPv4Network("192.88.99.0/24"), "6to4 relay"),
    (IPv4Network("198.18.0.0/15"), "benchmarking"),
    (IPv6Network("::/96"), "IPv4-compatible"),
    (IPv6Network("64:ff9b:1::/48"), "local NAT64"),
    (IPv6Network("100::/64"), "discard-only"),
    (IPv6Network("2001::/32"), "Teredo"),
    (IPv6Network("2002::/16"), "6to4"),
    (IPv6Network("fec0::/10"), "site-local"),
)


class AddressRefused(OSError):  # noqa: N818 - said of the address, in the words of the brief to operators
    """A URL or its address is not one we may connect to.

    An OSError, because it is raised in the middle of connecting and must pass through libraries as one.
    """

    def __init__(self, message: str, *, host: str, address: str | None = None, reason: str) -> None:
        super().__init__(message)
        self.host = host
        self.address = address
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """The operator's rule on outgoing connections.

    Args:
        allow: networks that may be reached although they are not public (`CALLOUT_ALLOW_NETWORKS`).
        require_https: refuse plain http, except to addresses inside `allow`.
    """

    allow: tuple[Network, ...] = ()
    require_https: bool = True

    @classmethod
    def parse(cls, networks: str | Iterable[str], *, require_https: bool = True) -> Self:
        """Read networks or single addresses, as a list or separated by commas or spaces.

        Raises:
            ValueError: one of them is not a network.
        """
        parts = re.split(r"[,\s]+", networks) if isinstance(networks, str) else list(networks)
        allow: list[Network] = []
        for part in filter(None, parts):
            try:
                allow.append(ipaddress.ip_network(part, strict=False))
            except ValueError:
                msg = f"{SETTING}: {part!r} is not an address or a network such as 10.0.0.0/8"
                raise ValueError(msg) from None
        return cls(allow=tuple(allow), require_https=require_https)

    def allows_explicitly(self, address: Address) -> bool:
        """Say whether the operator listed this address."""
        plain = _unmapped(address)
        return any(plain.version == network.version and plain in network for network in self.allow)

    def reason_to_refuse(self, address: Address) -> str | None:
        """Return what kind of address this is when it may not be reached, or None when it may."""
        return None if self.allows_explicitly(address) else _kind(address)

    def check_address(self, address: str | Address, *, host: str) -> None:
        """Let an address pass or raise.

        Args:
            address: where the connection would go.
            host: the name the user typed, for the message.

        Raises:
            AddressRefused: the address is not public and not allowed by the operator.
        """
        parsed = _address(address) if isinstance(address, str) else address
        if parsed is None:
            raise AddressRefused(
                f"{host} resolves to {address!r}, which is not an IP address", host=host, reason="unreadable"
            )
        reason = self.reason_to_refuse(parsed)
        if reason is None:
            return
        named = str(parsed) if host.strip("[]") == str(parsed) else f"{host} resolves to {parsed}, which"
        raise AddressRefused(
            f"{named} is refused: {reason} address; list it in {SETTING} to allow it",
            host=host,
            address=str(parsed),
            reason=reason,
        )

    def check_url(self, url: str) -> None:
        """Check everything about a URL that needs no name lookup.

        Plain http to a host name passes here and is judged by its addresses when connecting.

        Raises:
            AddressRefused: wrong scheme, no host, a user name, odd characters, or a refused literal address.
        """
        host = url_host(url)
        literal = _address(host)
        if literal is None:
            return
        self.check_address(literal, host=host)
        if self._is_refused_plain(url, [literal]):
            raise self._plain_http(host)

    def check_addresses(self, url: str, addresses: Iterable[str]) -> None:
        """Check the looked-up addresses of a URL's host; one bad address refuses them all.

        Raises:
            AddressRefused: as above, or plain http to an address outside `allow`.
        """
        host = url_host(url)
        parsed: list[Address] = []
        for text in addresses:
            self.check_address(text, host=host)
            parsed.append(ipaddress.ip_address(text.partition("%")[0]))
        if self._is_refused_plain(url, parsed):
            raise self._plain_http(host)

    async def check_resolved(self, url: str) -> None:
        """Check a URL together with what its name means at this moment, to tell a user early.

        This does not replace the check when connecting: a name can mean something else a second later.

        Raises:
            AddressRefused: as above.
            socket.gaierror: the name does not resolve.
        """
        self.check_url(url)
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
        self.check_addresses(url, [str(entry[4][0]) for entry in found])

    def _is_refused_plain(self, url: str, addresses: list[Address]) -> bool:
        if not self.require_https or urlsplit(url).scheme != "http":
            return False
        return not all(self.allows_explicitly(address) for address in addresses)

    def _plain_http(self, host: str) -> AddressRefused:
        return AddressRefused(
            f"plain http to {host} is refused; use https, or list its address in {SETTING}",
            host=host,
            reason="plain http",
        )


def url_host(url: str) -> str:
    """Return the host of an http or https URL, without brackets.

    Raises:
        AddressRefused: the URL is not one we would ever call. The message never shows its path or query.
    """
    if _UNSAFE_IN_URL.search(url):
        raise AddressRefused("the URL has a space, backslash or control character", host="", reason="bad URL")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise AddressRefused("the URL cannot be read", host="", reason="bad URL") from None
    if parts.scheme not in {"http", "https"}:
        raise AddressRefused("the URL must start with https://", host=host or "", reason="bad scheme")
    if not host:
        raise AddressRefused("the URL has no host", host="", reason="bad URL")
    if _NUMERIC_LAST_LABEL.search(host) and _address(host) is None:
        # 127.1, 2130706433 and 0x7f.1 are 127.0.0.1 to some parsers and names to others.
        raise AddressRefused(f"{host} is an IP address in an unusual form", host=host, reason="bad URL")
    if "@" in parts.netloc:
        raise AddressRefused(
            f"the URL of {host} carries a user name; remove it", host=host, reason="user name in URL"
        )
    return host


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _kind(address: Address) -> str | None:  # noqa: C901, PLR0911 - one line per kind of address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return f"IPv4-mapped ({_kind(address.ipv4_mapped) or 'public'})"
        if address in _NAT64:
            # On an IPv6-only network this is the way to every IPv4 host, so the IPv4 address inside decides.
            inner = _kind(IPv4Address(int(address) & 0xFFFFFFFF))
            return inner and f"NAT64 ({inner})"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified:
        return "unspecified"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    for network, name in _EVER_REFUSED:
        if address.version == network.version and address in network:
            return name
    if address.is_reserved:
        return "reserved"
    if address.is_private:
        return "private"
    return None if address.is_global else "non-public"
