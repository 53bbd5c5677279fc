"""Opaque page cursors: a position, bound to the query it belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

MAX_LENGTH: Final = 8192
_DIGEST_CHARACTERS: Final = 16


def encode_cursor(position: Mapping[str, Any], *, scope: str) -> str:
    """Return `position` (plain JSON values) as URL-safe text for readers with the same `scope`.

    A cursor is not a secret and not signed: whoever reads it must treat the position as user input.
    """
    body = json.dumps({"s": _digest(scope), "p": dict(position)}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode_cursor(text: str, *, scope: str) -> dict[str, Any]:
    """Return the position inside a cursor.

    Raises:
        ValueError: it is garbage, or was made for another query.
    """
    problem = "this is not a cursor of ours"
    if len(text) > MAX_LENGTH or not text.isascii():
        raise ValueError(problem)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(problem) from error
    position = body.get("p") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(position, dict):
        raise ValueError(problem)  # noqa: TRY004  # a bad value, whatever its type
    if body.get("s") != _digest(scope):
        raise ValueError("this cursor belongs to another query: filters and order must stay the same")
    return position


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:_DIGEST_CHARACTERS]
