from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.kit.clock import ManualClock
from tests.access.services import Access
from tests.migrated import database, postgres_url, sqlite_path

if TYPE_CHECKING:
    from callout.storage import Database

__all__ = ["database", "postgres_url", "sqlite_path"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def access(database: Database, clock: ManualClock) -> Access:
    access = Access(database, clock)
    await access(access.organizations.ensure)
    await access(access.accounts.ensure_default)
    return access
