"""Processes that share a SQLite file write by turns: one with much to do passes nobody by, and one that gives way is short."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from callout.storage import Database, Tx, open_database
from callout.storage.next_writer import PATIENCE_SECONDS, SUFFIX, NextWriter
from tests.storage.conftest import add, make_note_table, numbers

fcntl = pytest.importorskip("fcntl", reason="Windows has no flock(2)")
BUSY = """
    import asyncio, os, sys, time
    from callout.kit.priority import give_way
    from callout.storage import open_database

    async def unit(tx):
        await tx.driver_all("INSERT INTO note SELECT max(coalesce(max(id), 0), 0) + 1, 'a', 'busy' FROM note", "")
        time.sleep(float(sys.argv[2]))

    async def main():
        give_way(int(sys.argv[4]))
        database = await open_database(sys.argv[1])
        print("at work", flush=True)
        while True:
            await asyncio.gather(*(database.transaction(unit) for _ in range(int(sys.argv[3]))))

    asyncio.run(main())
"""
"""Another process that writes all the time: so many units of work at once, each of so many seconds."""
IN_THE_PLACE = """
    import fcntl, sys, time

    fcntl.flock(file := open(sys.argv[1]), fcntl.LOCK_EX)
    print("at work", flush=True)
    time.sleep(60)
"""


@pytest.fixture
async def file(sqlite_path: Path) -> Database:
    opened = await open_database(f"sqlite:///{sqlite_path}")
    await make_note_table(opened)
    return opened


@contextlib.contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def busy(database: Database, *, seconds: float, at_once: int = 1, nice: int = 0) -> Iterator[None]:
    with running(BUSY, database.url, seconds, at_once, nice) as process:
        yield
        assert process.poll() is None


async def commits_meanwhile(database: Database, *, times: int) -> list[int]:
    """Write so many times; return how many rows the other process wrote between each wish and its coming true."""
    found = []
    for _ in range(times):

        async def count(tx: Tx) -> int:
            [(rows,)] = await tx.driver_all("SELECT count(*) FROM note", "")
            return int(rows)

        before = await database.read(count)
        found.append(await database.transaction(count) - before)
    return found


async def test_who_waits_is_not_passed_by_again_and_again(file: Database) -> None:
    with busy(file, seconds=0.02):
        passed = await commits_meanwhile(file, times=20)
    # The one that was at work when it was asked, and one that may have ended between the count and the wish.
    assert sum(passed) > 0
    assert max(passed) <= 2, passed
    await file.close()


async def test_one_that_gives_way_breaks_off_for_who_waits(file: Database) -> None:
    with busy(file, seconds=0.005, at_once=200, nice=1):
        passed = await commits_meanwhile(file, times=20)
    assert sum(passed) > 0
    assert max(passed) <= 4, passed  # of two hundred that waited together
    await file.close()


async def test_what_was_left_for_later_is_done_in_the_order_of_asking(
    file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callout.storage.sqlite.HOLD_SECONDS", 0.0)
    done: list[int] = []

    async def unit(tx: Tx, number: int) -> None:
        await add(tx, number)
        time.sleep(0.005)  # noqa: ASYNC251  # in the thread that writes
        done.append(number)

    with busy(file, seconds=0.001):
        await asyncio.gather(*(file.transaction(partial(unit, number=number)) for number in range(-50, 0)))

    assert done == sorted(done)
    assert set(done) == set(range(-50, 0))
    assert set(done) < set(await numbers(file))
    await file.close()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_process_that_died_or_was_stopped_in_the_place_keeps_nobody_from_writing(
    file: Database, sqlite_path: Path, end: signal.Signals
) -> None:
    with running(IN_THE_PLACE, str(sqlite_path) + SUFFIX) as process:
        process.send_signal(end)
        if end is signal.SIGKILL:
            process.wait()
        began = time.monotonic()
        await file.transaction(lambda tx: add(tx, 1))
        waited = time.monotonic() - began
    assert await numbers(file) == [1]
    assert (waited >= PATIENCE_SECONDS) is (end is signal.SIGSTOP)
    await file.close()


async def test_where_the_file_system_has_no_such_locks_it_is_written_without(
    file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    await file.transaction(lambda tx: add(tx, 1))
    assert await numbers(file) == [1]
    await file.close()


def test_the_place_is_seen_to_be_taken_only_while_it_is(sqlite_path: Path) -> None:
    sqlite_path.touch()
    writing, waiting = NextWriter(str(sqlite_path)), NextWriter(str(sqlite_path))
    seen: Callable[[], bool] = writing.is_there
    assert not seen()
    with waiting.place():
        assert seen()
        assert seen()
    assert not seen()
    assert os.stat(str(sqlite_path) + SUFFIX).st_mode & 0o666 == sqlite_path.stat().st_mode & 0o666  # noqa: PTH116
    writing.close()
    waiting.close()
    waiting.close()
