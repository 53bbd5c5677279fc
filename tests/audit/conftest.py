from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import callout.audit  # noqa: F401  # its tables become part of the metadata
from callout.kit.clock import ManualClock
from tests.audit.created import created

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.storage import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with created(database_url) as database:
        yield database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
