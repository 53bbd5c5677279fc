"""What `/metrics` tells of the installation as a whole: read from the database, for all processes and machines together.

Ten statements, whatever there is, and not for every scrape: what was read holds for some seconds, and the longer the longer it took.
No label is a name or an id: how many series there are depends on kinds of work and providers only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client.core import GaugeMetricFamily

import callout
from callout.integrations.figures import IntegrationFigures, integration_figures
from callout.jobs.backlog import Backlog, KindOfWork
from callout.storage import StorageError
from callout.sync.figures import LinkFigures, link_figures
from callout.sync.standing import Standing, standing_of_all
from callout.webhooks.outbound.figures import DeliveryFigures, delivery_figures

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import Database, Tx

HOLDS_SECONDS: Final = 5.0
STANDINGS: Final = ("in_step", "waiting", "in_conflict", "problems", "stopped")
_SHARE: Final = 50
"""Reading them may take one part in so many of the time."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Counted:
    """All figures of one moment."""

    at: datetime
    work: Sequence[KindOfWork]
    oldest_due: datetime | None
    worker_seen: datetime | None
    integrations: IntegrationFigures
    links: Sequence[LinkFigures]
    standing: Sequence[Standing]
    deliveries: DeliveryFigures


class Figures:
    """Reads the figures when they are asked for. One of it per process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._families: Sequence[GaugeMetricFamily] = ()
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def __call__(self) -> Sequence[GaugeMetricFamily]:
        """Return them as Prometheus takes them; without a database, only that it is away."""
        async with self._reading:
            began = time.monotonic()
            if began >= self._until:
                try:
                    counted = await self._database.read(self._count)
                except StorageError as error:
                    _log.warning("figures_not_read", error=str(error))
                    return [_database_up(0)]
                self._families = [_database_up(1), *families(counted)]
                ended = time.monotonic()
                self._until = ended + max(HOLDS_SECONDS, _SHARE * (ended - began))
            return self._families

    async def _count(self, tx: Tx) -> Counted:
        now, backlog = self._clock.now(), Backlog(self._clock)
        return Counted(
            at=now,
            work=await backlog.kinds(tx),
            oldest_due=await backlog.oldest_due(tx),
            worker_seen=await backlog.worker_seen(tx),
            integrations=await integration_figures(tx, now),
            links=await link_figures(tx),
            standing=tuple((await standing_of_all(tx)).values()),
            deliveries=await delivery_figures(tx, now),
        )


async def readiness(database: Database) -> Mapping[str, Any]:
    """Return whether this process could work: whether its database answers."""
    try:
        await database.read(_probe)
    except StorageError as error:
        return {"ready": False, "database": str(error)}
    return {"ready": True, "database": database.dialect, "version": callout.__version__}


async def _probe(tx: Tx) -> None:
    await tx.driver_all("SELECT 1", "SELECT 1")


def families(counted: Counted) -> Sequence[GaugeMetricFamily]:
    """Return the figures as gauges."""
    states, deliveries = counted.integrations, counted.deliveries
    return [
        _by(
            "callout_jobs_waiting",
            "Jobs that could run now, by kind",
            ["kind"],
            (((one.kind,), one.due) for one in counted.work),
        ),
        _by(
            "callout_jobs_later",
            "Jobs whose time has not come, by kind",
            ["kind"],
            (((one.kind,), one.later) for one in counted.work),
        ),
        _by(
            "callout_dead_letters",
            "Jobs that were given up and wait for an operator, by kind",
            ["kind"],
            (((one.kind,), one.dead) for one in counted.work),
        ),
        _one(
            "callout_jobs_oldest_due_seconds",
            "For how long the oldest job that nothing holds up could have run",
            _age(counted.oldest_due, counted.at),
        ),
        _one(
            "callout_worker_last_seen_timestamp_seconds",
            "When a worker last moved a schedule on, which it does every second; 0: never",
            0.0 if counted.worker_seen is None else counted.worker_seen.timestamp(),
        ),
        _by(
            "callout_integrations",
            "Integrations by provider and state: ok, degraded, failed, unknown, disabled",
            ["provider", "state"],
            (((provider, state), count) for provider, state, count in states.states),
        ),
        _by(
            "callout_integrations_paused",
            "Integrations to which nothing is written just now, because somebody paused that",
            ["provider"],
            (((provider,), count) for provider, count in states.paused),
        ),
        _by(
            "callout_integration_problems",
            "Integrations with a problem as a whole, by its kind: silence is webhooks that stay away",
            ["provider", "kind"],
            (((provider, kind), count) for provider, kind, count in states.problems),
        ),
        _by(
            "callout_links",
            "Links between incidents and tickets, by state",
            ["state"],
            (((one.state,), one.links) for one in counted.links),
        ),
        _by(
            "callout_links_standing",
            "Links by how they stand, each once: in_step, waiting, in_conflict, problems, stopped",
            ["standing"],
            (((name,), sum(getattr(one, name) for one in counted.standing)) for name in STANDINGS),
        ),
        _one(
            "callout_links_in_conflict",
            "Links with a conflict that a person has to decide",
            sum(one.in_conflict for one in counted.links),
        ),
        _one("callout_deliveries_waiting", "Deliveries to webhook endpoints that wait", deliveries.waiting),
        _one(
            "callout_deliveries_oldest_seconds",
            "For how long the oldest of them has waited",
            _age(deliveries.oldest, counted.at),
        ),
        _by(
            "callout_endpoints",
            "Webhook endpoints by state",
            ["state"],
            (((state,), count) for state, count in deliveries.endpoints),
        ),
        _one(
            "callout_endpoints_circuit_open",
            "Webhook endpoints that are left alone for a while after failures",
            deliveries.circuits_open,
        ),
    ]


def _database_up(value: int) -> GaugeMetricFamily:
    return _one("callout_database_up", "Whether the figures could be read from the database", value)


def _one(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)


def _by(
    name: str, words: str, labels: Sequence[str], samples: Iterable[tuple[tuple[str, ...], int]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


__all__ = ["Counted", "Figures", "families", "readiness"]
