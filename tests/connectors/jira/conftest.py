from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from callout.sandbox.core.serve import SandboxServer, sandbox_in_thread
from tests.connectors.jira.site import JiraSite
from tests.connectors.twin_site import fresh


@pytest.fixture(scope="session")
def jira_server() -> Iterator[SandboxServer]:
    """One Jira twin for all tests, on a port of its own, in a thread of its own."""
    with sandbox_in_thread(["jira"]) as server:
        yield server


@pytest.fixture
async def site(jira_server: SandboxServer) -> AsyncIterator[JiraSite]:
    """A freshly seeded Jira."""
    async with fresh(JiraSite, f"{jira_server.base_url}/jira") as running:
        yield running
