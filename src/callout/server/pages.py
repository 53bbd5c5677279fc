"""The first pages: the incidents, and one incident with its tickets and timeline. Read only; they keep themselves up to date.

Whoever has an API token signs in with it. The cookie holds the token, readable by no script; pages contain no inline script.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from callout.access import UnauthenticatedError
from callout.incidents import IncidentFilter
from callout.kit.secrets import Secret
from callout.ports.errors import CalloutError, NotFoundError
from callout.ports.values import Audience, Channel, Origin
from callout.server.api.incidents import entry_out, incident_out
from callout.server.call import Scope

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.server.services import Services
    from callout.storage import Tx

COOKIE = "callout_token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATIC = Path(__file__).parent / "static"
_FILES = {"live.js": "text/javascript", "style.css": "text/css"}


def page_routes(services: Services) -> list[Route]:
    """Return the routes of the pages."""
    pages = _Pages(services)
    return [
        Route("/", pages.home),
        Route("/login", pages.login, methods=["GET", "POST"]),
        Route("/logout", pages.logout, methods=["POST"]),
        Route("/incidents", pages.incidents),
        Route("/incidents/{incident}", pages.incident),
        Route("/static/{name}", pages.static),
    ]


class _Pages:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Environment(loader=PackageLoader("callout.server"), autoescape=True)

    async def home(self, _request: Request) -> Response:
        return RedirectResponse("/incidents")

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return self._page("error.html", 404, message="There is no such file.")
        return FileResponse(_STATIC / name, media_type=_FILES[name])

    async def login(self, request: Request) -> Response:
        if request.method == "GET":
            return self._page("login.html", 200, wrong="")
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        secret = form.get("token", [""])[0].strip()
        try:
            await self._services.database.read(lambda tx: self._scope(tx, secret))
        except CalloutError as error:
            return self._page("login.html", 401, wrong=error.message)
        answer = RedirectResponse("/incidents", 303)
        secure = self._services.secure_cookies or request.url.scheme == "https"
        answer.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=secure, max_age=12 * 3600)
        return answer

    async def logout(self, _request: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def incidents(self, request: Request) -> Response:
        async def unit(scope: Scope) -> Mapping[str, Any]:
            found, _ = await self._services.incidents.search(scope.tx, IncidentFilter(), limit=100)
            return {"incidents": [incident_out(one) for one in found]}

        return await self._show(request, "incidents.html", unit)

    async def incident(self, request: Request) -> Response:
        async def unit(scope: Scope) -> Mapping[str, Any]:
            one = await self._services.incidents.get(scope.tx, request.path_params["incident"])
            lines = await self._services.incidents.timeline(scope.tx, one.id, audiences=scope.audiences)
            return {
                "incident": incident_out(one),
                "links": await self._services.links(scope.tx, one.id),
                "timeline": [entry_out(line) for line in lines],
            }

        return await self._show(request, "incident.html", unit)

    async def _show(
        self, request: Request, template: str, unit: Callable[[Scope], Awaitable[Mapping[str, Any]]]
    ) -> Response:
        async def scoped(tx: Tx) -> Mapping[str, Any]:
            scope = await self._scope(tx, request.cookies.get(COOKIE, ""))
            scope.require("incident.read")
            return await unit(scope)

        try:
            values = await self._services.database.read(scoped)
        except UnauthenticatedError:
            return RedirectResponse("/login", 303)
        except NotFoundError as error:
            return self._page("error.html", 404, message=error.message)
        except CalloutError as error:
            return self._page("error.html", 403, message=f"{error.message} {error.remediation}")
        return self._page(template, 200, **values)

    async def _scope(self, tx: Tx, secret: str) -> Scope:
        caller = await self._services.authentication.authenticate(tx, Secret(secret) if secret else None)
        caller.require_kind("organization")
        accounts = await self._services.accounts.list(tx, among=caller.account_ids)
        if not accounts.items:
            raise NotFoundError("the token opens no account", remediation="Use a token of an account.")
        return Scope(tx.account(accounts.items[0].id), caller, Origin(Channel.DASHBOARD, caller.actor))

    def _page(self, template: str, status: int, **values: Any) -> Response:  # noqa: ANN401  # whatever the template shows
        text = self._templates.get_template(template).render(audiences=list(Audience), **values)
        return HTMLResponse(text, status, headers=HEADERS)
