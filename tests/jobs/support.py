"""A small laboratory for durable work: a database with its tables, a queue, workers in this process and as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from callout.jobs import (
    Budgets,
    Consumer,
    Consumers,
    JobAdmin,
    Loop,
    NewJob,
    Queue,
    Worker,
    WorkerSettings,
    open_engine,
    tables,
)
from callout.storage import Database, Tx, open_database
from callout.storage.schema import metadata

REPOSITORY = Path(__file__).parents[2]
QUICK = WorkerSettings(takeover=timedelta(seconds=1), sweep_seconds=0.2, grace=timedelta(seconds=5))
"""A worker that notices death fast, so that tests are short."""
_OURS = [table for table in metadata.sorted_tables if table.name.startswith(("job", "event"))]
_EFFECT = "CREATE TABLE effect (seq {0} PRIMARY KEY, n BIGINT NOT NULL, part TEXT, attempt BIGINT)"


async def create_tables(database: Database) -> None:
    """Make the tables of durable work in an empty database."""
    dialect: Dialect = sqlite.dialect()
    if database.dialect == "postgresql":
        from callout.jobs.procrastinate import ensure_schema  # noqa: PLC0415  # an extra; slow to import

        await ensure_schema(database.url)
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in _OURS]
    statements += [
        str(CreateIndex(index).compile(dialect=dialect)) for table in _OURS for index in table.indexes
    ]

    async def unit(tx: Tx) -> None:
        for statement in statements:
            await tx.driver_all(statement, statement)

    await database.transaction(unit)


async def create_effects(database: Database) -> None:
    """Make the table for the effects of test handlers in a database that has the others."""
    await database.transaction(
        lambda tx: tx.driver_all(_EFFECT.format("INTEGER"), _EFFECT.format("BIGSERIAL"))
    )


async def note_effect(tx: Tx, n: int, part: str | None, attempt: int = 1) -> None:
    """Write one database effect of a handler; nothing makes it unique, so that doubles show."""
    await tx.driver_all(
        "INSERT INTO effect (n, part, attempt) VALUES (?, ?, ?)",
        "INSERT INTO effect (n, part, attempt) VALUES ($1, $2, $3)",
        (n, part, attempt),
    )


class Lab:
    """One database and the parts of the job machinery over it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.engine = open_engine(database)
        self.queue = Queue(self.engine)
        self.budgets = Budgets(self.engine)
        self.admin = JobAdmin(self.engine)

    async def enqueue(self, kind: str, payload: dict[str, Any] | None = None, **options: Any) -> int | None:
        async def unit(tx: Tx) -> int | None:
            return await self.queue.enqueue(tx, kind, payload or {}, **options)

        return await self.database.transaction(unit)

    async def enqueue_many(self, jobs: Sequence[NewJob]) -> list[int | None]:
        async def unit(tx: Tx) -> list[int | None]:
            return await self.queue.enqueue_many(tx, jobs)

        return await self.database.transaction(unit)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT that both databases understand."""

        async def unit(tx: Tx) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in await tx.driver_all(statement, statement)]

        return await self.database.read(unit)

    async def effects(self) -> list[tuple[int, str | None]]:
        return [(n, part) for n, part in await self.rows("SELECT n, part FROM effect ORDER BY seq")]

    @contextlib.asynccontextmanager
    async def worker(
        self, *consumers: Consumer, settings: WorkerSettings = QUICK, loops: Sequence[Loop] = ()
    ) -> AsyncIterator[Worker]:
        """Run a worker in this process for the time of the block; leaving it stops the worker gracefully."""
        stop = asyncio.Event()
        worker = Worker(
            self.database, self.engine, Consumers(consumers), self.budgets, settings=settings, loops=loops
        )
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await task

    async def idle(self, seconds: float = 10) -> None:
        """Wait until nothing is due, latched or leased. Raises AssertionError after `seconds`."""

        async def nothing_left() -> bool:
            left = await self.rows(
                "SELECT (SELECT count(*) FROM job WHERE state = 'waiting')"
                " + (SELECT count(*) FROM job_partition WHERE latch = 1) + (SELECT count(*) FROM job_lease)"
            )
            return left == [(0,)]

        await eventually(nothing_left, seconds, "work was left over")

    async def woken(self) -> None:
        """Wait until every wake-up is on its way: PostgreSQL's are sent behind the commit."""

        async def none_missing() -> bool:
            latched = [row[0] for row in await self.rows("SELECT id FROM job_partition WHERE latch = 1")]
            return await self.database.read(lambda tx: self.engine.missing(tx, latched)) == []

        await eventually(none_missing, 30, "a wake-up was not sent")


async def eventually(condition: Callable[[], Any], seconds: float, complaint: str) -> None:
    """Wait until `condition` (plain or async) is true. Raises AssertionError with `complaint` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        assert time.monotonic() < deadline, complaint
        await asyncio.sleep(0.02)


class WorkerProcess:
    """A worker as a process of its own (worker_process.py), to be killed with real signals."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        url: str,
        ledger: Path,
        *,
        crash_at: str = "",
        story: bool = False,
        **options: Any,
    ) -> WorkerProcess:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}",
            "CALLOUT_CRASH_AT": crash_at,
        }
        arguments = json.dumps({"url": url, "ledger": str(ledger), "story": story, **options})
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.jobs.worker_process",
            arguments,
            cwd=REPOSITORY,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def line(self, seconds: float = 40) -> str:
        """Return the next line the process printed; empty when it ended."""
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), seconds)).decode().strip()

    async def until(self, word: str) -> list[str]:
        """Return the lines printed until `word` came, or until the end of the process."""
        lines = []
        while (line := await self.line()) and line != word:
            lines.append(line)
        return lines

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self, seconds: float = 40) -> int:
        """Wait for the end; return the exit status (negative: the signal)."""
        assert self._process.stdout is not None
        await asyncio.wait_for(self._process.stdout.read(), seconds)
        return await asyncio.wait_for(self._process.wait(), seconds)

    async def close(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGKILL)
        await self.ended()


async def open_lab(url: str) -> Lab:
    """Open the database of `url`, make what tables are not there, and return the lab."""
    database = await open_database(url)
    lab = Lab(database)
    for table, create in (("job", create_tables), ("effect", create_effects)):
        try:
            await lab.rows(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  a name of ours
        except Exception:  # noqa: BLE001  # each driver has its own word for a missing table
            await create(database)
    return lab


__all__ = [
    "QUICK",
    "Lab",
    "WorkerProcess",
    "create_effects",
    "eventually",
    "note_effect",
    "open_lab",
    "tables",
]
