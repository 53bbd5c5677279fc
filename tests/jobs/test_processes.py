"""Real worker processes killed, frozen and cut off from their database by real signals: nothing accepted is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callout.jobs import Consumer, NewJob, WorkerSettings
from callout.storage import Tx
from tests.jobs.support import QUICK, REPOSITORY, Lab, WorkerProcess, eventually, open_lab
from tests.jobs.worker_process import SHORT, consumers, subscriptions
from tests.postgres_server import SETTINGS, Server

ITEMS = int(os.environ.get("CALLOUT_TEST_JOB_ITEMS", "3000"))
KEYS = 50
KILL = signal.SIGKILL


Start = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start worker processes; what is left of them at the end of the test is killed."""
    started: list[WorkerProcess] = []

    async def start_one(url: str, ledger: Path, **options: Any) -> WorkerProcess:
        started.append(await WorkerProcess.start(url, ledger, **options))
        return started[-1]

    yield start_one
    for process in started:
        await process.close()


def lines(ledger: Path) -> list[list[str]]:
    """Return what handlers did outside any transaction: [n, idempotency key, attempt, process]."""
    return [line.split() for line in ledger.read_text().splitlines()]


def documented_points() -> list[str]:
    text = (REPOSITORY / "docs" / "crash-points.md").read_text()
    return re.findall(r"^\| `(jobs\.[a-z_]+)` \|", text, flags=re.MULTILINE)


def coded_points() -> set[str]:
    sources = (REPOSITORY / "src" / "callout" / "jobs").glob("*.py")
    return {
        name for source in sources for name in re.findall(r'crash_point\("([^"]+)"\)', source.read_text())
    }


def test_every_crash_point_of_this_package_is_documented() -> None:
    assert sorted(documented_points()) == sorted(coded_points())


async def abandon_one(lab: Lab) -> None:
    """Leave a job whose wake-up was lost, as after a crash between the engine's claim and the lease."""
    await lab.enqueue("note", {"n": 6}, key="lost")

    async def lose(tx: Tx) -> None:
        await tx.driver_all("DELETE FROM job_engine", "DELETE FROM procrastinate_jobs")
        await tx.driver_all("UPDATE job_partition SET woken_at = 1", "UPDATE job_partition SET woken_at = 1")

    await lab.database.transaction(lose)


@pytest.mark.parametrize("point", documented_points())
async def test_kill_at_each_crash_point_loses_and_doubles_nothing(
    lab: Lab, ledger: Path, start: Start, point: str
) -> None:
    await abandon_one(lab)
    worker = await start(lab.database.url, ledger, crash_at=point, story=True, takeover=0.5)
    await worker.until("ready")
    told = await worker.until("")
    assert await worker.ended() == -KILL, "the point was not reached"
    accepted = {int(line.split()[1]) for line in told if line.startswith("accepted ")} | {6}

    settings = WorkerSettings(takeover=timedelta(milliseconds=500), sweep_seconds=0.2)
    handlers = [*consumers(str(ledger)), *subscriptions().consumers(retry=SHORT)]
    async with lab.worker(*handlers, settings=settings):
        await lab.idle()
    effects = await lab.effects()
    doubled = [n for n, count in Counter(n for n, _ in effects).items() if count > 1]
    assert not doubled
    # A commit whose answer did not arrive before the kill may have been stored as well; nothing else may.
    assert accepted <= {n for n, _ in effects} <= accepted | {max(accepted - {6}, default=0) + 1}
    story = [n for n, part in effects if part == "story"]
    assert story == sorted(story)
    repeats = Counter(key for _, key, _, _ in lines(ledger))
    assert sum(count - 1 for count in repeats.values()) <= 4  # at most the batches in flight


async def test_work_of_a_killed_worker_starts_elsewhere_within_the_takeover_time(
    lab: Lab, ledger: Path, start: Start
) -> None:
    await lab.enqueue("note", {"n": 1, "sleep": 30}, key="k")
    first = await start(lab.database.url, ledger)
    await eventually(lambda: lines(ledger), 40, "not started")
    seen: list[float] = []

    async def note(_work: object) -> None:
        seen.append(time.monotonic())

    async with lab.worker(Consumer("note", note)):
        first.send(KILL)
        killed = time.monotonic()
        await first.ended()
        await lab.idle()
    assert seen[0] - killed < QUICK.takeover.total_seconds() + 2
    assert await lab.rows("SELECT count(*) FROM job") == [(0,)]


async def test_a_job_that_kills_its_process_is_parked_by_our_own_count(
    lab: Lab, ledger: Path, start: Start
) -> None:
    await lab.enqueue("suicide", {"n": 1}, key="k")
    await lab.enqueue("note", {"n": 2}, key="k")
    for _ in range(3):
        worker = await start(lab.database.url, ledger, takeover=0.3)
        assert await worker.ended() == -KILL
    async with lab.worker(*consumers(str(ledger))):
        await lab.idle()
    [dead] = await lab.database.read(lab.admin.dead)
    assert "the worker died" in dead.error
    assert [(n, attempt) for n, _, attempt, _ in lines(ledger)] == [
        ("1", "1"),
        ("1", "2"),
        ("1", "3"),
        ("2", "1"),
    ]


async def test_a_frozen_worker_woken_after_takeover_can_write_nothing(
    lab: Lab, ledger: Path, start: Start
) -> None:
    frozen = await start(lab.database.url, ledger, concurrency=1)
    await lab.enqueue("note", {"n": 1, "sleep": 0.5}, key="k")
    await eventually(lambda: lines(ledger), 40, "not started")
    frozen.send(signal.SIGSTOP)
    await lab.enqueue("note", {"n": 2}, key="k")
    async with lab.worker(*consumers(str(ledger))):
        await eventually(lambda: len(lines(ledger)) == 3, 40, "not taken over")
        await lab.idle()
    frozen.send(signal.SIGCONT)
    await asyncio.sleep(1)
    assert await lab.effects() == [(1, "k"), (2, "k")]
    await lab.enqueue("note", {"n": 3}, key="k")  # the woken one goes on with other work
    await lab.idle()
    assert [n for n, _ in await lab.effects()] == [1, 2, 3]
    frozen.send(signal.SIGTERM)
    assert await frozen.ended() == 0


async def test_many_partitions_under_kills_with_work_arriving_lose_double_and_reorder_nothing(
    lab: Lab, ledger: Path, start: Start
) -> None:
    async def arrive(first: int, last: int) -> None:
        for at in range(first, last, 100):
            kinds = ("note", "bulk")  # in each partition ten of the one, then ten of the other
            await lab.enqueue_many(
                [
                    NewJob(kinds[n // (KEYS * 10) % 2], {"n": n}, key=f"k{n % KEYS}")
                    for n in range(at, min(at + 100, last))
                ]
            )

    await arrive(0, ITEMS // 2)
    options = {"batch": 10, "sleep": 0.004, "takeover": 0.5, "concurrency": 8}
    workers = [await start(lab.database.url, ledger, **options) for _ in range(2)]
    for worker in workers:
        await worker.until("ready")
    arriving = asyncio.create_task(arrive(ITEMS // 2, ITEMS))
    kills = 0
    for at in (0, 1):
        before = (await lab.rows("SELECT count(*) FROM effect"))[0][0]

        async def moved(before: int = before) -> bool:
            count = (await lab.rows("SELECT count(*) FROM effect"))[0][0]
            return bool(count > before + 100 or count == ITEMS)

        await eventually(moved, 40, "workers do nothing")
        workers[at].send(KILL)
        kills += await workers[at].ended() == -KILL
        workers[at] = await start(lab.database.url, ledger, **options)
        await workers[at].until("ready")
    await arriving
    await lab.idle(30)
    for worker in workers:
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    assert kills == 2
    effects = await lab.effects()
    assert len(effects) == ITEMS
    assert {n for n, _ in effects} == set(range(ITEMS))
    for k in range(KEYS):
        numbers = [n for n, part in effects if part == f"k{k}"]
        assert numbers == sorted(numbers)


async def test_a_sqlite_file_locked_for_ten_seconds_only_delays_the_work(
    sqlite_path: Path, ledger: Path
) -> None:
    lab = await open_lab(f"sqlite:///{sqlite_path}")
    async with lab.worker(*consumers(str(ledger), sleep=0.05)):
        await lab.enqueue_many([NewJob("note", {"n": n}, key=f"k{n % 5}") for n in range(200)])
        await eventually(lambda: len(lines(ledger)) > 20, 40, "not started")
        other = sqlite3.connect(sqlite_path, isolation_level=None, timeout=5)
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(10)
        other.execute("COMMIT")
        other.close()
        await lab.idle(20)
    assert sorted(n for n, _ in await lab.effects()) == list(range(200))
    assert Counter(key for _, key, _, _ in lines(ledger)).most_common(1)[0][1] == 1  # no call was made twice
    await lab.database.close()


class OwnPostgres:
    """A server that one test may stop and start."""

    def __init__(self, home: Path) -> None:
        home.chmod(0o755)
        self._server = Server(home)
        self._process = self._server.start()

    @property
    def url(self) -> str:
        return f"postgresql://callout@127.0.0.1:{self._server.port}/postgres"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # fast: connections are cut
        self._process.wait(120)

    def start(self) -> subprocess.Popen[bytes]:
        server = self._server
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._process = server._start(
            f"{server.binaries}/postgres",
            "-D",
            f"{server.home}/data",
            "-p",
            f"{server.port}",
            "-k",
            f"{server.home}",
            *options,
        )
        return self._process


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    # Not below `tmp_path`: another user must be able to walk there.
    home = Path(tempfile.gettempdir()) / f"callout-own-pg-{os.getpid()}"
    home.mkdir()
    server = OwnPostgres(home)
    yield server
    server.stop()
    subprocess.run(["rm", "-rf", str(home)], check=True)


async def test_a_database_restart_during_a_drain_needs_no_operator(
    own_postgres: OwnPostgres, ledger: Path, start: Start
) -> None:
    lab = await open_lab(own_postgres.url)
    worker = await start(own_postgres.url, ledger, takeover=2.0)
    await worker.until("ready")
    await lab.enqueue_many([NewJob("note", {"n": n, "sleep": 0.05}, key=f"k{n % 4}") for n in range(100)])
    await eventually(lambda: len(lines(ledger)) > 10, 40, "not started")
    await asyncio.to_thread(own_postgres.stop)
    await asyncio.sleep(1)
    own_postgres.start()
    await lab.database.close()
    await asyncio.sleep(0.5)
    lab = await open_lab(own_postgres.url)
    await lab.idle(25)
    assert sorted(n for n, _ in await lab.effects()) == list(range(100))
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    await lab.database.close()
