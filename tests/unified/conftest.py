"""The SDK in front of a running installation, with the twins of all ticketing vendors beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people", "tests.unified.sdk")

from tests.migrated import postgres_url, sqlite_path  # noqa: E402  # after the line above
from tests.stories.installation import TLS, running  # noqa: E402
from tests.unified.sdk import Sdk  # noqa: E402

__all__ = ["postgres_url", "sqlite_path"]

TWINS = ("jira", "servicenow", "pagerduty", "slack")


@pytest.fixture
async def sdk(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Sdk]:
    """The SDK in front of an installation on SQLite, whose clock a test can move."""
    async with (
        running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=(), twins=TWINS) as installation,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
    ):
        yield Sdk(installation, http)


@pytest.fixture
async def sdk_on_both(database_url: str, tmp_path: Path) -> AsyncIterator[Sdk]:
    """The same on SQLite and on PostgreSQL, for what the database has a part in."""
    async with (
        running(database_url, tmp_path / "data", vendors=(), twins=TWINS) as installation,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
    ):
        yield Sdk(installation, http)
