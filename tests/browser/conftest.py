from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Before any test here imports them: their assertions explain themselves, in whatever order folders are collected.
pytest.register_assert_rewrite(
    "tests.server.desk", "tests.browser.screen", "tests.stories.installation", "tests.stories.people"
)

from callout.server.listen import serve_http  # noqa: E402  # after the line above
from tests.browser.screen import Served  # noqa: E402
from tests.migrated import postgres_url, sqlite_path  # noqa: E402
from tests.server.desk import feed_numbered, opened  # noqa: E402
from tests.stories.installation import reserved_port  # noqa: E402

__all__ = ["postgres_url", "sqlite_path"]


@pytest.fixture
async def served(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Served]:
    stopping = asyncio.Event()
    with reserved_port() as port:
        async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data") as desk:
            serving = asyncio.create_task(serve_http(desk.web, "127.0.0.1", port, stopping))
            one = Served(desk, f"http://127.0.0.1:{port}", stopping, serving)
            async with feed_numbered(desk):
                yield one
            await one.stop()
