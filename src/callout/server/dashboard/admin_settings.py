"""The settings as this process loaded them: each with its value and where it is from, and never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.server.dashboard.admin_pages import page, require_everywhere

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit


async def show(visit: Visit) -> Response:
    """Show every setting, the version, the database and the versions of the keys."""

    async def unit(scope: Scope) -> None:
        require_everywhere(scope, "organization.write")

    await visit.look(unit)
    services = visit.services
    return page(
        visit,
        "settings.html",
        facts=services.administration,
        version=services.version,
        kind=services.database.dialect,
    )


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this page."""
    return [doors.page("/admin/settings", show)]
