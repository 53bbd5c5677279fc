"""Teams and services: who is in a team, where it talks, whom it has called, what an incident of a service begins with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from callout.ports.values import Severity
from callout.server.dashboard.admin_pages import page, submit
from callout.server.dashboard.people import offered, shown

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

_HOME: Final = "/admin/catalogue"
_TEAM: Final = ("name", "description", "channel", "group", "policy")
_SERVICE: Final = ("name", "description", "team", "severity", "channel", "policy")
SEVERITIES: Final = tuple(str(Severity.parse(str(number))) for number in range(1, 5))


class _Catalogue:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services
        self._catalogue = doors.services.responding.catalogue

    async def listing(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("catalogue.read")
            teams = await self._catalogue.teams(scope.tx)
            people = {
                one.id: one for one in (await self._services.manage.members.list(scope.tx.system)).items
            }
            return {"teams": teams, "people": people, "services": await self._catalogue.services(scope.tx)}

        return page(visit, "catalogue.html", **await visit.look(unit))

    # ------------------------------------------------------------------------------------------- teams

    async def team(self, visit: Visit) -> Response:
        """Show a team, or the form of a new one."""
        name = visit.request.path_params.get("team", "")

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("catalogue.read" if name else "catalogue.write")
            team = await self._catalogue.team(scope.tx, name) if name else None
            people = await self._catalogue.members_of(scope.tx, team) if team else []
            return {"team": team, "members": [shown(one) for one in people], **await self._offers(scope)}

        found = await visit.look(unit)
        team = found["team"]
        if team is not None:
            stored = {part: getattr(team, part) for part in _TEAM}
            visit.form.begin(stored | {"members": "\n".join(found["members"])})
        return page(visit, "team.html", fields=visit.form, **found)

    async def save_team(self, visit: Visit) -> Response:
        name, form = visit.request.path_params.get("team", ""), visit.form

        async def unit(scope: Scope) -> None:
            values: dict[str, Any] = {part: form.text(part) for part in _TEAM if part in form}
            if "members" in form:
                values["members"] = [
                    one.strip() for one in re.split(r"[,\n]", form.text("members")) if one.strip()
                ]
            if name:
                await self._catalogue.change_team(scope.tx, name, values, scope.origin)
            else:
                await self._catalogue.add_team(scope.tx, values, scope.origin)

        lines = [one for one in re.split(r"[,\n]", form.text("members")) if one.strip()]
        return await submit(
            visit,
            "catalogue.write",
            unit,
            again=lambda: self.team(visit),
            to=_HOME,
            done="The team is saved.",
            fields={f"members/{number}": "members" for number in range(len(lines))},
        )

    async def remove_team(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            await self._catalogue.remove_team(scope.tx, visit.argument("team"), scope.origin)

        return await submit(
            visit,
            "catalogue.write",
            unit,
            again=lambda: self.listing(visit),
            to=_HOME,
            done="The team is removed. Incidents that name it keep the word.",
        )

    # ---------------------------------------------------------------------------------------- services

    async def service(self, visit: Visit) -> Response:
        """Show a service, or the form of a new one."""
        name = visit.request.path_params.get("service", "")

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("catalogue.read" if name else "catalogue.write")
            service = await self._catalogue.service(scope.tx, name) if name else None
            return {"service": service, "severities": SEVERITIES, **await self._offers(scope)}

        found = await visit.look(unit)
        service = found["service"]
        if service is not None:
            visit.form.begin({part: str(getattr(service, part) or "") for part in _SERVICE})
        return page(visit, "service.html", fields=visit.form, **found)

    async def save_service(self, visit: Visit) -> Response:
        name, form = visit.request.path_params.get("service", ""), visit.form

        async def unit(scope: Scope) -> None:
            values: dict[str, Any] = {part: form.text(part) for part in _SERVICE if part in form}
            if "severity" in values:
                values["severity"] = values["severity"] or None
            if name:
                await self._catalogue.change_service(scope.tx, name, values, scope.origin)
            else:
                await self._catalogue.add_service(scope.tx, values, scope.origin)

        return await submit(
            visit,
            "catalogue.write",
            unit,
            again=lambda: self.service(visit),
            to=_HOME,
            done="The service is saved.",
        )

    async def remove_service(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            await self._catalogue.remove_service(scope.tx, visit.argument("service"), scope.origin)

        return await submit(
            visit,
            "catalogue.write",
            unit,
            again=lambda: self.listing(visit),
            to=_HOME,
            done="The service is removed. Incidents that name it keep the word.",
        )

    async def _offers(self, scope: Scope) -> dict[str, Any]:
        """Return what the forms offer to choose from."""
        response = await self._services.responding.settings.load(scope.tx)
        return {
            "policies": sorted(response.policies.policies),
            "teams": [one.name for one in await self._catalogue.teams(scope.tx)],
            "people": [shown(one) for one in await offered(self._services, scope)],
        }


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Catalogue(doors)
    return [
        doors.page(_HOME, pages.listing),
        doors.page(f"{_HOME}/teams/new", pages.team),
        doors.action(f"{_HOME}/teams/new", pages.save_team),
        doors.page(f"{_HOME}/teams/{{team}}", pages.team),
        doors.action(f"{_HOME}/teams/{{team}}", pages.save_team),
        doors.action(f"{_HOME}/teams/{{team}}/remove", pages.remove_team),
        doors.page(f"{_HOME}/services/new", pages.service),
        doors.action(f"{_HOME}/services/new", pages.save_service),
        doors.page(f"{_HOME}/services/{{service}}", pages.service),
        doors.action(f"{_HOME}/services/{{service}}", pages.save_service),
        doors.action(f"{_HOME}/services/{{service}}/remove", pages.remove_service),
    ]
