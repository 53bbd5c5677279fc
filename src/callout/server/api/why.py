"""REST for why a field has its value, and for taking the newest change back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.server.api.incidents import IncidentId, OneIncident, incident_out
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals
from callout.sync.why import revert, why

ThisCall = Annotated[Call, Depends(call_of)]
FieldName = Annotated[str, Path(max_length=64, description="The field, such as `status`.")]
_ERRORS = refusals(*ANY)
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)


class RevertBody(BaseModel):
    """Which change to take back."""

    model_config = ConfigDict(extra="forbid")

    change_id: str = Field(
        "",
        max_length=64,
        description="The `change_id` of the current value as it was shown; when the field has changed since, the answer is 409 and"
        " nothing is done. Left out, the newest change is taken back.",
    )


class StepOut(BaseModel):
    """A value that the field had, and how it came to be."""

    change_id: str
    value: Any
    at: datetime = Field(description="By the clock of the system in which it happened.")
    system: str = Field(description="Name of the integration, or `callout`.")
    channel: str
    actor: dict[str, str]
    integration_id: str
    link_id: str
    ticket: str
    cause: str = Field(description="What told of it: `webhook:ID`, or why the ticket was read.")
    rule: str
    rule_words: str
    actions: list[str]
    takes_back: str = Field(description="The change that this one took back.")
    declared: bool


class TicketSaysOut(BaseModel):
    """What a linked ticket last said about the field, in the ticket's words."""

    integration: str
    integration_id: str
    link_id: str
    ticket: str
    state: str
    seen_at: datetime | None
    last_said: Any
    agreed: dict[str, Any] | None = Field(description="What both sides had when they last agreed.")
    pending: dict[str, Any] | None = Field(description="A write of ours that is not known to have arrived.")
    conflict: dict[str, Any] | None
    problem: dict[str, str] | None


class WhyOut(BaseModel):
    """Why a field has its value."""

    incident: str
    field: str
    value: Any
    current: StepOut
    replaced: StepOut | None
    chain: list[StepOut] = Field(description="From the current value back to the declaration.")
    tickets: list[TicketSaysOut]


class OneWhy(BaseModel):
    """Why a field has its value."""

    result: WhyOut


@router.get("/{incident}/why/{field}", response_model=OneWhy, summary="Why a field has its value")
async def read(incident: IncidentId, field: FieldName, call: ThisCall) -> Response:
    """Tell which system, person, event and rule set the field, when, what it replaced, and what each ticket last said."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        scope.require("link.read")
        names = await call.services.integration_names(scope.tx)
        return {"result": (await why(scope.tx, incident, field, names)).to_json()}

    return await call.read(unit)


@router.post(
    "/{incident}/why/{field}/revert", response_model=OneIncident, summary="Take a field's newest change back"
)
async def take_back(incident: IncidentId, field: FieldName, body: RevertBody, call: ThisCall) -> Response:
    """Set the field back to the value that the current one replaced: an edit by the caller, which goes to the tickets too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        changed = await revert(
            call.services.incidents, scope.tx, incident, field, scope.origin, change_id=body.change_id
        )
        return {"result": incident_out(changed)}

    return await call.write(unit)
