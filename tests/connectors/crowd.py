"""People who act in the very moment of a call of ours: before its request arrives, or after it was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.connectors.twin_site import TwinSite


class Crowd(httpx.AsyncBaseTransport):
    """Lets people act before or after the first request of a kind."""

    def __init__(
        self, site: TwinSite, method: str, path: str, *, act: Callable[[], Any], after: bool
    ) -> None:
        self._real = site.transport
        self._method, self._path, self._after = method, path, after
        self._act: Callable[[], Any] | None = act

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        meant = request.method == self._method and self._path in request.url.path
        act, self._act = (self._act, None) if meant else (None, self._act)
        if act is not None and not self._after:
            act()
        response = await self._real.handle_async_request(request)
        if act is not None and self._after:
            act()
        return response
