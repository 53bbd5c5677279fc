"""What a vendor's answer says about how much it allows, in neutral values.

Each connector's `limits.py` reads its vendor's headers into an `Allowance`; the gate in front of the account goes by it. Nothing a
vendor sends can keep us away for longer than an hour at a time, or into the past; and times are judged by the vendor's own clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

from callout.kit.clock import http_date
from callout.kit.retry import parse_retry_after

LONGEST_WAIT: Final = timedelta(hours=1)
"""However long a vendor asks us to stay away, we look again after this."""
LARGEST_LIMIT: Final = 1_000_000_000
"""What is larger limits nothing, or is no number of calls."""
_NOTHING: Final = timedelta(0)
_COUNT = re.compile(r"\d{1,18}", re.ASCII)
_PER = {timedelta(seconds=1): "second", timedelta(minutes=1): "minute", timedelta(hours=1): "hour"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of one answer: what the limits of the vendor are read from.

    Args:
        status: the HTTP status.
        headers: names in any case.
        now: our time when it came.
        method: of the request.
        path: of the request, below the base URL.
        part: what the request was about, where the vendor limits each such thing on its own (a channel).
    """

    status: int
    headers: Mapping[str, str]
    now: datetime
    method: str = ""
    path: str = ""
    part: str = ""
    _names: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._names.update((name.lower(), value.strip()) for name, value in self.headers.items())

    @property
    def refused(self) -> bool:
        """Whether the call was one too many."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def their_now(self) -> datetime:
        """The time by the vendor's clock (its Date header), or ours when it does not tell."""
        return http_date(self.text("date")) or self.now

    def text(self, name: str) -> str:
        """Return a header, empty when it is absent."""
        return self._names.get(name.lower(), "")

    def count(self, name: str) -> int | None:
        """Return a header that is a number of calls, None for anything else."""
        text = self.text(name)
        number = int(text) if _COUNT.fullmatch(text) else None
        return None if number is None or number > LARGEST_LIMIT else number

    def seconds(self, name: str) -> timedelta | None:
        """Return how long from now, for a header in seconds; None when it holds no such thing."""
        text = self.text(name)
        return bounded(timedelta(seconds=min(int(text), 10**9))) if _COUNT.fullmatch(text) else None

    def epoch(self, name: str) -> timedelta | None:
        """Return how long from now, for a header in Unix seconds."""
        text = self.text(name)
        if not _COUNT.fullmatch(text):
            return None
        try:
            return bounded(datetime.fromtimestamp(int(text), UTC) - self.their_now)
        except (ValueError, OverflowError, OSError):
            return None

    def moment(self, name: str) -> timedelta | None:
        """Return how long from now, for a header that is an ISO 8601 time; without a zone it means UTC."""
        try:
            told = datetime.fromisoformat(self.text(name))
            told = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
            return bounded(told - self.their_now)
        except (ValueError, OverflowError):
            return None

    def retry_after(self) -> timedelta | None:
        """Return the wait that `Retry-After` asks for."""
        told = parse_retry_after(self.text("retry-after") or None, self.their_now)
        return None if told is None else bounded(told)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much one vendor account, or a part of it, allows, as one answer told it. What was not told is None.

    Args:
        name: the limit in words, beginning with the vendor's name.
        part: which part of the vendor's API it holds for; empty: the whole account.
        refused: the call was one too many and was not carried out.
        wait: how long to stay away after a refusal.
        limit: calls in one window.
        window: how long a window lasts; told whenever `limit` is.
        remaining: calls left in this window.
        ends_in: until the next window.
    """

    name: str
    part: str = ""
    refused: bool = False
    wait: timedelta | None = None
    limit: int | None = None
    window: timedelta | None = None
    remaining: int | None = None
    ends_in: timedelta | None = None

    @property
    def windowed(self) -> bool:
        """Whether it says how many calls a window has, and when that ends."""
        return bool(self.limit) and bool(self.window) and self.ends_in is not None

    @property
    def asked_wait(self) -> timedelta | None:
        """How long to stay away after a refusal: what was asked for, else until the next window; None: not told."""
        return (self.wait if self.wait is not None else self.ends_in) if self.refused else None


class VendorLimits(Protocol):
    """How one vendor limits its callers, and how it tells."""

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return the parts of the API, limited on their own, that a call uses beside the whole account."""
        ...

    def read(self, answer: Answer) -> Allowance | None:
        """Return what an answer says; None when it says nothing."""
        ...


class PlainLimits:
    """A vendor that tells nothing but `Retry-After` with its refusals."""

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return none."""
        _ = (method, path, part)
        return ()

    def read(self, answer: Answer) -> Allowance | None:
        """Return the wait of a refusal."""
        if not answer.refused:
            return None
        return Allowance(f"{self._vendor}'s limit", refused=True, wait=answer.retry_after())


def bounded(wait: timedelta) -> timedelta:
    """Return `wait` between nothing and an hour."""
    return max(_NOTHING, min(wait, LONGEST_WAIT))


def per(limit: int, window: timedelta, *, what: str = "calls") -> str:
    """Return a limit in words: "500 calls per hour"."""
    return f"{limit} {what} per {_PER.get(window) or f'{window.total_seconds():g} seconds'}"


def used_up(name: str, until: datetime | None, *, spared: bool = False) -> str:
    """Say that a limit is used up, and until when; `spared`: but for what is kept for more urgent work."""
    when = "" if until is None else f" until {clock_time(until)}"
    return f"{name} is used up{when}" + (", but for what is kept for more urgent work" if spared else "")


def refusal_words(said: Allowance, now: datetime) -> str:
    """Say in words what a refusal told."""
    wait = said.asked_wait
    return used_up(said.name, None if wait is None else now + wait)


def clock_time(moment: datetime) -> str:
    """Return a time of day, up to the whole second after it: one that has passed when it is read."""
    return f"{(moment + timedelta(microseconds=999_999)).astimezone(UTC):%H:%M:%S}Z"
