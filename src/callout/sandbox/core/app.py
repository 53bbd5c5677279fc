"""The sandbox application: every chosen twin under `/<name>`, its control path under `/<name>/_twin`."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from callout.sandbox.core.control import Control, SandboxJSON
from callout.sandbox.core.gate import ABORT_KEY, Gate
from callout.sandbox.registry import TWINS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from callout.sandbox.core.twin import Twin

__all__ = ["TWINS", "SandboxApp", "create_app"]


class SandboxApp(Starlette):
    """The application with its `twins` by name; lets the gate cut a connection that uvicorn holds.

    Each answer carries the date that its twin believes in, as a vendor's server with a wrong clock would.
    """

    twins: dict[str, Twin]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note how to cut the connection before any middleware wraps `send`."""
        # uvicorn's `send` is a bound method of its request cycle, which holds the transport. No public
        # ASGI message closes a connection without an answer, and that is the fault we have to make.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] in {"http", "websocket"} and transport is not None:
            scope[ABORT_KEY] = transport.abort
        if scope["type"] == "http":
            send = self._dated(scope["path"], send)
        await super().__call__(scope, receive, send)

    def _dated(self, path: str, send: Send) -> Send:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                twin = self.twins.get(path.split("/")[1])
                now = time.time() if twin is None else twin.clock.now()
                # Whole seconds, rounded down, as servers do.
                told = (b"date", formatdate(int(now), usegmt=True).encode())
                message = {**message, "headers": [*message.get("headers", ()), told]}
            await send(message)

        return dated


def create_app(only: Iterable[str] | None = None, faults: Mapping[str, Any] | None = None) -> SandboxApp:
    """Build the sandbox with all twins, or those named in `only`.

    `faults` is one plan for every twin (`{"seed":..,"rules":[..]}`) or a plan by twin name.
    Raises ValueError for an unknown twin and FaultPlanError for a plan that cannot be read.
    """
    wanted = list(TWINS) if only is None else list(only)
    unknown = sorted(set(wanted) - set(TWINS))
    if unknown:
        raise ValueError(f"unknown twins: {', '.join(unknown)} (there are: {', '.join(TWINS)})")
    twins = {name: TWINS[name]() for name in wanted}
    for name, plan in _plans_by_twin(faults or {}, wanted).items():
        twins[name].faults.set(plan)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for twin in twins.values():
            twin.webhooks.open()
        yield
        for twin in twins.values():
            await twin.webhooks.aclose()

    async def index(_: Request) -> Response:
        return SandboxJSON({"twins": {name: twin.credentials() for name, twin in twins.items()}})

    async def reset_all(_: Request) -> Response:
        for twin in twins.values():
            twin.start_over()
        return SandboxJSON({"ok": True})

    async def health(_: Request) -> Response:
        return SandboxJSON({"ok": True})

    app = SandboxApp(
        routes=[
            Route("/_twin/credentials", index, methods=["GET"]),
            Route("/_twin/reset", reset_all, methods=["POST"]),
            Route("/_twin/health", health, methods=["GET"]),
            *(Mount(twin.base_path, app=_twin_app(twin), name=name) for name, twin in twins.items()),
        ],
        lifespan=lifespan,
    )
    app.twins = twins
    return app


def _twin_app(twin: Twin) -> Router:
    return Router(routes=[Mount("/_twin", app=Control(twin).router()), Mount("/", app=Gate(twin))])


def _plans_by_twin(faults: Mapping[str, Any], names: list[str]) -> dict[str, Mapping[str, Any]]:
    if not faults:
        return {}
    if "rules" in faults:
        return dict.fromkeys(names, faults)
    unknown = sorted(set(faults) - set(names))
    if unknown:
        raise ValueError(f"fault plans for twins that do not run: {', '.join(unknown)}")
    return dict(faults)
