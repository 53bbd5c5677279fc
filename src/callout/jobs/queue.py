"""Putting work in: only inside the caller's open transaction, so that work exists exactly when its cause was committed."""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from callout.jobs.model import Lane, NewJob
from callout.kit.clock import Clock, SystemClock
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.storage.schema import micros
from callout.storage.tx import AccountTx

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Tx

_REMEMBER_ONE = (
    "INSERT INTO job_dedupe (account_id, kind, dedupe, until) VALUES (?, ?, ?, NULL)"
    " ON CONFLICT (account_id, kind, dedupe) DO UPDATE SET until = NULL WHERE job_dedupe.until < ? RETURNING 1"
)
_REMEMBER_MANY = (
    "INSERT INTO job_dedupe (account_id, kind, dedupe, until)"
    " SELECT a, k, d, NULL FROM unnest($1::text[], $2::text[], $3::text[]) AS n(a, k, d) ORDER BY a, k, d"
    " ON CONFLICT (account_id, kind, dedupe) DO UPDATE SET until = NULL WHERE job_dedupe.until < $4"
    " RETURNING account_id, kind, dedupe"
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
# A partition that is being drained, and urgently enough, needs no change: its row is only held until our commit, so that the drain
# waits with its last look. Writing it would make the commits of busy enqueuers wait for each other.
_PUT_POSTGRES = (
    "WITH wanted AS (SELECT * FROM unnest($1::text[], $2::smallint[], $3::smallint[], $4::smallint[], $5::bigint[])"
    " AS n(k, s, l, x, d)), held AS (SELECT p.key, p.id FROM job_partition p JOIN wanted ON wanted.k = p.key"
    " WHERE p.latch = 1 AND p.lane <= wanted.l AND wanted.x = 1 AND wanted.s = 0 AND p.blocked_until <= $6::bigint"
    " FOR KEY SHARE OF p), put AS ("
    "INSERT INTO job_partition (key, solo, lane, latch, woken_at, due_at)"
    " SELECT k, s, l, x, $6::bigint, d FROM wanted WHERE k NOT IN (SELECT key FROM held) ORDER BY k"
    + _PUT_PARTITION.format(later=_LATER, overtakes=_OVERTAKES)
    + " RETURNING key, id, woken_at) SELECT key, id, woken_at FROM put UNION ALL SELECT key, id, 0 FROM held"
)
_JOB_COLUMNS = "partition_id, kind, payload, idempotency_key, account_id, lane, dedupe, enqueued_at, run_at"
_JOB_SQLITE = f"INSERT INTO job ({_JOB_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
_JOB_POSTGRES = (
    f"INSERT INTO job ({_JOB_COLUMNS}) SELECT p, k, b, i, a, l, d, $8::bigint, r"
    " FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $9::bigint[])"
    " WITH ORDINALITY AS n(p, k, b, i, a, l, d, r, o) ORDER BY o RETURNING idempotency_key, id"
)
_CANCEL = (
    "DELETE FROM job WHERE kind = {0} AND dedupe = {1} AND attempts = 0 AND state = 'waiting'"
    " AND coalesce(account_id, '') = {2} RETURNING id"
)
_FORGET = "DELETE FROM job_dedupe WHERE account_id = {0} AND kind = {1} AND dedupe = {2}"
_WAITING = (
    "SELECT p.key FROM job_partition p WHERE p.key {0}"
    " AND EXISTS (SELECT 1 FROM job j WHERE j.partition_id = p.id AND j.state = 'waiting')"
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
        """Store many jobs; return their numbers in order, None for each whose `dedupe` is remembered already.

        Among equal ones in `jobs` the first wins. The transaction stays usable in every case.
        """
        if isinstance(tx, AccountTx):
            account = tx.account_id
            jobs = [job if job.account_id is not None else replace(job, account_id=account) for job in jobs]
            tx = tx.system
        if not jobs:
            return []
        now = micros(self._clock.now())
        chosen = await self._first_of_each(tx, jobs, now)
        numbers: list[int | None] = [None] * len(jobs)
        if not chosen:
            return numbers
        marks = {at: new_id() for at in chosen}
        keys = {at: jobs[at].key or f"~{marks[at]}" for at in chosen}
        due = {at: now if (run_at := jobs[at].run_at) is None else micros(run_at) for at in chosen}
        partitions = await self._put_partitions(tx, jobs, keys, due, now)
        rows = [
            (
                partitions[keys[at]][0],
                jobs[at].kind,
                orjson.dumps(dict(jobs[at].payload)).decode(),
                marks[at],
                jobs[at].account_id,
                int(jobs[at].lane),
                jobs[at].dedupe,
                now,
                due[at],
            )
            for at in chosen
        ]
        ids = await _insert_jobs(tx, rows)
        for at in chosen:
            numbers[at] = ids[marks[at]]
        for lane in Lane:
            woken = [number for number, woken, urgency in partitions.values() if woken and urgency == lane]
            if woken:
                await self._engine.wake(tx, woken, lane)
        crash_point("jobs.enqueued")
        return numbers

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

    async def _first_of_each(self, tx: Tx, jobs: Sequence[NewJob], now: int) -> list[int]:
        """Return the places in `jobs` that are to be stored: those without a dedupe name, and the first and new of the others."""
        first: dict[tuple[str, str, str], int] = {}
        for at, job in enumerate(jobs):
            if job.dedupe is not None:
                first.setdefault((job.account_id or "", job.kind, job.dedupe), at)
        if not first:
            return list(range(len(jobs)))
        fresh: set[int] = set()
        if tx.dialect == "sqlite":
            for name, at in first.items():
                if await tx.driver_all(_REMEMBER_ONE, "", (*name, now)):
                    fresh.add(at)
        else:
            columns = [list(column) for column in zip(*first, strict=True)]
            rows = await tx.driver_all("", _REMEMBER_MANY, (*columns, now))
            fresh = {first[(row[0], row[1], row[2])] for row in rows}
        return [at for at, job in enumerate(jobs) if job.dedupe is None or at in fresh]

    async def _put_partitions(
        self, tx: Tx, jobs: Sequence[NewJob], keys: Mapping[int, str], due: Mapping[int, int], now: int
    ) -> dict[str, tuple[int, bool, int]]:
        """Make or find the partition of each key; return its number, whether it must be woken, and how urgently."""
        wanted: dict[str, tuple[int, int, int, int]] = {}  # solo, lane, latch, due
        for at, key in keys.items():
            solo, lane, latch, soonest = wanted.get(
                key, (int(jobs[at].key is None), int(Lane.BACKFILL), 0, due[at])
            )
            ready = due[at] <= now
            wanted[key] = (
                solo,
                min(lane, int(jobs[at].lane)),
                latch or int(ready),
                min(soonest, due[at]),
            )
        put: dict[str, tuple[int, bool, int]] = {}
        if tx.dialect == "sqlite":
            for key, (solo, lane, latch, soonest) in wanted.items():
                values = (key, solo, lane, latch, now, soonest)
                [(number, woken_at)] = await tx.driver_all(_PUT_SQLITE, "", values)
                put[key] = (number, bool(latch) and woken_at == now, lane)
            return put
        columns = [[value[column] for value in wanted.values()] for column in range(4)]
        for key, number, woken_at in await tx.driver_all("", _PUT_POSTGRES, (list(wanted), *columns, now)):
            put[key] = (number, bool(wanted[key][2]) and woken_at == now, wanted[key][1])
        return put


async def _insert_jobs(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    """Insert job rows in order; return their numbers by idempotency key."""
    if tx.dialect == "sqlite":
        return {row[3]: (await tx.driver_all(_JOB_SQLITE, "", row))[0][0] for row in rows}
    columns = [list(column) for column in zip(*rows, strict=True)]
    stored = await tx.driver_all("", _JOB_POSTGRES, (*columns[:7], rows[0][7], columns[8]))
    return dict(stored)  # type: ignore[arg-type]
