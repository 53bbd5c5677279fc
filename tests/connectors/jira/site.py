"""A Jira twin on a real port, and the connector against it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.ticketing import JiraTicketing, build
from callout.kit.clock import Clock, SystemClock
from callout.kit.http import Timeouts, VendorHttp
from callout.kit.net import AddressGuard
from callout.kit.secrets import Secret
from callout.kit.transport import GuardedTransport
from callout.ports.manifest import Credential, TokenStore, Tools
from callout.sandbox.core.serve import SandboxServer
from callout.sandbox.core.twin import Twin

EXTERNAL_REFERENCE = {"name": "reference", "project_id": "*", "provider_field_path": "customfield_10040"}


class NoWait:
    """Sleeps between short retries, without sleeping."""

    async def __call__(self, seconds: float) -> None:
        del seconds


@dataclass
class JiraSite:
    """The twin and how to reach it."""

    server: SandboxServer
    transport: GuardedTransport
    clock: Clock

    @property
    def twin(self) -> Twin:
        return self.server.twin("jira")

    @property
    def url(self) -> str:
        return f"{self.server.base_url}/jira"

    def tools(self, credential: Credential, *, tokens: TokenStore | None = None) -> Tools:
        def http(base_url: str, *, headers: Mapping[str, Any] | None = None, **options: Any) -> VendorHttp:  # noqa: ANN401
            options.setdefault("timeouts", Timeouts(total=10.0))
            return VendorHttp(base_url, transport=self.transport, headers=headers, sleep=NoWait(), **options)

        return Tools(
            http=http, clock=self.clock, credential=credential, tokens=tokens, integration_id="int-1"
        )

    def provider(
        self,
        *,
        username: str = "admin@example.com",
        secret: str = "token",
        url: str = "",
        **settings: object,
    ) -> JiraTicketing:
        """Build the provider as bootstrap would."""
        config = JiraConfig.model_validate(
            {"url": url or self.url, "custom_field_mappings": [EXTERNAL_REFERENCE], **settings}
        )
        credential = Credential("basic", {"username": username}, {"secret": Secret(secret)})
        return build(config, self.tools(credential))

    async def act(self, action: str, **body: object) -> dict[str, Any]:
        """Do what a person does in Jira."""
        answer: dict[str, Any] = await self.twin.act(action, body)
        return answer

    def pass_time(self, span: timedelta) -> None:
        """Move the twin's clock."""
        self.twin.clock.offset += span.total_seconds()


@contextlib.asynccontextmanager
async def jira_site() -> AsyncIterator[JiraSite]:
    """Run a fresh twin."""
    async with SandboxServer(only=["jira"]) as server:
        transport = GuardedTransport(AddressGuard.parse("127.0.0.0/8", require_https=False))
        try:
            yield JiraSite(server, transport, SystemClock())
        finally:
            await transport.aclose()
            assert not server.twin("jira").internal_errors, server.twin("jira").internal_errors[-1]
