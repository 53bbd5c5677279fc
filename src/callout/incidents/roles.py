"""Who has which role at an incident. Commander and assignee are fields of it; further roles are the installation's to name.

Who had a role when is on the timeline: a change of commander or assignee as `changed`, of any other role as `role_changed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from callout.incidents import store
from callout.incidents.model import FIELDS, Incident, person_from_json, person_json
from callout.incidents.tables import incident_role
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Origin, Person

if TYPE_CHECKING:
    from callout.incidents.model import TimelineEntry
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx

OWN_ROLES: Final = ("commander", "assignee")
"""Roles that every incident has, as fields."""
FURTHER_ROLES: Final = ("communications", "scribe", "operations")
"""The further roles where nobody chose others."""
ROLE_CHANGED: Final = "role_changed"
LOOKED_AT: Final = 1_000
"""Changes of one incident that are looked through, the newest ones."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """Somebody with a role, since when, and until when: None for who has it now."""

    role: str
    person: Person
    since: datetime
    until: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "role": self.role,
            "person": person_json(self.person),
            "since": self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
        }


def role_names(further: Iterable[str]) -> tuple[str, ...]:
    """Return all roles: the two of every incident, and `further` ones. Raises ValueError for a name that is none."""
    names = [name.strip().lower() for name in further]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not the name of a role: lower case letters, digits and dashes")
    return tuple(dict.fromkeys((*OWN_ROLES, *names)))


class Roles:
    """Sets, clears and reads roles, in the caller's transaction."""

    def __init__(self, incidents: Incidents, further: Iterable[str] = FURTHER_ROLES) -> None:
        self._incidents = incidents
        self.names = role_names(further)

    def check(self, role: str) -> str:
        """Return the role's name as it is kept. Raises InvalidRequestError that names the nearest role."""
        name = role.strip().lower()
        if name not in self.names:
            near = get_close_matches(name, self.names, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InvalidRequestError(
                f"there is no role {role[:40]!r}",
                remediation=f"{hint}Roles: {', '.join(self.names)}.",
                fields={"role": f"one of {', '.join(self.names)}"},
            )
        return name

    async def set(
        self, tx: AccountTx, id_or_key: str, role: str, person: Person | None, origin: Origin
    ) -> Incident:
        """Give a role to a person, or with None to nobody; the same again changes nothing. Raises InvalidRequestError."""
        name = self.check(role)
        edit = await self._incidents.edit(tx, id_or_key)
        if name in OWN_ROLES:
            edit.change({name: person}, origin=origin)
            return await edit.save()
        checked: Person | None = FIELDS["assignee"](person)
        found = (await self._further(tx, edit.incident.id)).get(name)
        before = None if found is None else found.person
        if before == checked:
            return edit.incident
        mine = incident_role.c.incident_id == edit.incident.id, incident_role.c.role == name
        await tx.execute(tx.delete(incident_role).where(*mine))
        if checked is not None:
            row = {
                "account_id": tx.account_id,
                "incident_id": edit.incident.id,
                "role": name,
                "person_id": checked.id,
                "person": person_json(checked),
                "since": self._incidents.clock.now(),
            }
            await tx.execute(tx.insert(incident_role).values(**row))
        told = {"role": name, "before": person_json(before), "after": person_json(checked)}
        edit.entry(ROLE_CHANGED, told, origin=origin)
        edit.event("incident.role_changed", told, origin=origin)
        return await edit.save()

    async def holders(self, tx: AccountTx, id_or_key: str) -> list[RoleHolder]:
        """Return who has which role now, in the order of the roles."""
        return [one for one in await self.history(tx, id_or_key) if one.until is None]

    async def history(self, tx: AccountTx, id_or_key: str) -> list[RoleHolder]:
        """Return who had which role when, by role and then by time; those who have it still come with no end."""
        incident = await store.load(tx, id_or_key)
        lines = await store.entries_of_kinds(tx, incident.id, ("changed", ROLE_CHANGED), limit=LOOKED_AT)
        further = await self._further(tx, incident.id)
        found: list[RoleHolder] = []
        for role in (*self.names, *sorted(further.keys() - set(self.names))):
            moves = _moves(lines, role)
            now = getattr(incident, role) if role in OWN_ROLES else None
            if role in further:
                now = further[role].person
            found += _spells(role, moves, now, incident.created_at)
        return found

    async def _further(self, tx: AccountTx, incident_id: str) -> dict[str, RoleHolder]:
        rows = await tx.all(tx.select(incident_role).where(incident_role.c.incident_id == incident_id))
        holders = [
            RoleHolder(row["role"], person_from_json(row["person"]) or Person(row["person_id"]), row["since"])
            for row in rows
        ]
        return {one.role: one for one in holders}


def _moves(
    lines: Sequence[TimelineEntry], role: str
) -> list[tuple[datetime, Mapping[str, str] | None, Mapping[str, str] | None]]:
    """Return when, from whom and to whom a role went, oldest first."""
    moves = []
    for line in reversed(lines):
        change = line.data.get("changes", {}).get(role)
        if line.kind == ROLE_CHANGED and line.data["role"] == role:
            change = line.data
        if change is not None:
            moves.append((line.at, change["before"], change["after"]))
    return moves


def _spells(
    role: str,
    moves: Sequence[tuple[datetime, Mapping[str, str] | None, Mapping[str, str] | None]],
    now: Person | None,
    began: datetime,
) -> list[RoleHolder]:
    if not moves:
        return [] if now is None else [RoleHolder(role, now, began)]
    found: list[RoleHolder] = []
    since, holder = began, person_from_json(moves[0][1])
    for at, _, after in moves:
        if holder is not None:
            found.append(RoleHolder(role, holder, since, at))
        since, holder = at, person_from_json(after)
    return found if now is None else [*found, RoleHolder(role, now, since)]
