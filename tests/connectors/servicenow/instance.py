"""A ServiceNow twin on a real port, steered by its control path, and the connector against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from callout.connectors.servicenow.config import SecurityIncidentConfig, ServiceNowConfig
from callout.connectors.servicenow.ticketing import ServiceNowTicketing, build
from callout.kit.secrets import Secret
from callout.ports.manifest import Credential, TokenStore, Tools
from callout.ports.provider import PollPosition
from callout.ports.ticketing import Change, Ticket, TicketDraft
from tests.connectors.twin_site import TwinSite

REFERENCE = {"name": "reference", "project_id": "*", "provider_field_path": "u_external_reference"}


OVERLAP = timedelta(minutes=5)


async def make(provider: ServiceNowTicketing, title: str = "DB is down", **fields: Any) -> Ticket:
    """Create a ticket."""
    return await provider.create_ticket(TicketDraft(title, **fields))


async def polled(provider: ServiceNowTicketing, since: datetime | None) -> list[Change]:
    """Poll once."""
    return [change async for change in provider.changes_since(PollPosition(since), overlap=OVERLAP)]


class Instance(TwinSite):
    """The twin and how to reach it."""

    def tools(self, credential: Credential, *, tokens: TokenStore | None = None) -> Tools:
        """Return what bootstrap would give to the connector, whose clock is the instance's."""
        return replace(super().tools(credential, tokens=tokens), clock=self)

    def provider(
        self,
        *,
        username: str = "admin",
        secret: str = "admin",
        url: str = "",
        sir: bool = False,
        **settings: object,
    ) -> ServiceNowTicketing:
        """Build the provider as bootstrap would."""
        kind = SecurityIncidentConfig if sir else ServiceNowConfig
        config = kind.model_validate(
            {"url": url or self.url, "custom_field_mappings": [REFERENCE], "tags_field": "u_tags", **settings}
        )
        credential = Credential("basic", {"username": username}, {"secret": Secret(secret)})
        return build(config, self.tools(credential))

    def task(self, number: str) -> dict[str, Any]:
        """Return a record as the instance keeps it, with its journal."""
        found: dict[str, Any] = self.control.get("state").json()["tasks"][number]
        return found

    def journal(self, ticket: Ticket) -> list[tuple[str, str]]:
        """Return the journal of a ticket as (column, text)."""
        return [(entry["element"], entry["value"]) for entry in self.task(ticket.key)["journal"]]
