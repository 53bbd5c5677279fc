"""REST for what an incident's tickets need to be resolved or closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from callout.ports.values import Status
from callout.server.api.incidents import IncidentId
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=refusals(*ANY))


class ChoiceOut(BaseModel):
    """One value that the field takes; either word is understood."""

    value: str
    label: str


class NeedOut(BaseModel):
    """A field that a ticket is asked for."""

    name: str = Field(description="How it is given: integration and field, such as `jira.resolution`.")
    field: str
    label: str
    kind: str
    required: bool
    choices: list[ChoiceOut]
    value: str = Field(description="What would be sent now, in words.")
    given_by: str = Field(description="`person`, `settings`, `default` (the connector), or empty: nobody.")
    missing: bool = Field(description="Whether the move would be refused for want of it.")


class LinkNeedsOut(BaseModel):
    """What one ticket needs."""

    link_id: str
    integration: str
    ticket: str
    url: str
    known: bool = Field(description="Whether its workflow could be read; where not, `fields` is empty.")
    learned_at: datetime | None
    fields: list[NeedOut]


class ManyNeeds(BaseModel):
    """What the tickets of an incident need."""

    result: list[LinkNeedsOut]


@router.get(
    "/{incident}/needs", response_model=ManyNeeds, summary="What tickets need to be resolved or closed"
)
async def needs(
    incident: IncidentId,
    call: ThisCall,
    status: Annotated[Literal["resolved", "closed"], Query(description="What it is to become.")] = "resolved",
) -> Response:
    """Tell, for each ticket that would be moved, which fields the move asks for and what would be sent. Asks no other system."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        scope.require("link.read")
        found = await call.services.needs.of_incident(scope.tx, incident, Status(status))
        return {"result": [one.to_json() for one in found]}

    return await call.read(unit)
