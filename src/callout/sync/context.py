"""What sync is given to work with by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from callout.jobs import Retry
from callout.sync.mapping import FieldMappings

if TYPE_CHECKING:
    from callout.incidents import Incidents
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.inbound import InboundWebhook
    from callout.ports.provider import TicketingProvider
    from callout.ports.ticketing import Change
    from callout.storage import AccountTx, Database, Tx
    from callout.sync.links import SyncProblem


@dataclass(frozen=True, slots=True)
class Target:
    """One ticketing integration as sync sees it.

    `settings` are its effective ones: what its connector brings, overlaid by the integration's `sync` object. `webhooks` tells that a
    signing key is stored for its webhooks, which come in at `hook_url`. `site` is where its tickets are: integrations of one site see
    the same tickets under the same ids.
    """

    integration_id: str
    account_id: str
    name: str
    title: str
    settings: Mapping[str, Any]
    default_project: str = ""
    default_issue_type: str = ""
    webhooks: bool = False
    hook_url: str = ""
    site: str = ""

    @property
    def shadow(self) -> bool:
        """Whether nothing is written to it: what would be is counted and kept."""
        return self.settings.get("shadow") is True

    def mappings(self) -> FieldMappings:
        """Return the integration's field mappings."""
        return FieldMappings.from_settings(self.settings)


class Standing(Protocol):
    """How integrations stand as a whole, beside their single links: who accepts tickets, who was heard of when, what is wrong."""

    async def accepting(self, tx: Tx) -> Sequence[Target]:
        """Return the enabled integrations, of all accounts, that make incidents of tickets."""
        ...

    async def listened(self, tx: Tx) -> Mapping[str, str]:
        """Return the enabled integrations whose tickets somebody outside is told of, with their accounts."""
        ...

    async def polled(self, tx: AccountTx, integration_id: str, found: Sequence[Change]) -> None:
        """Hear what a poll found, in the transaction in which it moves on; repeats come."""
        ...

    async def heard(self, tx: AccountTx, integration_id: str) -> None:
        """Note that a webhook came in."""
        ...

    async def last_heard(self, tx: AccountTx, integration_id: str) -> datetime | None:
        """Return when the last webhook came in."""
        ...

    async def problem(
        self, tx: AccountTx, integration_id: str, kind: str, problem: SyncProblem | None
    ) -> None:
        """Show a problem of a kind on the integration, or with None take it away."""
        ...


class NoStanding:
    """Remembers nothing: for sync without integrations of its own, as in simulations."""

    async def accepting(self, tx: Tx) -> Sequence[Target]:
        """Return nobody."""
        _ = tx
        return ()

    async def listened(self, tx: Tx) -> Mapping[str, str]:
        """Return nobody."""
        _ = tx
        return {}

    async def polled(self, tx: AccountTx, integration_id: str, found: Sequence[Change]) -> None:
        """Forget it."""

    async def heard(self, tx: AccountTx, integration_id: str) -> None:
        """Forget it."""

    async def last_heard(self, tx: AccountTx, integration_id: str) -> datetime | None:
        """Return None."""
        _ = (tx, integration_id)
        return None

    async def problem(
        self, tx: AccountTx, integration_id: str, kind: str, problem: SyncProblem | None
    ) -> None:
        """Show nothing."""


RETRY = replace(Retry(), max_attempts=25)
"""How often sync's own faults are tried again; trouble of a vendor is no attempt. The death of a worker counts for every job it was at:
so many that one job which kills workers does not bury its neighbours with it."""


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
    `slow_down` keeps every worker from calling an integration for a while; `standing` is how integrations stand as a whole.
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
    standing: Standing = field(default_factory=NoStanding)
    poll_every: timedelta = timedelta(seconds=30)
