"""What happens to one partition's rows inside a transaction: the one place with the SQL of draining, for both databases.

Lock order on PostgreSQL, where it matters: own lease, then other partitions (by enqueuing), then budgets, then own partition.
Enqueuing never touches a lease, and a drain that holds more than its lease takes its own partition only when that is free at
once; so drains that enqueue for each other cannot wait in a circle.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from callout.jobs.model import Job, Lane
from callout.storage.schema import from_micros

if TYPE_CHECKING:
    from callout.storage import Tx

PEEK = 64
NEVER = 2**62
"""A moment that does not come: the partition waits for an operator."""
LONGEST_ERROR = 2_000

_LEASE = (
    "INSERT INTO job_lease (partition_id, token, token_at) VALUES ({0}, {1}, {2})"
    " ON CONFLICT (partition_id) DO UPDATE SET token = excluded.token, token_at = excluded.token_at"
    " WHERE job_lease.token_at < {3} OR job_lease.token = excluded.token RETURNING 1"
)
_LATCHED = "SELECT key, solo FROM job_partition WHERE id = {0} AND latch = 1"
_UNLEASE = "DELETE FROM job_lease WHERE partition_id = {0} AND token = {1}"
_RENEW = "UPDATE job_lease SET token_at = {2} WHERE partition_id = {0} AND token = {1} RETURNING 1"
_PEEK = (
    "SELECT id, kind, attempts, lane FROM job WHERE partition_id = {0} AND state = 'waiting' AND run_at <= {1}"
    f" ORDER BY id LIMIT {PEEK}"
)
_COLUMNS = "id, kind, payload, attempts, idempotency_key, account_id, lane, enqueued_at, first_attempt_at, dedupe, trace"
_READ = f"SELECT {_COLUMNS} FROM job WHERE id = {{0}} AND state = 'waiting'"
_COUNT = (
    "UPDATE job SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, {1}), waiting_for = NULL"
    f" WHERE id {{0}} AND state = 'waiting' RETURNING {_COLUMNS}, partition_id"
)
_FINISH = "DELETE FROM job WHERE id {0} RETURNING id, kind, dedupe, account_id"
_REMEMBER = "UPDATE job_dedupe SET until = {3} WHERE account_id = {0} AND kind = {1} AND dedupe = {2}"
_WAITS = "UPDATE job SET waiting_for = {1} WHERE id = {0}"
_AGAIN = (
    "UPDATE job SET attempts = attempts - {1}, last_error = coalesce({2}, last_error), waiting_for = {3}"
    " WHERE id = {0} AND attempts = {4}"
)
_BURY = "UPDATE job SET state = {1}, dead_at = {2}, last_error = {3}, waiting_for = NULL WHERE id = {0}"
_LOCK = "SELECT 1 FROM job_partition WHERE id = $1 FOR UPDATE"
_NEXT = "SELECT min(run_at) FROM job WHERE partition_id = {0} AND state = 'waiting'"
_CLOSE = (
    "UPDATE job_partition SET latch = 0, due_at = {1}, blocked_until = {2}, waiting_budget = {3}, idle_since = {4}"
    " WHERE id = {0}"
)
_VANISH = (
    "DELETE FROM job_partition WHERE id = {0} AND solo = 1"
    " AND NOT EXISTS (SELECT 1 FROM job WHERE partition_id = {1}) RETURNING 1"
)
_Q = tuple(f"?{n}" for n in range(1, 9))
_D = tuple(f"${n}" for n in range(1, 9))
_Q_LIST = ("IN (SELECT value FROM json_each(?1))", "?2")
_D_LIST = ("= ANY($1::bigint[])", "$2")

Row = Sequence[Any]


class _Sql:
    """One statement written for both drivers."""

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str, *, ids_first: bool = False) -> None:
        self.sqlite = text.format(*(_Q_LIST if ids_first else _Q))
        self.postgresql = text.format(*(_D_LIST if ids_first else _D))

    async def __call__(self, tx: Tx, *params: object) -> Sequence[Row]:
        return await tx.driver_all(self.sqlite, self.postgresql, params)

    async def ids(self, tx: Tx, ids: Iterable[int], *params: object) -> Sequence[Row]:
        listed = list(ids)
        first: object = orjson.dumps(listed).decode() if tx.dialect == "sqlite" else listed
        return await tx.driver_all(self.sqlite, self.postgresql, (first, *params))


_lease, _latched, _unlease, _renew = _Sql(_LEASE), _Sql(_LATCHED), _Sql(_UNLEASE), _Sql(_RENEW)
_peek, _read, _count = _Sql(_PEEK), _Sql(_READ), _Sql(_COUNT, ids_first=True)
_finish, _remember = _Sql(_FINISH, ids_first=True), _Sql(_REMEMBER)
_again, _bury, _next, _close, _vanish = _Sql(_AGAIN), _Sql(_BURY), _Sql(_NEXT), _Sql(_CLOSE), _Sql(_VANISH)


@dataclass(frozen=True, slots=True)
class Held:
    """A partition that this worker drains, as long as its token is the one in the lease row."""

    partition: int
    token: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """One job whose attempt has been counted, with what its settlement needs."""

    job: Job
    first_attempt_at: int
    dedupe: str | None


async def hold(tx: Tx, partition: int, token: str, now: int, *, stale_before: int) -> Held | None:
    """Become the one who drains `partition`; None when a living worker does already or nothing is to be done."""
    if not await _lease(tx, partition, token, now, stale_before):
        return None
    rows = await _latched(tx, partition)
    if not rows:
        await _unlease(tx, partition, token)
        return None
    key, solo = rows[0]
    return Held(partition, token, None if solo else key)


async def renew(tx: Tx, held: Held, now: int) -> bool:
    """Lock the lease for the rest of the transaction and refresh it; False when it is another worker's."""
    return bool(await _renew(tx, held.partition, held.token, now))


async def let_go(tx: Tx, held: Held) -> None:
    """Give the lease back; the latch stays as it is."""
    await _unlease(tx, held.partition, held.token)


async def peek(tx: Tx, held: Held, now: int) -> Sequence[Row]:
    """Return (id, kind, attempts, lane) of the next due jobs, in order."""
    return await _peek(tx, held.partition, now)


async def read(tx: Tx, held: Held, number: int) -> Taken | None:
    """Return one waiting job as it is, before its next attempt is counted."""
    rows = await _read(tx, number)
    return _taken(rows[0], held.key) if rows else None


async def count_attempt(tx: Tx, held: Held, ids: Collection[int], now: int) -> list[Taken]:
    """Count an attempt on each of `ids` and return those that still exist, in order."""
    rows = sorted(await _count.ids(tx, ids, now), key=lambda row: row[0])
    return [_taken(row, held.key) for row in rows]


async def count_attempts_of(
    tx: Tx, wanted: Sequence[tuple[Held, Collection[int]]], now: int
) -> dict[int, list[Taken]]:
    """Count an attempt on jobs of many partitions; return those that still exist by their partition, in order."""
    keys = {held.partition: held.key for held, _ in wanted}
    found: dict[int, list[Taken]] = {}
    rows = await _count.ids(tx, [one for _, ids in wanted for one in ids], now)
    for row in sorted(rows, key=lambda row: row[0]):
        found.setdefault(row[11], []).append(_taken(row, keys[row[11]]))
    return found


async def finish_of(tx: Tx, ids: Collection[int], remember_until: int) -> set[int]:
    """Remove finished jobs and remember their dedupe names; return which there were."""
    rows = await _finish.ids(tx, ids)
    for _, kind, dedupe, account in rows:
        if dedupe is not None:
            await _remember(tx, account or "", kind, dedupe, remember_until)
    return {row[0] for row in rows}


async def put_off(
    tx: Tx, taken: Taken, *, uncount: bool, error: str | None = None, waiting_for: str | None = None
) -> None:
    """Leave a job waiting, with the reason; `uncount` takes its attempt back. Doing it twice does it once."""
    text = None if error is None else error[:LONGEST_ERROR]
    await _again(tx, taken.job.id, 1 if uncount else 0, text, waiting_for, taken.job.attempt)


async def note_waiting(tx: Tx, number: int, reason: str) -> None:
    """Write down what the head of a partition waits for."""
    await tx.driver_later(_WAITS.format(*_Q), _WAITS.format(*_D), (number, reason))


async def bury(
    tx: Tx, taken: Taken, error: str, now: int, *, state: Literal["dead", "blocked"], remember_until: int
) -> None:
    """Make a dead letter of a job."""
    await _bury(tx, taken.job.id, state, now, error[:LONGEST_ERROR])
    if taken.dedupe is not None:
        await _remember(tx, taken.job.account_id or "", taken.job.kind, taken.dedupe, remember_until)


async def lock(tx: Tx, held: Held, *, wait: bool) -> bool:
    """Lock the partition row against enqueuing; without `wait`, False when somebody else has it."""
    if tx.dialect == "sqlite":
        return True  # the single writer is the lock
    return bool(await tx.driver_beside("", _LOCK if wait else f"{_LOCK} SKIP LOCKED", (held.partition,)))


async def close(tx: Tx, held: Held, now: int) -> tuple[bool, int | None]:
    """Switch the latch off and give the lease back, under the partition's lock.

    Returns whether it was closed (False: new work is due, go on) and when it is due again, None for never.
    """
    due: int | None = (await _next(tx, held.partition))[0][0]
    if due is not None and due <= now:
        return False, due
    await let_go(tx, held)
    if held.key is None and due is None and await _vanish(tx, held.partition, held.partition):
        return True, None
    await _close(tx, held.partition, due, 0, None, now if due is None else None)
    return True, due


async def close_until(tx: Tx, held: Held, moment: int, *, waiting_budget: str | None = None) -> None:
    """Do so whatever is due: nothing of it is begun before `moment`."""
    await tx.driver_later(_UNLEASE.format(*_Q), _UNLEASE.format(*_D), (held.partition, held.token))
    await tx.driver_later(
        _CLOSE.format(*_Q), _CLOSE.format(*_D), (held.partition, moment, moment, waiting_budget, None)
    )


def _taken(row: Row, key: str | None) -> Taken:
    job = Job(
        id=row[0],
        kind=row[1],
        key=key,
        payload=orjson.loads(row[2]),
        attempt=row[3],
        idempotency_key=row[4],
        account_id=row[5],
        lane=Lane(row[6]),
        enqueued_at=from_micros(row[7]),
        trace=row[10],
    )
    return Taken(job, row[8], row[9])
