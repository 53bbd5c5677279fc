"""What chatops is given to work with by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callout.chatops.redacting import speaking
from callout.ports.chat_settings import ChatSettings
from callout.storage import Turns

if TYPE_CHECKING:
    from callout.access import ChatIdentities, Members
    from callout.chatops.forms.tokens import FormTokens
    from callout.incidents import Incidents
    from callout.incidents.catalogue import Catalogue
    from callout.incidents.escalation import Escalations
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.chat import ChatProvider, FullChat
    from callout.storage import AccountTx, Database
    from callout.sync.attach import TicketLinks
    from callout.sync.conflicts import Conflicts
    from callout.sync.needs import Needs

TURNS: Final = 3
"""So many acts are at work in the database at a time, in one process."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One chat integration as chatops sees it. `title` is the platform's name, `name` the integration's."""

    integration_id: str
    account_id: str
    provider: str
    name: str
    title: str
    settings: ChatSettings


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of writes: why, and until when (None: until somebody ends it)."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChatContext:
    """The services and look-ups that chatops uses.

    `workspaces` lists the enabled chat integrations of the transaction's account, `workspace` returns one of them (None when it is
    gone), `paused` the pause that holds for an integration, `provider` the connector for (account id, integration id).
    """

    clock: Clock
    database: Database
    incidents: Incidents
    identities: ChatIdentities
    members: Members
    queue: Queue
    conflicts: Conflicts
    tickets: TicketLinks
    tokens: FormTokens
    public_url: str
    workspaces: Callable[[AccountTx], Awaitable[list[Workspace]]]
    workspace: Callable[[AccountTx, str], Awaitable[Workspace | None]]
    paused: Callable[[AccountTx, str], Awaitable[Pause | None]]
    provider: Callable[[str, str], Awaitable[ChatProvider]]
    catalogue: Catalogue | None = None
    """Teams and services; None in a program that keeps none."""
    escalations: Escalations | None = None
    """Who calls people; None in a program that has nobody to do it."""
    needs: Needs | None = None
    """What tickets need to be resolved; None in a program that does not ask."""
    turns: Turns = field(default_factory=lambda: Turns(TURNS))
    """For what people do in chat, all of whom wait for an answer."""

    async def chat(self, workspace: Workspace) -> FullChat:
        """Return the platform of a workspace, to be spoken through: what must not be said is hidden on the way."""
        provider = await self.provider(workspace.account_id, workspace.integration_id)
        return speaking(provider, workspace.settings)

    def link(self, key: str) -> str:
        """Return the dashboard's address of an incident."""
        return f"{self.public_url.rstrip('/')}/incidents/{key}"
