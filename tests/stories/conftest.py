from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people")

from tests.migrated import postgres_url, sqlite_path  # noqa: E402  # after the line above
from tests.stories.installation import Installation, running  # noqa: E402

__all__ = ["postgres_url", "sqlite_path"]


@pytest.fixture
async def installation(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Jira and Slack, on SQLite and on PostgreSQL."""
    async with running(database_url, tmp_path / "data") as found:
        yield found


@pytest.fixture
async def on_sqlite(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The same on SQLite alone, for stories in which the database plays no part."""
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data") as found:
        yield found


@pytest.fixture
async def no_chat(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Jira alone, on both databases."""
    async with running(database_url, tmp_path / "data", vendors=("jira",)) as found:
        yield found


@pytest.fixture
async def jira_only(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Jira alone, on SQLite."""
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as found:
        yield found
