from __future__ import annotations

from pathlib import Path

import pytest

from callout.storage import Database
from tests.jobs.support import Lab, create_effects
from tests.migrated import database, postgres_url, sqlite_path

__all__ = ["database", "postgres_url", "sqlite_path"]


@pytest.fixture
async def lab(database: Database) -> Lab:
    """The job machinery over a database of either kind with nothing in it."""
    await create_effects(database)
    return Lab(database)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A file outside any transaction: what a vendor would have seen."""
    path = tmp_path / "ledger"
    path.touch()
    return path
