"""The services that the server is handed by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from callout.access import Accounts, Authentication, Idempotency, Sessions
    from callout.access.sign_in import SignIn
    from callout.chatops.sent import SentMessages
    from callout.incidents import Incidents
    from callout.incidents.responding import Responding
    from callout.kit.clock import Clock
    from callout.kit.secrets import Secret
    from callout.ports.values import Actor
    from callout.server.administration import Administration
    from callout.server.chat import FindChat
    from callout.server.health import ReadFigures, Ready
    from callout.server.manage import Management
    from callout.server.oversight import Oversight
    from callout.storage import AccountTx, Database
    from callout.sync.attach import TicketLinks
    from callout.sync.conflicts import Conflicts
    from callout.sync.link_actions import LinkActions
    from callout.sync.needs import Needs
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


class Consent(Protocol):
    """Where a person gives their consent to an app, and until when."""

    @property
    def url(self) -> str:
        """The vendor's address."""
        ...

    @property
    def until(self) -> datetime:
        """When the address stops being good."""
        ...


class Outcome(Protocol):
    """What an installation made: the integration's name, the workspace's, and what is not as it should be."""

    @property
    def integration(self) -> str:
        """Its name."""
        ...

    @property
    def workspace(self) -> str:
        """The name that the vendor gives."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """In words."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may use. `hook` finds where a webhook address leads, by integration id or hook token;
    `chat` finds a chat integration by id.
    """

    database: Database
    clock: Clock
    authentication: Authentication
    sessions: Sessions
    sign_in: SignIn
    accounts: Accounts
    idempotency: Idempotency
    incidents: Incidents
    responding: Responding
    intake: Intake
    endpoints: Endpoints
    deliveries: Deliveries
    hook: Callable[[str, Secret | None], Awaitable[Hook | None]]
    oversized: Oversized
    chat: FindChat
    chat_messages: SentMessages
    links: Callable[[AccountTx, str], Awaitable[list[Mapping[str, Any]]]]
    integration_names: Callable[[AccountTx], Awaitable[Mapping[str, str]]]
    conflicts: Conflicts
    link_actions: LinkActions
    ticket_links: TicketLinks
    needs: Needs
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
    administration: Administration
    oversight: Oversight
    doctor: Callable[[bool], Awaitable[Mapping[str, Any]]]
    """Looks the installation over, as `callout doctor --json` tells it; whether vendors are asked, too. Not within a transaction."""
    begin_install: Callable[[str, str, Actor], Awaitable[Consent]]
    """By account id, integration id, and who begins it."""
    finish_install: Callable[[str, str], Awaitable[Outcome]]
    """By the state and the code that came back with the person."""
    ready: Ready
    figures: ReadFigures
    version: str
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to stop: what would go on for long ends then."""
    secure_cookies: bool = False
    trusted_proxies: tuple[str, ...] = ()
    api_per_second: float = 0.0
    """Networks of the proxies that are believed who a request is from."""
    """Whether people reach the pages over https, as the public address says."""
