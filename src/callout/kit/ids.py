"""Identifiers: time-ordered ids, readable slugs and unguessable tokens."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
import unicodedata
from typing import Final

MIN_TOKEN_BYTES: Final = 16

_NOT_SLUG = re.compile(r"[^a-z0-9_]+")
_COUNTER_BITS: Final = 12
_COUNTER_MASK: Final = (1 << _COUNTER_BITS) - 1
# Half of the counter space is left free, so that a burst within one millisecond rarely borrows from the next.
_COUNTER_START: Final = (1 << (_COUNTER_BITS - 1)) - 1


class _Sequence:
    """The (millisecond, counter) pair of UUIDv7 (RFC 9562 section 6.2, method 1), strictly rising."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, noise: int, count: int = 1) -> int:
        """Return the last of `count` positions in a row."""
        fresh = (time.time_ns() // 1_000_000) << _COUNTER_BITS | noise & _COUNTER_START
        with self._lock:
            # A clock stepped back, or many ids in one millisecond: go on from the last id instead.
            self._last = max(fresh, self._last + 1) + count - 1
            return self._last


_sequence = _Sequence()


def new_id() -> str:
    """Return a new UUIDv7 as text: unique everywhere, rising within this process, safe in paths and URLs."""
    noise = int.from_bytes(os.urandom(10))
    return _written(_sequence.next(noise >> 64), noise)


def new_ids(count: int) -> list[str]:
    """Return `count` new ids, rising: several times as fast as one by one."""
    noise = os.urandom(10 * count)
    behind = _sequence.next(int.from_bytes(noise[:2]), count) - count + 1 if count else 0
    return [
        _written(behind + place, int.from_bytes(noise[10 * place : 10 * place + 10]))
        for place in range(count)
    ]


def _written(position: int, noise: int) -> str:
    time_part = position >> _COUNTER_BITS
    # Written out: building a UUID object first doubles the cost of every stored row.
    return (
        f"{time_part >> 16:08x}-{time_part & 0xFFFF:04x}-7{position & _COUNTER_MASK:03x}"
        f"-{0x8000 | noise >> 48 & 0x3FFF:04x}-{noise & 0xFFFFFFFFFFFF:012x}"
    )


def slug(text: str) -> str:
    """Return `text` as `[a-z0-9_-]`, words joined by `-`; empty when nothing of it can be kept."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return _NOT_SLUG.sub("-", plain).strip("-")


def random_token(nbytes: int = 32) -> str:
    """Return a URL-safe token with `nbytes` bytes of randomness.

    Raises:
        ValueError: fewer than 16 bytes were asked for; such a token could be guessed.
    """
    if nbytes < MIN_TOKEN_BYTES:
        msg = f"a token needs at least {MIN_TOKEN_BYTES} bytes of randomness, not {nbytes}"
        raise ValueError(msg)
    return secrets.token_urlsafe(nbytes)
