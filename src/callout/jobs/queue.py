"""Putting work in: only inside the caller's open transaction, so that work exists exactly when its cause was committed."""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from callout.jobs.model import Lane, NewJob
from callout.kit import tracing
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.storage.given import FEW, Given
from callout.storage.later import OWN
from callout.storage.schema import micros
from callout.storage.tx import AccountTx

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Tx
    from callout.storage.later import Statement

_REMEMBER_ONE = (
    "INSERT INTO job_dedupe (account_id, kind, dedupe, until) VALUES (?, ?, ?, NULL)"
    " ON CONFLICT (account_id, kind, dedupe) DO UPDATE SET until = NULL WHERE job_dedupe.until < ? RETURNING 1"
)
# One row per touched partition, with the earliest time of its new jobs as `due_at`. A partition that is blocked is not woken
# before its block ends, unless it waits for a budget and the new job is more urgent: budgets keep a reserve for such. `woken_at`
# equals our clock exactly when this statement switched the latch on or made the lane more urgent; should two transactions share a
# microsecond, one wake-up too many is harmless.
_PUT_PARTITION = (
    " ON CONFLICT (key) DO UPDATE SET"
    " lane = CASE WHEN job_partition.latch = 0 AND job_partition.due_at IS NULL THEN excluded.lane"
    " WHEN excluded.lane < job_partition.lane THEN excluded.lane ELSE job_partition.lane END,"
    " woken_at = CASE WHEN excluded.latch = 1 AND (job_partition.blocked_until <= excluded.woken_at OR {overtakes})"
    " AND (job_partition.latch = 0 OR excluded.lane < job_partition.lane)"
    " THEN excluded.woken_at ELSE job_partition.woken_at END,"
    " latch = CASE WHEN job_partition.latch = 1"
    " OR (excluded.latch = 1 AND (job_partition.blocked_until <= excluded.woken_at OR {overtakes})) THEN 1 ELSE 0 END,"
    " due_at = CASE WHEN job_partition.due_at IS NOT NULL AND job_partition.due_at <= {later} THEN job_partition.due_at"
    " ELSE {later} END,"
    " blocked_until = CASE WHEN {overtakes} THEN 0 ELSE job_partition.blocked_until END,"
    " waiting_budget = CASE WHEN {overtakes} THEN NULL ELSE job_partition.waiting_budget END,"
    " idle_since = NULL"
)
_OVERTAKES = (
    "(excluded.latch = 1 AND job_partition.latch = 0 AND job_partition.waiting_budget IS NOT NULL"
    " AND excluded.lane < job_partition.lane)"
)
_LATER = "(CASE WHEN job_partition.blocked_until > excluded.due_at THEN job_partition.blocked_until ELSE excluded.due_at END)"
_PUT_SQLITE = (
    "INSERT INTO job_partition (key, solo, lane, latch, woken_at, due_at) VALUES (?, ?, ?, ?, ?, ?)"
    + _PUT_PARTITION.format(later=_LATER, overtakes=_OVERTAKES)
    + " RETURNING id, woken_at"
)
_JOB_COLUMNS = (
    "partition_id, kind, payload, idempotency_key, account_id, lane, dedupe, trace, enqueued_at, run_at"
)
_JOB_SQLITE = f"INSERT INTO job ({_JOB_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
# On PostgreSQL all by one statement: each by itself is a round trip, of a transaction that others may wait for.
#
# A partition that is being drained, and urgently enough, needs no change: its row is only held until our commit, so that the drain
# waits with its last look. Writing it would make the commits of busy enqueuers wait for each other. A job gets its number when its
# partition is held.
_GIVEN = Given(
    (
        *(("kind", "text"), ("payload", "text"), ("mark", "text"), ("account", "text"), ("lane", "smallint")),
        *(("dedupe", "text"), ("trace", "text"), ("due", "bigint"), ("key", "text"), ("solo", "smallint")),
    )
)
_PUT_STEPS = (
    "@asked AS (SELECT * FROM {given}{where}), @fresh AS ("
    "INSERT INTO job_dedupe (account_id, kind, dedupe, until)"
    " SELECT coalesce(account, ''), kind, dedupe, NULL FROM @asked WHERE dedupe IS NOT NULL ORDER BY 1, 2, 3"
    " ON CONFLICT (account_id, kind, dedupe) DO UPDATE SET until = NULL WHERE job_dedupe.until < {now}::bigint"
    " RETURNING account_id, kind, dedupe), @chosen AS (SELECT * FROM @asked WHERE dedupe IS NULL OR EXISTS (SELECT 1 FROM @fresh"
    " WHERE @fresh.account_id = coalesce(@asked.account, '') AND @fresh.kind = @asked.kind AND @fresh.dedupe = @asked.dedupe)),"
    " @wanted AS ("
    "SELECT key AS k, max(solo) AS s, min(lane) AS l, max(CASE WHEN due <= {now}::bigint THEN 1 ELSE 0 END) AS x, min(due) AS d"
    " FROM @chosen GROUP BY key), @held AS (SELECT p.key, p.id FROM job_partition p JOIN @wanted ON @wanted.k = p.key"
    " WHERE p.latch = 1 AND p.lane <= @wanted.l AND @wanted.x = 1 AND @wanted.s = 0 AND p.blocked_until <= {now}::bigint"
    " FOR KEY SHARE OF p), @put AS ("
    "INSERT INTO job_partition (key, solo, lane, latch, woken_at, due_at)"
    " SELECT k, s, l, x, {now}::bigint, d FROM @wanted WHERE k NOT IN (SELECT key FROM @held) ORDER BY k"
    + _PUT_PARTITION.format(later=_LATER, overtakes=_OVERTAKES)
    + " RETURNING key, id, woken_at), @there AS (SELECT key, id, woken_at FROM @put UNION ALL SELECT key, id, 0 FROM @held), @made AS ("
    f"INSERT INTO job ({_JOB_COLUMNS})"
    " SELECT @there.id, kind, payload, mark, account, lane, dedupe, trace, {now}::bigint, due FROM @chosen"
    " JOIN @there ON @there.key = @chosen.key ORDER BY nth RETURNING idempotency_key, id, partition_id)"
)
_PUT_TOLD = (
    " SELECT made.idempotency_key, made.id, there.id, there.woken_at, wanted.x, wanted.l FROM made"
    " JOIN there ON there.id = made.partition_id JOIN wanted ON wanted.k = there.key"
)
# The same for those who do not ask for numbers: whom to wake, and how urgently.
_PUT_LATER = (
    "SELECT @there.id, @wanted.l FROM @there JOIN @wanted ON @wanted.k = @there.key"
    " WHERE @wanted.x = 1 AND @there.woken_at = {now}::bigint"
)
_PUTTING = "jobs.put"
"""The kind of the rows that are sent later, all by one statement, in the order in which they came; others wait for them."""
_CANCEL = (
    "DELETE FROM job WHERE kind = {0} AND dedupe = {1} AND attempts = 0 AND state = 'waiting'"
    " AND coalesce(account_id, '') = {2} RETURNING id"
)
_FORGET = "DELETE FROM job_dedupe WHERE account_id = {0} AND kind = {1} AND dedupe = {2}"
# Both at once, of one look at the table: whether the name is forgotten is told by the same rows as what is removed.
_CANCEL_LATER = (
    "@gone AS (DELETE FROM job WHERE kind = $1 AND dedupe = $2 AND attempts = 0 AND state = 'waiting'"
    " AND coalesce(account_id, '') = $3 RETURNING account_id)"
    + OWN
    + "DELETE FROM job_dedupe WHERE account_id = $3 AND kind = $1 AND dedupe = $2 AND EXISTS (SELECT 1 FROM @gone)"
)
_WAITING = (
    "SELECT p.key FROM job_partition p WHERE p.key {0}"
    " AND EXISTS (SELECT 1 FROM job j WHERE j.partition_id = p.id AND j.state = 'waiting')"
)
_BACKLOG_SQLITE = (
    "SELECT coalesce(account_id, ''), sum(json_array_length(payload, '$.' || ?2)) FROM job"
    " WHERE kind = ?1 AND state = 'waiting' GROUP BY 1"
)
_BACKLOG_POSTGRES = (
    "SELECT coalesce(account_id, ''), sum(json_array_length(payload::json -> $2))::bigint FROM job"
    " WHERE kind = $1 AND state = 'waiting' GROUP BY 1"
)
_SQLITE_MARKS = ("?1", "?2", "?3")
_POSTGRES_MARKS = ("$1", "$2", "$3")


class Queue:
    """The way in. Every method works inside the caller's open transaction and leaves nothing when that is rolled back."""

    def __init__(self, engine: Engine, *, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()

    async def enqueue(  # the job's own fields
        self,
        tx: Tx | AccountTx,
        kind: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        run_at: datetime | None = None,
        dedupe: str | None = None,
        lane: Lane = Lane.NORMAL,
        account_id: str | None = None,
    ) -> int | None:
        """Store one job; return its number, or None when `dedupe` names a job of this kind that is remembered already.

        Args:
            tx: the caller's open transaction; an AccountTx also says whose job it is.
            kind: which consumer runs it.
            payload: what the handler needs, as plain JSON values.
            key: jobs of one key run one after the other, in this order; without it the job stands alone.
            run_at: not before this (aware) time.
            dedupe: unique name among the unfinished and recently finished jobs of the kind and account.
            lane: URGENT goes before NORMAL before BACKFILL.
            account_id: whose job it is, when `tx` does not say.
        """
        job = NewJob(kind, payload, key, run_at, dedupe, lane, account_id)
        return (await self.enqueue_many(tx, (job,)))[0]

    async def enqueue_many(self, tx: Tx | AccountTx, jobs: Sequence[NewJob]) -> list[int | None]:
        """Store many jobs; return their numbers in order, None for each whose `dedupe` is remembered already, or that has nothing to do.

        Among equal ones in `jobs` the first wins. The transaction stays usable in every case.
        """
        if isinstance(tx, AccountTx):
            account = tx.account_id
            jobs = [job if job.account_id is not None else replace(job, account_id=account) for job in jobs]
            tx = tx.system
        if not jobs:
            return []
        now = micros(self._clock.now())
        rows, marks = _rows(jobs, now)
        put = _put_sqlite if tx.dialect == "sqlite" else _put_postgres
        ids, woken = await put(tx, rows, _conditions(jobs), now)
        await self.wake(tx, woken)
        if ids:
            crash_point("jobs.enqueued")
        return [ids.get(mark) for mark in marks]

    async def enqueue_later(self, tx: Tx | AccountTx, jobs: Sequence[NewJob]) -> None:
        """Do as :meth:`enqueue_many` for those who do not ask for numbers, together with what else is to be sent later."""
        if isinstance(tx, AccountTx):
            account = tx.account_id
            jobs = [job if job.account_id is not None else replace(job, account_id=account) for job in jobs]
            tx = tx.system
        if tx.dialect == "sqlite":
            await self.enqueue_many(tx, jobs)
        elif jobs:
            now = micros(self._clock.now())
            rows, _ = _rows(jobs, now)
            where = dict(_conditions(jobs))
            asked = [_Asked(row, where.get(row.kind, ""), now) for row in rows]
            await tx.rows_later(_PUTTING, _Putting(self, tx), asked, behind=_freed(rows))
            crash_point("jobs.enqueued")

    async def cancel(
        self, tx: Tx | AccountTx, kind: str, dedupe: str, *, account_id: str | None = None
    ) -> bool:
        """Remove a job that has not started yet, by its `dedupe` name; return whether there was one. For timers."""
        if isinstance(tx, AccountTx):
            account_id, tx = tx.account_id, tx.system
        account = account_id or ""
        gone = await tx.driver_all(
            _CANCEL.format(*_SQLITE_MARKS), _CANCEL.format(*_POSTGRES_MARKS), (kind, dedupe, account)
        )
        if gone:
            await tx.driver_all(
                _FORGET.format(*_SQLITE_MARKS), _FORGET.format(*_POSTGRES_MARKS), (account, kind, dedupe)
            )
        return bool(gone)

    async def cancel_later(self, tx: AccountTx, kind: str, dedupe: str) -> None:
        """Do as :meth:`cancel`, together with what else is to be sent later: see :meth:`Tx.driver_later`."""
        if tx.system.dialect == "sqlite":
            await self.cancel(tx, kind, dedupe)
        else:
            given = (kind, dedupe, tx.account_id)
            await tx.system.driver_later(
                "", _CANCEL_LATER, given, kind=_cancelling(kind, dedupe), behind=(_PUTTING,)
            )

    async def waiting(self, tx: Tx | AccountTx, keys: Sequence[str]) -> set[str]:
        """Return those of `keys` that have a job which waits or runs: another of the kind that does it all would be one too many."""
        system = tx.system if isinstance(tx, AccountTx) else tx
        listed: object = orjson.dumps(list(keys)).decode() if system.dialect == "sqlite" else list(keys)
        rows = await system.driver_all(
            _WAITING.format("IN (SELECT value FROM json_each(?1))"),
            _WAITING.format("= ANY($1::text[])"),
            (listed,),
        )
        return {row[0] for row in rows}

    async def backlog(self, tx: Tx | AccountTx, kind: str, list_name: str) -> dict[str, int]:
        """Return per account how much waits for `kind` or is being worked on: jobs carry it in the list of that name."""
        system = tx.system if isinstance(tx, AccountTx) else tx
        rows = await system.driver_all(_BACKLOG_SQLITE, _BACKLOG_POSTGRES, (kind, list_name))
        return {row[0]: int(row[1] or 0) for row in rows}

    async def wake(self, tx: Tx, woken: Mapping[int, int]) -> None:
        """Have partitions drained, each as urgently as is said."""
        for urgency in sorted(set(woken.values())):
            numbers = sorted(number for number, of_one in woken.items() if of_one == urgency)
            await self._engine.wake(tx, numbers, Lane(urgency))


@dataclass(frozen=True, slots=True)
class _Putting:
    """Makes the one statement that stores all jobs of a transaction that are stored later."""

    queue: Queue
    tx: Tx

    @property
    def width(self) -> int:
        return _GIVEN.width(FEW) + 1

    def __call__(self, asked: Sequence[_Asked]) -> Statement:
        rows = _first_of_each([one.row for one in asked])
        conditions = tuple(sorted({(one.row.kind, one.where) for one in asked if one.where}))
        now = max(one.now for one in asked)
        statement = _put_text(min(len(rows), FEW + 1), conditions, later=True)
        return statement, (*_GIVEN.parameters(rows), now), self._told

    async def _told(self, found: Sequence[Sequence[Any]]) -> None:
        await self.queue.wake(self.tx, {row[0]: row[1] for row in found})


class _Asked(NamedTuple):
    """A job that is to be stored later, the condition of its kind, and when that was asked for."""

    row: _Row
    where: str
    now: int


def _cancelling(kind: str, dedupe: str) -> str:
    """Return the kind of the statement that cancels a job: its name is free once that was sent."""
    return f"jobs.cancelled {kind} {dedupe}"


def _freed(rows: Sequence[_Row]) -> list[str]:
    """Return the kinds of the statements that would free the names of these jobs."""
    return [_cancelling(row.kind, row.dedupe) for row in rows if row.dedupe is not None]


class _Row(NamedTuple):
    """A job as it is stored, with its partition's key, and whether nothing else is in that."""

    kind: str
    payload: str
    mark: str
    account: str | None
    lane: int
    dedupe: str | None
    trace: str | None
    due: int
    key: str
    solo: int


def _rows(jobs: Sequence[NewJob], now: int) -> tuple[list[_Row], list[str]]:
    """Return what is stored of `jobs`, the first of those of one name, and the marks of all."""
    marks = [new_id() for _ in jobs]
    trace = tracing.current()
    rows = [
        _Row(
            job.kind,
            orjson.dumps(dict(job.payload)).decode(),
            marks[at],
            job.account_id,
            int(job.lane),
            job.dedupe,
            job.trace or trace,
            now if job.run_at is None else micros(job.run_at),
            job.key or f"~{marks[at]}",
            int(job.key is None),
        )
        for at, job in enumerate(jobs)
    ]
    return _first_of_each(rows), marks


_Put = tuple[dict[str, int], dict[int, int]]
"""The numbers of jobs by mark; how urgent the partitions are that have to be woken."""


def _first_of_each(rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows without a dedupe name, and the first ones of the others."""
    named: set[tuple[str | None, str, str]] = set()
    found: list[_Row] = []
    for row in rows:
        if row.dedupe is not None:
            name = (row.account, row.kind, row.dedupe)
            if name in named:
                continue
            named.add(name)
        found.append(row)
    return found


def _conditions(jobs: Sequence[NewJob]) -> tuple[tuple[str, str], ...]:
    """Return the conditions of the kinds that have one."""
    return tuple(sorted({(job.kind, job.only_where) for job in jobs if job.only_where}))


async def _put_sqlite(tx: Tx, rows: Sequence[_Row], conditions: Sequence[tuple[str, str]], now: int) -> _Put:
    chosen = []
    asked = dict(conditions)
    for row in rows:
        condition = asked.get(row.kind)
        if condition is not None:
            text = f"SELECT 1 WHERE {condition.format(account='?1')}"
            if not await tx.driver_all(text, "", (row.account,)):
                continue
        name = (row.account or "", row.kind, row.dedupe)
        if row.dedupe is None or await tx.driver_all(_REMEMBER_ONE, "", (*name, now)):
            chosen.append(row)
    wanted: dict[str, tuple[int, int, int]] = {}  # lane, latch, due
    for row in chosen:
        lane, latch, due = wanted.get(row.key, (row.lane, 0, row.due))
        wanted[row.key] = (min(lane, row.lane), latch or int(row.due <= now), min(due, row.due))
    solo = {row.key: row.solo for row in chosen}
    partitions: dict[str, int] = {}
    woken: dict[int, int] = {}
    for key, (lane, latch, due) in wanted.items():
        [(number, woken_at)] = await tx.driver_all(_PUT_SQLITE, "", (key, solo[key], lane, latch, now, due))
        partitions[key] = number
        if latch and woken_at == now:
            woken[number] = lane
    ids: dict[str, int] = {}
    for row in chosen:
        values = (partitions[row.key], *row[:7], now, row.due)
        [(ids[row.mark],)] = await tx.driver_all(_JOB_SQLITE, "", values)
    return ids, woken


@cache
def _put_text(count: int, conditions: tuple[tuple[str, str], ...], *, later: bool) -> str:
    """Return the statement that stores so many jobs (one more than few for all numbers above that), and none without its condition."""
    given, now = _GIVEN.source(count), f"${_GIVEN.width(count) + 1}"
    where = " AND ".join(
        f"(n.kind <> '{kind}' OR {condition.format(account='n.account')})" for kind, condition in conditions
    )
    where = where and f" WHERE {where}"
    if later:
        return f"{_PUT_STEPS}{OWN}{_PUT_LATER}".format(given=given, where=where, now=now)
    return f"WITH {_PUT_STEPS}{_PUT_TOLD}".replace("@", "").format(given=given, where=where, now=now)


async def _put_postgres(
    tx: Tx, rows: Sequence[_Row], conditions: tuple[tuple[str, str], ...], now: int
) -> _Put:
    ids: dict[str, int] = {}
    woken: dict[int, int] = {}
    # Beside what else is to be sent later.
    statement = _put_text(min(len(rows), FEW + 1), conditions, later=False)
    found = await tx.driver_beside(
        "", statement, (*_GIVEN.parameters(rows), now), behind=(_PUTTING, *_freed(rows))
    )
    for mark, job_id, number, woken_at, latch, lane in found:
        ids[mark] = job_id
        if latch and woken_at == now:
            woken[number] = lane
    return ids, woken
