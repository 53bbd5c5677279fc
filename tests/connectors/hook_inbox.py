"""A receiver for the webhooks that a twin sends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from callout.ports.inbound import InboundRequest


@dataclass
class Inbox:
    """Receives webhooks at `url` and answers with `status`."""

    url: str = ""
    status: int = 202
    requests: list[InboundRequest] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        """Keep one as connectors take it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(
            InboundRequest("POST", request.path, headers, await request.read(), datetime.now(UTC))
        )
        return web.Response(status=self.status)

    async def wait(self, count: int) -> list[InboundRequest]:
        """Return what came, once `count` came."""
        for _ in range(6_000):
            if len(self.requests) >= count:
                return self.requests
            await asyncio.sleep(0.01)
        pytest.fail(f"{len(self.requests)} webhooks of {count} came")
