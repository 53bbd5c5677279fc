"""A worker process that does chat's jobs until it is killed at the crash point its environment names: `python -m … URL SLACK`."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from callout.kit.clock import ManualClock
from callout.kit.net import AddressGuard
from callout.kit.transport import GuardedTransport
from callout.storage import open_database
from tests.chatops.lab import ChatLab
from tests.connectors.slack.conftest import chat_on


async def main(url: str, slack: str) -> None:
    database = await open_database(url)
    transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8"))
    lab = ChatLab(database, ManualClock(datetime.now(UTC)), chat_on(transport, slack))
    await lab.run_jobs()
    await transport.aclose()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
