"""The span of a request: named by the route's template, never by its path, which may hold a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from callout.kit import tracing
from callout.server.health import PATHS as HEALTH
from callout.server.hooks import PATH as HOOKS
from callout.server.hooks import HookDoor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOT_TRACED: Final = (*HEALTH, "/static/")
"""What machines ask every few seconds, and files."""
_VENDORS: Final = (HOOKS, "/v1/chat")
"""Where strangers send to us: their traces are not ours."""
_API: Final = "/v1/"
_FAULT: Final = 500
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_STREAM: Final = b"text/event-stream"


class Traced:
    """ASGI middleware: lets each request be a span, while traces are on.

    Programs that call the API may carry on a trace of theirs (`traceparent`); vendors may not.

    Args:
        app: what answers.
        templates: those of plain routes, by what they end at; FastAPI leaves its own behind by itself.
    """

    def __init__(self, app: ASGIApp, templates: Mapping[Any, str]) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if not tracing.is_on() or scope["type"] != "http" or scope["path"].startswith(_NOT_TRACED):
            await self._app(scope, receive, send)
            return
        method = _method(scope)
        attributes = {"http.request.method": method}
        with tracing.within(method, kind="server", attributes=attributes, causes=_causes(scope)) as span:

            async def tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, scope, message, self._route(scope))
                await send(message)

            await self._app(scope, receive, tell)

    def _route(self, scope: Scope) -> str:
        """Return the template of the route that a request took; empty where there is none."""
        if HookDoor.takes(scope["path"]):
            return f"{HOOKS}/{{integration}}" if len(scope["path"]) > len(HOOKS) + 1 else HOOKS
        return str(getattr(scope.get("route"), "path", "") or self._templates.get(scope.get("endpoint"), ""))


def _method(scope: Scope) -> str:
    """Return the method of a request, or one word for those that nobody uses: anybody can think of a new one."""
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _causes(scope: Scope) -> tuple[str, ...]:
    path = scope["path"]
    if not path.startswith(_API) or path.startswith(_VENDORS):
        return ()
    return tuple(
        value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"traceparent"
    )[:1]


def _note(span: tracing.Span, scope: Scope, message: Message, route: str) -> None:
    noted: dict[str, tracing.Value] = {"http.response.status_code": message["status"]}
    if route:
        span.rename(f"{_method(scope)} {route}")
        noted["http.route"] = route
    span.note(noted)
    if message["status"] >= _FAULT:
        span.failed(str(message["status"]))
    if any(
        name.lower() == b"content-type" and value.startswith(_STREAM) for name, value in message["headers"]
    ):
        span.end()  # it may last for hours: the request was answered when it began
