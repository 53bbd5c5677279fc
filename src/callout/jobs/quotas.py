"""Quotas: what vendors say they allow in a window, counted once for all processes.

A quota is a row per vendor account and part of the vendor's API, learned from its answers. Processes take some calls out of it at a
time, so that counting costs one commit for many calls. Less urgent lanes leave a reserve to more urgent ones; the most urgent are
turned away by the vendor's own word only, never by our counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.kit.allowance import LONGEST_WAIT, used_up
from callout.kit.clock import Clock, SystemClock
from callout.kit.lanes import RESERVED, Lane
from callout.storage.later import Question
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.storage import Tx

MICROS = 1_000_000
SAME_WINDOW = 5 * MICROS
"""Answers tell the end of one window up to so far apart: clocks and headers have whole seconds."""
FORGOTTEN = timedelta(days=1)
"""So long after its last window a quota that nobody was told of again is removed."""

_COLUMNS = "part, name, amount, left_over, span, ends_at, blocked_until"
_ONE = f"SELECT {_COLUMNS} FROM job_quota WHERE key = {{0}} AND part = {{1}}"  # noqa: S608  # a constant
_ALL = f"SELECT {_COLUMNS} FROM job_quota WHERE key = {{0}} AND (ends_at > {{1}} OR blocked_until > {{2}})"  # noqa: S608
_SAVE = (
    "INSERT INTO job_quota (key, part, name, amount, left_over, span, ends_at, blocked_until)"
    " VALUES ({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}) ON CONFLICT (key, part) DO UPDATE SET name = excluded.name,"
    " amount = excluded.amount, left_over = excluded.left_over, span = excluded.span, ends_at = excluded.ends_at,"
    " blocked_until = excluded.blocked_until"
)
_MAKE = (
    "INSERT INTO job_quota (key, part, name, amount, left_over, span, ends_at, blocked_until)"
    " VALUES ({0}, {1}, '', 0, 0, 0, 0, 0) ON CONFLICT (key, part) DO NOTHING"
)
_PURGE = "DELETE FROM job_quota WHERE ends_at < {0} AND blocked_until < {1}"
_Q = tuple(f"?{n}" for n in range(1, 9))
_D = tuple(f"${n}" for n in range(1, 9))


async def _run(tx: Tx, text: str, *params: object, lock: str = "") -> Sequence[Sequence[Any]]:
    return await tx.driver_all(text.format(*_Q), text.format(*_D) + lock, params)


@dataclass(frozen=True, slots=True)
class Told:
    """What a vendor said of one window: its limit, its length, when it ends, and what is left of it (None: not told)."""

    name: str
    limit: int
    window: timedelta
    ends_at: datetime
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota as it stands. Times are microseconds; `amount` is 0 while only a block is known of it."""

    part: str
    name: str
    amount: int = 0
    left: int = 0
    span: int = 0
    ends_at: int = 0
    blocked_until: int = 0

    def at(self, now: int) -> Quota:
        """Return it as of `now`: when its window has ended, the next one is taken to be whole."""
        if not self.amount or now < self.ends_at:
            return self
        windows = (now - self.ends_at) // self.span + 1
        return replace(self, left=self.amount, ends_at=self.ends_at + windows * self.span)

    def free(self, lane: Lane) -> int:
        """Return how many calls are left for `lane`."""
        return self.left - int(self.amount * RESERVED[lane])

    def refuses(self, lane: Lane, now: int) -> tuple[int, str] | None:
        """Return until when calls of `lane` have to wait, and why in words; None when they may go."""
        if self.blocked_until > now:
            return self.blocked_until, used_up(self.name, from_micros(self.blocked_until))
        if not self.amount or lane is Lane.URGENT or self.free(lane) > 0:
            return None
        return self.ends_at, used_up(self.name, from_micros(self.ends_at), spared=self.left > 0)


@dataclass(frozen=True, slots=True)
class Grant:
    """Calls taken out of a quota: `calls` of them (0: none for this lane now), and the quota afterwards."""

    calls: int
    quota: Quota


class Quotas:
    """The quotas of all vendor accounts; every method works in the caller's transaction."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    async def known(self, tx: Tx, key: str) -> list[Quota]:
        """Return the quotas of `key` whose window or block lasts."""
        now = micros(self._clock.now())
        # A window that ended a moment ago is still told: the next one is as large.
        rows = await _run(tx, _ALL, key, now - LONGEST_WAIT // timedelta(microseconds=1), now)
        return [Quota(*row).at(now) for row in rows]

    async def learn(self, tx: Tx, key: str, part: str, told: Told, *, spent: int = 0, held: int = 0) -> Quota:
        """Believe what the vendor said.

        Args:
            tx: the caller's transaction.
            key: the vendor account.
            part: the part of its API.
            told: what was said.
            spent: calls made in this window that nobody has counted yet.
            held: calls taken out earlier and not made yet.
        """
        now = micros(self._clock.now())
        found = await self._find(tx, key, part, now)
        ends_at = min(micros(told.ends_at), now + LONGEST_WAIT // timedelta(microseconds=1))
        span = told.window // timedelta(microseconds=1)
        same = found.amount > 0 and found.span == span and abs(found.ends_at - ends_at) <= SAME_WINDOW
        if ends_at <= now:
            return found  # the last word about a window that is over
        left = (found.left + told.limit - found.amount if same else told.limit) - spent
        if told.remaining is not None:
            left = min(left, told.remaining - held)
        quota = Quota(
            part,
            told.name,
            told.limit,
            left=max(0, min(left, told.limit)),
            span=span,
            ends_at=found.ends_at if same else ends_at,
            blocked_until=found.blocked_until,
        )
        await self._save(tx, key, quota)
        return quota

    async def take(self, tx: Tx, key: str, part: str, *, lane: Lane, most: int, spent: int = 0) -> Grant:
        """Take up to `most` calls out of what is left for `lane`; `spent` as for :meth:`learn`.

        An urgent call is given one try even when nothing is left: our counting may be wrong, and the vendor's no stops everybody.
        """
        now = micros(self._clock.now())
        found = await self._find(tx, key, part, now)
        left = max(0, found.left - spent)
        if not found.amount:
            return Grant(most, found)
        calls = max(0, min(most, replace(found, left=left).free(lane)))
        if not calls and lane is Lane.URGENT:
            calls = 1
        quota = replace(found, left=max(0, left - calls))
        if quota.left != found.left:
            await self._save(tx, key, quota)
        return Grant(calls, quota)

    async def block(self, tx: Tx, key: str, part: str, *, until: datetime, name: str) -> None:
        """Keep everybody away from a part of `key`'s API until then; an earlier block that lasts longer stays."""
        now = micros(self._clock.now())
        found = await self._find(tx, key, part, now)
        if micros(until) > max(found.blocked_until, now):
            await self._save(tx, key, replace(found, name=name, blocked_until=micros(until)))

    async def purge(self, tx: Tx) -> None:
        """Remove what was last told a day ago."""
        before = micros(self._clock.now() - FORGOTTEN)
        await _run(tx, _PURGE, before, before)

    async def find(self, tx: Tx, key: str, part: str = "") -> Quota:
        """Return one quota as it stands, without a lock."""
        return self.answer(await _run(tx, _ONE, key, part), part)

    def question(self, key: str, part: str = "") -> Question:
        """Return what asks for a quota together with other things; :meth:`answer` reads what it found."""
        return Question(_ONE.format(*_Q), _ONE.format(*_D), (key, part))

    def answer(self, rows: Sequence[Sequence[Any]], part: str = "") -> Quota:
        """Return the quota as it stands."""
        return Quota(*rows[0]).at(micros(self._clock.now())) if rows else Quota(part, "")

    async def _find(self, tx: Tx, key: str, part: str, now: int) -> Quota:
        rows = await _run(tx, _ONE, key, part, lock=" FOR UPDATE")
        if not rows:
            # Two processes that hear of it at once: the second waits here, and adds to what the first counted.
            await _run(tx, _MAKE, key, part)
            rows = await _run(tx, _ONE, key, part, lock=" FOR UPDATE")
        return Quota(*rows[0]).at(now)

    async def _save(self, tx: Tx, key: str, quota: Quota) -> None:
        await _run(
            tx,
            _SAVE,
            key,
            quota.part,
            quota.name,
            quota.amount,
            quota.left,
            quota.span,
            quota.ends_at,
            quota.blocked_until,
        )
