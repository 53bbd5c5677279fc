"""What one process knows of a vendor account's quotas, and the calls it has taken out of those that all processes share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from callout.jobs import Grant, Quota, Told
from callout.jobs.budgets import SHORT
from callout.jobs.quotas import SAME_WINDOW
from callout.kit.allowance import Allowance, Answer, VendorLimits, bounded, used_up
from callout.kit.lanes import RESERVED, Lane
from callout.ports.errors import RateLimitedError
from callout.storage.errors import StorageUnavailableError
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.jobs import Budgets
    from callout.kit.clock import Clock
    from callout.storage import Database, Tx

REFRESH_SECONDS: Final = 2.0
"""So old what other processes have learned may be here."""
AT_ONCE: Final = 50
"""A fiftieth of a quota is taken out of it at a time: one commit for so many calls, and so few are lost with a process."""
MOST_AT_ONCE: Final = 25
ASK_AGAIN: Final = 1_000_000
"""Microseconds for which a lane that found nothing left is told so without being looked up again."""
_SECOND: Final = timedelta(seconds=1)
_LONGEST_GUESS: Final = timedelta(minutes=5)
REMEDY: Final = "Nothing is lost: what waits goes out by itself then. Work for SEV-1 incidents goes first."


@dataclass(slots=True)
class _Part:
    """A part of the vendor's API (the empty name: the account as a whole), as this process knows it. Times are microseconds."""

    name: str = ""
    amount: int = 0
    span: int = 0
    ends_at: int = 0
    grants: dict[Lane, int] = field(default_factory=dict)
    """Calls taken out of the shared quota, by the lane that they were taken for."""
    unpaid: int = 0
    """Calls under way that were let go before a quota was known."""
    spent: int = 0
    """Calls made without having been taken out of the quota."""
    told: Told | None = None
    """The vendor's last word, not yet written down."""
    blocked_until: int = 0
    block_is_news: bool = False
    refusals: int = 0
    empty: dict[Lane, int] = field(default_factory=dict)
    """Lanes that found nothing left, and until when they are told so without looking."""

    def blocked(self, now: int) -> tuple[int, str] | None:
        if self.blocked_until <= now:
            return None
        return self.blocked_until, used_up(self.name, from_micros(self.blocked_until))

    def holds(self, lane: Lane, now: int) -> bool:
        """Return whether a call of `lane` may go without asking."""
        if not self.amount:
            return True
        if now >= self.ends_at:
            self.grants.clear()
            return False
        return any(count > 0 and of >= lane for of, count in self.grants.items())

    def use(self, lane: Lane) -> None:
        if not self.amount:
            self.unpaid += 1
            return
        # What was taken for less urgent work first: the reserve stays for those who may touch it.
        of = max(of for of, count in self.grants.items() if count > 0 and of >= lane)
        self.grants[of] -= 1

    def adopt(self, quota: Quota) -> None:
        """Take over what the shared row says."""
        if quota.amount:
            self.name, self.amount, self.span, self.ends_at = (
                quota.name,
                quota.amount,
                quota.span,
                quota.ends_at,
            )
        if quota.blocked_until > self.blocked_until:
            self.name, self.blocked_until = quota.name or self.name, quota.blocked_until

    @property
    def forgettable(self) -> bool:
        return not (self.amount or self.blocked_until or self.unpaid or self.refusals)


class Allowances:
    """Admits calls by what the vendor allows, and learns that from its answers.

    Args:
        clock: tells the time.
        key: the vendor account's budget.
        database: where the shared rows are.
        budgets: the shared rows.
        limits: how this vendor tells.
        on_block: told when the vendor sent us away, so that the others hear of it soon.
    """

    def __init__(
        self,
        clock: Clock,
        key: str,
        *,
        database: Database,
        budgets: Budgets,
        limits: VendorLimits,
        on_block: Callable[[], object] = lambda: None,
    ) -> None:
        self._clock = clock
        self._key = key
        self._database = database
        self._budgets = budgets
        self._limits = limits
        self._on_block = on_block
        self._parts: dict[str, _Part] = {}
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    @property
    def has_news(self) -> bool:
        """Whether something was learned that other processes cannot know yet."""
        return any(part.told is not None or part.block_is_news for part in self._parts.values())

    def parts(self, *, method: str, path: str, part: str) -> tuple[str, ...]:
        """Return what a call uses: the account as a whole, and the parts of the API that are limited on their own."""
        return ("", *self._limits.parts(method=method, path=path, part=part))

    async def wait(self, parts: Sequence[str], lane: Lane) -> None:
        """Wait until a call may go, for a moment at most. Raises RateLimitedError, with the time, when it takes longer."""
        await self._refresh()
        while (refused := await self._short_of(parts, lane)) is not None:
            until, words = refused
            left = timedelta(microseconds=until - self._now())
            if left > SHORT:
                raise RateLimitedError(words, retry_after=left, remediation=REMEDY)
            await asyncio.sleep(max(0.0, left.total_seconds()) + 0.001)

    def take(self, parts: Sequence[str], lane: Lane) -> bool:
        """Take one call out of every part; False when there is none left after all."""
        now = self._now()
        if any(self._part(name).blocked(now) or not self._part(name).holds(lane, now) for name in parts):
            return False
        for name in parts:
            self._parts.setdefault(name, _Part()).use(lane)
        return True

    def done(self, *, method: str, path: str, part: str, answer: Answer | None) -> Allowance | None:
        """Learn from the outcome of a call that was admitted; return what the vendor said, if anything."""
        said = None if answer is None else self._limits.read(answer)
        names = self.parts(method=method, path=path, part=part)
        for name in names:
            known = self._parts.get(name)
            if known is not None and said is None and answer is not None:
                known.refusals = 0
        if said is not None:
            self._hear(said)
        for name in names:
            known = self._parts.get(name)
            if known is None:
                continue
            if known.unpaid:
                known.unpaid -= 1
                known.spent += 1 if known.amount else 0
            if known.forgettable:
                del self._parts[name]
        return said

    async def flush(self, tx: Tx) -> Callable[[], None]:
        """Write down what was learned; call what this returns when the transaction was committed."""
        written: list[tuple[_Part, Told | None, int, int]] = []
        for name, part in list(self._parts.items()):
            told, spent, until = part.told, part.spent, part.blocked_until
            if told is not None:
                held = sum(part.grants.values())
                await self._budgets.quotas.learn(tx, self._key, name, told, spent=spent, held=held)
            if part.block_is_news:
                await self._block(tx, name, part.name, from_micros(until))
            if told is not None or part.block_is_news:
                written.append((part, told, spent if told is not None else 0, until))

        def committed() -> None:
            for part, told, spent, until in written:
                part.spent = max(0, part.spent - spent)
                if part.told is told:
                    part.told = None
                if part.blocked_until == until:
                    part.block_is_news = False

        return committed

    # ------------------------------------------------------------------ learning

    def _hear(self, said: Allowance) -> None:
        part = self._parts.setdefault(said.part, _Part())
        part.name = said.name
        now = self._clock.now()
        if said.windowed:
            self._hear_window(part, said, now)
        if not said.refused:
            part.refusals = 0
            if said.remaining != 0 or said.ends_in is None:
                return
            wait = said.ends_in
        else:
            part.refusals += part.blocked_until <= micros(now)  # several at once are one refusal
            asked = said.asked_wait
            wait = asked if asked is not None and asked >= _SECOND else _guess(part.refusals)
        until = micros(now + bounded(wait))
        if until > part.blocked_until:
            part.blocked_until, part.block_is_news = until, True
            part.grants.clear()
            self._on_block()

    def _hear_window(self, part: _Part, said: Allowance, now: datetime) -> None:
        limit, window, ends_in = said.limit or 0, said.window or _SECOND, said.ends_in or timedelta()
        if ends_in <= _SECOND:
            return  # over before it can be used: perhaps a late word of the window before
        # A refusal for a moment only, such as of a burst, does not mean that the window is used up.
        asked = said.asked_wait
        used_up_now = said.refused and (asked is None or asked >= ends_in - timedelta(seconds=5))
        left = 0 if used_up_now else said.remaining
        told = Told(said.name, limit, window, now + ends_in, left)
        if abs(micros(told.ends_at) - part.ends_at) > SAME_WINDOW or limit != part.amount:
            part.grants.clear()
            part.empty.clear()
            part.ends_at = micros(told.ends_at)
            part.amount, part.span = limit, window // timedelta(microseconds=1)
            part.told = told
        elif told.remaining is not None:
            part.told = told
            for lane in Lane:
                if told.remaining <= int(limit * RESERVED[lane]):
                    part.grants.pop(lane, None)
        elif part.spent or part.unpaid:
            part.told = told

    # ------------------------------------------------------------------ admitting

    async def _short_of(self, parts: Sequence[str], lane: Lane) -> tuple[int, str] | None:
        """Take calls out of the shared quotas where none are held; return until when there are none, and why."""
        for name in parts:
            refused = self._part(name).blocked(self._now())
            if refused is None and not self._part(name).holds(lane, self._now()):
                refused = await self._fetch(name, self._part(name), lane)
            if refused is not None:
                return refused
        return None

    def _part(self, name: str) -> _Part:
        return self._parts.get(name) or _Part()

    async def _fetch(self, name: str, part: _Part, lane: Lane) -> tuple[int, str] | None:
        """Take some calls out of the shared quota, for `lane`; return until when there are none, and why."""
        async with self._lock:
            now = self._now()
            if part.holds(lane, now):
                return None
            if part.empty.get(lane, 0) > now:
                return part.ends_at, used_up(part.name, from_micros(part.ends_at), spared=True)
            told, spent, held = part.told, part.spent, sum(part.grants.values())
            most = min(max(1, part.amount // AT_ONCE), MOST_AT_ONCE)

            async def unit(tx: Tx) -> Grant:
                if told is not None:
                    await self._budgets.quotas.learn(tx, self._key, name, told, spent=spent, held=held)
                uncounted = 0 if told is not None else spent
                return await self._budgets.quotas.take(
                    tx, self._key, name, lane=lane, most=most, spent=uncounted
                )

            try:
                grant = await self._database.transaction(unit)
            except StorageUnavailableError:
                part.ends_at = max(part.ends_at, now + ASK_AGAIN)
                part.grants[lane] = (
                    1  # what nobody can count must not stop the work; the turnstile still holds
                )
                return None
            part.spent -= spent
            if part.told is told:
                part.told = None
            part.adopt(grant.quota)
            if not grant.quota.amount:
                part.amount = 0  # nobody knows of a quota any more
            if grant.calls:
                part.grants[lane] = part.grants.get(lane, 0) + grant.calls
                return None
            part.empty[lane] = min(now + ASK_AGAIN, part.ends_at)
            return grant.quota.refuses(lane, now) or (part.ends_at, part.name)

    async def _refresh(self) -> None:
        """Read what other processes have learned, every few seconds at most."""
        if self._clock.monotonic() - self._read_at < REFRESH_SECONDS:
            return
        self._read_at = self._clock.monotonic()

        async def unit(tx: Tx) -> tuple[list[Quota], tuple[datetime, str] | None]:
            known = await self._budgets.quotas.known(tx, self._key)
            return known, await self._budgets.blocked(tx, self._key)

        try:
            quotas, block = await self._database.read(unit)
        except StorageUnavailableError:
            return
        for quota in quotas:
            part = self._parts.setdefault(quota.part, _Part())
            if part.amount == 0 or quota.blocked_until > part.blocked_until:
                part.adopt(quota)
        if block is not None:
            whole = self._parts.setdefault("", _Part())
            whole.adopt(Quota("", block[1].removesuffix(_USED_UP), blocked_until=micros(block[0])))

    async def _block(self, tx: Tx, part: str, name: str, until: datetime) -> None:
        if part:
            await self._budgets.quotas.block(tx, self._key, part, until=until, name=name)
            return
        wait = until - self._clock.now()
        if wait > timedelta():
            await self._budgets.penalise(tx, self._key, wait, why=used_up(name, None))

    def _now(self) -> int:
        return micros(self._clock.now())


_USED_UP: Final = used_up("", None)


def _guess(refusals: int) -> timedelta:
    """Return how long to stay away when nobody says: twice as long with every refusal."""
    return min(_SECOND * (1 << min(refusals - 1, 12)), _LONGEST_GUESS)
