"""The public names of ChatOps, for programs that embed Callout: a manager over the same parts that the product runs on.

`Provider` is the chat port; `SlashCommand`, `Interaction` and `Answer` are its values. Nothing here is a second way of doing things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from callout.chatops import cards, routing
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.dispatch import Dispatcher
from callout.chatops.redacting import speaking
from callout.incidents import Incident
from callout.kit.ids import new_id
from callout.ports.chat import Answer, ChatEvent, ChatProvider, Interaction, MessageRef, SlashCommand
from callout.ports.chat_rules import NotificationType
from callout.ports.errors import CalloutError, ConflictError, NotFoundError

Provider: TypeAlias = ChatProvider
ProviderFactory: TypeAlias = Callable[[Mapping[str, object]], Provider]
"""Makes a provider from its settings."""
ChatOpsError: TypeAlias = CalloutError
"""What every method here raises; `code` and `remediation` say what and what to do."""


_OPENINGS: Final[Mapping[NotificationType, str]] = {
    NotificationType.CREATED: "New incident",
    NotificationType.UPDATED: "Updated",
    NotificationType.ACKNOWLEDGED: "Acknowledged",
    NotificationType.ESCALATED: "Escalated",
    NotificationType.MITIGATED: "Mitigated",
    NotificationType.RESOLVED: "Resolved",
    NotificationType.CLOSED: "Closed",
    NotificationType.SLA_BREACH: "A time limit has passed",
}


@dataclass(frozen=True, slots=True)
class Notification:
    """One message about an incident. `text` (Markdown) is said beside the card, `mentions` are the platform's user ids."""

    type: NotificationType
    incident: Incident
    text: str = ""
    mentions: tuple[str, ...] = ()


class Registry:
    """Providers by name, to be made from their settings."""

    def __init__(self) -> None:
        self._factories: dict[str, ProviderFactory] = {}

    def register(self, name: str, factory: ProviderFactory) -> None:
        """Add a provider. Raises ConflictError when the name is taken."""
        if name in self._factories:
            raise ConflictError(f"a chat provider named {name!r} is registered already")
        self._factories[name] = factory

    def create(self, name: str, settings: Mapping[str, object]) -> Provider:
        """Return a new provider. Raises NotFoundError that names those there are."""
        factory = self._factories.get(name)
        if factory is None:
            known = ", ".join(sorted(self._factories)) or "none"
            raise NotFoundError(f"there is no chat provider {name!r}", remediation=f"Known: {known}.")
        return factory(settings)

    def names(self) -> Iterable[str]:
        """Return the names, sorted."""
        return sorted(self._factories)


class Manager:
    """Several chat workspaces behind one face."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        # Who somebody is, and who is in a group, is asked of the providers that were added here.
        self._dispatcher = Dispatcher(replace(context, provider=self._provider_of))
        self._providers: dict[str, tuple[Workspace, Provider]] = {}

    def add_provider(self, workspace: Workspace, provider: Provider) -> None:
        """Add a workspace under its integration's name. Raises ConflictError when the name is taken."""
        if workspace.name in self._providers:
            raise ConflictError(f"a workspace named {workspace.name!r} was added already")
        self._providers[workspace.name] = (workspace, provider)

    def remove_provider(self, workspace: str) -> None:
        """Take a workspace away. Raises NotFoundError for one that was not added."""
        self._workspace(workspace)
        del self._providers[workspace]

    def workspaces(self) -> tuple[str, ...]:
        """Return the names of the workspaces, sorted."""
        return tuple(sorted(self._providers))

    async def process_slash_command(self, workspace: str, command: SlashCommand) -> Answer:
        """Carry a command out and return what the person sees. Raises NotFoundError for a workspace that was not added."""
        return await self._dispatcher.handle(self._workspace(workspace), command)

    async def process_interaction(self, workspace: str, interaction: Interaction) -> Answer:
        """Carry a pressed button out. Raises NotFoundError for a workspace that was not added."""
        return await self._dispatcher.handle(self._workspace(workspace), interaction)

    async def process_event(self, workspace: str, event: ChatEvent) -> None:
        """Take what was said to us in plain words, or what became of a message; an answer follows in its thread, by a job.

        Raises NotFoundError for a workspace that was not added.
        """
        await self._dispatcher.handle(self._workspace(workspace), event)

    async def send_incident_notification(
        self, notification: Notification
    ) -> Mapping[str, MessageRef | ChatOpsError]:
        """Post a card in the channel that each workspace routes such incidents to; return by workspace where it is, or why not.

        A post of its own, at once: what the product itself tells of incidents goes by jobs, with its state on the timeline.
        """
        outcome: dict[str, MessageRef | ChatOpsError] = {}
        incident = notification.incident
        card = cards.incident_card(
            incident, link=self._context.link(incident.key), mentions=notification.mentions
        )
        opening = f"**{_OPENINGS[notification.type]}**"
        text = "\n\n".join(filter(None, (opening, notification.text, card.text)))
        for name, (workspace, provider) in self._providers.items():
            channel = routing.route(workspace.settings, incident)
            if not channel:
                continue
            try:
                told = replace(card, text=text)
                outcome[name] = await speaking(provider, workspace.settings).post_message(
                    channel, told, key=new_id()
                )
            except CalloutError as error:
                outcome[name] = error
        return outcome

    async def _provider_of(self, account_id: str, integration_id: str) -> Provider:
        for workspace, provider in self._providers.values():
            if workspace.integration_id == integration_id:
                return provider
        return await self._context.provider(account_id, integration_id)

    def _workspace(self, name: str) -> Workspace:
        found = self._providers.get(name)
        if found is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise NotFoundError(f"no workspace named {name!r} was added", remediation=f"Added: {known}.")
        return found[0]
