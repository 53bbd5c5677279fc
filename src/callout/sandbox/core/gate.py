"""The gate in front of a twin: applies faults, records every call, turns crashes into visible 500s."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Router

from callout.sandbox.core.ledger import CALL_KIND, Call, current_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

    from callout.sandbox.core.faults import FaultRule
    from callout.sandbox.core.twin import Twin

ABORT_KEY = "sandbox.abort"
HOLD_SECONDS = 120.0
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Service temporarily unavailable</title></head>"
    "<body><h1>We will be back soon</h1><p>The site is down for maintenance.</p></body></html>"
)
_BEFORE_WORK = ("disconnect", "status", "html", "expired_token")
_AFTER_WORK = ("timeout_after_write", "disconnect_after_write", "status")


class ConnectionDroppedError(ConnectionError):
    """Raised where no socket can be cut (an in-process transport): the caller sees a broken connection."""


class Gate:
    """ASGI application of one twin."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._router = Router(routes=twin.routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP goes straight to the twin's routes."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        self._twin.learn_origin(f"{request.url.scheme}://{request.url.netloc}")
        rules = self._twin.faults.for_request(request.method, path)
        call = Call(request.method, path, ",".join(rule.kind for rule in rules) or None)
        token = current_call.set(call)
        try:
            await self._handle(request, rules, send)
        finally:
            current_call.reset(token)

    async def _handle(self, request: Request, rules: list[FaultRule], send: Send) -> None:
        for rule in rules:
            if rule.kind == "latency":
                await asyncio.sleep(rule.seconds())
        early = next((r for r in rules if r.kind in _BEFORE_WORK and not r.options.get("after_write")), None)
        if early is not None:
            await self._fail_early(request, early, send)
            return
        late = next((r for r in rules if r.kind in _AFTER_WORK), None)
        if late is not None:
            await self._fail_late(request, late, send)
            return
        await self._work(request, _StatusWatch(self._twin, send))

    async def _fail_early(self, request: Request, rule: FaultRule, send: Send) -> None:
        if rule.kind == "disconnect":
            self._twin.ledger.record(CALL_KIND, status=0, effect=False)
            await drop_connection(request)
            return
        # Read the body first: answering while the client still writes would reset the connection.
        with contextlib.suppress(Exception):
            await request.body()
        watch = _StatusWatch(self._twin, send)
        await self._fault_response(request, rule)(request.scope, request.receive, watch)

    async def _fail_late(self, request: Request, rule: FaultRule, send: Send) -> None:
        swallowed = _StatusWatch(self._twin, _swallow)
        await self._work(request, swallowed)
        if rule.kind == "status":
            await self._fault_response(request, rule)(request.scope, request.receive, send)
            return
        if rule.kind == "timeout_after_write":
            hold = float(rule.options.get("hold", HOLD_SECONDS))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_client_gone(request.receive), hold)
        await drop_connection(request)

    def _fault_response(self, request: Request, rule: FaultRule) -> Response:
        options = rule.options
        if rule.kind == "expired_token":
            return self._twin.expired_token_response(request)
        if rule.kind == "html":
            return HTMLResponse(HTML_PAGE, status_code=int(options.get("status", 200)))
        status = int(options["status"])
        body = options.get("body")
        if body is None:
            response = self._twin.error_response(status, request=request)
        elif isinstance(body, str):
            response = Response(body, status_code=status)
        else:
            response = JSONResponse(body, status_code=status)
        if options.get("retry_after") is not None:
            response.headers["Retry-After"] = str(options["retry_after"])
        for key, value in (options.get("headers") or {}).items():
            response.headers[key] = str(value)
        return response

    async def _work(self, request: Request, send: _StatusWatch) -> None:
        try:
            await self._router(request.scope, request.receive, send)
        except HTTPException as error:
            response = self._twin.error_response(error.status_code, request=request, message=error.detail)
            await response(request.scope, request.receive, send)
        except ClientDisconnect:
            return  # the caller hung up while sending; nobody is left to answer
        except Exception:
            # The boundary of a twin: its own bug must show in `_twin/state`, where tests look for it.
            self._twin.internal_errors.append(traceback.format_exc())
            if send.started:
                raise
            response = self._twin.error_response(500, request=request, message="internal error of the twin")
            await response(request.scope, request.receive, send)


class _StatusWatch:
    """A `send` that records one ledger entry with the status of the answer."""

    def __init__(self, twin: Twin, send: Send) -> None:
        self._twin = twin
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self.started:
            self.started = True
            call = current_call.get()
            summary = None if call is None else call.summary
            self._twin.ledger.record(CALL_KIND, status=message["status"], effect=False, summary=summary)
        await self._send(message)


async def _swallow(message: Message) -> None:
    del message


async def _client_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


async def drop_connection(request: Request) -> None:
    """Cut the TCP connection without an answer. Raises ConnectionDroppedError where there is no socket."""
    abort: Callable[[], Any] | None = request.scope.get(ABORT_KEY)
    if abort is None:
        raise ConnectionDroppedError("dropped by the fault plan")
    abort()
    await _client_gone(request.receive)
