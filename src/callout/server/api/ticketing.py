"""REST for tickets of any provider: the contract's operations on tickets, projects, fields, escalation policies and on-calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from callout.server.api.ticketing_call import (
    ERRORS,
    CreatingCall,
    Cursor,
    Filters,
    Limit,
    Orders,
    ThisCall,
    identifier,
)
from callout.server.api.ticketing_models import (
    Agents,
    CreateTicketBody,
    OneTicket,
    PolicyPage,
    ProjectPage,
    RemoteFields,
    TicketPage,
)
from callout.ticketing import READ, WRITE

router = APIRouter(prefix="/v1/ticketing", tags=["ticketing"], responses=ERRORS)
TicketId = Annotated[str, identifier("ticket")]
PolicyId = Annotated[str, identifier("escalation policy")]
PatchBody = Annotated[
    list[dict[str, Any]],
    Body(
        description="RFC 6902 operations on the unified object; all or none.",
        media_type="application/json",
        examples=[[{"op": "replace", "path": "/status", "value": "Done"}]],
    ),
]


@router.get("/tickets", response_model=TicketPage, summary="Query tickets")
async def query_tickets(
    call: ThisCall,
    filters: Filters = None,
    order: Orders = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    """Query the provider's tickets; without a filter on `project`, those of the default project where there is one."""
    opened = await call.open("query_tickets", READ)
    page = await call.services.tickets.query(
        opened, filters=filters or (), order=order or (), limit=limit, cursor=cursor
    )
    return call.page(page)


@router.post("/tickets", response_model=OneTicket, summary="Create a ticket")
async def create_ticket(body: CreateTicketBody, call: CreatingCall) -> Response:
    """Create a ticket, once per `Idempotency-Key`, which goes into the provider's record where there is a place for it."""
    opened = await call.open("create_ticket", WRITE)
    digest = await call.digest()
    return call.made(
        await call.services.tickets.create(opened, body.model_dump(), digest=digest, key=call.key)
    )


@router.get("/tickets/{ticket}", response_model=OneTicket, summary="Read a ticket")
async def get_ticket(ticket: TicketId, call: ThisCall) -> Response:
    """Read one ticket by the provider's id or key."""
    opened = await call.open("get_ticket", READ)
    return call.answer(await call.services.tickets.get(opened, ticket))


@router.patch("/tickets/{ticket}", response_model=OneTicket, summary="Change a ticket")
async def patch_ticket(ticket: TicketId, body: PatchBody, call: ThisCall) -> Response:
    """Change a ticket by a JSON Patch; the status goes through the provider's own transitions."""
    opened = await call.open("patch_ticket", WRITE)
    return call.answer(await call.services.tickets.patch(opened, ticket, body))


@router.get("/projects", response_model=ProjectPage, summary="List projects")
async def list_projects(call: ThisCall, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """List what a ticket's `project` can be."""
    opened = await call.open("list_projects", READ)
    return call.page(await call.services.directory.projects(opened, limit=limit, cursor=cursor))


@router.get("/remote-fields", response_model=RemoteFields, summary="List the provider's fields")
async def list_remote_fields(call: ThisCall) -> Response:
    """List the fields that a custom field mapping may name."""
    opened = await call.open("list_remote_fields", READ)
    return call.answer(await call.services.directory.remote_fields(opened), cursor="")


@router.get("/escalation-policies", response_model=PolicyPage, summary="Query escalation policies")
async def query_escalation_policies(
    call: ThisCall, filters: Filters = None, limit: Limit = 50, cursor: Cursor = ""
) -> Response:
    """Query the provider's escalation policies by `name`, `id` or `description`."""
    opened = await call.open("query_escalation_policies", READ)
    page = await call.services.directory.escalation_policies(
        opened, filters=filters or (), limit=limit, cursor=cursor
    )
    return call.page(page)


@router.get("/escalation-policies/{policy}/on-call", response_model=Agents, summary="Who is on call")
async def list_on_call(policy: PolicyId, call: ThisCall) -> Response:
    """List who is on call for a policy now."""
    opened = await call.open("list_on_call", READ)
    return call.answer(await call.services.directory.on_call(opened, policy))
