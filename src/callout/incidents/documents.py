"""Reading settings that people write: what is wrong is said in plain words, with its place and the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from callout.incidents.model import storable
from callout.ports.errors import InvalidRequestError

LONGEST: Final = timedelta(days=366)
_WHOLE = re.compile(r"(?:[0-9]{1,6}[dhms])+")
_PART = re.compile(r"([0-9]+)([dhms])")
_UNITS: Final[Mapping[str, timedelta]] = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def kept(value: Any) -> Any:  # noqa: ANN401  # any part of a document
    """Return a document, or a part of one, with every text in it made one that can be stored."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {kept(name): kept(one) for name, one in value.items()}
    return [kept(one) for one in value] if isinstance(value, list) else value


def wrong(place: str, what: str, *, remedy: str = "") -> NoReturn:
    """Raise InvalidRequestError for `place` (`/rules/0/acknowledge`)."""
    raise InvalidRequestError(f"{place or '/'}: {what}", fields={place or "/": what}, remediation=remedy)


def nearest(word: str, known: Collection[str]) -> str:
    """Return a remedy that names what was probably meant, or what there is."""
    by_folded = {one.casefold(): one for one in known}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {by_folded[near[0]]}?"
    listed = ", ".join(sorted(known)[:15])
    return f"There are: {listed}." if listed else "There are none yet."


def duration(value: Any, place: str, *, least: timedelta = timedelta()) -> timedelta:  # noqa: ANN401
    """Return the duration that a person wrote (`15m`, `4h`, `1d12h`). Raises InvalidRequestError."""
    if not isinstance(value, str) or _WHOLE.fullmatch(value.strip().lower()) is None:
        wrong(
            place,
            f"{value!r} is no duration",
            remedy="Write days, hours, minutes and seconds, such as 15m, 4h or 1d12h.",
        )
    total = sum((int(n) * _UNITS[unit] for n, unit in _PART.findall(value.strip().lower())), timedelta())
    if not least <= total <= LONGEST:
        wrong(place, f"{value} must be at least {duration_text(least)} and at most {LONGEST.days} days")
    return total


def duration_text(value: timedelta) -> str:
    """Return a duration as people write it."""
    seconds = int(value.total_seconds())
    parts = (
        (seconds // 86_400, "d"),
        (seconds // 3_600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
    )
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0m"


def table(value: Any, place: str, known: Collection[str] = ()) -> Mapping[str, Any]:  # noqa: ANN401
    """Return a table (JSON object); with `known`, one that holds no other names. Raises InvalidRequestError."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        wrong(place, "must be a table of names and values")
    for name in value:
        if known and name not in known:
            wrong(f"{place}/{name}", f"there is no setting {name!r}", remedy=nearest(name, known))
    return value


def listed(value: Any, place: str, *, most: int = 200) -> list[Any]:  # noqa: ANN401
    """Return a list of at most `most` entries. Raises InvalidRequestError."""
    if not isinstance(value, list | tuple):
        wrong(place, "must be a list")
    if len(value) > most:
        wrong(place, f"holds {len(value)} entries; at most {most} are allowed")
    return list(value)


def text(value: Any, place: str, *, most: int = 100) -> str:  # noqa: ANN401
    """Return one line of text, not empty. Raises InvalidRequestError."""
    if not isinstance(value, str) or not value.strip():
        wrong(place, "must be text")
    plain = " ".join(value.replace("\x00", "").split())
    if len(plain) > most:
        wrong(place, f"has {len(plain)} characters; at most {most} are allowed")
    return plain


def whole(value: Any, place: str, *, least: int, most: int) -> int:  # noqa: ANN401
    """Return a whole number between two bounds. Raises InvalidRequestError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        wrong(place, f"must be a whole number from {least} to {most}")
    return value


__all__ = ["duration", "duration_text", "listed", "nearest", "table", "text", "whole", "wrong"]
