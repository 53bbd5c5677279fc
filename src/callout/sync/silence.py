"""Webhooks that stay away: noticed because polling finds what no webhook told of.

Quiet is no silence: only a change that a poll found, that the vendor has a webhook for, and after which none of the integration came for a
while, counts. After three such polls in a row the integration says so; the first webhook that comes again ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.sync.links import SyncProblem
from callout.sync.tables import sync_poll

if TYPE_CHECKING:
    from callout.ports.ticketing import Change
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target

PROBLEM: Final = "silence"
"""The kind of an integration's problem when its webhooks stay away."""
CODE: Final = "WEBHOOKS_SILENT"
AFTER: Final = 3
"""So many polls in a row found something that no webhook had told of."""
GRACE: Final = timedelta(seconds=60)
"""So long a webhook may be under way."""
SKEW: Final = timedelta(seconds=60)
"""So far the vendor's clock may be ahead of ours."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Found:
    """Something that a poll found: on which ticket, when it happened there, when it was found."""

    ticket: str
    at: datetime
    found_at: datetime


@dataclass(frozen=True, slots=True)
class _State:
    waiting: tuple[_Found, ...] = ()
    missed: int = 0
    last: _Found | None = None

    def to_json(self) -> dict[str, Any] | None:
        if not self.waiting and not self.missed:
            return None
        return {
            "waiting": [_pair(one) for one in self.waiting],
            "missed": self.missed,
            "last": None if self.last is None else _pair(self.last),
        }

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> _State:
        if data is None:
            return cls()
        last = data.get("last")
        waiting = tuple(_found(one) for one in data.get("waiting", ()))
        return cls(waiting, int(data.get("missed", 0)), None if last is None else _found(last))


def _pair(one: _Found) -> list[str]:
    return [one.ticket, one.at.isoformat(), one.found_at.isoformat()]


def _found(data: Sequence[str]) -> _Found:
    return _Found(data[0], datetime.fromisoformat(data[1]), datetime.fromisoformat(data[2]))


class Silence:
    """Judges, with every poll, whether an integration's webhooks still come."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def judge(self, tx: AccountTx, target: Target, news: Sequence[Change]) -> None:
        """Take in what a poll found; show silence as a problem of the integration, or take that away again.

        Runs in the transaction that stores the poll's outcome.
        """
        place = sync_poll.c.integration_id == target.integration_id
        before = await tx.scalar(tx.select(sync_poll.c.silence).where(place))
        state = _State.of(before)
        told = [change for change in news if change.occurred_at is not None and not change.silent]
        newest = max(told, key=_when, default=None)
        if newest is None and before is None:
            return
        heard = await self._context.standing.last_heard(tx, target.integration_id)
        watched = target.settings.get("watch_webhooks", True) is True
        # Where no webhooks were ever set up, polling is how it works.
        expected = watched and (heard is not None or target.webhooks)
        after = self._after(state, newest, heard) if expected else _State()
        if after.missed >= AFTER and after.last is not None and (state.missed < AFTER or newest is not None):
            await self._context.standing.problem(
                tx, target.integration_id, PROBLEM, self._words(target, after.last, heard, after.missed)
            )
        elif state.missed >= AFTER and after.missed == 0:
            await self._context.standing.problem(tx, target.integration_id, PROBLEM, None)
        kept = after.to_json()
        if kept != before:
            await tx.execute(tx.update(sync_poll).where(place).values(silence=kept))

    def _after(self, state: _State, newest: Change | None, heard: datetime | None) -> _State:
        now = self._context.clock.now()
        waiting = list(state.waiting)
        counted = [one.at for one in (*state.waiting, state.last) if one is not None]
        # A poll overlaps the one before: one webhook that stays away is missed once, however often what it is about is found.
        if newest is not None and _when(newest) > max(counted, default=LONG_AGO):
            waiting.append(_Found(newest.ticket_key or newest.ticket_id, _when(newest), now))
        missed, last = state.missed, state.last
        if last is not None and heard is not None and heard > last.found_at:
            missed, last = 0, None  # they come again
        left: list[_Found] = []
        for one in waiting:
            if heard is not None and heard >= one.at - SKEW:
                missed, last = 0, None
            elif now - one.found_at < GRACE:
                left.append(one)
            else:
                missed, last = missed + 1, one
        return _State(tuple(left), missed, last)

    def _words(self, target: Target, last: _Found, heard: datetime | None, missed: int) -> SyncProblem:
        since = (
            "no webhook ever came"
            if heard is None
            else f"the last webhook came at {heard:%Y-%m-%d %H:%M} UTC"
        )
        return SyncProblem(
            CODE,
            f"webhooks stay away: polling found news {missed} times in a row that none told of, last on {last.ticket}; {since}",
            f"Changes still arrive by polling, only later. Check that {target.title} sends to {target.hook_url}, that the signing key is"
            f" the one stored here, and run `callout integration subscribe {target.name}` where its API can do that.",
            self._context.clock.now(),
        )


def _when(change: Change) -> datetime:
    at = change.announced_at or change.occurred_at
    if at is None:
        msg = "a change without a time tells nothing about silence"
        raise ValueError(msg)
    return at
