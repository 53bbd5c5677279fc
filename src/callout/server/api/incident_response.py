"""REST for incident response: escalation policies and who is on call."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from callout.server.api.ticketing_call import ERRORS, Cursor, Limit, ThisCall, identifier
from callout.ticketing import READ
from callout.ticketing.incident_response import CATEGORY

router = APIRouter(prefix="/v1/incident-response", tags=["incident response"], responses=ERRORS)


class ResponsePolicyOut(BaseModel):
    """An escalation policy; delays in milliseconds."""

    model_config = ConfigDict(extra="allow")

    uid: str
    name: str | None = None
    desc: str | None = None
    src_url: str | None = None
    escalation_rules: list[dict[str, Any]]
    teams: list[dict[str, Any]]


class ResponseUserOut(BaseModel):
    """Somebody on call, whole or as a reference."""

    model_config = ConfigDict(extra="allow")

    type: str
    uid: str
    name: str | None = None


class ResponsePolicyPage(BaseModel):
    """One page of escalation policies."""

    result: list[ResponsePolicyOut]
    cursor: str


class UsersOnCall(BaseModel):
    """Who is on call."""

    result: list[ResponseUserOut]


@router.get(
    "/escalation-policies", response_model=ResponsePolicyPage, summary="Query policies of incident response"
)
async def query_escalation_policies(call: ThisCall, limit: Limit = 100, cursor: Cursor = "") -> Response:
    """Query the provider's escalation policies."""
    opened = await call.open("query_escalation_policies", READ, category=CATEGORY)
    return call.page(await call.services.incident_response.policies(opened, limit=limit, cursor=cursor))


@router.get(
    "/escalation-policies/{policy}/users-on-call", response_model=UsersOnCall, summary="Users on call"
)
async def query_escalation_policy_users_on_call(
    policy: Annotated[str, identifier("escalation policy")], call: ThisCall
) -> Response:
    """List who is on call for a policy now."""
    opened = await call.open("list_on_call", READ, category=CATEGORY)
    return call.answer(await call.services.incident_response.on_call(opened, policy))
