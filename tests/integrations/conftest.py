from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.kit.clock import ManualClock
from tests.integrations.hub import Hub
from tests.migrated import database, postgres_url, sqlite_path

if TYPE_CHECKING:
    from callout.storage import Database

__all__ = ["database", "postgres_url", "sqlite_path"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def hub(database: Database, clock: ManualClock) -> Hub:
    hub = Hub(database, clock)
    await hub(hub.organizations.ensure)
    hub.red = (await hub(lambda tx: hub.accounts.create(tx, actor=hub.ann, name="red"))).id
    hub.blue = (await hub(lambda tx: hub.accounts.create(tx, actor=hub.ann, name="blue"))).id
    return hub
