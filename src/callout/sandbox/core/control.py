"""The control path of a twin, `/<name>/_twin/...`: not the vendor's API, and never subject to faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from callout.sandbox.core.faults import FaultPlanError
from callout.sandbox.core.ledger import Call, current_call
from callout.sandbox.core.twin import ActError, ConfigError

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.sandbox.core.twin import Twin


class SandboxJSON(JSONResponse):
    """JSON by orjson; dates and dataclasses included."""

    def render(self, content: Any) -> bytes:
        """Serialise `content`; what orjson does not know becomes its text."""
        return orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)


class Control:
    """Endpoints that read and steer one twin."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def router(self) -> Router:
        """Return the routes below `_twin`."""
        return Router(
            routes=[
                Route("/ledger", self.ledger, methods=["GET"]),
                Route("/reset", self.reset, methods=["POST"]),
                Route("/faults", self.faults, methods=["GET", "PUT", "DELETE"]),
                Route("/act/{action}", self.act, methods=["POST"]),
                Route("/state", self.state, methods=["GET"]),
                Route("/credentials", self.credentials, methods=["GET"]),
                Route("/webhooks", self.webhooks, methods=["GET"]),
                Route("/drain", self.drain, methods=["POST"]),
                Route("/config", self.config, methods=["GET", "PUT"]),
            ]
        )

    async def ledger(self, request: Request) -> Response:
        """`GET ledger?since=&kind=&effect=true`: entries after `since`, of a kind (`issue.*` by prefix)."""
        query = request.query_params
        since = query.get("since", "0")
        if not since.isdecimal():
            return _refuse("since must be a number")
        effect = {"true": True, "false": False}.get(query.get("effect", ""))
        entries = self._twin.ledger.entries(since=int(since), kind=query.get("kind"), effect=effect)
        return SandboxJSON(
            {"last_seq": self._twin.ledger.last_seq, "entries": [entry.as_json() for entry in entries]}
        )

    async def reset(self, request: Request) -> Response:
        """`POST reset`: seed everything again; ledger, faults, webhooks and settings too."""
        del request
        self._twin.start_over()
        return SandboxJSON({"ok": True})

    async def faults(self, request: Request) -> Response:
        """`GET`, `PUT` (`{"seed":..,"rules":[..]}`) or `DELETE` the fault plan."""
        if request.method == "PUT":
            try:
                self._twin.faults.set(await _json_object(request))
            except (FaultPlanError, orjson.JSONDecodeError) as error:
                return _refuse(str(error))
        elif request.method == "DELETE":
            self._twin.faults.clear()
        return SandboxJSON(self._twin.faults.as_json())

    async def act(self, request: Request) -> Response:
        """`POST act/<action>`: the vendor's user does something."""
        action = request.path_params["action"]
        self._twin.learn_origin(f"{request.url.scheme}://{request.url.netloc}")
        token = current_call.set(Call("ACT", action))
        try:
            return SandboxJSON(await self._twin.act(action, await _json_object(request)))
        except (ActError, orjson.JSONDecodeError) as error:
            return _refuse(str(error))
        finally:
            current_call.reset(token)

    async def state(self, request: Request) -> Response:
        """`GET state`: a snapshot, with the twin's own errors."""
        del request
        return SandboxJSON({**self._twin.state(), "internal_errors": list(self._twin.internal_errors)})

    async def credentials(self, request: Request) -> Response:
        """`GET credentials`: base path and seeds."""
        del request
        return SandboxJSON(self._twin.credentials())

    async def webhooks(self, request: Request) -> Response:
        """`GET webhooks`: every attempt made."""
        del request
        return SandboxJSON(self._twin.webhooks.as_json())

    async def drain(self, request: Request) -> Response:
        """`POST drain`: answer when every webhook posted so far was delivered or given up."""
        del request
        await self._twin.webhooks.drain()
        return SandboxJSON(self._twin.webhooks.as_json())

    async def config(self, request: Request) -> Response:
        """`GET` or `PUT` settings: `clock_offset`, `webhook_speed`, `search_lag`, `origin` and more."""
        if request.method == "PUT":
            try:
                self._twin.apply_config(await _json_object(request))
            except (ConfigError, orjson.JSONDecodeError) as error:
                return _refuse(str(error))
        return SandboxJSON(self._twin.full_config())


async def _json_object(request: Request) -> dict[str, Any]:
    raw = await request.body()
    value = orjson.loads(raw) if raw.strip() else {}
    if not isinstance(value, dict):
        raise ActError("the body must be a JSON object")
    return value


def _refuse(message: str) -> Response:
    return SandboxJSON({"error": message}, status_code=400)
