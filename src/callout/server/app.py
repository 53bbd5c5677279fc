"""The HTTP application: FastAPI for REST, plain routes for the doors of vendors, one size limit, one error shape."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from callout.server import problems
from callout.server.api import (
    attachments,
    conflicts,
    deliveries,
    incidents,
    links,
    management,
    plans,
    ticketing_parts,
    ticketing_routes,
    webhooks,
    why,
)
from callout.server.chat import ChatEndpoint
from callout.server.hooks import HookDoor
from callout.server.limits import BODY_LIMIT, LimitBody
from callout.server.pages import page_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

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
    app.include_router(conflicts.router)
    app.include_router(links.router)
    app.include_router(attachments.router)
    app.include_router(why.router)
    app.include_router(plans.router)
    app.include_router(webhooks.router)
    app.include_router(deliveries.router)
    management.include(app)
    for router in ticketing_routes.ROUTERS:
        app.include_router(router)
    app.openapi = partial(_description, app)  # type: ignore[method-assign]  # how FastAPI lets it be replaced
    app.router.routes[0:0] = [
        Route("/v1/chat/{integration}/{what}", ChatEndpoint(services)),
        Route("/healthz", _alive),
        Route("/readyz", _ready),
        Route("/metrics", _metrics),
        *page_routes(services),
        *management.description_routes(app),
    ]

    def limit(path: str) -> int:
        if attachments.is_upload(path):
            return services.incidents.attachment_limit
        return ticketing_parts.upload_limit(path) or BODY_LIMIT

    return _HooksFirst(services, LimitBody(app, limit=limit))


def _description(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document without the framework's own 422: what is invalid is answered with a 400 Problem."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        for item in document["paths"].values():
            for operation in item.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
    return app.openapi_schema or {}


class _HooksFirst:
    """Leads webhooks past the framework, straight to their door: it is the hottest path, and the rest is not needed there."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._door = ServerErrorMiddleware(HookDoor(services), handler=problems.on_anything)
        self._rest = rest
        self._rest_behind_proxy = ProxyHeadersMiddleware(rest)  # type: ignore[arg-type]  # uvicorn's own ASGI types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope.get("query_string", b"")):
            # No name or text of ours holds it, and PostgreSQL would fail on being asked for it.
            refusal = problems.problem(400, "invalid-request", "the address holds a NUL character")
            await refusal(scope, receive, send)
        elif scope["type"] == "http" and HookDoor.takes(scope["path"]):
            await self._door(scope, receive, send)
        else:
            await self._rest_behind_proxy(scope, receive, send)  # type: ignore[arg-type]  # as above


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    services: Services = request.app.state.services
    found = await services.ready()
    return JSONResponse(dict(found), 200 if found.get("ready") else 503)


async def _metrics(_request: Request) -> Response:
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # one of several processes answers for all
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
