from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.connectors.hook_inbox import Inbox


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A receiver of webhooks on a port of its own."""
    box = Inbox()
    app = web.Application()
    app.router.add_post("/hook", box.receive)
    runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=0.5)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    host, port = runner.addresses[0][:2]
    box.url = f"http://{host}:{port}/hook"
    yield box
    await runner.cleanup()
