"""Who is speaking, and what they may do: the role of the member behind a chat user, else the integration's default role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callout.access import PERMISSIONS, ROLES
from callout.chatops.context import ChatContext, Workspace
from callout.ports.errors import ForbiddenError
from callout.ports.values import Actor, Channel, Origin, Person

if TYPE_CHECKING:
    from callout.storage import AccountTx


@dataclass(frozen=True, slots=True)
class Speaker:
    """A chat user as we know them. `known` says whether their e-mail has been looked for yet."""

    actor: Actor
    role: str
    known: bool

    def require(self, permission: str) -> None:
        """Raise ForbiddenError unless the role has `permission`; an empty one is free to all."""
        if not permission or permission in PERMISSIONS.get(ROLES.get(self.role, ""), frozenset()):
            return
        if self.role not in ROLES:
            raise ForbiddenError(
                "you have no role here",
                remediation="Ask an administrator of Callout to add you as a member with your e-mail address.",
            )
        raise ForbiddenError(
            f"your role {self.role} does not allow this",
            remediation=f"Ask an administrator of Callout for a role with the permission {permission}.",
        )

    def origin(self, workspace: Workspace) -> Origin:
        """Return the origin of what they do through `workspace`."""
        return Origin(Channel.CHAT, self.actor, integration_id=workspace.integration_id)


async def speaker_of(
    context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, user: Person
) -> Speaker:
    """Return who `user` of `team` is; somebody new is remembered."""
    found = await context.identities.find(tx.system, workspace.provider, team, user.id)
    known = found is not None
    if found is None:
        # Only the name: an e-mail counts when it comes from the platform's own directory.
        found = await context.identities.remember(
            tx.system, workspace.provider, team, Person(user.id, user.name)
        )
    role: str = workspace.settings.default_role
    if found.member_id is not None:
        member = await context.members.get(tx.system, found.member_id)
        role = member.role if member.may_act(context.clock.now()) else "none"
    return Speaker(found.actor, role, known)
