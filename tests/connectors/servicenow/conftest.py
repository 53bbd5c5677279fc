from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from callout.kit.net import AddressGuard
from callout.kit.transport import GuardedTransport
from callout.sandbox.core.serve import SandboxServer, sandbox_in_thread
from tests.connectors.servicenow.instance import Instance


@pytest.fixture(scope="session")
def servicenow_server() -> Iterator[SandboxServer]:
    """One ServiceNow twin for all tests, on a port of its own, in a thread of its own."""
    with sandbox_in_thread(["servicenow"]) as server:
        yield server


@pytest.fixture
async def instance(servicenow_server: SandboxServer) -> AsyncIterator[Instance]:
    """A freshly seeded instance."""
    url = f"{servicenow_server.base_url}/servicenow"
    transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8", require_https=False))
    with httpx.Client(base_url=f"{url}/_twin/", verify=False) as control:  # noqa: S501  # plain http to loopback
        running = Instance(url, control, transport)
        running.reset()
        yield running
        troubles = running.troubles()
    await transport.aclose()
    assert not troubles, troubles[-1]
