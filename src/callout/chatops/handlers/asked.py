"""What a handler works with: who asked, where, and the services, in one open transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from callout.chatops import store
from callout.chatops.cards import incident_card
from callout.chatops.people import group_of, members_of, only_member, person_of
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.chatops.groups import Group
    from callout.chatops.speakers import Speaker
    from callout.incidents import Incident, Incidents
    from callout.ports.chat import Card
    from callout.ports.values import Origin, Person
    from callout.storage import AccountTx

READABLE: Final = tuple(one for one in Audience if one.may_reach(Audience.RESPONDERS))
"""Whose texts are shown in chat: others read along there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command being carried out. `channel` is where it was typed; `in_public` tells that others saw it being typed."""

    context: ChatContext
    tx: AccountTx
    workspace: Workspace
    speaker: Speaker
    channel: str
    in_public: bool = False
    groups: Mapping[str, Group] = field(default_factory=dict)
    """Groups that were mentioned, by id, as far as the platform told of them."""
    thread: str = ""
    """The message in whose thread it was said; empty where it was in none."""

    @property
    def incidents(self) -> Incidents:
        """The incident service."""
        return self.context.incidents

    @property
    def origin(self) -> Origin:
        """The origin of what is done."""
        return self.speaker.origin(self.workspace)

    @property
    def command(self) -> str:
        """How the command is called here."""
        return self.workspace.settings.command

    async def named(self, incident: str, *, optional: bool = False) -> str:
        """Return the incident that was named, or else the one whose own channel, or in whose thread, this is.

        Raises InvalidRequestError.
        """
        found = incident or await self.here()
        if not found and not optional:
            raise InvalidRequestError(
                "which incident? This is no incident's own channel",
                remediation=f"Add its key, such as INC-7; {self.command} list shows what is active",
            )
        return found

    async def here(self) -> str:
        """Return the incident whose own channel this is, or in the thread of whose card it was said; empty where there is none."""
        own = await store.incident_of_channel(self.tx, self.workspace.integration_id, self.channel)
        if own or not self.thread:
            return own
        return await store.incident_of_thread(
            self.tx, self.workspace.integration_id, self.channel, self.thread
        )

    async def incident(self, incident: str) -> Incident:
        """Return the incident that is meant, as it stands. Raises InvalidRequestError, NotFoundError."""
        return await self.incidents.get(self.tx, await self.named(incident))

    async def person(self, typed: str) -> Person | None:
        """Return whom `typed` means, None for nobody; of a group, the only one in it. Raises InvalidRequestError."""
        if not typed:
            return None
        if (group := group_of(typed)) is not None:
            return await only_member(self, group)
        return await person_of(self.context, self.tx, self.workspace, self.speaker, typed)

    async def people(self, typed: str) -> list[Person]:
        """Return whom `typed` means: a person, or everybody in a group. Raises InvalidRequestError."""
        if (group := group_of(typed)) is not None:
            return await members_of(self, group)
        found = await self.person(typed)
        return [] if found is None else [found]

    def card(self, incident: Incident) -> Card:
        """Return an incident as a card."""
        return incident_card(incident, link=self.context.link(incident.key))

    async def service_names(self, *, limit: int) -> list[str]:
        """Return the names of the services that are known, at most `limit`."""
        if self.context.catalogue is None:
            return []
        return [one.name for one in await self.context.catalogue.services(self.tx)][:limit]
