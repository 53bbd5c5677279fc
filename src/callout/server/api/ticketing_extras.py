"""REST beside the contract: what users of such an API miss in it. None of it disturbs a program that knows the contract only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.server.api.ticketing import TicketId
from callout.server.api.ticketing_call import ERRORS, Cursor, Limit, ThisCall
from callout.server.api.ticketing_models import AnyResult
from callout.ticketing import READ, WRITE

router = APIRouter(prefix="/v1/ticketing", tags=["ticketing, beside the contract"], responses=ERRORS)
Part = Annotated[str, Query(max_length=200)]


@router.get("/capabilities", response_model=AnyResult, summary="What this integration can do")
async def capabilities(call: ThisCall) -> Response:
    """Read what the provider of this token's integration can do, with filters and orders."""
    opened = await call.open("", READ)
    return call.answer(call.services.capabilities.provider(opened.manifest.provider, ["operations"]))


@router.get("/create-form", response_model=AnyResult, summary="What a new ticket needs and offers")
async def create_form(call: ThisCall, project: Part = "", issue_type: Part = "") -> Response:
    """Read fields (with what is required), statuses, priorities and types of a project; without one, of the default project."""
    opened = await call.open("field_catalogue", READ)
    return call.answer(
        await call.services.directory.create_form(opened, project=project, issue_type=issue_type)
    )


@router.get("/tickets/{ticket}/transitions", response_model=AnyResult, summary="The moves of a ticket")
async def transitions(ticket: TicketId, call: ThisCall) -> Response:
    """List the statuses that a ticket can take now, with the fields that the move needs."""
    opened = await call.open("list_transitions", READ)
    return call.answer(await call.services.directory.transitions(opened, ticket))


@router.get("/people", response_model=AnyResult, summary="People of the provider")
async def people(  # noqa: PLR0917  # query parameters have names on the wire
    call: ThisCall,
    email: Part = "",
    name: Part = "",
    query: Part = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    """With `email` or `name`: the one person of that e-mail or name, an empty list when nobody or several match. Else one page of those
    whose name or e-mail holds `query`.
    """
    if email or name:
        opened = await call.open("find_person", READ)
        return call.answer(
            await call.services.directory.find_person(opened, email=email, name=name), cursor=""
        )
    opened = await call.open("search_people", READ)
    return call.page(await call.services.directory.people(opened, query, limit=limit, cursor=cursor))


@router.get("/teams", response_model=AnyResult, summary="Teams of the provider")
async def teams(call: ThisCall, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """List teams or groups."""
    opened = await call.open("list_teams", READ)
    return call.page(await call.services.directory.teams(opened, limit=limit, cursor=cursor))


class PassThroughBody(BaseModel):
    """A call to the provider's own API."""

    model_config = ConfigDict(extra="ignore")

    method: str = Field(max_length=20)
    path: str = Field(
        max_length=2000, description="Below the address of the integration: `/rest/api/3/myself`."
    )
    query: dict[str, str | list[str]] = Field(default_factory=dict)
    body: Any = None


@router.post("/pass-through", response_model=AnyResult, summary="Call the provider's own API")
async def pass_through(body: PassThroughBody, call: ThisCall) -> Response:
    """Make a call to the provider's own API with the integration's credential, where an operator allowed that: the integration's
    setting `ticketing.pass_through` is `read` or `write`. The answer tells status and body, whatever they are.
    """
    opened = await call.open("pass_through", READ if body.method.upper() in {"GET", "HEAD"} else WRITE)
    return call.answer(
        await call.services.pass_through.call(
            opened, method=body.method, path=body.path, query=body.query, body=body.body
        )
    )
