from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callout.bootstrap.tables import METADATA
from tests.audit.created import created

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.storage import Database


@pytest.fixture
async def everything(database_url: str) -> AsyncIterator[Database]:
    """A database with every table of the program, the engine's included."""
    assert METADATA.tables
    if database_url.startswith("postgresql"):
        from callout.jobs.procrastinate import ensure_schema  # noqa: PLC0415  # an extra; slow to import

        await ensure_schema(database_url)
    async with created(database_url) as database:
        yield database
