from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from callout.sandbox.core.serve import SandboxServer, sandbox_in_thread
from tests.connectors.pagerduty.site import PagerDutySite
from tests.connectors.twin_site import fresh


@pytest.fixture(scope="session")
def pagerduty_server() -> Iterator[SandboxServer]:
    """One PagerDuty twin for all tests, on a port of its own, in a thread of its own."""
    with sandbox_in_thread(["pagerduty"]) as server:
        yield server


@pytest.fixture
async def site(pagerduty_server: SandboxServer) -> AsyncIterator[PagerDutySite]:
    """A freshly seeded PagerDuty account."""
    async with fresh(PagerDutySite, f"{pagerduty_server.base_url}/pagerduty") as running:
        yield running
