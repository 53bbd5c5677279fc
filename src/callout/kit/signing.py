"""Message authentication over exact bytes."""

from __future__ import annotations

import hmac


def hmac_sha256_hex(key: bytes, message: bytes) -> str:
    """Return the lower-case hex HMAC-SHA256 of `message`.

    Raises:
        ValueError: the key is empty; anyone could compute such a signature.
    """
    if not key:
        msg = "refusing to sign or verify with an empty key"
        raise ValueError(msg)
    return hmac.digest(key, message, "sha256").hex()


def equal(a: str | bytes, b: str | bytes) -> bool:
    """Compare two signatures in constant time; text is compared by its UTF-8 bytes."""
    return hmac.compare_digest(_raw(a), _raw(b))


def _raw(value: str | bytes) -> bytes:
    # surrogatepass: a header decoded with surrogate escapes must compare as unequal, not raise.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
