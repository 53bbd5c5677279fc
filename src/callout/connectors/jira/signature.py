"""How Jira proves that a webhook is its own: an HMAC over the body, or a JWT made with the OAuth app's secret."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from callout.kit.signing import equal, hmac_sha256_hex

METHODS: Final = frozenset({"sha256"})
"""The header names the method; only these are believed."""
LEEWAY_SECONDS: Final = 60


def hub_signature_matches(keys: Sequence[bytes], body: bytes, header: str) -> bool:
    """True when `header` (`sha256=<hex>`) covers exactly these bytes with one of `keys`; never without a key."""
    method, separator, signature = header.strip().partition("=")
    if not separator or method.lower() not in METHODS:
        return False
    given = signature.lower()
    # No generator: this stands in the way of every webhook.
    for key in keys:  # noqa: SIM110
        if key and equal(hmac_sha256_hex(key, body), given):
            return True
    return False


def bearer_token_problem(token: str, *, secret: bytes, issuer: str, now: datetime) -> str:
    """Return what is wrong with the JWT of an OAuth app's webhook, or an empty text.

    Args:
        token: the compact JWT; only HS256 is accepted, whatever its header says.
        secret: the app's client secret.
        issuer: the app's client id; when empty, any issuer will do.
        now: the current time.
    """
    if not secret:
        return "the client secret is empty"
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, claims, signature
        return "not a JWT"
    head, claims, signature = _object(parts[0]), _object(parts[1]), _decode(parts[2])
    if head is None or claims is None or signature is None:
        return "not a JWT"
    if head.get("alg") != "HS256":
        return "the JWT is not signed with HS256"
    expected = hmac_sha256_hex(secret, f"{parts[0]}.{parts[1]}".encode())
    if not equal(expected, signature.hex()):
        return "wrong JWT signature"
    return _claims_problem(claims, issuer=issuer, now=now.timestamp())


def _claims_problem(claims: dict[str, Any], *, issuer: str, now: float) -> str:
    expires, not_before = _number(claims.get("exp")), _number(claims.get("nbf"))
    if expires is None:
        return "the JWT never expires"
    if now > expires + LEEWAY_SECONDS:
        return "the JWT has expired"
    if not_before is not None and now < not_before - LEEWAY_SECONDS:
        return "the JWT is not valid yet"
    named = claims.get("iss")
    if not isinstance(named, str) or not named:
        return "the JWT names no issuer"
    return "the JWT is of another issuer" if issuer and named != issuer else ""


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _decode(part: str) -> bytes | None:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _object(part: str) -> dict[str, Any] | None:
    raw = _decode(part)
    if raw is None:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
