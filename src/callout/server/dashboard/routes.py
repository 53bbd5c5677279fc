"""All routes of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from callout.ports.errors import NotFoundError
from callout.server.dashboard import (
    admin,
    doctor,
    incident,
    incident_actions,
    incidents,
    insights,
    integration,
    integration_access,
    integration_mapping,
    integration_rules,
    integration_settings,
    integration_webhooks,
    integrations,
    live,
    me,
    oidc,
    setup,
    signin,
)
from callout.server.dashboard.visit import ACCOUNT_COOKIE, Doors, Visit

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.server.dashboard.render import Renderer
    from callout.server.services import Services

AREAS = (
    signin,
    setup,
    oidc,
    me,
    incidents,
    incident,
    incident_actions,
    insights,
    integrations,
    integration,
    integration_settings,
    integration_mapping,
    integration_rules,
    integration_webhooks,
    integration_access,
    admin,
    doctor,
    live,
)
"""Modules with `routes(doors)`, in the order in which addresses are tried."""


def dashboard_routes(services: Services, renderer: Renderer) -> list[Route]:
    """Return the routes of every page, and of the files that pages need."""
    doors = Doors(services, renderer)
    return [
        Route("/", _home),
        Route("/static/{name}", renderer.static),
        doors.action("/account", _choose_account),
        *(route for area in AREAS for route in area.routes(doors)),
    ]


async def _home(_request: Request) -> Response:
    return RedirectResponse("/incidents")


async def _choose_account(visit: Visit) -> Response:
    visitor = await visit.enter("account.read")
    wanted = visit.form.text("account")
    if wanted not in {one.id for one in visitor.accounts}:
        raise NotFoundError("there is no such account")
    answer = visit.go("/incidents")
    answer.set_cookie(ACCOUNT_COOKIE, wanted, httponly=True, samesite="lax", secure=visit.secure)
    return answer
