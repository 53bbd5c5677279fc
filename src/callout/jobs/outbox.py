"""Events: written in the transaction of the change they tell of, with one job per subscriber; numbered per account afterwards.

`feed_seq` is given after the commit by one sequencer at a time, so that a reader who has seen event N of an account never finds a
new one below N, though transactions commit in another order than they began.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import orjson

from callout.jobs.consumer import Consumer, Handler, Settle, Work
from callout.jobs.model import Job, Lane, NewJob, Retry
from callout.jobs.tables import event as event_table
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.ports.events import EventEnvelope
from callout.storage.bulk import insert_rows
from callout.storage.schema import micros
from callout.storage.tx import AccountTx

if TYPE_CHECKING:
    from callout.jobs.budgets import BudgetUse
    from callout.jobs.queue import Queue
    from callout.storage import Database, Tx

AT_ONCE = 500
ACTIVE_SECONDS = 0.05
IDLE_SECONDS = 0.2
KIND_PREFIX = "event:"
_EVENT = (
    "INSERT INTO event (id, account_id, kind, version, subject, envelope, created_at)"
    " VALUES ({0}, {1}, {2}, {3}, {4}, {5}, {6})"
)
_COLUMNS = ("id", "account_id", "kind", "version", "subject", "envelope", "created_at")
_ANY = "SELECT 1 FROM event WHERE feed_seq IS NULL LIMIT 1"
_SEQUENCER_LOCK = "SELECT pg_try_advisory_xact_lock(1667460197)"
_NEW = f"SELECT seq, account_id FROM event WHERE feed_seq IS NULL ORDER BY seq LIMIT {AT_ONCE}"
_HEAD = (
    "INSERT INTO event_feed (account_id, last_seq) VALUES ({0}, {1})"
    " ON CONFLICT (account_id) DO UPDATE SET last_seq = event_feed.last_seq + excluded.last_seq RETURNING last_seq"
)
_NUMBER = "UPDATE event SET feed_seq = {0} WHERE seq = {1}"
_SINCE = "SELECT feed_seq, envelope FROM event WHERE account_id = {0} AND feed_seq > {1} ORDER BY feed_seq LIMIT {2}"
_PURGE = (
    "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE created_at < {0} AND feed_seq IS NOT NULL"
    " ORDER BY seq LIMIT {1}) RETURNING seq"
)
PURGE_AT_ONCE = 5_000
_Q = tuple(f"?{n}" for n in range(1, 8))
_D = tuple(f"${n}" for n in range(1, 8))

Key = Callable[[EventEnvelope], str | None]
EventHandler = Callable[[EventEnvelope, "EventWork"], Awaitable[Settle | None]]


@dataclass(frozen=True, slots=True)
class EventWork:
    """What a subscriber sees beside the event: the job, and the way to the database."""

    job: Job
    work: Work


def by_subject(event: EventEnvelope) -> str:
    """Return the partition key of one record: its events are handled in order."""
    return event.subject


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler of events.

    Args:
        name: names the handler for ever: queued jobs carry it.
        pattern: which event kinds, `incident.*` for all of a family.
        handle: does the work of one event; what it returns is stored with the completion.
        key: partition of the event's job among those of this handler; None: every event stands alone.
        lane: how urgent its jobs are; may look at the event.
        wanted: may say no, before a job is made (a pure look at the event).
    """

    name: str
    pattern: str
    handle: EventHandler
    key: Key = by_subject
    lane: Callable[[EventEnvelope], Lane] = lambda _event: Lane.NORMAL
    wanted: Callable[[EventEnvelope], bool] = lambda _event: True

    def matches(self, event: EventEnvelope) -> bool:
        """Return whether `event` is for this handler."""
        return fnmatchcase(event.kind, self.pattern) and self.wanted(event)


class Subscriptions:
    """All subscriptions of the program, bound once by the composition root."""

    def __init__(self) -> None:
        self._by_name: dict[str, Subscription] = {}

    def bind(self, subscription: Subscription) -> None:
        """Add a subscription. Raises ValueError when its name is taken."""
        if subscription.name in self._by_name:
            msg = f"two subscriptions are named {subscription.name!r}"
            raise ValueError(msg)
        self._by_name[subscription.name] = subscription

    def matching(self, event: EventEnvelope) -> list[Subscription]:
        """Return the subscriptions that want `event`, by name."""
        return [self._by_name[name] for name in sorted(self._by_name) if self._by_name[name].matches(event)]

    def consumers(
        self,
        *,
        retry: Retry | None = None,
        limit: timedelta = timedelta(seconds=60),
        budgets: Mapping[str, Callable[[Job], BudgetUse | None]] | None = None,
    ) -> list[Consumer]:
        """Return one consumer per subscription, to be registered with the worker."""
        return [
            Consumer(
                KIND_PREFIX + subscription.name,
                _handler(subscription),
                retry=retry or Retry(),
                timeout=limit,
                budget=(budgets or {}).get(subscription.name),
            )
            for subscription in self._by_name.values()
        ]


def _handler(subscription: Subscription) -> Handler:
    async def handle(work: Work) -> Settle | None:
        event = EventEnvelope.from_json(dict(work.job.payload))
        return await subscription.handle(event, EventWork(work.job, work))

    return handle


class Outbox:
    """Where features publish."""

    def __init__(self, queue: Queue, subscriptions: Subscriptions, *, clock: Clock | None = None) -> None:
        self._queue = queue
        self._subscriptions = subscriptions
        self._clock = clock or SystemClock()
        self.published = asyncio.Event()

    async def publish(self, tx: Tx | AccountTx, *events: EventEnvelope) -> None:
        """Store `events` and one job per subscriber of each, in the caller's transaction.

        Raises ValueError when an event belongs to another account than `tx`.
        """
        system = tx
        if isinstance(tx, AccountTx):
            system = tx.system
            for event in events:
                if event.account_id != tx.account_id:
                    msg = f"event {event.kind} of account {event.account_id} in a transaction of account {tx.account_id}"
                    raise ValueError(msg)
        assert not isinstance(system, AccountTx)  # noqa: S101  # narrows the type
        now = micros(self._clock.now())
        jobs: list[NewJob] = []
        rows: list[tuple[object, ...]] = []
        for event in events:
            envelope = event.to_json()
            text = orjson.dumps(envelope).decode()
            rows.append((event.id, event.account_id, event.kind, event.version, event.subject, text, now))
            for subscription in self._subscriptions.matching(event):
                key = subscription.key(event)
                jobs.append(
                    NewJob(
                        KIND_PREFIX + subscription.name,
                        envelope,
                        key=None if key is None else f"{subscription.name}:{key}",
                        lane=subscription.lane(event),
                        account_id=event.account_id,
                    )
                )
        if len(rows) == 1:
            await system.driver_all(_EVENT.format(*_Q), _EVENT.format(*_D), rows[0])
        else:
            await insert_rows(system, event_table, [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
        await self._queue.enqueue_many(system, jobs)
        crash_point("jobs.published")
        system.after_commit(self.published.set)


class Sequencer:
    """Numbers committed events per account; every worker runs one, one at a time does the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self) -> float:
        """Number what is new; return how many seconds to sleep. Raises StorageError."""
        if not await self._database.read(_any_new):
            return IDLE_SECONDS
        done = await self._database.transaction(_number_new)
        return 0.0 if done == AT_ONCE else ACTIVE_SECONDS


async def _any_new(tx: Tx) -> bool:
    return bool(await tx.driver_all(_ANY, _ANY))


async def _number_new(tx: Tx) -> int:
    if tx.dialect == "postgresql" and not (await tx.driver_all("", _SEQUENCER_LOCK))[0][0]:
        return 0
    by_account: dict[str, list[int]] = {}
    rows = await tx.driver_all(_NEW, _NEW)
    for seq, account in rows:
        by_account.setdefault(account, []).append(seq)
    for account, numbers in sorted(by_account.items()):
        [(last,)] = await tx.driver_all(_HEAD.format(*_Q), _HEAD.format(*_D), (account, len(numbers)))
        first = last - len(numbers) + 1
        await tx.driver_many(
            _NUMBER.format(*_Q), _NUMBER.format(*_D), [(first + at, seq) for at, seq in enumerate(numbers)]
        )
    if rows:
        crash_point("jobs.sequenced")
    return len(rows)


async def events_since(
    tx: Tx, account_id: str, after: int, *, limit: int = 500
) -> Sequence[tuple[int, EventEnvelope]]:
    """Return an account's events after feed number `after`, in order, at most `limit`."""
    rows = await tx.driver_all(_SINCE.format(*_Q), _SINCE.format(*_D), (account_id, after, limit))
    return [(row[0], EventEnvelope.from_json(orjson.loads(row[1]))) for row in rows]


async def purge_events(tx: Tx, *, before: datetime, limit: int = PURGE_AT_ONCE) -> int:
    """Remove numbered events older than that, at most `limit`; return how many. Readers of the feed must be younger."""
    rows = await tx.driver_all(_PURGE.format(*_Q), _PURGE.format(*_D), (micros(before), limit))
    return len(rows)
