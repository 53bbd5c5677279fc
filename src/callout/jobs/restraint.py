"""Giving way in the database, too: a worker that is to give way begins less work while people are being answered.

`nice` is heeded for a process' own work. What its statements cost is done by processes of the database server, which know nothing of it:
on one machine that half of a worker's work took as much from people as before. So while people are being answered, and this
process has to wait for a processor itself, it uses a small share of one, by beginning other than urgent work later.
"""

from __future__ import annotations

import asyncio
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
SHARE: Final = 0.07
"""How much of one processor is left to other than urgent work, meanwhile. The database's part comes on top."""
MOST_AHEAD_SECONDS: Final = 0.5
"""Nobody pays longer than this for a piece of work that took more than the share: nothing starves."""
STARVED: Final = 0.2
"""So much of the time in which it could have run a process waited for a processor: others want it."""
LOOKS: Final = 2
"""People are being answered when they were seen in one of so many last looks: twenty who ask at once are all answered within a few."""
LOOKS_BACK: Final = 40
SEEN_BACK: Final = 4
"""It goes on while they were seen in so many of those: who talks about an incident pauses to read."""
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

    def __init__(self, database: Database, *, machine: Machine | None = None) -> None:
        self._database = database
        self._machine = machine or Machine()
        self._last = (0, 0)
        self._seen = deque([False] * LOOKS_BACK, maxlen=LOOKS_BACK)
        self.is_on = False
        """Whether people are in the way of work."""
        self._ends = 0.0
        self._since = 0.0
        self._allowed = 0.0
        self._gate = asyncio.Lock()

    async def run(self) -> None:
        """Look again and again, in a process that gives way; in others return at once."""
        while can_give_way():
            try:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)
            except StorageError as error:
                log.debug("cannot see who is being answered", error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Look who wants the processors. Raises StorageError."""
        now = self._machine.scheduled()
        ran, waited = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        # One that had nothing to do has not waited yet.
        starved = waited > STARVED * (ran + waited) or self._machine.crowded()
        was_on = self.is_on
        self._seen.append((starved or was_on) and await self._database.read(_answering))
        self.is_on = any(list(self._seen)[-LOOKS:]) or (was_on and sum(self._seen) >= SEEN_BACK)
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
        """Return when work of `lane` may begin."""
        if lane is Lane.URGENT:
            return
        async with self._gate:  # one by one: what the first of them uses is not known when the second asks
            while (pause := self._wait()) > 0:  # noqa: ASYNC110  # what ends it is time
                await asyncio.sleep(min(pause, LOOK_SECONDS))

    def _wait(self) -> float:
        """Return in how many seconds the share may be earned; what is used until then comes on top."""
        moment = self._machine.monotonic()
        if moment >= self._ends:
            return 0.0
        ahead = self._machine.used() - self._allowed - SHARE * (moment - self._since)
        return min(ahead / SHARE, self._ends - moment)


async def _answering(tx: Tx) -> bool:
    return bool((await tx.driver_all("", _ANSWERING, (SESSIONS,)))[0][0])
