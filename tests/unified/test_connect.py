"""Every provider is connected and reached, past the APIs: what the other tests here stand on."""

from __future__ import annotations

import pytest

from tests.unified.sdk import Sdk


@pytest.mark.parametrize(
    "provider",
    [
        "ticketing_jira",
        "ticketing_jira_service_management",
        "ticketing_servicenow",
        "ticketing_servicenow_sir",
        "ticketing_pagerduty",
        "ticketing_mock_ticketing",
    ],
)
async def test_every_provider_can_be_connected(sdk: Sdk, provider: str) -> None:
    one = await sdk.connect(sdk.config(provider))
    account = one.integration.account_id
    found = await sdk.installation.wired.connections.provider(account, one.integration.id)
    assert (await found.check_connection()).ok
    assert one.token.startswith("co_int_")
