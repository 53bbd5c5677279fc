from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Before any test here imports them: their assertions explain themselves, in whatever order folders are collected.
pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people", "tests.webhooks.lab")

from tests.migrated import postgres_url, sqlite_path  # noqa: E402  # after the line above
from tests.webhooks.lab import Lab, opened  # noqa: E402
from tests.webhooks.sink import Sink, sink_running  # noqa: E402

__all__ = ["postgres_url", "sqlite_path"]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A real HTTP server that endpoints can be."""
    async with sink_running() as found:
        yield found


@pytest.fixture
async def lab(database_url: str, tmp_path: Path, sink: Sink) -> AsyncIterator[Lab]:
    """The services of webhooks out over a database, and workers when a test wants them."""
    async with opened(database_url, tmp_path / "data", sink) as found:
        yield found
