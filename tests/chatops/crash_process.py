"""A worker process that does chat's jobs until it is killed at a crash point.

It is forked from one that has imported everything, else a process like any other: a Python of its own would take a hundred times as long
to start as it lives.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
from datetime import UTC, datetime

from callout.kit import crash
from callout.kit.clock import ManualClock
from callout.kit.net import AddressGuard
from callout.kit.transport import GuardedTransport
from callout.storage import open_database
from tests.chatops.lab import ChatLab
from tests.connectors.slack.conftest import chat_on

PATIENCE = 50.0


async def main(url: str, slack: str) -> None:
    database = await open_database(url)
    transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8"))
    lab = ChatLab(database, ManualClock(datetime.now(UTC)), chat_on(transport, slack))
    await lab.run_jobs()
    await transport.aclose()
    await database.close()


def work_until(point: str, url: str, slack: str) -> None:
    """What the process does."""
    os.environ[crash.VARIABLE] = point
    importlib.reload(crash)  # it reads that when it is imported
    asyncio.run(main(url, slack))


async def exit_code(point: str, url: str, slack: str) -> int | None:
    """Run one until it ends; return how."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work_until, args=(point, url, slack))
    process.start()
    await asyncio.to_thread(process.join, PATIENCE)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    return code
