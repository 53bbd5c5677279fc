"""REST for who does what at an incident: roles, and who takes part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.ports.errors import InvalidRequestError
from callout.ports.values import Person
from callout.server.api.incidents import IncidentId, PersonBody, PersonOut
from callout.server.call import Call, Scope, call_of
from callout.server.problems import Problem

ThisCall = Annotated[Call, Depends(call_of)]
RoleName = Annotated[str, Path(max_length=64, description="The role, such as `commander` or `scribe`.")]
PersonId = Annotated[str, Query(max_length=300, description="Id of the person, as the participants show it.")]
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 402, 403, 404, 405, 409, 413, 415, 500, 503)
}
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)


class RoleBody(BaseModel):
    """Who is to have a role; null: nobody."""

    model_config = ConfigDict(extra="forbid")

    person: PersonBody | None


class ParticipantBody(BaseModel):
    """Somebody who joins."""

    model_config = ConfigDict(extra="forbid")

    person: PersonBody


class RoleOut(BaseModel):
    """Somebody with a role."""

    role: str
    person: PersonOut
    since: datetime
    until: datetime | None = Field(description="Null for who has it now.")


class RolesOut(BaseModel):
    """The roles that there are, and who has or had them, by role and then by time."""

    roles: list[str]
    held: list[RoleOut]


class OneRoles(BaseModel):
    """The roles of one incident."""

    result: RolesOut


class ParticipantOut(BaseModel):
    """Somebody who takes part, or did."""

    person: PersonOut
    joined_at: datetime
    left_at: datetime | None


class ManyParticipants(BaseModel):
    """Who takes part, in the order in which they joined."""

    result: list[ParticipantOut]


async def _roles(call: Call, scope: Scope, incident: str, *, history: bool) -> Mapping[str, Any]:
    service = call.services.incidents.roles
    held = await service.history(scope.tx, incident)
    shown = [one.to_json() for one in held if history or one.until is None]
    return {"result": {"roles": list(service.names), "held": shown}}


async def _participants(call: Call, scope: Scope, incident: str, *, gone: bool = False) -> Mapping[str, Any]:
    found = await call.services.incidents.participants.of(scope.tx, incident, gone=gone)
    return {"result": [one.to_json() for one in found]}


@router.get("/{incident}/roles", response_model=OneRoles, summary="Read who has which role")
async def read_roles(incident: IncidentId, call: ThisCall, *, history: bool = False) -> Response:
    """Read which roles there are and who has them now; with `history` who had them when, too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        return await _roles(call, scope, incident, history=history)

    return await call.read(unit)


@router.put("/{incident}/roles/{role}", response_model=OneRoles, summary="Give a role to somebody")
async def set_role(incident: IncidentId, role: RoleName, body: RoleBody, call: ThisCall) -> Response:
    """Give a role to a person, or, with null, to nobody. Answers who has which role then."""
    person = None if body.person is None else body.person.person()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        await call.services.incidents.roles.set(scope.tx, incident, role, person, scope.origin)
        return await _roles(call, scope, incident, history=False)

    return await call.write(unit)


@router.get("/{incident}/participants", response_model=ManyParticipants, summary="Read who takes part")
async def read_participants(incident: IncidentId, call: ThisCall, *, gone: bool = False) -> Response:
    """Read who takes part; with `gone` those who left, too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        return await _participants(call, scope, incident, gone=gone)

    return await call.read(unit)


@router.post(
    "/{incident}/participants", status_code=201, response_model=ManyParticipants, summary="Let somebody join"
)
async def join(incident: IncidentId, body: ParticipantBody, call: ThisCall) -> Response:
    """Put somebody on the incident; who is on it already stays. Answers who takes part then."""
    person = body.person.person()

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        await call.services.incidents.participants.join(scope.tx, incident, person, scope.origin)
        return await _participants(call, scope, incident)

    return await call.write(unit, status=201)


@router.delete("/{incident}/participants", response_model=ManyParticipants, summary="Let somebody leave")
async def leave(incident: IncidentId, call: ThisCall, person: PersonId = "") -> Response:
    """Take somebody off the incident; the timeline keeps that they were on it. Answers who takes part then."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        service = call.services.incidents.participants
        known = [one.person for one in await service.of(scope.tx, incident) if one.person.id == person]
        if not person:
            raise InvalidRequestError("who is to leave?", fields={"person": "missing"})
        await service.leave(scope.tx, incident, known[0] if known else Person(person), scope.origin)
        return await _participants(call, scope, incident)

    return await call.write(unit)
