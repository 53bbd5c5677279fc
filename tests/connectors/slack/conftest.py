from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.manifest import build
from callout.kit.clock import SystemClock
from callout.kit.http import Timeouts, VendorHttp
from callout.kit.net import AddressGuard
from callout.kit.secrets import Secret
from callout.kit.transport import GuardedTransport
from callout.ports.manifest import Credential, Tools
from tests.sandbox.conftest import TwinControl, plain_http, sandbox_server, slack

__all__ = ["plain_http", "sandbox_server", "slack"]


@pytest.fixture
async def transport() -> AsyncIterator[GuardedTransport]:
    transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8"))
    yield transport
    await transport.aclose()


def chat_on(transport: GuardedTransport, url: str, token: str = "xoxb-acc") -> SlackChat:
    """The connector as bootstrap would build it."""
    tools = Tools(
        http=partial(VendorHttp, transport=transport, timeouts=Timeouts(read=1.0, total=3.0)),
        clock=SystemClock(),
        credential=Credential("token", secrets={"secret": Secret(token)}),
    )
    return build(SlackConfig(url=url), tools)


@pytest.fixture
def chat(slack: TwinControl, transport: GuardedTransport) -> SlackChat:
    return chat_on(transport, f"{slack.url}/api")
