"""Who is speaking, and what they may do: the role of the member behind a chat user, else the integration's default role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.access import PERMISSIONS, ROLES, ChatIdentity
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.lookups import look_up
from callout.chatops.standing import NOBODY, OF_OTHERS, NotAskedYetError, has_to_be_asked
from callout.ports.chat_people import Membership
from callout.ports.errors import ForbiddenError
from callout.ports.values import Actor, ActorKind, Channel, Origin, Person

if TYPE_CHECKING:
    from callout.access import Known, Member
    from callout.chatops.handlers.asked import Asked
    from callout.storage import AccountTx


@dataclass(frozen=True, slots=True)
class Speaker:
    """A chat user as we know them; `member` is who they are here, where that is known. `title` is the platform's name."""

    identity: ChatIdentity
    role: str
    member: Member | None = None
    title: str = "the workspace"

    @property
    def actor(self) -> Actor:
        """The actor of what they do."""
        return self.identity.actor

    @property
    def person(self) -> Person:
        """They as a person: by the same id as the actor."""
        return person_behind(self.identity, self.member)

    def require(self, permission: str) -> None:
        """Raise ForbiddenError unless the role has `permission`; an empty one is free to all."""
        if not permission or permission in PERMISSIONS.get(ROLES.get(self.role, ""), frozenset()):
            return
        if self.role not in ROLES:
            reason = (
                _REASONS.get(self.identity.membership or "") if self.member is None or self._is_gone else None
            )
            if reason is not None:
                raise ForbiddenError(reason[0].format(title=self.title), remediation=reason[1])
            raise ForbiddenError(
                "you have no role here",
                remediation="Ask an administrator of Callout to add you as a member with your e-mail address.",
            )
        raise ForbiddenError(
            f"your role {self.role} does not allow this",
            remediation=f"Ask an administrator of Callout for a role with the permission {permission}.",
        )

    @property
    def _is_gone(self) -> bool:
        return self.identity.membership in _NOBODY

    def origin(self, workspace: Workspace) -> Origin:
        """Return the origin of what they do through `workspace`."""
        return Origin(Channel.CHAT, self.actor, integration_id=workspace.integration_id)


_AS_MEMBER: Final = (
    "Ask an administrator of Callout to add you as a member with your e-mail address (or type the command `login` with a code"
    " that they make for you), or to set `guest_role` of this integration"
)
_REASONS: Final = {
    Membership.GUEST.value: ("you are a guest in {title}, and guests have no role here", _AS_MEMBER),
    Membership.EXTERNAL.value: (
        "you belong to another organization than this {title} workspace, and its people have no role here",
        _AS_MEMBER,
    ),
    Membership.GONE.value: (
        "your account in {title} is deactivated",
        "An administrator of the workspace can activate it again",
    ),
    Membership.PROGRAM.value: ("programs have no role here", "Use the API, with a token"),
    Membership.UNSURE.value: (
        "{title} did not say in time whether you belong to the workspace or are its guest, so nothing was done",
        "Try again in a moment. If it goes on, an administrator should test this integration",
    ),
}
"""What is said to somebody without a role, by how they belong to the workspace: why, and what to do."""
_NOBODY: Final = frozenset(one.value for one in NOBODY)
_OF_OTHERS: Final = frozenset(one.value for one in OF_OTHERS)


def chat_id(identity: ChatIdentity) -> str:
    """Return the id that a chat user has as a person while no member is known behind them."""
    return f"{ActorKind.CHAT_USER.value}:{identity.provider}/{identity.team}/{identity.user_id}"


def person_behind(identity: ChatIdentity, member: Member | None) -> Person:
    """Return a chat user as a person: the member, else the chat user."""
    if member is None:
        return Person(chat_id(identity), identity.name, identity.email or "")
    return Person(f"{ActorKind.MEMBER.value}:{member.id}", identity.name, member.email or "")


async def speaker_of(
    context: ChatContext,
    tx: AccountTx,
    workspace: Workspace,
    team: str,
    user: Person,
    *,
    remember: bool = True,
    judged: bool = True,
    known: Known | None = None,
) -> Speaker:
    """Return who `user` of `team` is; somebody new is remembered, and looked up in the platform's directory by a job.

    With `remember` off nothing is written: for those who only look. `known` is what was looked up in this transaction already.
    Raises NotAskedYetError when the platform has to be asked first, unless they are not `judged`: what they may do counts for nothing.
    """
    known = known or await context.identities.who(tx.system, workspace.provider, team, user.id)
    if judged and (known is None or known[1] is None):
        found = None if known is None else known[0]
        if has_to_be_asked(context, workspace, found):
            raise NotAskedYetError(team, user)
    if known is None and remember:
        # Only the name: an e-mail counts when it comes from the platform's own directory.
        named = Person(user.id, user.name)
        await context.identities.remember(tx.system, workspace.provider, team, named)
        await look_up(context, tx, workspace, team, user.id)
        known = await context.identities.who(tx.system, workspace.provider, team, user.id)
    now, settings, title = context.clock.now(), workspace.settings, workspace.title
    if known is None:
        identity = ChatIdentity(workspace.provider, team, user.id, user.name, now, now)
        return Speaker(identity, settings.default_role, title=title)
    found, member = known
    if found.membership in _NOBODY:
        return Speaker(found, "none", member, title)
    if member is not None:
        return Speaker(found, member.role if member.may_act(now) else "none", member, title)
    role = settings.guest_role if found.membership in _OF_OTHERS else settings.default_role
    return Speaker(found, role, title=title)


async def own_ids(asked: Asked) -> tuple[str, ...]:
    """Return every id that the speaker has as a person: the member's, and those of their chat users."""
    found = [asked.speaker.person.id, chat_id(asked.speaker.identity)]
    if asked.speaker.member is not None:
        known = await asked.context.identities.of_member(asked.tx.system, asked.speaker.member.id)
        found += [chat_id(one) for one in known]
    return tuple(dict.fromkeys(found))
