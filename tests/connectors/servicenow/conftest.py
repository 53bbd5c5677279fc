from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from callout.sandbox.core.serve import SandboxServer, sandbox_in_thread
from tests.connectors.servicenow.instance import Instance
from tests.connectors.twin_site import fresh


@pytest.fixture(scope="session")
def servicenow_server() -> Iterator[SandboxServer]:
    """One ServiceNow twin for all tests, on a port of its own, in a thread of its own."""
    with sandbox_in_thread(["servicenow"]) as server:
        yield server


@pytest.fixture
async def instance(servicenow_server: SandboxServer) -> AsyncIterator[Instance]:
    """A freshly seeded instance."""
    async with fresh(Instance, f"{servicenow_server.base_url}/servicenow") as running:
        yield running
