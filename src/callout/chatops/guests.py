"""Who belongs into an incident's channel, by the rules of the integration; and where the places are that rules name by a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.ports.chat_rules import DIRECT, SERVICE, TEAM
from callout.ports.values import ActorKind, Person

if TYPE_CHECKING:
    from callout.access import Member
    from callout.chatops.context import ChatContext, Workspace
    from callout.incidents import Incident
    from callout.incidents.catalogue import Team
    from callout.storage import AccountTx

GROUP: Final = "group:"
"""What the key of a user group begins with."""
PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody, or a group, to be invited: `key` is ours, `user` the platform's id where we know it, else there is the e-mail."""

    key: str
    name: str
    user: str = ""
    email: str = ""


async def chat_user(context: ChatContext, tx: AccountTx, workspace: Workspace, person: Person) -> str:
    """Return the platform's id of a person in this workspace, empty when we do not know one."""
    kind, _, identity = person.id.partition(":")
    known: list[tuple[str, str, str]] = []
    if kind == ActorKind.CHAT_USER.value:
        provider, _, rest = identity.partition("/")
        team, _, user = rest.rpartition("/")
        known = [(provider, team, user)]
    elif kind == ActorKind.MEMBER.value:
        found = await context.identities.of_member(tx.system, identity)
        known = [(one.provider, one.team, one.user_id) for one in found]
    # Somebody may be in several workspaces of a platform, by another id in each.
    teams = {workspace.settings.team} if workspace.settings.team else {team for _, team, _ in known}
    return next(
        (user for provider, team, user in known if provider == workspace.provider and team in teams), ""
    )


async def guests(
    context: ChatContext, tx: AccountTx, workspace: Workspace, incident: Incident
) -> list[Guest]:
    """Return who is to be in the incident's channel, each once: people first, then groups."""
    wanted = workspace.settings.invite
    teams = await _teams(context, tx, workspace, incident)
    people = await _people(context, tx, workspace, incident)
    if context.catalogue is not None:
        for rule, team in teams:
            if rule in wanted:
                people += [_person(one) for one in await context.catalogue.members_of(tx, team)]
    found: dict[str, Guest] = {}
    for person in people:
        if person.id not in found:
            user = await chat_user(context, tx, workspace, person)
            found[person.id] = Guest(person.id, person.name or person.email, user, person.email)
    groups = list(workspace.settings.invite_groups)
    if "groups" in wanted:
        groups += [team.group for _, team in teams if team.group]
    invited = {guest.user or guest.key: guest for guest in found.values()}
    return [*invited.values(), *(Guest(f"{GROUP}{name}", name) for name in dict.fromkeys(groups))]


async def _people(
    context: ChatContext, tx: AccountTx, workspace: Workspace, incident: Incident
) -> list[Person]:
    wanted = workspace.settings.invite
    fields = {
        "declarer": incident.declared_by,
        "commander": incident.commander,
        "assignee": incident.assignee,
    }
    found = [person for name, person in fields.items() if name in wanted and person is not None]
    if "roles" in wanted:
        holders = await context.incidents.roles.holders(tx, incident.id)
        found += [one.person for one in holders if one.role not in fields]
    if "participants" in wanted:
        found += [one.person for one in await context.incidents.participants.of(tx, incident.id)]
    if "paged" in wanted and context.escalations is not None:
        for page in await context.escalations.pages(tx, incident.id):
            callee = page.callee
            if callee.kind == PERSON and (callee.member_id or callee.person_id):
                known = (
                    f"{ActorKind.MEMBER.value}:{callee.member_id}" if callee.member_id else callee.person_id
                )
                found.append(Person(known, callee.name, callee.email))
    return found


async def _teams(
    context: ChatContext, tx: AccountTx, workspace: Workspace, incident: Incident
) -> Sequence[tuple[str, Team]]:
    """Return the incident's team and the one that owns its service, as far as rules ask for them and the catalogue knows them."""
    wanted = set(workspace.settings.invite)
    if context.catalogue is None or not wanted & {"team", "service", "groups"}:
        return ()
    found: list[tuple[str, Team]] = []
    if incident.team and (team := await context.catalogue.find_team(tx, incident.team)) is not None:
        found.append(("team", team))
    service = await context.catalogue.find_service(tx, incident.service) if incident.service else None
    if service is not None and service.team:
        owner = await context.catalogue.find_team(tx, service.team)
        if owner is not None:
            found.append(("service", owner))
    return found


def _person(member: Member) -> Person:
    return Person(f"{ActorKind.MEMBER.value}:{member.id}", member.fullname or member.name, member.email or "")


async def places_named(
    context: ChatContext, tx: AccountTx, workspace: Workspace, incident: Incident
) -> Mapping[str, str | Guest]:
    """Return what the words of the routing rules mean for this incident: a channel, or a person. Nobody and nowhere is left out."""
    words = {word for rule in workspace.settings.routes for word in rule.to}
    found: dict[str, str | Guest] = {}
    for word in words:
        if word == TEAM:
            team = None if context.catalogue is None else await context.catalogue.find_team(tx, incident.team)
            if team is not None and team.channel:
                found[word] = team.channel
        elif word == SERVICE:
            owned = (
                None
                if context.catalogue is None
                else await context.catalogue.find_service(tx, incident.service)
            )
            if owned is not None and owned.channel:
                found[word] = owned.channel
        elif not word.startswith(DIRECT):
            found[word] = word
        elif (guest := await _direct(context, tx, workspace, incident, word)) is not None:
            found[word] = guest
    return found


async def _direct(
    context: ChatContext, tx: AccountTx, workspace: Workspace, incident: Incident, word: str
) -> Guest | None:
    name = word.removeprefix(DIRECT).strip()
    role = name.removeprefix("@").casefold()
    person: Person | None = None
    if role in {"commander", "assignee"}:
        person = incident.commander if role == "commander" else incident.assignee
    elif role in context.incidents.roles.names:
        holders = await context.incidents.roles.holders(tx, incident.id)
        person = next((one.person for one in holders if one.role == role), None)
    elif "@" in name.removeprefix("@"):
        member = await context.members.by_email(tx.system, name)
        person = Person(name, name, name) if member is None else _person(member)
    else:
        return Guest(word, name, user=name.removeprefix("@"))
    if person is None:
        return None
    user = await chat_user(context, tx, workspace, person)
    return Guest(person.id, person.name or person.email, user, person.email)


__all__ = ["GROUP", "Guest", "chat_user", "guests", "places_named"]
