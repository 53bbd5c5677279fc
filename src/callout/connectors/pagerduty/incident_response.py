"""PagerDuty as a source of who is called and who is on call, without tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.auth import auth_for
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.connection import check_connection
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.oncall import Directory
from callout.connectors.pagerduty.rest import Rest
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp
from callout.ports.manifest import Tools
from callout.ports.oncall import EscalationPolicy, OnCall
from callout.ports.provider import ConnectionReport, Effect
from callout.ports.ticketing import Page


class PagerDutyIncidentResponse:
    """One PagerDuty account, read only."""

    effects: Mapping[str, Effect] = {}

    def __init__(self, config: PagerDutyConfig, http: VendorHttp, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._rest = Rest(http, clock)
        self._client = DirectoryClient(self._rest)
        self._account = Account(self._client, clock)
        self._directory = Directory(self._client)

    async def check_connection(self) -> ConnectionReport:
        """Ask PagerDuty who we are. Raises AuthFailedError."""
        return await check_connection(self._config, self._client, self._rest, self._account, self._clock)

    async def query_escalation_policies(
        self, *, limit: int, cursor: str, name: str = ""
    ) -> Page[EscalationPolicy]:
        """Return one page of escalation policies."""
        return await self._directory.policies(limit=limit, cursor=cursor, name=name)

    async def list_on_call(self, policy_id: str) -> Sequence[OnCall]:
        """Return who is on call now for a policy, by level. Raises RecordNotFoundError."""
        return await self._directory.on_call(policy_id)


def build(config: PagerDutyConfig, tools: Tools) -> PagerDutyIncidentResponse:
    """Return the provider of one integration. Raises AuthFailedError for a credential that PagerDuty cannot use."""
    http = tools.http(config.rest_url, auth=auth_for(config, tools))
    return PagerDutyIncidentResponse(config, http, tools.clock)
