"""How often a process goes to PostgreSQL and back, for tests that pin it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import asyncpg.connection
import asyncpg.prepared_stmt
import pytest

WAKE_UP: Final = "procrastinate_defer_jobs"
"""Sent behind the commit: nobody waits for it."""


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to the server from now on, each as one entry: the ways in which the driver, and SQLAlchemy on it, send something."""
    found: list[str] = []

    def noting(owner: type, name: str, said: Callable[..., str]) -> None:
        whole = getattr(owner, name)

        async def noted(self: Any, *given: Any, **more: Any) -> Any:
            statement = said(self, *given)
            if statement and WAKE_UP not in statement:
                found.append(statement)
            return await whole(self, *given, **more)

        monkeypatch.setattr(owner, name, noted)

    connection, prepared = asyncpg.connection.Connection, asyncpg.prepared_stmt.PreparedStatement
    # With parameters it is the next one.
    noting(connection, "execute", lambda _, said, *more: "" if more else said)
    noting(connection, "_do_execute", lambda _, said, *_more: said)
    noting(prepared, "_PreparedStatement__do_execute", lambda self, *_: self._query)
    return found
