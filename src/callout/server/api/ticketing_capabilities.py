"""REST for what providers can do: for anybody with a token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from callout.server.api.ticketing_call import ERRORS, ThisCall

router = APIRouter(prefix="/v1/capabilities", tags=["capabilities"], responses=ERRORS)
Expand = Annotated[
    list[str] | None,
    Query(
        description="`connector`, `operations`, `provider_config`, `request_body` or `providers`; repeatable."
    ),
]


class CapableOut(BaseModel):
    """A category, or a provider with what it can do."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    fullname: str
    description: str


class Capables(BaseModel):
    """Several."""

    result: list[CapableOut]


class Capable(BaseModel):
    """One."""

    result: CapableOut


@router.get("/connectors", response_model=Capables, summary="Categories of providers")
async def list_connectors(call: ThisCall, expand: Expand = None) -> Response:
    """List the categories with their providers."""
    await call.anybody("capability.read")
    return call.answer(call.services.capabilities.connectors(expand or ()))


@router.get("/providers", response_model=Capables, summary="Providers")
async def list_providers(call: ThisCall, expand: Expand = None) -> Response:
    """List all providers with what they can do."""
    await call.anybody("capability.read")
    return call.answer(call.services.capabilities.providers(expand or ()))


@router.get("/providers/{provider}", response_model=Capable, summary="One provider")
async def get_provider(
    provider: Annotated[
        str, Path(max_length=200, description="Type of the provider, such as `ticketing_jira`.")
    ],
    call: ThisCall,
    expand: Expand = None,
) -> Response:
    """Read what one provider can do."""
    await call.anybody("capability.read")
    found: dict[str, Any] = call.services.capabilities.provider(provider, expand or ())
    return call.answer(found)
