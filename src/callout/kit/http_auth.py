"""Credentials of a call: headers made of secrets, refreshable where the vendor's tokens expire."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Protocol

from callout.kit.secrets import Secret


class Auth(Protocol):
    """Supplies the credentials of each call."""

    async def headers(self) -> Mapping[str, str | Secret]:
        """Return the headers that authenticate a call, refreshing a token that is about to expire."""
        ...

    async def rejected(self) -> bool:
        """Learn that the vendor answered 401; return True when fresh credentials are worth one more try."""
        ...


class StaticAuth:
    """Credentials that do not change."""

    def __init__(self, headers: Mapping[str, str | Secret]) -> None:
        self._headers = dict(headers)

    async def headers(self) -> Mapping[str, str | Secret]:
        return self._headers

    async def rejected(self) -> bool:
        return False


def basic_auth(user: str, password: Secret) -> StaticAuth:
    """Return HTTP Basic credentials (RFC 7617, UTF-8).

    Raises:
        ValueError: the user name has a colon, which would move part of it into the password.
    """
    if ":" in user:
        raise ValueError("a user name for Basic authentication cannot contain ':'")
    encoded = base64.b64encode(f"{user}:{password.reveal()}".encode()).decode("ascii")
    return StaticAuth({"Authorization": Secret(f"Basic {encoded}")})


def bearer_auth(token: Secret) -> StaticAuth:
    """Return Bearer credentials."""
    return StaticAuth({"Authorization": Secret(f"Bearer {token.reveal()}")})
