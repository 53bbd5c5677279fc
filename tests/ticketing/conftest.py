from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("tests.ticketing.caller")

from tests.server.conftest import desk, desk_on_both, postgres_url, sqlite_path  # noqa: E402  # see above
from tests.ticketing.caller import Caller, caller_of  # noqa: E402

if TYPE_CHECKING:
    from tests.server.desk import Desk

__all__ = ["desk", "desk_on_both", "postgres_url", "sqlite_path"]


@pytest.fixture
async def api(desk: Desk) -> Caller:  # the fixture
    """The engine API as the holder of the token of a test provider's integration calls it."""
    return await caller_of(desk, default_project="TST")


@pytest.fixture
async def api_on_both(desk_on_both: Desk) -> Caller:  # the fixture
    """The same on SQLite and on PostgreSQL."""
    return await caller_of(desk_on_both, default_project="TST")
