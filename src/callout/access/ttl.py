"""How long something lives, as people write it: `24h`, `1h30m`, `45s`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from callout.ports.errors import InvalidRequestError

LONGEST: Final = timedelta(days=3660)
_WHOLE = re.compile(r"(?:[0-9]{1,9}[hms])+")
_PART = re.compile(r"([0-9]+)([hms])")
_UNIT: Final = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def parse_ttl(text: str) -> timedelta:
    """Return the duration of `text`: numbers with h, m or s, added up. Raises InvalidRequestError."""
    if _WHOLE.fullmatch(text) is None:
        raise InvalidRequestError(
            f"{text!r} is no duration",
            remediation="Write hours, minutes and seconds such as 24h, 1h30m or 45s.",
            fields={"token_ttl": "not a duration"},
        )
    total = sum((int(number) * _UNIT[unit] for number, unit in _PART.findall(text)), timedelta())
    if not timedelta() < total <= LONGEST:
        raise InvalidRequestError(
            f"{text!r} must be longer than nothing and at most {LONGEST.days} days",
            fields={"token_ttl": "out of range"},
        )
    return total
