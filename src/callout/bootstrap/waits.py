"""Until when work for an integration waits because its vendor allows no more: said in words, with the time, wherever somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from callout.bootstrap.standing import WATCH
from callout.jobs import Lane
from callout.jobs.budgets import SHORT
from callout.ports.errors import RateLimitedError
from callout.sync import poll
from callout.sync.links import Link
from callout.sync.tables import sync_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callout.bootstrap.core import Core
    from callout.storage import AccountTx, Tx

NO_CHANGES: Final = frozenset({poll.POLL, WATCH})
"""Jobs that wait without anybody waiting for them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is longer than a moment: until when, why in words, and how many changes wait with it."""

    until: datetime
    reason: str
    waiting: int

    @property
    def text(self) -> str:
        """The wait in one line."""
        if not self.waiting:
            return self.reason
        return f"{self.reason}; {self.waiting} {'change waits' if self.waiting == 1 else 'changes wait'}"

    def to_json(self) -> Mapping[str, object]:
        """Return the JSON form."""
        return {"until": self.until.isoformat(), "reason": self.text, "waiting": self.waiting}


async def wait_of(core: Core, tx: Tx, integration_id: str) -> Wait | None:
    """Return until when work for an integration waits; None while none does, or for a moment only."""
    put_off = await _put_off(core, tx, integration_id)
    # The reserve is kept from the least urgent work first. While there is none of it, nobody waits for the reserve.
    for lane in (Lane.BACKFILL, Lane.NORMAL):
        told = await core.budgets.explain(tx, integration_id, lane=lane, beside=NO_CHANGES)
        waiting = told.waiting + put_off
        long = told.until is not None and told.until - core.clock.now() > SHORT
        if told.until is not None and long and (waiting or lane is Lane.NORMAL):
            return Wait(told.until, told.text, waiting)
    return None


async def waits_of_links(core: Core, tx: AccountTx, found: Sequence[Link]) -> dict[str, Wait]:
    """Return the wait of each link, by its id, that has something to do and must not do it yet."""
    waits: dict[str, Wait] = {}
    for link in found:
        limited = link.problem is not None and link.problem.code == RateLimitedError.code
        if limited or await core.budgets.waits(tx.system, link.integration_id, link.partition()):
            wait = await wait_of(core, tx.system, link.integration_id)
            if wait is not None:
                waits[link.id] = wait
    return waits


async def _put_off(core: Core, tx: Tx, integration_id: str) -> int:
    """Return how many links were turned away in the middle of their work, and come back when the wait is over."""
    query = select(sync_link.c.problem).where(
        sync_link.c.integration_id == integration_id, sync_link.c.retry_at > core.clock.now()
    )
    rows = await tx.all(query)
    return sum((row["problem"] or {}).get("code") == RateLimitedError.code for row in rows)


__all__ = ["Wait", "wait_of", "waits_of_links"]
