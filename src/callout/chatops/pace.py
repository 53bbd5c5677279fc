"""How quickly people may ask: so many commands a minute each, and so many for a workspace.

Kept in memory, so that a flood costs no database; each process counts by itself, and a restart forgets.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from callout.ports.chat import ChatEvent

if TYPE_CHECKING:
    from callout.chatops.context import Workspace
    from callout.kit.clock import Clock
    from callout.ports.chat import ChatInput

WINDOW: Final = timedelta(minutes=1)
REMEMBERED: Final = 20_000
"""People and workspaces; those not heard of for longest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to tell somebody who is too quick; `first` since they last were let through."""

    text: str
    first: bool


@dataclass(slots=True)
class _Bucket:
    """What is left of a minute's worth; it fills evenly."""

    left: float
    at: datetime
    told: bool = False


class Pace:
    """Counts what comes in, by workspace and by person."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str, str], _Bucket] = OrderedDict()

    def refusal(self, workspace: Workspace, given: ChatInput) -> Refusal | None:
        """Return None and count it, or what to say to who has to wait; a refused one is not counted."""
        user = given.user
        if user is None:
            return None
        settings, now = workspace.settings, self._clock.now()
        own = self._bucket((workspace.integration_id, given.team, user.id), settings.user_rate, now)
        all_ = self._bucket((workspace.integration_id, "", ""), settings.workspace_rate, now)
        for bucket, rate, who in (
            (own, settings.user_rate, "from you"),
            (all_, settings.workspace_rate, "from this workspace"),
        ):
            if bucket is not None and bucket.left < 1:
                first, bucket.told = not bucket.told, True
                wait = (1 - bucket.left) * WINDOW / rate
                again = now + wait
                seconds = max(1, ceil(wait.total_seconds()))
                what = "mentions" if isinstance(given, ChatEvent) else "commands"
                text = (
                    f"Too many {what} {who}: at most {rate} a minute are answered, and this one was not."
                    f" Again in {seconds} seconds ({again:%H:%M:%S} UTC)."
                )
                return Refusal(text, first)
        for bucket in (own, all_):
            if bucket is not None:
                bucket.left -= 1
                bucket.told = False
        return None

    def _bucket(self, key: tuple[str, str, str], rate: int, now: datetime) -> _Bucket | None:
        """Return the bucket of `key`, filled up to now; None where there is no limit."""
        if not rate:
            return None
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(rate), now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        else:
            passed = max(now - bucket.at, timedelta())
            bucket.left = min(bucket.left + rate * (passed / WINDOW), float(rate))
            bucket.at = now
            self._buckets.move_to_end(key)
        return bucket
