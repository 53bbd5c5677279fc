"""The area of administration: where it begins, and the routes of all its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from callout.ports.errors import ForbiddenError
from callout.server.dashboard import (
    admin_audit,
    admin_catalogue,
    admin_people,
    admin_response,
    admin_routing,
    admin_settings,
    admin_tokens,
    admin_work,
)
from callout.server.dashboard.admin_pages import tabs_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.dashboard.visit import Doors, Visit

_PARTS = (
    admin_people,
    admin_catalogue,
    admin_response,
    admin_routing,
    admin_tokens,
    admin_audit,
    admin_work,
    admin_settings,
)


async def begin(visit: Visit) -> Response:
    """Lead to the first page that the visitor may see."""
    visitor = await visit.enter("account.read")
    tabs = tabs_of(visitor)
    if not tabs:
        raise ForbiddenError("nothing here is for you", remediation="Ask an administrator for a wider role.")
    return RedirectResponse(tabs[0][0], 303)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    return [doors.page("/admin", begin), *(route for part in _PARTS for route in part.routes(doors))]
