"""The services that the server is handed by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from callout.access import Accounts, Authentication, Idempotency
    from callout.incidents import Incidents
    from callout.kit.clock import Clock
    from callout.kit.secrets import Secret
    from callout.server.chat import FindChat
    from callout.server.manage import Management
    from callout.storage import AccountTx, Database
    from callout.sync.attach import TicketLinks
    from callout.sync.conflicts import Conflicts
    from callout.sync.link_actions import LinkActions
    from callout.ticketing import (
        Capabilities,
        Directory,
        Engine,
        IncidentResponse,
        Notifications,
        Parts,
        PassThrough,
        ProviderWebhooks,
        Tickets,
    )
    from callout.webhooks import Hook, HookBinding, Intake
    from callout.webhooks.outbound import Deliveries, Endpoints


class Oversized(Protocol):
    """What is done with webhooks that are too large: at most `limit` bytes are taken."""

    @property
    def limit(self) -> int:
        """In bytes."""
        ...

    async def refused(self, binding: HookBinding, /) -> None:
        """Count one that was larger, and let the integration say so."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may use. `hook` finds where a webhook address leads, by integration id or hook token;
    `chat` finds a chat integration by id.
    """

    database: Database
    clock: Clock
    authentication: Authentication
    accounts: Accounts
    idempotency: Idempotency
    incidents: Incidents
    intake: Intake
    endpoints: Endpoints
    deliveries: Deliveries
    hook: Callable[[str, Secret | None], Awaitable[Hook | None]]
    oversized: Oversized
    chat: FindChat
    links: Callable[[AccountTx, str], Awaitable[list[Mapping[str, Any]]]]
    integration_names: Callable[[AccountTx], Awaitable[Mapping[str, str]]]
    conflicts: Conflicts
    link_actions: LinkActions
    ticket_links: TicketLinks
    plan: Callable[[str, str], Awaitable[Mapping[str, Any]]]
    """By account id, and the integration's id or name."""
    shadow: Callable[[AccountTx, str], Awaitable[Mapping[str, Any]]]
    engine: Engine
    tickets: Tickets
    parts: Parts
    directory: Directory
    incident_response: IncidentResponse
    capabilities: Capabilities
    provider_webhooks: ProviderWebhooks
    notifications: Notifications
    pass_through: PassThrough
    manage: Management
    ready: Callable[[], Awaitable[Mapping[str, Any]]]
    version: str
    secure_cookies: bool = False
    """Whether people reach the pages over https, as the public address says."""
