from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callout.kit.clock import ManualClock
from tests.migrated import database, postgres_url, sqlite_path

__all__ = ["database", "postgres_url", "sqlite_path"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
