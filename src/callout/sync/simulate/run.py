"""Playing many histories, in one process or several."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

import structlog

from callout.sync.simulate.histories import history
from callout.sync.simulate.meaning import Meaning
from callout.sync.simulate.play import play
from callout.sync.simulate.report import Failure, Report
from callout.sync.simulate.shrink import shrink
from callout.sync.simulate.steps import Plan
from callout.sync.simulate.store import MemoryDatabase

CHUNK = 100
"""Most histories that a process plays before it tells of them."""
SHOWN = 5
"""Failures that are made small and shown; the first of each kind."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to play.

    Args:
        histories: how many.
        seed: the first history's seed; the others follow.
        jobs: processes.
        settings: the `sync` object of an integration's settings: the mapping to be tried.
        stop: end at the first history that fails.
    """

    histories: int = 2_000
    seed: int = 0
    jobs: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    stop: bool = False


def simulate(options: Options, progress: Callable[[int], None] = lambda _done: None) -> Report:
    """Play histories and return what they showed; `progress` is told how many were played since it was last told.

    Raises InvalidRequestError for settings that are no mapping.
    """
    Meaning(options.settings)  # refused here rather than in each process
    begun = time.monotonic()
    report = Report()
    end = options.seed + options.histories
    for part in _parts(options, end):
        report.merge(part)
        progress(part.histories)
        if options.stop and report.failed:
            break
    report.seconds = time.monotonic() - begun
    report.failed.sort()
    report.failures = _smallest(report, options)
    return report


def _parts(options: Options, end: int) -> Iterator[Report]:
    size = min(CHUNK, -(-options.histories // options.jobs))
    chunks = [(at, min(at + size, end)) for at in range(options.seed, end, size)]
    if options.jobs <= 1:
        for first, last in chunks:
            yield played(first, last, dict(options.settings), stop=options.stop)
        return
    # A fresh interpreter per process: threads and open files of ours are not copied into it.
    context = get_context("spawn")
    held, leash = context.Pipe(duplex=False)
    with ProcessPoolExecutor(
        options.jobs, mp_context=context, initializer=_end_with, initargs=(held,)
    ) as pool:
        waiting = [
            pool.submit(played, first, last, dict(options.settings), stop=options.stop)
            for first, last in chunks
        ]
        try:
            for one in as_completed(waiting):
                yield one.result()
        finally:
            # Nobody waits for what they are still at; when this process is killed, the system lets go of the leash.
            pool.shutdown(wait=False, cancel_futures=True)
            leash.close()
            held.close()


def _end_with(leash: Connection) -> None:
    """Let this process end as soon as nobody holds the other end of `leash`, however that one ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; one tells of it

    def watch() -> None:
        wait([leash])
        os._exit(0)

    threading.Thread(target=watch, name="leash", daemon=True).start()


_database: MemoryDatabase | None = None


def shared_database() -> MemoryDatabase:
    """Return this process's database for histories, one after the other."""
    global _database  # noqa: PLW0603  # making the tables takes longer than a history
    if _database is None:
        _database = MemoryDatabase()
    return _database


@contextmanager
def quiet() -> Iterator[None]:
    """Keep sync's warnings of trouble, which histories are full of, out of the log."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        yield
    finally:
        structlog.configure(**before)


def played(first: int, last: int, settings: Mapping[str, Any], *, stop: bool = False) -> Report:
    """Play the histories of the seeds from `first` to below `last` in this process."""
    report = Report()
    meaning = Meaning(settings)
    database = shared_database()
    with quiet():
        for seed in range(first, last):
            report.add(play(history(seed, meaning=meaning), meaning, database), seed)
            if stop and report.failed:
                break
    return report


def replay(plan: Plan, settings: Mapping[str, Any]) -> list[str]:
    """Play one plan; return what it breaks."""
    with quiet():
        return play(plan, Meaning(settings), shared_database()).broken


def _smallest(report: Report, options: Options) -> list[Failure]:
    first: dict[str, int] = {}
    for seed, broken in report.failed:
        first.setdefault(broken.partition(":")[0], seed)
    return [smallest(seed, options.settings) for seed in sorted(first.values())[:SHOWN]]


def smallest(seed: int, settings: Mapping[str, Any]) -> Failure:
    """Return the failure of a seed with a history made small. Raises ValueError when the seed's history breaks nothing."""
    plan = history(seed, meaning=Meaning(settings))
    broken = replay(plan, settings)
    if not broken:
        msg = f"the history of seed {seed} breaks nothing"
        raise ValueError(msg)
    kind = broken[0].partition(":")[0]

    def fails(candidate: Plan) -> bool:
        return any(one.partition(":")[0] == kind for one in replay(candidate, settings))

    small = shrink(plan, fails)
    words = next(one for one in replay(small, settings) if one.partition(":")[0] == kind)
    return Failure(seed, words, replace(small, seed=seed))
