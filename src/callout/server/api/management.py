"""All of the management API: what an organization token opens, and the description of both halves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callout.server.api import (
    accounts,
    audit,
    auth,
    credentials,
    installs,
    integrations,
    later,
    members,
    organization,
    organization_webhooks,
    status,
    tokens,
)

ENGINE: Final = (
    "/v1/ticketing/",
    "/v1/hooks",
    "/v1/integration-webhooks",
    "/v1/incident-response/",
    "/v1/notifications/",
    "/v1/operations",
)
"""What the token of an integration opens; the rest is for organization tokens."""
ROUTERS: Final[tuple[APIRouter, ...]] = (
    # First, before those with a parameter in the same place: `/v1/tokens/mcp` is no account's.
    later.router,
    accounts.router,
    organization.router,
    organization_webhooks.router,
    members.router,
    auth.router,
    tokens.router,
    credentials.router,
    integrations.router,
    installs.router,
    status.router,
    audit.router,
)


def description_routes(app: FastAPI) -> list[Route]:
    """Return the routes that describe each half of the API by itself."""

    async def engine(_request: Request) -> Response:
        return JSONResponse(part_of(app.openapi(), engine=True))

    async def management(_request: Request) -> Response:
        return JSONResponse(part_of(app.openapi(), engine=False))

    return [
        Route("/v1/meta/openapi/engine", engine),
        Route("/v1/meta/openapi/management", management),
    ]


def part_of(document: Mapping[str, Any], *, engine: bool) -> dict[str, Any]:
    """Return an OpenAPI document with the paths of one half only."""
    paths = {path: item for path, item in document["paths"].items() if path.startswith(ENGINE) is engine}
    return {**document, "paths": paths}
