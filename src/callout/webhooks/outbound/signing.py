"""The signatures of what goes out: the contract's own header, and those of Standard Webhooks.

Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, base64, with the version before it;
while a secret is being replaced there is one signature for each that counts, separated by spaces.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from typing import TYPE_CHECKING, Final

from callout.kit.secrets import Secret
from callout.kit.signing import hmac_sha256_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = (24, 64)
_NEW_BYTES: Final = 32


def new_secret() -> Secret:
    """Return a new random secret in the form that Standard Webhooks libraries take."""
    return Secret(PREFIX + base64.b64encode(os.urandom(_NEW_BYTES)).decode())


def standard_key(secret: Secret) -> bytes:
    """Return the key of the Standard Webhooks signature: what follows `whsec_` decoded, or the text's own bytes."""
    text = secret.reveal()
    if text.startswith(PREFIX):
        try:
            return base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return text.encode()
    return text.encode()


def standard_secret(secret: Secret) -> Secret:
    """Return the secret in the form that Standard Webhooks libraries take."""
    return Secret(PREFIX + base64.b64encode(standard_key(secret)).decode())


def is_long_enough(secret: Secret) -> bool:
    """Return whether both signatures have a key of 24 to 64 bytes; what is written `whsec_` is counted decoded."""
    return SECRET_BYTES[0] <= len(standard_key(secret)) <= SECRET_BYTES[1]


def standard_signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `v1` signature of one key. Raises ValueError for an empty one."""
    if not key:
        msg = "refusing to sign with an empty key"
        raise ValueError(msg)
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signed_headers(
    secrets: Sequence[Secret], *, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return every header that signs a delivery.

    Args:
        secrets: those that count, the newest first. The contract's header has room for the newest alone.
        message_id: the `webhook-id`: the same in each attempt.
        timestamp: of this attempt, in seconds since 1970.
        body: exactly the bytes that are sent.
    """
    contract = "sha256=" + hmac_sha256_hex(secrets[0].reveal().encode(), body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            standard_signature(standard_key(secret), message_id, timestamp, body) for secret in secrets
        ),
        "Synqly-Signature": contract,
        "X-Synqly-Signature": contract,
    }
