"""REST for the catalogue: teams and services of an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.incidents.catalogue import Service, Team
from callout.server.call import Call, Scope, call_of
from callout.server.problems import Problem

ThisCall = Annotated[Call, Depends(call_of)]
TeamName = Annotated[str, Path(max_length=200, description="Team, by id or name.")]
ServiceName = Annotated[str, Path(max_length=200, description="Service, by id or name.")]
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 401, 402, 403, 404, 405, 409, 413, 415, 500, 503)
}
teams = APIRouter(prefix="/v1/teams", tags=["catalogue"], responses=ERRORS)
services = APIRouter(prefix="/v1/services", tags=["catalogue"], responses=ERRORS)
ROUTERS: Final = (teams, services)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def values(self) -> dict[str, Any]:
        """Return what was sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class TeamChanges(_Body):
    """What is to be changed of a team; what is left out stays."""

    name: str | None = Field(None, description="Unique in the account, whatever its case.")
    members: list[str] | None = Field(None, description="Members, by id, name or e-mail.")
    channel: str | None = Field(None, description="Its channel in chat.")
    group: str | None = Field(None, description="Its user group in chat.")
    policy: str | None = Field(None, description="The escalation policy for its incidents.")
    description: str | None = None


class TeamBody(TeamChanges):
    """A new team."""

    name: str = Field(description="Unique in the account, whatever its case.")


class ServiceChanges(_Body):
    """What is to be changed of a service; what is left out stays."""

    name: str | None = Field(None, description="Unique in the account, whatever its case.")
    team: str | None = Field(None, description="The team that owns it.")
    severity: str | None = Field(None, description="The severity of an incident that names none.")
    channel: str | None = Field(None, description="Its channel in chat.")
    policy: str | None = Field(None, description="The escalation policy for its incidents.")
    description: str | None = None


class ServiceBody(ServiceChanges):
    """A new service."""

    name: str = Field(description="Unique in the account, whatever its case.")


class TeamOut(BaseModel):
    """A team; `members` are ids."""

    id: str
    name: str
    members: list[str]
    channel: str
    group: str
    policy: str
    description: str
    created_at: datetime
    updated_at: datetime


class OneTeam(BaseModel):
    """One team."""

    result: TeamOut


class ManyTeams(BaseModel):
    """Teams, by name."""

    result: list[TeamOut]


class ServiceOut(BaseModel):
    """A service."""

    id: str
    name: str
    team: str
    severity: str | None
    channel: str
    policy: str
    description: str
    created_at: datetime
    updated_at: datetime


class OneService(BaseModel):
    """One service."""

    result: ServiceOut


class ManyServices(BaseModel):
    """Services, by name."""

    result: list[ServiceOut]


def team_out(one: Team) -> dict[str, Any]:
    """Return a team as the API shows it."""
    return {
        "id": one.id,
        "name": one.name,
        "members": list(one.members),
        "channel": one.channel,
        "group": one.group,
        "policy": one.policy,
        "description": one.description,
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
    }


def service_out(one: Service) -> dict[str, Any]:
    """Return a service as the API shows it."""
    return {
        "id": one.id,
        "name": one.name,
        "team": one.team,
        "severity": None if one.severity is None else str(one.severity),
        "channel": one.channel,
        "policy": one.policy,
        "description": one.description,
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
    }


@teams.get("", response_model=ManyTeams, summary="List teams")
async def list_teams(call: ThisCall) -> Response:
    """List the teams of the account, by name."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.read")
        return {"result": [team_out(one) for one in await call.services.responding.catalogue.teams(scope.tx)]}

    return await call.read(unit)


@teams.post("", status_code=201, response_model=OneTeam, summary="Add a team")
async def add_team(body: TeamBody, call: ThisCall) -> Response:
    """Add a team. Incidents may name teams that are not in the catalogue, too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.write")
        made = await call.services.responding.catalogue.add_team(scope.tx, body.values(), scope.origin)
        return {"result": team_out(made)}

    return await call.write(unit, status=201)


@teams.get("/{team}", response_model=OneTeam, summary="Read a team")
async def read_team(team: TeamName, call: ThisCall) -> Response:
    """Read one team."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.read")
        return {"result": team_out(await call.services.responding.catalogue.team(scope.tx, team))}

    return await call.read(unit)


@teams.patch("/{team}", response_model=OneTeam, summary="Change a team")
async def change_team(team: TeamName, body: TeamChanges, call: ThisCall) -> Response:
    """Change what is sent."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.write")
        catalogue = call.services.responding.catalogue
        changed = await catalogue.change_team(scope.tx, team, body.values(), scope.origin)
        return {"result": team_out(changed)}

    return await call.write(unit)


@teams.delete("/{team}", status_code=204, summary="Remove a team")
async def remove_team(team: TeamName, call: ThisCall) -> Response:
    """Remove a team; incidents that name it keep the word."""

    async def unit(scope: Scope) -> None:
        scope.require("catalogue.write")
        await call.services.responding.catalogue.remove_team(scope.tx, team, scope.origin)

    return await call.write(unit, status=204)


@services.get("", response_model=ManyServices, summary="List services")
async def list_services(call: ThisCall) -> Response:
    """List the services of the account, by name."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.read")
        found = await call.services.responding.catalogue.services(scope.tx)
        return {"result": [service_out(one) for one in found]}

    return await call.read(unit)


@services.post("", status_code=201, response_model=OneService, summary="Add a service")
async def add_service(body: ServiceBody, call: ThisCall) -> Response:
    """Add a service. Incidents may name services that are not in the catalogue, too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.write")
        made = await call.services.responding.catalogue.add_service(scope.tx, body.values(), scope.origin)
        return {"result": service_out(made)}

    return await call.write(unit, status=201)


@services.get("/{service}", response_model=OneService, summary="Read a service")
async def read_service(service: ServiceName, call: ThisCall) -> Response:
    """Read one service."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.read")
        return {"result": service_out(await call.services.responding.catalogue.service(scope.tx, service))}

    return await call.read(unit)


@services.patch("/{service}", response_model=OneService, summary="Change a service")
async def change_service(service: ServiceName, body: ServiceChanges, call: ThisCall) -> Response:
    """Change what is sent."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("catalogue.write")
        catalogue = call.services.responding.catalogue
        changed = await catalogue.change_service(scope.tx, service, body.values(), scope.origin)
        return {"result": service_out(changed)}

    return await call.write(unit)


@services.delete("/{service}", status_code=204, summary="Remove a service")
async def remove_service(service: ServiceName, call: ThisCall) -> Response:
    """Remove a service; incidents that name it keep the word."""

    async def unit(scope: Scope) -> None:
        scope.require("catalogue.write")
        await call.services.responding.catalogue.remove_service(scope.tx, service, scope.origin)

    return await call.write(unit, status=204)
