"""Endpoints to routes: versions, method override, authentication, rate limit and refusals around every handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from callout.sandbox.servicenow.call import (
    ACCOUNT_KEY,
    HOUR,
    Call,
    Desk,
    identify,
    rate_headers,
    refusal,
    throttled,
)
from callout.sandbox.servicenow.errors import InstanceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

Handler = Callable[[Call], Response | Awaitable[Response]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
VERSIONS = ("", "v1", "v2")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path with its handlers by method; `prefix` is the API's namespace."""

    path: str
    handlers: Mapping[str, Handler]
    prefix: str = "/api/now"


def routes(desk: Callable[[], Desk], endpoints: Sequence[Endpoint]) -> list[BaseRoute]:
    """Every endpoint, plain and under each version."""
    return [
        Route(
            f"{endpoint.prefix}{'/' if version else ''}{version}{endpoint.path}",
            _endpoint(desk, endpoint, version),
            methods=list(METHODS),
        )
        for version in VERSIONS
        for endpoint in endpoints
    ]


def _endpoint(
    desk: Callable[[], Desk], endpoint: Endpoint, version: str
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        raw = b"" if "multipart" in request.headers.get("content-type", "") else await request.body()
        state = desk()
        try:
            account = identify(request, state)
            limit = state.instance.settings.rate_limit
            if limit and ACCOUNT_KEY not in request.scope and _spent(state, account.user_name) > limit:
                return throttled(state, limit=limit)
            reply = _handler(request, endpoint)(Call(state, request, account, raw, version))
            response = await reply if inspect.isawaitable(reply) else reply
        except InstanceError as error:
            return refusal(error)
        if limit:
            response.headers.update(rate_headers(state, limit))
        return response

    return handle


def _handler(request: Request, endpoint: Endpoint) -> Handler:
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("json", "*/*", "application/*")) and not endpoint.path.endswith(
        "/file"
    ):
        raise InstanceError(406, "Not acceptable", f"Not acceptable: {accept}")
    method = request.headers.get("x-http-method-override", request.method).upper()
    handler = endpoint.handlers.get("GET" if method == "HEAD" else method)
    if handler is None:
        # from memory: the message.
        raise InstanceError(405, "Method not supported", f"{method} is not supported by {request.url.path}")
    return handler


def _spent(desk: Desk, user_name: str) -> int:
    key = (user_name, int(desk.instance.now().timestamp()) // HOUR)
    desk.spent[key] = desk.spent.get(key, 0) + 1
    return desk.spent[key]
