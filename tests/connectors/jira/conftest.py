from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connectors.jira.site import JiraSite, jira_site


@pytest.fixture
async def site() -> AsyncIterator[JiraSite]:
    """A fresh Jira twin on a port of its own."""
    async with jira_site() as running:
        yield running
