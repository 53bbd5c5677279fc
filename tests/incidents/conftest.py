from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.audit import Audit
from callout.incidents import Incidents
from callout.jobs import Queue, open_engine
from callout.jobs.outbox import Outbox, Subscriptions
from callout.kit.clock import ManualClock
from callout.ports.values import Actor, ActorKind, Channel, Origin
from tests.migrated import database, postgres_url, sqlite_path

if TYPE_CHECKING:
    from callout.storage import Database

__all__ = ["database", "postgres_url", "sqlite_path"]

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def incidents(database: Database, clock: ManualClock) -> Incidents:
    queue = Queue(open_engine(database), clock=clock)
    return Incidents(clock=clock, audit=Audit(clock), outbox=Outbox(queue, Subscriptions(), clock=clock))
