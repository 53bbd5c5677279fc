"""Back-pressure on webhooks: who sends more than was agreed is asked to wait, and everybody is before the store is in danger.

Asked for each webhook, so it asks nobody: the figures are refreshed beside the requests, about once a second, and what was let in
since is counted on top.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from callout.ports.errors import RateLimitedError, UnavailableError
from callout.storage import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from callout.jobs import Queue
    from callout.storage import Database

REFRESH_SECONDS: Final = 1.0
_SHARE: Final = 50
"""Counting may take one part in so many of the time: a long backlog is counted less often."""
BURST_SECONDS: Final = 5.0
"""So much of an account's rate may come at once."""
_WARN_SECONDS: Final = 60.0
_FULL_WAIT: Final = timedelta(seconds=60)
_BACKLOG_WAIT: Final = timedelta(seconds=30)
_MIB: Final = 1024 * 1024
_log = structlog.get_logger(__name__)

turned_away_total = Counter(
    "callout_webhooks_turned_away_total", "Webhooks whose sender was asked to come again later", ["reason"]
)


class IntakeQuotaError(RateLimitedError):
    """The account has sent more than its share; nothing was stored."""


class IntakeFullError(UnavailableError):
    """Nothing is stored for anybody just now; nothing was."""

    code = "INTAKE_BUSY"


@dataclass(frozen=True, slots=True)
class PressureLimits:
    """What is let in; 0 stands for no limit.

    Args:
        per_second: webhooks of one account a second, in this process.
        backlog: stored webhooks of one account that wait for their work.
        backlog_of_all: those of all accounts.
        free_mib: room that has to stay free on the disk of the database's file, in MiB.
    """

    per_second: float = 0.0
    backlog: int = 0
    backlog_of_all: int = 0
    free_mib: int = 0


class Pressure:
    """Says who has to wait. One of it per process.

    Args:
        kind: the jobs that stand for what waits; each lists its webhooks as `event_ids`.
        folder: where the database's file is, when it is a file.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        kind: str,
        limits: PressureLimits,
        *,
        folder: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._queue = queue
        self._kind = kind
        self._limits = limits
        self._folder = folder
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}
        self._waiting: Tally[str] = Tally()
        self._since: Tally[str] = Tally()
        self._under_way: Tally[str] = Tally()
        self._total = 0
        self._free_mib: int | None = None
        self._refresh_at = monotonic()
        self._refreshing: asyncio.Task[None] | None = None
        self._warned: dict[str, float] = {}
        self._watches = bool(limits.backlog or limits.backlog_of_all or limits.free_mib)

    def admit(self, account_id: str) -> None:
        """Let one verified webhook in, to be followed by :meth:`landed`.

        Raises IntakeFullError and IntakeQuotaError, both with the time to wait.
        """
        now = self._monotonic()
        if self._watches:
            if now >= self._refresh_at and self._refreshing is None:
                self._refreshing = asyncio.create_task(self._refresh())
            self._check_room(account_id)
        if self._limits.per_second:
            self._take(account_id, now)
        self._since[account_id] += 1
        self._under_way[account_id] += 1
        self._total += 1

    def landed(self, account_id: str) -> None:
        """Hear that one that was let in is stored, or never will be."""
        self._under_way[account_id] -= 1

    def _check_room(self, account_id: str) -> None:
        limits = self._limits
        if self._free_mib is not None and self._free_mib < limits.free_mib:
            self._turn_away("disk", "", free_mib=self._free_mib)
            raise IntakeFullError(
                "the webhook was not stored: the disk is nearly full",
                remediation="Send it again later; an operator has to make room.",
                retry_after=_FULL_WAIT,
            )
        if limits.backlog_of_all and self._total >= limits.backlog_of_all:
            self._turn_away("backlog", "", waiting=self._total)
            raise IntakeFullError(
                f"the webhook was not stored: {self._total:,} others wait for their work",
                remediation="Send it again later; an operator can start more workers.",
                retry_after=_BACKLOG_WAIT,
            )
        waiting = self._waiting[account_id] + self._since[account_id]
        if limits.backlog and waiting >= limits.backlog:
            self._turn_away("account_backlog", account_id, waiting=waiting)
            raise IntakeQuotaError(
                f"the webhook was not stored: {waiting:,} others of this account wait for their work",
                remediation="Send it again later.",
                retry_after=_BACKLOG_WAIT,
            )

    def _take(self, account_id: str, now: float) -> None:
        rate = self._limits.per_second
        most = max(1.0, rate * BURST_SECONDS)
        tokens, at = self._buckets.get(account_id, (most, now))
        tokens = min(most, tokens + (now - at) * rate)
        if tokens < 1.0:
            self._buckets[account_id] = (tokens, now)
            self._turn_away("rate", account_id)
            raise IntakeQuotaError(
                f"the webhook was not stored: this account sends more than {rate:g} a second",
                remediation="Send it again later.",
                retry_after=timedelta(seconds=max(1.0, -(-(1.0 - tokens) // rate))),
            )
        self._buckets[account_id] = (tokens - 1.0, now)

    async def _refresh(self) -> None:
        began = self._monotonic()
        # Those whose commit is under way may be seen by the count or not: better twice than not at all.
        since, self._since = self._since, +self._under_way
        took = 0.0
        try:
            waiting = await self._database.read(lambda tx: self._queue.backlog(tx, self._kind, "event_ids"))
            took = self._monotonic() - began
            self._waiting = Tally(waiting)
            if self._folder is not None and self._limits.free_mib:
                usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
                self._free_mib = usage.free // _MIB
        except (StorageError, OSError, RuntimeError) as error:
            # The last figures hold on; a database that does not answer refuses webhooks by itself.
            self._since.update(since)
            _log.warning("intake_figures_not_refreshed", error=str(error))
        finally:
            # Whatever happened: the next refresh comes, or a process that was full would stay so.
            self._total = self._waiting.total() + self._since.total()
            self._refresh_at = self._monotonic() + max(REFRESH_SECONDS, took * _SHARE)
            self._refreshing = None

    def _turn_away(self, reason: str, account_id: str, **figures: int) -> None:
        turned_away_total.labels(reason).inc()
        now = self._monotonic()
        name = f"{reason}:{account_id}"
        if now - self._warned.get(name, -_WARN_SECONDS) >= _WARN_SECONDS:
            self._warned[name] = now
            _log.warning("webhooks_turned_away", reason=reason, account_id=account_id, **figures)
