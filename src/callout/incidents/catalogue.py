"""The catalogue: which teams and services an account has, who is in them, and what an incident of theirs begins with.

An incident may name any team or service: what the catalogue does not know stays free text. Names are compared without their case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callout.audit import AuditDraft
from callout.incidents.documents import nearest
from callout.incidents.model import WORD_LIMIT, DeclareIncident, storable
from callout.incidents.response_tables import catalogue_service, catalogue_team
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Severity
from callout.storage.errors import DuplicateRowError

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Table

    from callout.access import Member, Members
    from callout.audit import Audit
    from callout.incidents.response_settings import ResponseSettings
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import AccountTx

MOST: Final = 2_000
"""Teams or services of an account."""
MEMBERS_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Team:
    """A team: `members` are ids of members, `channel` and `group` names in chat, `policy` whom it has called."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    members: tuple[str, ...] = ()
    channel: str = ""
    group: str = ""
    policy: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: `team` owns it, `severity` is that of an incident that names none."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    team: str = ""
    severity: Severity | None = None
    channel: str = ""
    policy: str = ""
    description: str = ""


T = TypeVar("T", Team, Service)


class Catalogue:
    """Teams and services of an account. Every method works in the caller's transaction."""

    def __init__(self, *, clock: Clock, audit: Audit, members: Members, settings: ResponseSettings) -> None:
        self._settings = settings
        self._clock = clock
        self._audit = audit
        self._members = members

    # ------------------------------------------------------------------------------------------- teams

    async def teams(self, tx: AccountTx) -> list[Team]:
        """Return all teams, by name."""
        return [_team(row) for row in await self._rows(tx, catalogue_team)]

    async def find_team(self, tx: AccountTx, name: str) -> Team | None:
        """Return the team of that id or name, or None."""
        row = await self._row(tx, catalogue_team, name)
        return None if row is None else _team(row)

    async def team(self, tx: AccountTx, name: str) -> Team:
        """Return the team of that id or name. Raises NotFoundError."""
        found = await self.find_team(tx, name)
        if found is None:
            known = [one.name for one in await self.teams(tx)]
            raise NotFoundError(f"there is no team {name[:60]!r}", remediation=nearest(name, known))
        return found

    async def add_team(self, tx: AccountTx, values: Mapping[str, Any], origin: Origin) -> Team:
        """Add a team; `values` are its fields but id and times, `members` by id, name or e-mail.

        Raises InvalidRequestError, ConflictError.
        """
        now = self._clock.now()
        made = await self._with_team(tx, Team(new_id(), "", now, now), {"name": "", **values})
        await self._insert(tx, catalogue_team, _team_row(made), "team", made.name)
        await self._record(tx, "team.created", made.id, {"name": made.name}, origin)
        return made

    async def change_team(self, tx: AccountTx, name: str, values: Mapping[str, Any], origin: Origin) -> Team:
        """Change the fields in `values`. Raises NotFoundError, InvalidRequestError, ConflictError."""
        before = await self.team(tx, name)
        made = await self._with_team(tx, replace(before, updated_at=self._clock.now()), values)
        await self._update(tx, catalogue_team, _team_row(made), "team", made.name)
        await self._record(tx, "team.changed", made.id, {"name": made.name, "fields": sorted(values)}, origin)
        return made

    async def remove_team(self, tx: AccountTx, name: str, origin: Origin) -> None:
        """Remove a team; incidents that name it keep the word. Raises NotFoundError."""
        found = await self.team(tx, name)
        await tx.execute(tx.delete(catalogue_team).where(catalogue_team.c.id == found.id))
        await self._record(tx, "team.removed", found.id, {"name": found.name}, origin)

    async def members_of(self, tx: AccountTx, team: Team) -> list[Member]:
        """Return the members of a team that still exist, in its order."""
        found = []
        for member_id in team.members:
            try:
                found.append(await self._members.get(tx.system, member_id))
            except NotFoundError:
                continue
        return found

    # ---------------------------------------------------------------------------------------- services

    async def services(self, tx: AccountTx) -> list[Service]:
        """Return all services, by name."""
        return [_service(row) for row in await self._rows(tx, catalogue_service)]

    async def find_service(self, tx: AccountTx, name: str) -> Service | None:
        """Return the service of that id or name, or None."""
        row = await self._row(tx, catalogue_service, name)
        return None if row is None else _service(row)

    async def service(self, tx: AccountTx, name: str) -> Service:
        """Return the service of that id or name. Raises NotFoundError."""
        found = await self.find_service(tx, name)
        if found is None:
            known = [one.name for one in await self.services(tx)]
            raise NotFoundError(f"there is no service {name[:60]!r}", remediation=nearest(name, known))
        return found

    async def add_service(self, tx: AccountTx, values: Mapping[str, Any], origin: Origin) -> Service:
        """Add a service; `values` are its fields but id and times. Raises InvalidRequestError, ConflictError."""
        now = self._clock.now()
        made = await self._with_service(tx, Service(new_id(), "", now, now), {"name": "", **values})
        await self._insert(tx, catalogue_service, _service_row(made), "service", made.name)
        await self._record(tx, "service.created", made.id, {"name": made.name}, origin)
        return made

    async def change_service(
        self, tx: AccountTx, name: str, values: Mapping[str, Any], origin: Origin
    ) -> Service:
        """Change the fields in `values`. Raises NotFoundError, InvalidRequestError, ConflictError."""
        before = await self.service(tx, name)
        made = await self._with_service(tx, replace(before, updated_at=self._clock.now()), values)
        await self._update(tx, catalogue_service, _service_row(made), "service", made.name)
        data = {"name": made.name, "fields": sorted(values)}
        await self._record(tx, "service.changed", made.id, data, origin)
        return made

    async def remove_service(self, tx: AccountTx, name: str, origin: Origin) -> None:
        """Remove a service; incidents that name it keep the word. Raises NotFoundError."""
        found = await self.service(tx, name)
        await tx.execute(tx.delete(catalogue_service).where(catalogue_service.c.id == found.id))
        await self._record(tx, "service.removed", found.id, {"name": found.name}, origin)

    async def filled(self, tx: AccountTx, draft: DeclareIncident, *, severity_given: bool) -> DeclareIncident:
        """Return `draft` with what the catalogue knows of its service: team and severity, where the person named none."""
        if not draft.service:
            return draft
        known = await self.find_service(tx, draft.service)
        if known is None:
            return draft
        severity = draft.severity if severity_given or known.severity is None else known.severity
        return replace(draft, service=known.name, severity=severity, team=draft.team or known.team)

    # ---------------------------------------------------------------------------------------- checking

    async def _with_team(self, tx: AccountTx, team: Team, values: Mapping[str, Any]) -> Team:
        changes = _plain(values, ("name", "channel", "group", "policy", "description"), more=("members",))
        await self._check_policy(tx, changes)
        if "members" in values:
            changes["members"] = await self._member_ids(tx, values["members"])
        return replace(team, **changes)

    async def _with_service(self, tx: AccountTx, service: Service, values: Mapping[str, Any]) -> Service:
        fields = ("name", "team", "channel", "policy", "description")
        changes = _plain(values, fields, more=("severity",))
        await self._check_policy(tx, changes)
        if changes.get("team"):
            team = await self.find_team(tx, changes["team"])
            if team is None:
                known = [one.name for one in await self.teams(tx)]
                raise InvalidRequestError(
                    f"there is no team {changes['team']!r}",
                    fields={"team": "no such team"},
                    remediation=f"{nearest(changes['team'], known)} Add one with: callout team add NAME",
                )
            changes["team"] = team.name
        if "severity" in values:
            changes["severity"] = _severity(values["severity"])
        return replace(service, **changes)

    async def _check_policy(self, tx: AccountTx, changes: Mapping[str, Any]) -> None:
        name = changes.get("policy")
        known = (await self._settings.load(tx)).policies.policies if name else {}
        if name and name not in known:
            raise InvalidRequestError(
                f"there is no escalation policy {name!r}",
                fields={"policy": "no such policy"},
                remediation=f"{nearest(name, known)} Policies are written with: callout escalation set FILE",
            )

    async def _member_ids(self, tx: AccountTx, given: object) -> tuple[str, ...]:
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MEMBERS_LIMIT:
            raise InvalidRequestError(
                f"members must be a list of at most {MEMBERS_LIMIT}", fields={"members": "must be a list"}
            )
        found = []
        for number, one in enumerate(given):
            found.append((await find_member(tx, self._members, str(one), f"members/{number}")).id)
        return tuple(dict.fromkeys(found))

    # -------------------------------------------------------------------------------------------- rows

    async def _rows(self, tx: AccountTx, table: Table) -> Sequence[RowMapping]:
        return await tx.all(tx.select(table).order_by(table.c.folded).limit(MOST))

    async def _row(self, tx: AccountTx, table: Table, name: str) -> RowMapping | None:
        """Return the row of that id or name: of that id, where the name of another is spelled like it."""
        plain = storable(name).strip().casefold()
        named = (table.c.id == plain) | (table.c.folded == plain)
        rows = await tx.all(tx.select(table).where(named))
        return min(rows, key=lambda row: row["id"] != plain, default=None)

    async def _insert(
        self, tx: AccountTx, table: Table, row: Mapping[str, Any], what: str, name: str
    ) -> None:
        if len(await self._rows(tx, table)) >= MOST:
            raise InvalidRequestError(f"an account has at most {MOST} {what}s")
        if await self._row(tx, table, name) is not None:
            raise _taken(what, name)
        try:
            await tx.execute(tx.insert(table).values(**row))
        except DuplicateRowError as error:
            raise _taken(what, name) from error

    async def _update(
        self, tx: AccountTx, table: Table, row: Mapping[str, Any], what: str, name: str
    ) -> None:
        other = await self._row(tx, table, name)
        if other is not None and other["id"] != row["id"]:
            raise _taken(what, name)
        await tx.execute(tx.update(table).where(table.c.id == row["id"]).values(**row))

    async def _record(
        self, tx: AccountTx, action: str, subject: str, data: Mapping[str, Any], origin: Origin
    ) -> None:
        draft = AuditDraft(action, origin.actor, action.partition(".")[0], subject, origin=origin, data=data)
        await self._audit.record_many(tx, [draft])


async def find_member(tx: AccountTx, members: Members, word: str, place: str) -> Member:
    """Return the member of that id, name or e-mail. Raises InvalidRequestError with the nearest name."""
    plain = storable(word).strip().removeprefix("@")
    found = await members.by_email(tx.system, plain) if "@" in plain else None
    if found is None:
        try:
            return await members.get(tx.system, plain)
        except NotFoundError:
            known = [one.name for one in (await members.list(tx.system)).items]
            raise InvalidRequestError(
                f"there is no member {plain[:60]!r}",
                fields={place: "no such member"},
                remediation=nearest(plain, known),
            ) from None
    return found


def _taken(what: str, name: str) -> ConflictError:
    return ConflictError(f"there is a {what} {name!r} already", fields={"name": "taken"})


def _plain(values: Mapping[str, Any], names: Sequence[str], *, more: Sequence[str]) -> dict[str, Any]:
    """Return the text fields among `values`, checked. Raises InvalidRequestError."""
    unknown = sorted(set(values) - {*names, *more})
    if unknown:
        raise InvalidRequestError(
            f"no such field: {', '.join(unknown)}",
            fields=dict.fromkeys(unknown, "unknown field"),
            remediation=f"Fields: {', '.join((*names, *more))}.",
        )
    checked: dict[str, Any] = {}
    for name in names:
        if name not in values:
            continue
        value = "" if values[name] is None else values[name]
        if not isinstance(value, str):
            raise InvalidRequestError(f"{name} must be text", fields={name: "must be text"})
        plain = " ".join(storable(value).split())
        if (name == "name" and not plain) or len(plain) > (1000 if name == "description" else WORD_LIMIT):
            raise InvalidRequestError(
                f"the {name} is empty or longer than {WORD_LIMIT} characters",
                fields={name: "empty or too long"},
            )
        checked[name] = plain.removeprefix("#") if name == "channel" else plain
    return checked


def _severity(value: object) -> Severity | None:
    if value is None or value == "" or isinstance(value, Severity):
        return value or None  # type: ignore[return-value]  # one of these three
    try:
        return Severity.parse(str(value))
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"severity": "write SEV-1 to SEV-4"}) from error


def _team_row(one: Team) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "folded": one.name.casefold(),
        "members": list(one.members),
        "channel": one.channel,
        "group_name": one.group,
        "policy": one.policy,
        "description": one.description,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _team(row: RowMapping) -> Team:
    return Team(
        row["id"],
        row["name"],
        row["created_at"],
        row["updated_at"],
        members=tuple(row["members"]),
        channel=row["channel"],
        group=row["group_name"],
        policy=row["policy"],
        description=row["description"],
    )


def _service_row(one: Service) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "folded": one.name.casefold(),
        "team": one.team,
        "severity": None if one.severity is None else one.severity.rank,
        "channel": one.channel,
        "policy": one.policy,
        "description": one.description,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _service(row: RowMapping) -> Service:
    return Service(
        row["id"],
        row["name"],
        row["created_at"],
        row["updated_at"],
        team=row["team"],
        severity=None if row["severity"] is None else Severity(row["severity"]),
        channel=row["channel"],
        policy=row["policy"],
        description=row["description"],
    )


__all__ = ["Catalogue", "Service", "Team", "find_member"]
