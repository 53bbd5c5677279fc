"""Where a chat vendor sends a person back after their consent: one page that says in words what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.ports.errors import CalloutError
from callout.server.dashboard.render import Renderer
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from callout.server.services import Services

LONGEST: Final = 4096
"""Of a state or code, in characters."""


class InstalledPage:
    """`GET /v1/chat/installed?code=…&state=…`: no sign-in, since the sealed state says who began it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._renderer = Renderer()

    async def show(self, request: Request) -> Response:
        """Finish the installation that the state belongs to."""
        query = request.query_params
        state, code, refused = query.get("state", ""), query.get("code", ""), query.get("error", "")
        if refused:
            return self._page(
                200, title="Not installed", lines=["The consent was not given; nothing has changed."]
            )
        if not state or not code or len(state) > LONGEST or len(code) > LONGEST:
            return self._page(
                400, title="Not installed", lines=["This address is opened by the chat platform."]
            )
        try:
            done = await self._services.finish_install(state, code)
        except CalloutError as error:
            return self._page(400, title="Not installed", lines=[f"{error.message}.", error.remediation])
        except StorageUnavailableError:
            return self._page(
                503, title="Not installed", lines=["The database did not answer. Install once more."]
            )
        lines = [f"{done.workspace} is connected as the integration {done.integration}.", *done.warnings]
        return self._page(200, title="Installed", lines=lines)

    def _page(self, status: int, *, title: str, lines: list[str]) -> Response:
        values = {"title": title, "lines": [line for line in lines if line], "visitor": None}
        return self._renderer.page("installed.html", values, status=status)
