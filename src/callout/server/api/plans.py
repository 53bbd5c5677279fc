"""REST for what an integration would do: its plan against the live instance, and what shadow mode held back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from callout.server.call import Call, Scope, call_of
from callout.server.problems import refusals

ThisCall = Annotated[Call, Depends(call_of)]
IntegrationId = Annotated[str, Path(max_length=64, description="Id or name of the integration.")]
_ERRORS = refusals(400, 401, 402, 403, 404, 405, 413, 415, 500, 501, 503)
router = APIRouter(prefix="/v1/integrations", tags=["integrations"], responses=_ERRORS)


class FindingOut(BaseModel):
    """One thing found."""

    part: str = Field(description="What it is about: settings, connection, field, severity, status, people …")
    subject: str
    verdict: str = Field(description="`valid`, `warning`, `rejected` or `not_checked`.")
    message: str
    remediation: str
    data: dict[str, Any] = Field(
        description="For a status: `from`, `to` and the `path` of moves with what each requires."
    )


class HeldBackCounts(BaseModel):
    """How many writes of a kind were held back, and how many of them would be made if the mode ended now."""

    held_back: int
    waiting: int


class ShadowCounts(BaseModel):
    """Shadow mode of the integration."""

    on: bool
    counts: dict[str, HeldBackCounts]


class PlanOut(BaseModel):
    """The mapping of an integration held against the live instance."""

    integration: str
    integration_id: str
    provider: str
    checked_at: datetime
    valid: bool = Field(description="Whether nothing was rejected.")
    counts: dict[str, int]
    findings: list[FindingOut]
    shadow: ShadowCounts


class OnePlan(BaseModel):
    """A plan."""

    result: PlanOut


class HeldBackOut(BaseModel):
    """A write that was held back; `what` is the field, or the id of the note."""

    kind: str
    incident_id: str
    link_id: str
    ticket_key: str
    what: str
    value: Any
    times: int = Field(description="How many different values it had.")
    waiting: bool
    at: datetime


class ShadowOut(ShadowCounts):
    """What shadow mode held back, the newest first."""

    integration: str
    newest: list[HeldBackOut]


class OneShadow(BaseModel):
    """Shadow mode of one integration."""

    result: ShadowOut


def _require(scope: Scope) -> None:
    """Both tell of incidents and of people, too: who may only connect systems does not see them."""
    scope.require("integration.verify")
    scope.require("incident.read")


@router.get(
    "/{integration}/plan", response_model=OnePlan, summary="Check the mapping against the live instance"
)
async def plan(integration: IntegrationId, call: ThisCall) -> Response:
    """Read the live instance and tell, for each part of the mapping, whether it holds, and what to do where not. Writes nothing."""

    async def unit(scope: Scope) -> str:
        _require(scope)
        return scope.tx.account_id

    account_id = await call.look(unit)
    return JSONResponse({"result": dict(await call.services.plan(account_id, integration))})


@router.get("/{integration}/shadow", response_model=OneShadow, summary="Read what shadow mode held back")
async def shadow(integration: IntegrationId, call: ThisCall) -> Response:
    """Tell whether the integration is in shadow mode, what would have been written by kind, and the newest with their values."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        _require(scope)
        return {"result": await call.services.shadow(scope.tx, integration)}

    return await call.read(unit)
