"""A real process is killed between the vendor's answer and the storing of the new tokens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from callout.integrations.oauth import LEASE
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import TokenSet
from tests.integrations.test_oauth import connected

if TYPE_CHECKING:
    from tests.integrations.hub import Hub

PROCESS = """
import asyncio, sys
from callout.integrations import OAuthTokens
from callout.kit.clock import SystemClock
from callout.kit.secrets import KeyRing, Secret
from callout.ports.manifest import TokenSet
from callout.storage import open_database

async def exchange(tokens):
    print("asked with", tokens.refresh.reveal(), flush=True)
    return TokenSet(Secret("access-1"), Secret("refresh-1"))

async def main(url, keys, account, integration):
    database = await open_database(url)
    store = OAuthTokens(database, KeyRing.parse(keys), SystemClock(), account_id=account, integration_id=integration)
    await store.rotate(await store.current(), exchange)
    print("stored", flush=True)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_after_the_exchange_the_loss_is_said_and_nothing_hangs(hub: Hub) -> None:
    integration_id = await connected(hub)
    hub.clock.advance(datetime.now(UTC) - hub.clock.now())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROCESS,
        hub.database.url,
        hub.keys.to_text().reveal(),
        hub.red,
        integration_id,
        env={**os.environ, "CALLOUT_CRASH_AT": "oauth.exchanged"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert (process.returncode, out) == (-signal.SIGKILL, b"asked with refresh-0\n")
    hub.clock.advance(LEASE + timedelta(minutes=1))
    store = hub.oauth(integration_id)
    stale = await store.current()
    assert stale.refresh == Secret("refresh-0")

    async def refuse(tokens: TokenSet) -> TokenSet:
        raise AuthFailedError("invalid_grant")

    with pytest.raises(AuthFailedError, match="interrupted before the new ones could be stored"):
        await store.rotate(stale, refuse)
