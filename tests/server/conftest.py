from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "tests.server.desk", "tests.stories.installation", "tests.stories.people", "tests.ticketing.caller"
)

from tests.migrated import postgres_url, sqlite_path  # noqa: E402  # after the line above
from tests.server.desk import Desk, opened  # noqa: E402

__all__ = ["postgres_url", "sqlite_path"]


@pytest.fixture
async def desk(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    """The application on SQLite."""
    async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data") as found:
        yield found


@pytest.fixture
async def desk_on_both(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """The application on SQLite and on PostgreSQL, for what the database has a part in."""
    async with opened(database_url, tmp_path / "data") as found:
        yield found
