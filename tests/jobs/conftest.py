from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callout.storage import open_database
from tests.jobs.support import Lab, create_tables


@pytest.fixture
async def lab(database_url: str) -> AsyncIterator[Lab]:
    """The job machinery over an empty database of either kind."""
    database = await open_database(database_url)
    await create_tables(database)
    yield Lab(database)
    await database.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A file outside any transaction: what a vendor would have seen."""
    path = tmp_path / "ledger"
    path.touch()
    return path
