"""Times as people write them: how long back, and by when. Pure; days are those of UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from callout.ports.errors import InvalidRequestError

_LENGTH = re.compile(r"([1-9][0-9]{0,3})\s*(m|min|h|d|w)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
LONGEST: Final = timedelta(days=366)


def length_of(text: str) -> timedelta | None:
    """Return the length of `2h`, None for what is none; at most a year."""
    match = _LENGTH.fullmatch(text.strip())
    return None if match is None else min(int(match[1]) * _UNITS[match[2].lower()], LONGEST)


def since(period: str, now: datetime) -> datetime:
    """Return when a period up to now began. Raises InvalidRequestError."""
    name = period.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "today":
        return midnight
    if name == "yesterday":
        return midnight - timedelta(days=1)
    length = length_of(name)
    if length is None:
        raise InvalidRequestError(
            f"{period[:40]!r} is not a time that has passed",
            remediation="Write 30m, 2h, 7d, today or yesterday",
        )
    return now - length


def due_at(text: str, now: datetime) -> datetime:
    """Return the moment of `2h` (from now), `14:30` (the next one, UTC) or `2026-01-31T12:00Z`. Raises InvalidRequestError."""
    given = text.strip()
    length = length_of(given)
    if length is not None:
        return now + length
    clock = _CLOCK.fullmatch(given)
    if clock is not None:
        moment = now.astimezone(UTC).replace(
            hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0
        )
        return moment if moment > now else moment + timedelta(days=1)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidRequestError(
            f"{given[:40]!r} is not a time", remediation="Write 2h, 14:30 (UTC) or 2026-01-31T12:00Z"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
