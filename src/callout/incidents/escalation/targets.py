"""From the words of a policy or of a person to whom is called: looked up when the call is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from callout.incidents.catalogue import Catalogue, find_member
from callout.incidents.documents import nearest
from callout.incidents.escalation.pages import Callee
from callout.incidents.escalation.policy import Target, TargetKind
from callout.incidents.model import Incident
from callout.incidents.roles import OWN_ROLES
from callout.ports.errors import InvalidRequestError
from callout.ports.values import ActorKind, Person

if TYPE_CHECKING:
    from callout.access import Member, Members
    from callout.incidents.service import Incidents
    from callout.kit.clock import Clock
    from callout.storage import AccountTx

Named = Callable[["AccountTx"], Awaitable[Sequence[str]]]
"""Returns the names of integrations."""


class Targets:
    """Finds what targets stand for. `pagers` are the integrations that can call people, `chats` those with channels."""

    def __init__(
        self,
        *,
        clock: Clock,
        incidents: Incidents,
        members: Members,
        catalogue: Catalogue,
        pagers: Named,
        chats: Named,
    ) -> None:
        self._clock = clock
        self._roles = incidents.roles
        self._members = members
        self._catalogue = catalogue
        self._pagers = pagers
        self._chats = chats

    async def check(self, tx: AccountTx, target: Target | str, place: str = "target") -> Target:
        """Return the target that exists under these words. Raises InvalidRequestError with the nearest right ones."""
        if isinstance(target, str):
            target = await self._bare(tx, target, place)
        if target.kind is TargetKind.PERSON:
            member = await find_member(tx, self._members, target.name, place)
            return Target(TargetKind.PERSON, member.name)
        if target.kind is TargetKind.TEAM and await self._catalogue.find_team(tx, target.name) is None:
            teams = [one.name for one in await self._catalogue.teams(tx)]
            raise _unknown("team", target.name, teams, place)
        if target.kind is TargetKind.ROLE:
            return Target(TargetKind.ROLE, self._roles.check(target.name))
        for kind, names, what in (
            (TargetKind.ONCALL, self._pagers, "integration that can call people"),
            (TargetKind.CHANNEL, self._chats, "chat integration"),
        ):
            if target.kind is kind and (target.at or kind is TargetKind.ONCALL):
                known = await names(tx)
                if target.at not in known:
                    raise _unknown(what, target.at, known, place)
        return target

    async def _bare(self, tx: AccountTx, word: str, place: str) -> Target:
        """Return the one target that is called so, of whatever kind. Raises InvalidRequestError when none is, or several are."""
        folded = word.casefold()
        people = (await self._members.list(tx.system)).items
        teams = [one.name for one in await self._catalogue.teams(tx)]
        services = await self._catalogue.services(tx)
        pagers = await self._pagers(tx)
        found = [
            Target(TargetKind.PERSON, one.name)
            for one in people
            if folded in {name.casefold() for name in _names(one)}
        ]
        found += [Target(TargetKind.TEAM, name) for name in teams if name.casefold() == folded]
        found += [Target(TargetKind.ROLE, name) for name in self._roles.names if name == folded]
        found += [Target(TargetKind.ONCALL, "", name) for name in pagers if name.casefold() == folded]
        if not found:
            owned = [one for one in services if one.name.casefold() == folded and one.team]
            found = [Target(TargetKind.TEAM, one.team) for one in owned]
        if len(found) == 1:
            return found[0]
        if found:
            choices = ", ".join(str(one) for one in found)
            raise InvalidRequestError(
                f"{word[:60]!r} may be {choices}",
                fields={place: "not clear"},
                remediation=f"Write one of: {choices}.",
            )
        known = [*(name for one in people for name in _names(one)), *teams, *self._roles.names, *pagers]
        known += [one.name for one in services if one.team]
        raise _unknown("person, team, role or on-call system", word, known, place)

    async def of_person(self, tx: AccountTx, person: Person) -> Callee:
        """Return the call of somebody whom an incident or a chat platform knows."""
        kind, _, identity = person.id.partition(":")
        if kind == ActorKind.MEMBER.value:
            return self._member(await find_member(tx, self._members, identity, "target"))
        member = await self._members.by_email(tx.system, person.email) if person.email else None
        if member is not None:
            return self._member(member)
        return Callee(
            "person", person.name or person.email or person.id, person_id=person.id, email=person.email
        )

    async def callees(self, tx: AccountTx, incident: Incident, target: Target | str) -> list[Callee]:
        """Return whom `target` stands for now; who or what cannot be called is among them, with the reason."""
        try:
            found = await self.check(tx, target)
        except InvalidRequestError as error:
            kind, name = ("person", target) if isinstance(target, str) else (target.kind.value, target.name)
            at = "" if isinstance(target, str) else target.at
            return [Callee(kind, name, at=at, why_not=error.message)]
        match found.kind:
            case TargetKind.PERSON:
                return [self._member(await self._members.get(tx.system, found.name))]
            case TargetKind.TEAM:
                return await self._team(tx, found.name)
            case TargetKind.ROLE:
                return [await self._role(tx, incident, found.name)]
            case TargetKind.CHANNEL:
                return [Callee("channel", found.name, at=found.at)]
            case TargetKind.ONCALL:
                return [Callee("oncall", found.name, at=found.at)]

    async def _team(self, tx: AccountTx, name: str) -> list[Callee]:
        team = await self._catalogue.team(tx, name)
        people = [
            self._member(one, of=f"team {team.name}") for one in await self._catalogue.members_of(tx, team)
        ]
        if not people and team.channel:
            return [Callee("channel", team.channel, of=f"team {team.name}")]
        return people or [Callee("team", team.name, why_not=f"the team {team.name} has no members")]

    async def _role(self, tx: AccountTx, incident: Incident, role: str) -> Callee:
        person: Person | None
        if role in OWN_ROLES:
            person = getattr(incident, role)
        else:
            holders = await self._roles.holders(tx, incident.id)
            person = next((one.person for one in holders if one.role == role), None)
        if person is None:
            return Callee("role", role, why_not=f"{incident.key} has no {role}")
        try:
            found = await self.of_person(tx, person)
        except InvalidRequestError as error:
            return Callee("person", person.name or person.id, of=role, why_not=error.message)
        return Callee(
            "person",
            found.name,
            found.member_id,
            found.person_id,
            found.email,
            of=role,
            why_not=found.why_not,
        )

    def _member(self, member: Member, of: str = "") -> Callee:
        name = member.fullname or member.name
        why = "" if member.may_act(self._clock.now()) else f"{name} is {member.state} here, or expired"
        return Callee("person", name, member_id=member.id, email=member.email or "", of=of, why_not=why)


def _names(member: Member) -> list[str]:
    found = (member.name, member.email, member.nickname, member.fullname)
    return [one for one in found if one]


def _unknown(what: str, name: str, known: Sequence[str], place: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"there is no {what} {name[:60]!r}", fields={place: "not known"}, remediation=nearest(name, known)
    )


__all__ = ["Targets"]
