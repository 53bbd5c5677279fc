"""What sync is given to work with by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.sync.mapping import FieldMappings

if TYPE_CHECKING:
    from callout.incidents import Incidents
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.inbound import InboundWebhook
    from callout.ports.provider import TicketingProvider
    from callout.storage import AccountTx, Database, Tx


@dataclass(frozen=True, slots=True)
class Target:
    """One ticketing integration as sync sees it. `settings` is the integration's `sync` object."""

    integration_id: str
    account_id: str
    name: str
    title: str
    settings: Mapping[str, Any]
    default_project: str = ""
    default_issue_type: str = ""

    @property
    def shadow(self) -> bool:
        """Whether nothing is written to it: what would be is counted and kept."""
        return self.settings.get("shadow") is True

    def mappings(self) -> FieldMappings:
        """Return the integration's field mappings."""
        return FieldMappings.from_settings(self.settings)


@dataclass(frozen=True, slots=True)
class PauseState:
    """A pause of writes: why, and until when (None: until somebody ends it)."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncContext:
    """The services and look-ups that sync's handlers use.

    `targets` lists the enabled ticketing integrations of the transaction's account, `target` returns one of them (None when it is gone),
    `paused` the pause that holds for a link, `provider` the connector of an integration and `inbound` its webhook dialect;
    `slow_down` keeps every worker from calling an integration for a while.
    """

    clock: Clock
    database: Database
    incidents: Incidents
    queue: Queue
    public_url: str
    targets: Callable[[AccountTx], Awaitable[list[Target]]]
    target: Callable[[AccountTx, str], Awaitable[Target | None]]
    paused: Callable[[AccountTx, str, str], Awaitable[PauseState | None]]
    provider: Callable[[str, str], Awaitable[TicketingProvider]]
    inbound: Callable[[str, str], Awaitable[InboundWebhook]]
    slow_down: Callable[[Tx, str, timedelta], Awaitable[None]]
