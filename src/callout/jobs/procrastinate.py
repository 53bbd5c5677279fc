"""The engine on PostgreSQL: Procrastinate carries the wake-ups between processes and machines.

Its jobs are deferred by its own SQL function on our connection, inside our transaction. They only say "drain partition X": order,
attempts, fencing and dead letters are ours, so its `lock` and `queueing_lock` are not used (a freed lock wakes nobody).
Its worker is restarted here whenever it ends by itself, as it does when the database goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ProcrastinateException
from procrastinate.schema import SchemaManager

from callout.jobs.model import Lane
from callout.kit.crash import crash_point

if TYPE_CHECKING:
    from callout.jobs.engine import Drain
    from callout.storage import Tx

log = structlog.get_logger(__name__)
QUEUE = "callout"
TASK = "callout.drain"
HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 0.25
"""How often its worker looks without being notified: a notification that arrives during a look is lost to it."""
RESCUE_SECONDS = 2.0
RECONNECT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)
CONNECT_SECONDS = 5.0
_SCHEMA_LOCK = 0x63616C6C
_WAKE = (
    "SELECT procrastinate_defer_jobs_v1(ARRAY(SELECT ROW($2, $3, $4, NULL, NULL, jsonb_build_object('partition', p), NULL)"
    "::procrastinate_job_to_defer_v1 FROM unnest($1::bigint[]) AS p))"
)
_ON_THE_WAY = (
    "SELECT (args->>'partition')::bigint FROM procrastinate_jobs"
    " WHERE status = 'todo' AND queue_name = $1 AND (args->>'partition')::bigint = ANY($2::bigint[])"
)


def _conninfo(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


async def ensure_schema(url: str) -> bool:
    """Create Procrastinate's own tables in the database of `url` when they are not there; return whether it was done.

    Raises psycopg.Error when the database is not there or forbids it.
    """
    async with await psycopg.AsyncConnection.connect(_conninfo(url)) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        cursor = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
        row = await cursor.fetchone()
        if row is not None and row[0] is not None:
            return False
        await connection.execute(SchemaManager.get_schema())
    return True


class ProcrastinateEngine:
    """The engine port on PostgreSQL."""

    def __init__(self, url: str, *, takeover: timedelta = timedelta(seconds=5)) -> None:
        self._conninfo = _conninfo(url)
        self._takeover = takeover.total_seconds()

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """See :class:`~callout.jobs.engine.Engine`."""
        priority = int(Lane.BACKFILL) - int(lane)
        await tx.driver_all("", _WAKE, (list(partitions), QUEUE, TASK, priority))

    async def missing(self, tx: Tx, partitions: Sequence[int]) -> list[int]:
        """See :class:`~callout.jobs.engine.Engine`."""
        if not partitions:
            return []
        there = {row[0] for row in await tx.driver_all("", _ON_THE_WAY, (QUEUE, list(partitions)))}
        return [number for number in partitions if number not in there]

    async def run(self, drain: Drain, stop: asyncio.Event, *, concurrency: int) -> None:
        """See :class:`~callout.jobs.engine.Engine`."""
        failures = 0
        while not stop.is_set():
            started = asyncio.get_running_loop().time()
            try:
                await self._session(drain, stop, concurrency)
            except (ProcrastinateException, psycopg.Error, OSError, TimeoutError) as error:
                log.warning("engine lost the database; connecting again", error=repr(error))
            if stop.is_set():
                return
            lasted = asyncio.get_running_loop().time() - started
            failures = 0 if lasted > RECONNECT_SECONDS[-1] else failures + 1
            pause = RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _session(self, drain: Drain, stop: asyncio.Event, concurrency: int) -> None:
        """Run one worker of Procrastinate until it ends or `stop`; running drains are waited for."""
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=self._conninfo,
                min_size=2,
                max_size=4,
                timeout=CONNECT_SECONDS,
                kwargs={"application_name": "callout-engine", "connect_timeout": int(CONNECT_SECONDS)},
            )
        )

        @app.task(name=TASK, queue=QUEUE)
        async def drain_partition(partition: int) -> None:
            crash_point("jobs.claimed")
            await drain(partition)

        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=concurrency,
                    delete_jobs="always",
                    fetch_job_polling_interval=POLL_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    install_signal_handlers=False,
                )
            )
            rescue = asyncio.create_task(self._rescue(app))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({worker, rescue, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                rescue.cancel()
                stopping.cancel()
                worker.cancel()  # to it a cancellation is a request to stop: it waits for what runs
                results = await asyncio.gather(worker, rescue, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _rescue(self, app: procrastinate.App) -> None:
        """Free the wake-ups that a dead worker had fetched; ours or another's rescue may be faster, which is as well."""
        while True:
            await asyncio.sleep(RESCUE_SECONDS)
            for stalled in await app.job_manager.get_stalled_jobs(
                queue=QUEUE, seconds_since_heartbeat=self._takeover
            ):
                try:
                    await app.job_manager.retry_job(stalled)
                except ProcrastinateException as error:
                    log.debug("a stalled wake-up was freed by somebody else", error=repr(error))
