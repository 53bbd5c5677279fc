"""The page that shows what `callout doctor` finds, as this process sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.server.dashboard.admin_pages import page, require_everywhere

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit


async def show(visit: Visit) -> Response:
    """Look the installation over and show what was found; vendors are asked only where the address says so."""

    async def unit(scope: Scope) -> None:
        require_everywhere(scope, "organization.write")

    await visit.look(unit)
    asked = visit.query("ask") == "1"
    return page(visit, "doctor.html", found=await visit.services.doctor(asked), asked=asked)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this page."""
    return [doors.page("/admin/doctor", show)]
