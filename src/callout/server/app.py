"""The HTTP application: FastAPI for REST, plain routes for the doors of vendors, one size limit, one error shape."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route

from callout.server import problems
from callout.server.api import (
    attachments,
    catalogue,
    conflicts,
    deliveries,
    incident_messages,
    incident_people,
    incident_work,
    incidents,
    links,
    management,
    needs,
    plans,
    responding,
    ticketing_parts,
    ticketing_routes,
    webhooks,
    why,
)
from callout.server.chat import ChatEndpoint
from callout.server.dashboard import dashboard_routes, incident_actions
from callout.server.dashboard.render import Renderer
from callout.server.error_pages import ErrorPages
from callout.server.health import health_routes
from callout.server.hooks import HookDoor
from callout.server.installed import InstalledPage
from callout.server.limits import BODY_LIMIT, LimitBody
from callout.server.proxies import BelieveProxies
from callout.server.rate import LimitRate
from callout.server.traced import Traced

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from callout.server.services import Services

_ROUTERS: Final[tuple[APIRouter, ...]] = (
    incidents.router,
    conflicts.router,
    links.router,
    attachments.router,
    why.router,
    needs.router,
    incident_messages.router,
    incident_people.router,
    incident_work.router,
    plans.router,
    webhooks.router,
    deliveries.router,
    *catalogue.ROUTERS,
    *responding.ROUTERS,
)


def create_app(services: Services) -> ASGIApp:
    """Return the application over `services`."""
    app = FastAPI(
        title="Callout",
        version=services.version,
        description="Incidents, and the tickets and chat channels they live in.",
        openapi_url="/v1/meta/openapi",
        docs_url=None,
        redoc_url=None,
        # Its own spans hold paths and queries, and with them secrets: ours are in `traced`.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    problems.install(app)
    chat = ChatEndpoint(services)
    renderer = Renderer()
    pages = ErrorPages(services, renderer)
    pages.install(app)
    for router in (*_ROUTERS, *management.ROUTERS):
        # As they are: `include_router` would read the signature of each route a second time, at the first request.
        app.router.routes.extend(router.routes)
    app.openapi = partial(_description, app)  # type: ignore[method-assign]  # how FastAPI lets it be replaced
    app.router.routes[0:0] = [
        # First: a request tries one route after another, and programs that call these wait for each.
        *(route for router in ticketing_routes.ROUTERS for route in router.routes),
        Route("/v1/chat/installed", InstalledPage(services).show),
        # For those who look: requests are led past the framework.
        Route("/v1/chat/{integration}/{what}", chat),
        *health_routes(services.ready, services.figures),
        *dashboard_routes(services, renderer),
        *management.description_routes(app),
    ]

    def limit(path: str) -> int:
        if attachments.is_upload(path):
            return services.incidents.attachment_limit
        if incident_actions.is_upload(path):
            # So much more that a form with a file which is a little too large says so beside the field.
            return services.incidents.attachment_limit + BODY_LIMIT
        return ticketing_parts.upload_limit(path) or BODY_LIMIT

    limited = LimitRate(LimitBody(app, limit=limit, refusal=pages.too_large), services.api_per_second)
    whole = _VendorsFirst(services, limited, pages, chat=chat)
    return Traced(whole, {route.endpoint: route.path for route in app.router.routes if type(route) is Route})


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


class _VendorsFirst:
    """Leads webhooks and what is done in chat past the framework, straight to their doors: the rest is not needed there."""

    def __init__(self, services: Services, rest: ASGIApp, pages: ErrorPages, *, chat: ChatEndpoint) -> None:
        self._pages = pages
        self._door = ServerErrorMiddleware(HookDoor(services), handler=problems.on_anything)
        self._chat = ServerErrorMiddleware(chat, handler=problems.on_anything)
        self._rest_behind_proxy = BelieveProxies(rest, services.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope.get("query_string", b"")):
            # No name or text of ours holds it, and PostgreSQL would fail on being asked for it.
            said = "the address holds a NUL character"
            page = self._pages.plain(scope, 400, said)
            await (page or problems.problem(400, "invalid-request", said))(scope, receive, send)
        elif scope["type"] == "http" and HookDoor.takes(scope["path"]):
            await self._door(scope, receive, send)
        elif scope["type"] == "http" and ChatEndpoint.takes(scope["path"]):
            await self._chat(scope, receive, send)
        else:
            await self._rest_behind_proxy(scope, receive, send)
