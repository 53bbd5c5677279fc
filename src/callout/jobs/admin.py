"""What operators do with jobs: list them, ask why they wait, replay or discard the dead ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from callout.jobs.model import DeadJob, Lane
from callout.jobs.partition import NEVER
from callout.kit.clock import Clock, SystemClock
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.jobs.engine import Engine
    from callout.storage import Tx

_DEAD = (
    "SELECT j.id, j.kind, p.key, p.solo, j.payload, j.attempts, j.idempotency_key, j.account_id, j.enqueued_at, j.dead_at,"
    " j.last_error, j.state FROM job j JOIN job_partition p ON p.id = j.partition_id"
    " WHERE j.state <> 'waiting' AND j.id > {0}"
)
_ONE_ACCOUNT = " AND j.account_id = {2}"
_PAGE = " ORDER BY j.id LIMIT {1}"
_DESCRIBE = (
    "SELECT j.id, j.kind, p.key, p.solo, j.state, j.attempts, j.run_at, j.enqueued_at, j.last_error, j.waiting_for,"
    " p.latch, p.due_at, p.blocked_until, p.id, l.token_at, j.account_id, j.lane,"
    " (SELECT min(h.id) FROM job h WHERE h.partition_id = p.id AND h.state <> 'dead' AND h.run_at <= {1})"
    " FROM job j JOIN job_partition p ON p.id = j.partition_id LEFT JOIN job_lease l ON l.partition_id = p.id"
    " WHERE j.id = {0}"
)
_REVIVE = (
    "UPDATE job SET state = 'waiting', attempts = 0, first_attempt_at = NULL, dead_at = NULL, waiting_for = NULL,"
    " run_at = {1} WHERE id = {0} AND state <> 'waiting' RETURNING partition_id"
)
_DEAD_OF = "SELECT id FROM job WHERE state <> 'waiting' AND kind {0} AND dead_at < {1} ORDER BY id LIMIT {2}"
_DISCARD = (
    "DELETE FROM job WHERE id = {0} AND state <> 'waiting' RETURNING partition_id, kind, dedupe, account_id"
)
_WAKE = (
    "UPDATE job_partition SET latch = 1, woken_at = {1}, due_at = NULL, idle_since = NULL, waiting_budget = NULL,"
    " blocked_until = CASE WHEN blocked_until >= {2} THEN 0 ELSE blocked_until END WHERE id = {0} RETURNING lane"
)
_Q = tuple(f"?{n}" for n in range(1, 5))
_D = tuple(f"${n}" for n in range(1, 5))


@dataclass(frozen=True, slots=True)
class Description:
    """One unfinished job, and in words what happens to it."""

    id: int
    kind: str
    key: str | None
    state: str
    attempts: int
    account_id: str | None
    lane: Lane
    enqueued_at: datetime
    last_error: str | None
    explanation: str


async def _run(tx: Tx, text: str, *params: object) -> Sequence[Sequence[Any]]:
    return await tx.driver_all(text.format(*_Q), text.format(*_D), params)


class JobAdmin:
    """Every method works in the caller's transaction."""

    def __init__(self, engine: Engine, *, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()

    async def dead(
        self, tx: Tx, *, after: int = 0, limit: int = 100, account_id: str | None = None
    ) -> list[DeadJob]:
        """Return dead letters with numbers above `after`, oldest first; of one account, or of all."""
        if account_id is None:
            rows = await _run(tx, _DEAD + _PAGE, after, limit)
        else:
            rows = await _run(tx, _DEAD + _ONE_ACCOUNT + _PAGE, after, limit, account_id)
        return [
            DeadJob(
                id=row[0],
                kind=row[1],
                key=None if row[3] else row[2],
                payload=orjson.loads(row[4]),
                attempts=row[5],
                idempotency_key=row[6],
                account_id=row[7],
                enqueued_at=from_micros(row[8]),
                dead_at=from_micros(row[9]),
                error=row[10] or "",
                blocking=row[11] == "blocked",
            )
            for row in rows
        ]

    async def describe(self, tx: Tx, number: int) -> Description | None:
        """Return an unfinished job with the reason why it is not done yet; None when there is none of that number."""
        rows = await _run(tx, _DESCRIBE, number, micros(self._clock.now()))
        if not rows:
            return None
        row = rows[0]
        return Description(
            id=row[0],
            kind=row[1],
            key=None if row[3] else row[2],
            state=row[4],
            attempts=row[5],
            account_id=row[15],
            lane=Lane(row[16]),
            enqueued_at=from_micros(row[7]),
            last_error=row[8],
            explanation=self._explain(row),
        )

    async def replay(self, tx: Tx, ids: Sequence[int]) -> int:
        """Let dead jobs run again with fresh attempts and the same idempotency key; return how many there were."""
        now = micros(self._clock.now())
        done = 0
        for number in sorted(set(ids)):
            for (partition,) in await _run(tx, _REVIVE, number, now):
                await self._wake(tx, partition, now)
                done += 1
        return done

    async def replay_kinds(self, tx: Tx, kinds: Sequence[str], *, before: datetime, limit: int = 500) -> int:
        """Let jobs of `kinds` that died before then run again, at most `limit`: for such as look again whether they still hold."""
        sqlite = tx.dialect == "sqlite"
        listed: object = orjson.dumps(list(kinds)).decode() if sqlite else list(kinds)
        rows = await tx.driver_all(
            _DEAD_OF.format("IN (SELECT value FROM json_each(?1))", "?2", "?3"),
            _DEAD_OF.format("= ANY($1::text[])", "$2", "$3"),
            (listed, micros(before), limit),
        )
        return await self.replay(tx, [row[0] for row in rows])

    async def discard(self, tx: Tx, ids: Sequence[int]) -> int:
        """Delete dead jobs for good; a partition that one of them blocked goes on. Returns how many there were."""
        now = micros(self._clock.now())
        done = 0
        for number in sorted(set(ids)):
            for row in await _run(tx, _DISCARD, number):
                await self._wake(tx, row[0], now)
                done += 1
        return done

    async def _wake(self, tx: Tx, partition: int, now: int) -> None:
        for (lane,) in await _run(tx, _WAKE, partition, now, NEVER):
            await self._engine.wake(tx, [partition], Lane(lane))

    def _explain(self, row: Sequence[Any]) -> str:  # noqa: PLR0911  # one answer per reason
        number, state, attempts, run_at, error, waiting_for = row[0], row[4], row[5], row[6], row[8], row[9]
        latch, blocked_until, token_at, head = row[10], row[12], row[14], row[17]
        now = micros(self._clock.now())
        failed = f"attempt {attempts} failed ({error}); " if error and attempts else ""
        if state == "dead":
            return f"set aside after {attempts} attempts: {error}. Replay or discard it."
        if state == "blocked":
            return f"failed for good after {attempts} attempts: {error}. Later jobs of its key wait for it: replay or discard it."
        if run_at > now:
            return f"not before {_clock(run_at)}"
        if head is not None and head < number:
            return f"waits for job {head}, which is before it in the same partition"
        if blocked_until == NEVER:
            return "its partition is blocked by a job that failed for good: replay or discard that one"
        if blocked_until > now:
            why = f" ({waiting_for})" if waiting_for else ""
            return f"{failed}next attempt at {_clock(blocked_until)}{why}"
        if token_at is not None:
            return f"{failed}running now" if attempts else "a worker is on its partition"
        if latch:
            return f"{failed}waits for a free worker"
        return f"{failed}due; a worker picks it up within a second"


def _clock(moment: int) -> str:
    return f"{from_micros(moment):%Y-%m-%d %H:%M:%S} UTC"
