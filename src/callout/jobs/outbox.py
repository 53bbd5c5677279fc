"""Events: written in the transaction of the change they tell of, with one job per subscriber; numbered per account afterwards.

`feed_seq` is given after the commit by one sequencer at a time, so that a reader who has seen event N of an account never finds a
new one below N, though transactions commit in another order than they began.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

import orjson

from callout.jobs import traced
from callout.jobs.consumer import Consumer, Settle, Together, Work
from callout.jobs.model import Job, Lane, NewJob, Retry
from callout.jobs.tables import event as event_table
from callout.kit import tracing
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.ports.events import EventEnvelope
from callout.storage.bulk import insert_rows
from callout.storage.schema import micros
from callout.storage.tx import AccountTx

if TYPE_CHECKING:
    from callout.jobs.queue import Queue
    from callout.storage import Database, Tx

AT_ONCE = 500
ACTIVE_SECONDS = 0.05
REST = 15
"""It rests so many times as long as a turn took: on a busy machine more events share one."""
IDLE_SECONDS = 0.2
KIND_PREFIX = "event:"
EVENTS_AT_ONCE = 8
"""Events of one record that a subscriber hears of at once, where several wait."""
_COLUMNS = ("id", "account_id", "kind", "version", "subject", "envelope", "created_at")
_ANY = "SELECT 1 FROM event WHERE feed_seq IS NULL LIMIT 1"
_SEQUENCER_LOCK = "SELECT pg_try_advisory_xact_lock(1667460197)"
_NEW = f"SELECT seq, account_id FROM event WHERE feed_seq IS NULL ORDER BY seq LIMIT {AT_ONCE}"
_HEAD = (
    "INSERT INTO event_feed (account_id, last_seq) VALUES ({0}, {1})"
    " ON CONFLICT (account_id) DO UPDATE SET last_seq = event_feed.last_seq + excluded.last_seq RETURNING last_seq"
)
_NUMBER = "UPDATE event SET feed_seq = ? WHERE seq = ?"
_NUMBER_MANY = (
    "UPDATE event SET feed_seq = n.f FROM unnest($1::bigint[], $2::bigint[]) AS n(f, s) WHERE event.seq = n.s"
)
_SINCE = "SELECT feed_seq, envelope FROM event WHERE account_id = {0} AND feed_seq > {1} ORDER BY feed_seq LIMIT {2}"
_HEADS = "SELECT account_id, last_seq FROM event_feed WHERE account_id IN (SELECT value FROM json_each({0}))"
_HEADS_PG = "SELECT account_id, last_seq FROM event_feed WHERE account_id = ANY($1::text[])"
_SUBJECTS = "SELECT feed_seq, subject FROM event WHERE account_id = {0} AND feed_seq > {1} ORDER BY feed_seq LIMIT {2}"
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
        handle: does the work of one event; what it returns is stored with the completion, together with that of other events.
        key: partition of the event's job among those of this handler; None: every event stands alone.
        lane: how urgent its jobs are; may look at the event.
        wanted: may say no, before a job is made (a pure look at the event).
        only_where: SQL that is true of the account `{account}` where anybody listens; asked in the event's own transaction, so that
            who listens since then hears of all that comes after.
    """

    name: str
    pattern: str
    handle: EventHandler
    key: Key = by_subject
    lane: Callable[[EventEnvelope], Lane] = lambda _event: Lane.NORMAL
    wanted: Callable[[EventEnvelope], bool] = lambda _event: True
    only_where: str = ""

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
        self, *, retry: Retry | None = None, limit: timedelta = timedelta(seconds=60)
    ) -> list[Consumer]:
        """Return one consumer per subscription, to be registered with the worker."""
        retry = retry or Retry()
        return [
            Consumer(
                KIND_PREFIX + subscription.name,
                partial(_handle, subscription),
                batch=1 if retry.max_attempts == 1 else EVENTS_AT_ONCE,
                retry=retry,
                timeout=limit,
                settle_many=_settle,
            )
            for subscription in self._by_name.values()
        ]


@dataclass(frozen=True, slots=True)
class _Reactions:
    """What is to be stored because of some events of one record, in their order."""

    units: Sequence[Settle]
    spans: Context | None


async def _handle(subscription: Subscription, work: Work) -> Together | None:
    units: list[Settle] = []
    for job in work.jobs:
        event = EventEnvelope.from_json(dict(job.payload))
        unit = await subscription.handle(event, EventWork(job, work))
        if unit is not None:
            units.append(unit)
    return Together(_Reactions(units, traced.here())) if units else None


async def _settle(tx: Tx, reactions: Sequence[_Reactions]) -> None:
    for one in reactions:
        for unit in one.units:
            await traced.inside(one.spans, unit(tx))


class Outbox:
    """Where features publish."""

    def __init__(self, queue: Queue, subscriptions: Subscriptions, *, clock: Clock | None = None) -> None:
        self._queue = queue
        self._subscriptions = subscriptions
        self._clock = clock or SystemClock()
        self.published = asyncio.Event()

    async def publish(
        self, tx: Tx | AccountTx, *events: EventEnvelope, beside: Sequence[NewJob] = ()
    ) -> None:
        """Store `events` and one job per subscriber of each, in the caller's transaction, and the jobs `beside` them with these.

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
        trace = tracing.current()
        for given in events:
            event = given if trace is None else replace(given, trace=trace)
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
                        only_where=subscription.only_where,
                    )
                )
        named = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        await insert_rows(system, event_table, named, later=True)
        await self._queue.enqueue_later(system, [*jobs, *beside])
        if events:
            crash_point("jobs.published")
            system.after_commit(self.published.set)


class Sequencer:
    """Numbers committed events per account; every worker runs one, one at a time does the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self) -> float:
        """Number what is new; return how many seconds to sleep. Raises StorageError."""
        began = time.monotonic()
        if not await self._database.read(_any_new):
            return IDLE_SECONDS
        done = await self._database.transaction(_number_new)
        if done == AT_ONCE:
            return 0.0
        return max(ACTIVE_SECONDS, REST * (time.monotonic() - began))


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
        given = range(first, first + len(numbers))
        if tx.dialect == "sqlite":
            await tx.driver_many(_NUMBER, "", list(zip(given, numbers, strict=True)))
        else:
            await tx.driver_all("", _NUMBER_MANY, (list(given), numbers))
    if rows:
        crash_point("jobs.sequenced")
    return len(rows)


async def events_since(
    tx: Tx, account_id: str, after: int, *, limit: int = 500
) -> Sequence[tuple[int, EventEnvelope]]:
    """Return an account's events after feed number `after`, in order, at most `limit`."""
    rows = await tx.driver_all(_SINCE.format(*_Q), _SINCE.format(*_D), (account_id, after, limit))
    return [(row[0], EventEnvelope.from_json(orjson.loads(row[1]))) for row in rows]


async def feed_heads(tx: Tx, account_ids: Sequence[str]) -> dict[str, int]:
    """Return the newest feed number of each of these accounts that has one."""
    given: object = list(account_ids)
    if tx.dialect == "sqlite":
        given = orjson.dumps(given).decode()
    return {row[0]: row[1] for row in await tx.driver_all(_HEADS.format("?1"), _HEADS_PG, (given,))}


async def subjects_since(
    tx: Tx, account_id: str, after: int, *, limit: int = 500
) -> tuple[int, tuple[str, ...]]:
    """Return which records an account's events after feed number `after` are about, and the number this reaches to.

    At most `limit` events are looked at; there may be more when as many were found.
    """
    rows = await tx.driver_all(_SUBJECTS.format(*_Q), _SUBJECTS.format(*_D), (account_id, after, limit))
    return (rows[-1][0] if rows else after), tuple(dict.fromkeys(row[1] for row in rows))


async def purge_events(tx: Tx, *, before: datetime, limit: int = PURGE_AT_ONCE) -> int:
    """Remove numbered events older than that, at most `limit`; return how many. Readers of the feed must be younger."""
    rows = await tx.driver_all(_PURGE.format(*_Q), _PURGE.format(*_D), (micros(before), limit))
    return len(rows)
