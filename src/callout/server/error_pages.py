"""What went wrong, as a page: for people with a browser, where a program is answered with a Problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request

from callout.kit.ids import new_id
from callout.ports.errors import CalloutError
from callout.server import problems
from callout.server.dashboard.visit import Visit, way_back
from callout.server.limits import too_large
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import Scope

    from callout.server.call import Scope as CallScope
    from callout.server.dashboard.render import Renderer
    from callout.server.services import Services

_log = structlog.get_logger(__name__)
_MACHINES: Final = ("/v1", "/healthz", "/readyz", "/metrics")
_WORDS: Final = {
    404: ("there is no such page", "Look whether the address is whole, or begin at one of the pages below."),
    405: ("this address takes no such request", "Open the page that the form is on, and send it from there."),
    413: ("what was sent is too large", "Go back and send less at once. Nothing was changed."),
}


def wants_page(scope: Scope) -> bool:
    """Return whether a request is of a person with a browser: it asks for HTML, at an address that is not for programs."""
    path: str = scope["path"]
    if any(path == one or path.startswith(f"{one}/") for one in _MACHINES):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


class ErrorPages:
    """Answers browsers with pages in the site's frame; everybody else as before."""

    def __init__(self, services: Services, renderer: Renderer) -> None:
        self._services = services
        self._renderer = renderer

    def install(self, app: FastAPI) -> None:
        """Have `app` answer with pages where it is asked for them, else with Problems."""
        app.add_exception_handler(HTTPException, _chosen(self._refused, problems.on_http))
        app.add_exception_handler(Exception, _chosen(self._failed, problems.on_anything))

    def too_large(self, scope: Scope, limit: int) -> Response:
        """Return the answer to a body of more than `limit` bytes."""
        if not wants_page(scope):
            return too_large(limit)
        message, remediation = _WORDS[413]
        answer = self._renderer.error(
            413, f"{message}: more than {limit} bytes", remediation=remediation, back=way_back(Request(scope))
        )
        answer.headers["Connection"] = "close"
        return answer

    def plain(self, scope: Scope, status: int, message: str) -> Response | None:
        """Return a page that says `message`, None for who wants none."""
        return self._renderer.error(status, message) if wants_page(scope) else None

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
        visit = Visit(request, self._services, self._renderer)

        async def unit(_scope: CallScope) -> None: ...

        try:
            await visit.look(unit)  # who is signed in sees the page with the ways that lead on
        except (CalloutError, StorageUnavailableError):
            visit.visitor = None
        message, remediation = _WORDS.get(error.status_code, (str(error.detail), ""))
        answer = self._renderer.error(
            error.status_code,
            message,
            remediation=remediation,
            visitor=visit.visitor,
            back=way_back(request),
        )
        answer.headers.update(error.headers or {})
        return answer

    async def _failed(self, request: Request, error: Exception) -> Response:
        reference = new_id()
        _log.error("request_failed", exc_info=error, reference=reference)
        # Nothing is asked of the database: it may be what failed.
        return self._renderer.error(
            500,
            "Something went wrong on our side. It is not known whether what you asked for was done.",
            remediation="Look at the record before you try once more. If it stays, give the reference to whoever runs Callout: it "
            "stands in the log.",
            reference=reference,
            back=way_back(request),
        )


def _chosen(
    page: Callable[[Request, Exception], Awaitable[Response]],
    problem: Callable[[Request, Exception], Awaitable[Response]],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        return await (page if wants_page(request.scope) else problem)(request, error)

    return handler
