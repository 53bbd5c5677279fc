from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callout.connectors.slack.chat import SlackChat
from callout.kit.clock import ManualClock
from callout.kit.transport import GuardedTransport
from callout.storage import Database
from tests.chatops.lab import ChatLab, Wrapped
from tests.connectors.slack.conftest import chat, transport
from tests.migrated import database, postgres_url, sqlite_path
from tests.sandbox.conftest import plain_http, sandbox_server, slack

__all__ = [
    "chat",
    "database",
    "plain_http",
    "postgres_url",
    "sandbox_server",
    "slack",
    "sqlite_path",
    "transport",
]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def lab(
    database: Database, clock: ManualClock, chat: SlackChat, transport: GuardedTransport
) -> ChatLab:
    return ChatLab(database, clock, Wrapped(chat))
