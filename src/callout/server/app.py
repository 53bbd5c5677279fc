"""The HTTP application: FastAPI for REST, plain routes for the doors of vendors, one size limit, one error shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callout.server import problems
from callout.server.api import incidents
from callout.server.chat import ChatEndpoint
from callout.server.hooks import HookDoor
from callout.server.limits import LimitBody
from callout.server.pages import page_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from callout.server.services import Services


def create_app(services: Services) -> ASGIApp:
    """Return the application over `services`."""
    app = FastAPI(
        title="Callout",
        version=services.version,
        description="Incidents, and the tickets and chat channels they live in.",
        openapi_url="/v1/meta/openapi",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    problems.install(app)
    app.include_router(incidents.router)
    door = HookDoor(services)
    # First in the list: the hottest path is matched before anything else is looked at.
    app.router.routes[0:0] = [
        Route("/v1/hooks/{integration}", door),
        Route("/v1/hooks", door),
        Route("/v1/chat/{integration}/{what}", ChatEndpoint(services)),
        Route("/healthz", _alive),
        Route("/readyz", _ready),
        Route("/metrics", _metrics),
        *page_routes(services),
    ]
    return LimitBody(app)


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    services: Services = request.app.state.services
    found = await services.ready()
    return JSONResponse(dict(found), 200 if found.get("ready") else 503)


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
