"""The steps of draining for one partition or many by few statements: what a worker does at one moment for many shares its round trips.

On SQLite a statement costs no round trip: there each is done one by one, by the statements of :mod:`callout.jobs.partition`.

What is told together sees the database as it was before any of it. So whoever waits for a lock, or may find it given back a moment
ago, looks by a statement of its own afterwards: what was committed meanwhile must not be missed.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

from callout.jobs import partition
from callout.jobs.partition import Held, Row, Taken

if TYPE_CHECKING:
    from callout.storage import Tx

# In the order of their numbers, as whoever else takes many of them does: two workers never wait for each other in a circle.
_LEASE = (
    "INSERT INTO job_lease (partition_id, token, token_at)"
    " SELECT p, t, $3::bigint FROM unnest($1::bigint[], $2::text[]) AS n(p, t) ORDER BY p"
    " ON CONFLICT (partition_id) DO UPDATE SET token = excluded.token, token_at = excluded.token_at"
    " WHERE job_lease.token_at < $4 OR job_lease.token = excluded.token RETURNING partition_id"
)
_DUE = (
    "SELECT id, kind, attempts, lane FROM job WHERE partition_id = {0} AND state = 'waiting' AND run_at <= {1}"
    f" ORDER BY partition_id, id LIMIT {partition.PEEK}"
)
_LATCHED = (
    "SELECT p.id, p.key, p.solo, j.id, j.kind, j.attempts, j.lane FROM job_partition p"
    f" LEFT JOIN LATERAL ({_DUE.format('p.id', '$2')}) j ON true WHERE p.id = ANY($1::bigint[]) AND p.latch = 1"
)
_UNLEASE = (
    "DELETE FROM job_lease l USING unnest($1::bigint[], $2::text[]) AS n(p, t)"
    " WHERE l.partition_id = n.p AND l.token = n.t"
)
_MINE = (
    "WITH mine AS (SELECT l.partition_id FROM job_lease l"
    " JOIN unnest($1::bigint[], $2::text[]) AS n(p, t) ON l.partition_id = n.p AND l.token = n.t"
    " ORDER BY l.partition_id FOR UPDATE OF l),"
    " renewed AS (UPDATE job_lease SET token_at = $3 WHERE partition_id IN (SELECT partition_id FROM mine) RETURNING partition_id)"
)
# Whoever waits for a lease, and has it still, was waiting for a heartbeat: nobody else has touched the jobs meanwhile.
_RENEW_AND_FINISH = (
    f"{_MINE}, gone AS (DELETE FROM job WHERE id = ANY($4::bigint[]) AND partition_id IN (SELECT partition_id FROM mine)"
    " RETURNING id, kind, dedupe, account_id), remembered AS (UPDATE job_dedupe d SET until = $5 FROM gone"
    " WHERE gone.dedupe IS NOT NULL AND d.account_id = coalesce(gone.account_id, '') AND d.kind = gone.kind"
    " AND d.dedupe = gone.dedupe)"
    " SELECT (SELECT array_agg(partition_id) FROM renewed), (SELECT array_agg(id) FROM gone)"
)
# Those of `$3` in which nothing is due are locked against enqueuing, where nobody is at it: the last look comes afterwards.
_LOOK = (
    "WITH due AS (SELECT n.p, j.id, j.kind, j.attempts, j.lane FROM unnest($1::bigint[]) AS n(p)"
    f" CROSS JOIN LATERAL ({_DUE.format('n.p', '$2')}) j),"
    " locked AS (SELECT id FROM job_partition WHERE id = ANY($3::bigint[]) AND id NOT IN (SELECT p FROM due)"
    " ORDER BY id FOR UPDATE SKIP LOCKED)"
    " SELECT (SELECT array_agg(due) FROM due), (SELECT array_agg(id) FROM locked)"
)
_CLOSE = (
    "WITH seen AS (SELECT n.p, n.t, (SELECT min(run_at) FROM job WHERE partition_id = n.p AND state = 'waiting') AS due"
    " FROM unnest($1::bigint[], $2::text[]) AS n(p, t)),"
    " closing AS (SELECT p, t, due FROM seen WHERE due IS NULL OR due > $3::bigint),"
    " unleased AS (DELETE FROM job_lease l USING closing WHERE l.partition_id = closing.p AND l.token = closing.t),"
    " closed AS (UPDATE job_partition p SET latch = 0, due_at = closing.due, blocked_until = 0, waiting_budget = NULL,"
    " idle_since = CASE WHEN closing.due IS NULL THEN $3::bigint END FROM closing WHERE p.id = closing.p)"
    " SELECT p, due FROM closing"
)

_REFRESH_SQLITE = "UPDATE job_lease SET token_at = ?1 WHERE token IN (SELECT value FROM json_each(?2))"
_REFRESH_POSTGRES = (
    "UPDATE job_lease SET token_at = $1 WHERE partition_id IN (SELECT partition_id FROM job_lease"
    " WHERE token = ANY($2::text[]) FOR UPDATE SKIP LOCKED) AND token = ANY($2::text[])"
)
_HELD_SQLITE = "SELECT token FROM job_lease WHERE token IN (SELECT value FROM json_each(?1))"
_HELD_POSTGRES = "SELECT token FROM job_lease WHERE token = ANY($1::text[])"


class Look(NamedTuple):
    """What is to be done next: the due jobs of each partition that has some, in order, as (id, kind, attempts, lane).

    `locked` are those of the others that can be closed: locked against enqueuing, for a last look.
    """

    due: dict[int, list[Row]]
    locked: frozenset[int] = frozenset()


async def hold(
    tx: Tx, wanted: Mapping[int, str], now: int, *, stale_before: int
) -> tuple[list[Held], dict[int, list[Row]]]:
    """Become the one who drains the partitions of `wanted` (number: token); return those that are ours now, and what is due in them."""
    if tx.dialect == "sqlite":
        found = [
            await partition.hold(tx, number, token, now, stale_before=stale_before)
            for number, token in wanted.items()
        ]
        held = [one for one in found if one is not None]
        return held, (await look(tx, held, now)).due
    rows = await tx.driver_all("", _LEASE, (list(wanted), list(wanted.values()), now, stale_before))
    leased = {row[0] for row in rows}
    if not leased:
        return [], {}
    ours: dict[int, Held] = {}
    due: dict[int, list[Row]] = {}
    for number, key, solo, *job in await tx.driver_all("", _LATCHED, (sorted(leased), now)):
        ours.setdefault(number, Held(number, wanted[number], None if solo else key))
        if job[0] is not None:
            due.setdefault(number, []).append(job)
    idle = leased - ours.keys()
    if idle:
        await tx.driver_all("", _UNLEASE, (list(idle), [wanted[number] for number in idle]))
    return list(ours.values()), _in_order(due)


async def renew_and_finish(
    tx: Tx, done: Sequence[tuple[Held, Sequence[int]]], now: int, *, remember_until: int
) -> tuple[set[int], set[int]]:
    """Renew the leases, and remove the finished jobs of those that are ours still, remembering their dedupe names.

    Returns the numbers of the partitions that are ours, and of the jobs that were there.
    """
    held = [one for one, _ in done]
    if tx.dialect == "sqlite":
        ours = {one.partition for one in held if await partition.renew(tx, one, now)}
        ids = [number for one, numbers in done if one.partition in ours for number in numbers]
        return ours, await partition.finish_of(tx, ids, remember_until) if ids else set()
    ids = [number for _, numbers in done for number in numbers]
    [(renewed, gone)] = await tx.driver_all("", _RENEW_AND_FINISH, (*_names(held), now, ids, remember_until))
    return set(renewed or ()), set(gone or ())


async def refresh(tx: Tx, tokens: Sequence[str], now: int) -> set[str]:
    """Refresh the leases that are held under `tokens`; return those that are."""
    # A lease that is locked is being refreshed by its own drain: waiting for that one would let all others go stale.
    listed: object = orjson.dumps(list(tokens)).decode() if tx.dialect == "sqlite" else list(tokens)
    await tx.driver_all(_REFRESH_SQLITE, _REFRESH_POSTGRES, (now, listed))
    return {row[0] for row in await tx.driver_all(_HELD_SQLITE, _HELD_POSTGRES, (listed,))}


async def look(tx: Tx, held: Sequence[Held], now: int) -> Look:
    """Return what is due; those with a key in which nothing is are locked, where nobody is just enqueuing, to be closed."""
    if not held:
        return Look({})
    if tx.dialect == "sqlite":
        looked = {one.partition: list(await partition.peek(tx, one, now)) for one in held}
        due = {number: rows for number, rows in looked.items() if rows}
        # The single writer is the lock.
        return Look(due, frozenset(one.partition for one in held if one.partition not in due))
    numbers = [one.partition for one in held]
    [(rows, locked)] = await tx.driver_all("", _LOOK, (numbers, now, numbers))
    found: dict[int, list[Row]] = {}
    for row in rows or ():
        found.setdefault(row[0], []).append(row[1:])
    return Look(_in_order(found), frozenset(locked or ()))


async def count_attempts(
    tx: Tx, wanted: Sequence[tuple[Held, Sequence[int]]], now: int
) -> dict[int, list[Taken]]:
    """Count an attempt on each of the jobs; return those that still exist by their partition, in order."""
    taken = await partition.count_attempts_of(tx, wanted, now)
    return {held.partition: taken.get(held.partition, []) for held, _ in wanted}


async def close(tx: Tx, locked: Sequence[Held], now: int) -> dict[int, int | None]:
    """Switch the latch off and give the lease back where nothing has become due; the partitions are locked against enqueuing.

    Returns the closed ones with when each is due again, None for never.
    """
    if tx.dialect == "sqlite":
        closed = {one.partition: await partition.close(tx, one, now) for one in locked}
        return {number: due for number, (done, due) in closed.items() if done}
    found: dict[int, int | None] = {}
    keyed = [one for one in locked if one.key is not None]
    if keyed:
        found = {row[0]: row[1] for row in await tx.driver_all("", _CLOSE, (*_names(keyed), now))}
    for one in locked:
        if one.key is None:  # goes away with its job
            done, due = await partition.close(tx, one, now)
            if done:
                found[one.partition] = due
    return found


def _names(held: Sequence[Held]) -> tuple[list[int], list[str]]:
    return [one.partition for one in held], [one.token for one in held]


def _in_order(due: Mapping[int, list[Row]]) -> dict[int, list[Row]]:
    return {number: sorted(rows, key=lambda row: row[0]) for number, rows in due.items()}
