"""What is waiting and what holds it up, for people who look at the work from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import Tx

_Q: Final = tuple(f"?{n}" for n in range(1, 4))
_D: Final = tuple(f"${n}" for n in range(1, 4))
_KINDS: Final = (
    "SELECT kind, sum(CASE WHEN state = 'waiting' AND run_at <= {0} THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state = 'waiting' AND run_at > {0} THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state <> 'waiting' THEN 1 ELSE 0 END),"
    " min(CASE WHEN state = 'waiting' THEN enqueued_at END) FROM job{1} GROUP BY kind ORDER BY kind"
)
_DUE: Final = "SELECT id FROM job WHERE state = 'waiting' AND run_at <= {0}{2} ORDER BY run_at, id LIMIT {1}"
_BLOCKED: Final = (
    "SELECT j.id, j.kind, p.key, (SELECT count(*) FROM job w WHERE w.partition_id = p.id AND w.state = 'waiting')"
    " FROM job j JOIN job_partition p ON p.id = j.partition_id WHERE j.state = 'blocked'{1} ORDER BY j.id LIMIT {0}"
)
_OLDEST: Final = (
    "SELECT min(j.run_at) FROM job j JOIN job_partition p ON p.id = j.partition_id WHERE j.state = 'waiting'"
    " AND j.run_at <= {0} AND p.blocked_until <= {0} AND p.waiting_budget IS NULL"
)
_SEEN: Final = "SELECT max(last_at) FROM job_schedule"


@dataclass(frozen=True, slots=True)
class KindOfWork:
    """How much there is of one kind: `due` now, `later` by its own time, `dead`; `oldest` of what is not done."""

    kind: str
    due: int
    later: int
    dead: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A partition that a failed job holds up: so many jobs wait behind it."""

    job_id: int
    kind: str
    key: str
    behind: int


def at_work(prefix: str) -> str:
    """Return the query for all partitions under `prefix` in which something is done or has a time: a column `name`, without `prefix`.

    It is for the statement of whoever keeps something by these names; both databases understand it, and it has no parameters.
    """
    named = f"SELECT substr(key, {len(prefix) + 1}) AS name FROM job_partition WHERE key LIKE '{prefix}%'"  # noqa: S608  # a name of ours
    return f"{named} AND latch = 1 UNION ALL {named} AND latch = 0 AND due_at IS NOT NULL"


class Backlog:
    """Counts and lists unfinished jobs: of one account, or of all. In the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def kinds(self, tx: Tx, *, account_id: str | None = None) -> list[KindOfWork]:
        """Return what there is, kind by kind."""
        mine = " WHERE account_id = {0}" if account_id else ""
        rows = await self._run(tx, _KINDS, 1, mine, micros(self._clock.now()), account_id=account_id)
        return [
            KindOfWork(
                row[0],
                int(row[1]),
                int(row[2]),
                int(row[3]),
                None if row[4] is None else from_micros(row[4]),
            )
            for row in rows
        ]

    async def due(self, tx: Tx, *, limit: int = 20, account_id: str | None = None) -> list[int]:
        """Return the numbers of jobs that could run now and have not, the one due longest first."""
        mine = " AND account_id = {0}" if account_id else ""
        now = micros(self._clock.now())
        return [row[0] for row in await self._run(tx, _DUE, 2, mine, now, limit, account_id=account_id)]

    async def oldest_due(self, tx: Tx) -> datetime | None:
        """Return since when the oldest job that nothing holds up could have run; None where none waits so."""
        rows = await self._run(tx, _OLDEST, 1, "", micros(self._clock.now()), account_id=None)
        return None if rows[0][0] is None else from_micros(rows[0][0])

    async def worker_seen(self, tx: Tx) -> datetime | None:
        """Return when a worker last moved a schedule on, which a living one does every second; None: never."""
        rows = await tx.driver_all(_SEEN, _SEEN)
        return None if rows[0][0] is None else from_micros(rows[0][0])

    async def blocked(self, tx: Tx, *, limit: int = 100, account_id: str | None = None) -> list[Blocked]:
        """Return the partitions that wait for somebody to replay or discard a failed job."""
        mine = " AND j.account_id = {0}" if account_id else ""
        rows = await self._run(tx, _BLOCKED, 1, mine, limit, account_id=account_id)
        return [Blocked(row[0], row[1], row[2], int(row[3])) for row in rows]

    async def _run(
        self, tx: Tx, text: str, plain: int, mine: str, *params: object, account_id: str | None
    ) -> Sequence[Sequence[Any]]:
        """Run `text`, whose first `plain` places are parameters and whose next is the account's condition."""
        given = (*params, account_id) if account_id else params
        written = [text.format(*marks[:plain], mine.format(marks[plain])) for marks in (_Q, _D)]
        return await tx.driver_all(written[0], written[1], given)


__all__ = ["Backlog", "Blocked", "KindOfWork", "at_work"]
