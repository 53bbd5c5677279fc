"""REST for tickets that exist already: linked to an incident by a person, and taken off it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.server.api.incidents import IncidentId
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
LinkId = Annotated[str, Path(max_length=64, description="Id of the link, as the incident's links show it.")]
_ERRORS = refusals(*ANY)
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)


class AttachBody(BaseModel):
    """A ticket that exists."""

    model_config = ConfigDict(extra="forbid")

    integration: str = Field(max_length=200, description="Name or id of the integration.")
    ticket: str = Field(max_length=200, description="Key or id of the ticket there, such as `OPS-31`.")
    prefer: Literal["incident", "ticket", "ask"] = Field(
        "ask",
        description="Whose values hold where the two differ. `ask`: what cannot be merged becomes a conflict for a person.",
    )


class TicketLinkOut(BaseModel):
    """A link as it stands: `attaching` until the ticket has been read."""

    id: str
    integration_id: str
    state: str
    ticket_id: str
    ticket_key: str


class OneTicketLink(BaseModel):
    """One link."""

    result: TicketLinkOut


def _out(link: Any) -> dict[str, Any]:  # noqa: ANN401  # a link of sync
    return {
        "id": link.id,
        "integration_id": link.integration_id,
        "state": link.status.value,
        "ticket_id": link.ticket_id,
        "ticket_key": link.ticket_key,
    }


@router.post(
    "/{incident}/links", status_code=201, response_model=OneTicketLink, summary="Link a ticket that exists"
)
async def attach(incident: IncidentId, body: AttachBody, call: ThisCall) -> Response:
    """Link an existing ticket. It is read as soon as the other system can be reached; until then the link says `attaching`,
    and what is wrong with the ticket becomes the link's problem. A ticket or incident that has its link already answers 409.
    """

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("link.write")
        link = await call.services.ticket_links.attach(
            scope.tx,
            incident,
            integration=body.integration,
            ticket=body.ticket,
            prefer=body.prefer,
            origin=scope.origin,
        )
        return {"result": _out(link)}

    return await call.write(unit, status=201)


@router.delete(
    "/{incident}/links/{link}", response_model=OneTicketLink, summary="Take a ticket off an incident"
)
async def detach(incident: IncidentId, link: LinkId, call: ThisCall) -> Response:
    """Take a ticket off its incident: both stay as they are, and no rule makes an incident of the ticket again."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("link.write")
        gone = await call.services.ticket_links.detach(scope.tx, incident, scope.origin, link_id=link)
        return {"result": _out(gone)}

    return await call.write(unit)
