"""The test provider, described once."""

from __future__ import annotations

from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.ticketing import MockTicketing, build
from callout.ports.manifest import Manifest

MANIFEST = Manifest(
    provider="ticketing_mock_ticketing",
    title="Test provider",
    category="ticketing",
    config=MockTicketingConfig,
    build=build,
    provider_class=MockTicketing,
    credential_kinds=(),
    default_budget=(1000.0, 1000, 100),
    docs="connectors/mock_ticketing.md",
)
