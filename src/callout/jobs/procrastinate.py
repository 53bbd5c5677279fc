"""The engine on PostgreSQL: Procrastinate carries the wake-ups between processes and machines.

Its jobs are deferred by its own SQL function, behind the commit of the transaction that asks for them. They only say "drain these
partitions": order, attempts, fencing and dead letters are ours, so its `lock` and `queueing_lock` are not used (a freed lock wakes nobody).
Its worker is restarted here whenever it ends by itself, as it does when the database goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ProcrastinateException
from procrastinate.schema import SchemaManager

from callout.jobs.model import Lane
from callout.jobs.restraint import Restraint, can_give_way
from callout.kit.crash import crash_point
from callout.kit.priority import work_that
from callout.storage.errors import StorageError

if TYPE_CHECKING:
    from procrastinate.types import JSONValue

    from callout.jobs.engine import Drain
    from callout.storage import Tx
    from callout.storage.postgres import PostgresDatabase

log = structlog.get_logger(__name__)
QUEUE = "callout"
TASK = "callout.drain"
"""What earlier versions asked for, one partition each: those of theirs that wait are drained."""
TASK_OF_SET = "callout.drain_set"
HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 0.25
"""How often its worker looks without being notified: a notification that arrives during a look is lost to it."""
RESCUE_SECONDS = 2.0
RECONNECT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)
CONNECT_SECONDS = 5.0
_SCHEMA_LOCK = 0x63616C6C
FEW = 32
"""Woken at once, partitions make about so many jobs: fetching and ending one costs as much as draining a partition."""
SMALLEST_SET, LARGEST_SET = 4, 64
"""Partitions of a job. The subscribers of one event are woken together: by one job, not by one each."""
BURST, BURST_SECONDS = 5, 0.1
"""Wake-ups are sent at once, so many times in so many seconds; in a busier time they are gathered, but for urgent ones."""
GATHER_SECONDS = 0.1
"""While people of this process wait for answers, those that are not urgent are gathered for so long: each set costs both sides, and a
worker that would take from the same processors."""
_WAKE = (
    "SELECT procrastinate_defer_jobs_v1(ARRAY(SELECT ROW($3, $4, priority, NULL, NULL,"
    " jsonb_build_object('partitions', jsonb_agg(id)), NULL)::procrastinate_job_to_defer_v1"
    " FROM (SELECT id, priority, row_number() OVER (PARTITION BY priority ORDER BY nth) AS place"
    " FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS n(id, priority, nth)) AS asked"
    " GROUP BY priority, (place - 1) / $5::bigint ORDER BY priority DESC))"
)
_ON_THE_WAY = (
    "SELECT n.p FROM procrastinate_jobs j CROSS JOIN LATERAL ("
    "SELECT (j.args->>'partition')::bigint AS p UNION ALL"
    " SELECT e::bigint FROM jsonb_array_elements_text(j.args->'partitions') AS s(e)) n"
    " WHERE j.status = 'todo' AND j.queue_name = $1 AND n.p = ANY($2::bigint[])"
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


class _Wakes:
    """Wake-ups of committed transactions, sent by a connection of their own, those that came meanwhile together.

    A commit that notifies holds a lock of the whole server until it is on disk, and each job of the engine costs as much as a job of ours
    to fetch and to end: with the jobs in the transactions, twenty who declared at once waited for each other.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database.aside(self._finish)
        self._queued = database.queued_within
        self._waiting: dict[int, Lane] = {}
        self._sending: asyncio.Task[None] | None = None
        self._sent = deque([-math.inf] * BURST, maxlen=BURST)
        self._pressing = asyncio.Event()

    def add(self, partitions: Sequence[int], lane: Lane) -> None:
        """Take wake-ups, to be sent at once, or with the next ones when some are being sent."""
        for number in partitions:
            self._waiting[number] = min(lane, self._waiting.get(number, lane))
        if lane is Lane.URGENT:
            self._pressing.set()
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="wake-ups")

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            pause = self._sent[0] + BURST_SECONDS - loop.time()
            if self._queued(GATHER_SECONDS):
                pause = max(pause, GATHER_SECONDS)
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._pressing.wait(), pause)
            self._pressing.clear()
            self._sent.append(loop.time())
            asked, self._waiting = self._waiting, {}
            crash_point("jobs.unwoken")
            try:
                await self._database.read(partial(_wake, asked=asked))
            except StorageError as error:  # the sweeper finds them
                log.warning("wake-ups were not sent", partitions=len(asked), error=str(error))

    async def _finish(self) -> None:
        await asyncio.sleep(0)  # those of a commit that was just now
        self._pressing.set()
        if self._sending is not None:
            await self._sending
        await self._database.close()


async def _wake(tx: Tx, *, asked: Mapping[int, Lane]) -> None:
    size = min(LARGEST_SET, max(SMALLEST_SET, -(-len(asked) // FEW)))
    priorities = [int(Lane.BACKFILL) - int(lane) for lane in asked.values()]
    await tx.driver_all("", _WAKE, (list(asked), priorities, QUEUE, TASK_OF_SET, size))


class ProcrastinateEngine:
    """The engine port on PostgreSQL."""

    def __init__(self, database: PostgresDatabase, *, takeover: timedelta = timedelta(seconds=5)) -> None:
        self._conninfo = _conninfo(database.url)
        self._wakes = _Wakes(database)
        self._takeover = takeover.total_seconds()
        self._database = database

    async def wake(self, tx: Tx, partitions: Sequence[int], lane: Lane) -> None:
        """See :class:`~callout.jobs.engine.Engine`."""
        tx.after_commit(lambda: self._wakes.add(partitions, lane))

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

        restraint = Restraint(self._database, queued=None if can_give_way() else self._database.queued_within)
        self._database.restrained_by(partial(restraint.begin, Lane.NORMAL))
        # Urgent work has places of its own: who is in the others may be waiting until people have been answered.
        places = {urgent: asyncio.Semaphore(concurrency) for urgent in (True, False)}

        @app.task(name=TASK, queue=QUEUE)
        async def drain_partition(partition: int) -> None:
            crash_point("jobs.claimed")
            async with places[True]:
                await drain(partition)

        @app.task(name=TASK_OF_SET, queue=QUEUE, pass_context=True)
        async def drain_partitions(context: procrastinate.JobContext, partitions: list[int]) -> None:
            crash_point("jobs.claimed")
            lane = Lane(int(Lane.BACKFILL) - context.job.priority)
            urgent = lane is Lane.URGENT
            # Once for all of them: until then they keep one of the places into which more urgent work is fetched.
            await restraint.begin(lane)
            left: list[JSONValue] = []

            async def drain_or_leave(partition: int) -> None:
                async with places[urgent]:
                    if stop.is_set():
                        left.append(partition)
                    else:
                        await drain(partition)

            # One that fails must not leave the others undone; what it raised is told as that of a single drain is.
            with work_that(has_time=not urgent):
                ended = await asyncio.gather(*map(drain_or_leave, partitions), return_exceptions=True)
            failed = [one for one in ended if isinstance(one, BaseException)]
            if left:
                await app.configure_task(TASK_OF_SET, queue=QUEUE).defer_async(partitions=left)
            if failed:
                raise failed[0]

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
            looking = asyncio.create_task(restraint.run())
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({worker, rescue, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._database.restrained_by(None)
                for task in (rescue, looking, stopping):
                    task.cancel()
                worker.cancel()  # to it a cancellation is a request to stop: it waits for what runs
                results = await asyncio.gather(worker, rescue, looking, return_exceptions=True)
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
