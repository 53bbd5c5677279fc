"""Giving way in the database, too: a worker that is to give way begins less work while people are being answered.

`nice` is heeded for a process' own work. What its statements cost is done by processes of the database server, which know nothing of it:
on one machine that half of a worker's work took as much from people as before. So while people are being answered, and this
process has to wait for a processor itself, it uses a small share of one, by beginning each unit of work that is not urgent later.

A process that is server and worker in one knows itself whom it keeps waiting: while people ask faster than they are answered, it begins
a few units of such work a second.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from callout.jobs.model import Lane
from callout.kit import priority
from callout.storage.database import SESSIONS
from callout.storage.errors import StorageError

if TYPE_CHECKING:
    from callout.storage import Database, Tx

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 0.05
PAUSE_SECONDS: Final = 1.0
"""After the database could not be asked."""
SHARE: Final = 0.1
"""How much of one processor is left to other than urgent work, meanwhile. The database's part comes on top."""
MOST_AHEAD_SECONDS: Final = 0.15
"""Nobody pays longer than this for a piece of work that took more than the share: nothing starves."""
STARVED: Final = 0.2
"""So much of the time in which it could have run a process waited for a processor: others want it."""
FRESH_SECONDS: Final = 0.005
"""Work that finds the last look older than that looks itself: twenty who ask at once are all answered within a few of them."""
RECENT_SECONDS: Final = 0.1
"""People are being answered when they were seen within so long,"""
BACK_SECONDS: Final = 2.0
SEEN_BACK: Final = 0.1
"""and as long as they were seen in this share of the looks of `BACK_SECONDS`: who talks about an incident pauses to read."""
QUEUED_SECONDS: Final = 0.25
"""In a process that is server and worker: people wait when one of them had to within so long,"""
STEP_SECONDS: Final = 0.1
"""and a unit of work that has time begins so long after the one before."""
_ANSWERING: Final = (
    "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = $1 AND state <> 'idle')"
)
_SCHEDULED: Final = Path("/proc/self/schedstat")
"""Nanoseconds that the process ran, and that it waited to run (Linux: Documentation/scheduler/sched-stats)."""
_LOAD: Final = Path("/proc/loadavg")
"""Its fourth field begins with how many tasks of the machine run or could run at this moment (proc_loadavg(5))."""


def can_give_way() -> bool:
    """Return whether this process is one that others go before, on a system that says how long it waited for them."""
    return priority.gives_way() and _SCHEDULED.exists()


@dataclass(frozen=True, slots=True)
class Machine:
    """What a process can learn of its own time. All of it comes from the system but in tests."""

    monotonic: Callable[[], float] = time.monotonic
    used: Callable[[], float] = time.process_time

    def scheduled(self) -> tuple[int, int]:
        """Return how long the process ran, and how long it waited for a processor, in nanoseconds."""
        ran, waited, _ = _SCHEDULED.read_text().split()
        return int(ran), int(waited)

    def crowded(self) -> bool:
        """Return whether more tasks want a processor at this moment than there are, this process among them."""
        return int(_LOAD.read_text().split()[3].partition("/")[0]) > (os.cpu_count() or 1)


class Restraint:
    """Says when work may begin: urgent work at once, other work as the share allows while people are in the way of it."""

    def __init__(
        self,
        database: Database,
        *,
        machine: Machine | None = None,
        queued: Callable[[float], bool] | None = None,
    ) -> None:
        """`queued` returns whether people of this process had to wait for an answer within so many seconds; with it nothing else counts."""
        self._database = database
        self._machine = machine or Machine()
        self._queued = queued
        self._stepped = -math.inf
        self._last = (0, 0)
        self._seen: deque[tuple[float, bool]] = deque()
        self.is_on = False
        """Whether people are in the way of work."""
        self._looked = math.inf
        """When somebody looked last; never, where nobody does."""
        self._ends = 0.0
        self._since = 0.0
        self._allowed = 0.0
        self._gate = asyncio.Lock()

    async def run(self) -> None:
        """Look again and again, in a process that gives way; in others return at once."""
        while can_give_way():  # noqa: ASYNC110  # nobody tells that people are being answered
            await asyncio.sleep(LOOK_SECONDS if await self._saw() else PAUSE_SECONDS)

    async def look(self) -> None:
        """Look who wants the processors. Raises StorageError."""
        moment = self._looked = self._machine.monotonic()
        now = self._machine.scheduled()
        ran, waited = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        # One that had nothing to do has not waited yet.
        starved = waited > STARVED * (ran + waited) or self._machine.crowded()
        was_on = self.is_on
        with priority.work_that(has_time=False):  # whoever looks: it would wait for itself
            seen = (starved or was_on) and await self._database.read(_answering)
        self._seen.append((moment, seen))
        while self._seen[0][0] < moment - BACK_SECONDS:
            self._seen.popleft()
        times = [when for when, seen in self._seen if seen]
        recently = bool(times) and times[-1] > moment - RECENT_SECONDS
        self.is_on = recently or (was_on and len(times) >= SEEN_BACK * len(self._seen))
        if not self.is_on:
            self._ends = 0.0
            return
        moment, used = self._machine.monotonic(), self._machine.used()
        if was_on:
            earned = self._allowed + SHARE * (moment - self._since)
            self._allowed = max(min(earned, used + SHARE * LOOK_SECONDS), used - SHARE * MOST_AHEAD_SECONDS)
        else:
            self._allowed = used
        self._since = moment
        self._ends = moment + 3 * LOOK_SECONDS  # until after the next look, which may be late

    async def begin(self, lane: Lane) -> None:
        """Return when a unit of work of `lane` may begin."""
        if lane is Lane.URGENT:
            return
        async with self._gate:  # one by one: what the first of them uses is not known when the second asks
            if self._queued is not None:
                await self._step(self._queued)
                return
            if self._machine.monotonic() - self._looked > FRESH_SECONDS:
                await self._saw()
            while (pause := self._wait()) > 0:  # noqa: ASYNC110  # what ends it is time
                await asyncio.sleep(min(pause, LOOK_SECONDS))

    async def _step(self, queued: Callable[[float], bool]) -> None:
        """Wait behind the unit of work before, while people of this process wait."""
        while (pause := self._stepped + STEP_SECONDS - self._machine.monotonic()) > 0:
            if not queued(QUEUED_SECONDS):
                break
            await asyncio.sleep(min(pause, STEP_SECONDS / 4))
        self._stepped = self._machine.monotonic()

    async def _saw(self) -> bool:
        try:
            await self.look()
        except StorageError as error:
            log.debug("cannot see who is being answered", error=str(error))
            return False
        return True

    def _wait(self) -> float:
        """Return in how many seconds the share may be earned; what is used until then comes on top."""
        moment = self._machine.monotonic()
        if moment >= self._ends:
            return 0.0
        ahead = self._machine.used() - self._allowed - SHARE * (moment - self._since)
        return min(ahead / SHARE, self._ends - moment)


async def _answering(tx: Tx) -> bool:
    return bool((await tx.driver_all("", _ANSWERING, (SESSIONS,)))[0][0])
