from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.audit import Audit
from callout.incidents import Incidents
from callout.incidents import tables as _tables  # noqa: F401  # they become part of the metadata
from callout.jobs import Queue, open_engine
from callout.jobs.outbox import Outbox, Subscriptions
from callout.kit.clock import ManualClock
from callout.ports.values import Actor, ActorKind, Channel, Origin
from tests.audit.created import created

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.storage import Database

ANN = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with created(database_url) as database:
        yield database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def incidents(database: Database, clock: ManualClock) -> Incidents:
    queue = Queue(open_engine(database), clock=clock)
    return Incidents(clock=clock, audit=Audit(clock), outbox=Outbox(queue, Subscriptions(), clock=clock))
