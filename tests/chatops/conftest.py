from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from callout.access import tables as _access  # noqa: F401  # they become part of the metadata
from callout.chatops import tables as _chat  # noqa: F401
from callout.connectors.slack.chat import SlackChat
from callout.incidents import tables as _incidents  # noqa: F401
from callout.kit.clock import ManualClock
from callout.kit.transport import GuardedTransport
from callout.storage import Database
from callout.sync import tables as _sync  # noqa: F401
from tests.audit.created import created
from tests.chatops.lab import ChatLab, Wrapped
from tests.connectors.slack.conftest import chat, transport
from tests.sandbox.conftest import plain_http, sandbox_server, slack

__all__ = ["chat", "plain_http", "sandbox_server", "slack", "transport"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with created(database_url) as database:
        yield database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def lab(
    database: Database, clock: ManualClock, chat: SlackChat, transport: GuardedTransport
) -> ChatLab:
    return ChatLab(database, clock, Wrapped(chat))
