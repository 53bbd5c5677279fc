from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

# Before any test here imports them: their assertions explain themselves, in whatever order folders are collected.
pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people", "tests.webhooks.lab")

from callout.bootstrap.core import prepare_database  # noqa: E402  # after the line above
from callout.bootstrap.settings import Settings  # noqa: E402
from tests.webhooks.lab import Lab, opened  # noqa: E402
from tests.webhooks.sink import Sink, sink_running  # noqa: E402

if TYPE_CHECKING:
    import psycopg


def _migrate(url: str, data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, database_url=url)
    with ThreadPoolExecutor(1) as pool:  # the tests' event loop is not for fixtures of a session
        pool.submit(lambda: asyncio.run(prepare_database(settings, migrate=True))).result()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to be copied."""
    home = tmp_path_factory.mktemp("migrated")
    _migrate(f"sqlite:///{home / 'callout.db'}", home)
    return home / "callout.db"


@pytest.fixture(scope="session")
def migrated_database(
    postgres_server: str, postgres_admin: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a PostgreSQL database with the schema, to be used as a template."""
    name = f"template_{uuid4().hex}"
    postgres_admin.execute(f'CREATE DATABASE "{name}"')
    _migrate(f"{postgres_server.rpartition('/')[0]}/{name}", tmp_path_factory.mktemp("migrated"))
    yield name
    postgres_admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A real HTTP server that endpoints can be."""
    async with sink_running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgres"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path, sink: Sink) -> AsyncIterator[Lab]:
    """The services of webhooks out over a database, and workers when a test wants them."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("sqlite_path")
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        async with opened(f"sqlite:///{path}", tmp_path / "data", sink) as found:
            yield found
        return
    server: str = request.getfixturevalue("postgres_server")
    admin: psycopg.Connection = request.getfixturevalue("postgres_admin")
    template: str = request.getfixturevalue("migrated_database")
    name = f"test_{uuid4().hex}"
    admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        async with opened(f"{server.rpartition('/')[0]}/{name}", tmp_path / "data", sink) as found:
            yield found
    finally:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
