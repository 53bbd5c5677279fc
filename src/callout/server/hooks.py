"""The doors for vendors' webhooks: `/v1/hooks/{integration}` and `/v1/hooks` with a hook token.

Plain ASGI routes: the request's bytes go to verification untouched, and nothing of a web framework stands between the socket
and the group commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from callout.kit.secrets import Secret
from callout.ports.errors import CalloutError
from callout.ports.inbound import InboundRequest
from callout.server.problems import of_error, problem

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from callout.server.services import Services

_STORED = {"Content-Type": "application/json"}


def inbound_request(request: Request, body: bytes, services: Services) -> InboundRequest:
    """Return the request as connectors take it."""
    return InboundRequest(
        method=request.method,
        path=request.url.path,
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw
        },
        body=body,
        received_at=services.clock.now(),
        query=dict(parse_qsl(request.url.query, keep_blank_values=True)),
    )


def hook_token(request: InboundRequest) -> Secret | None:
    """Return the hook token a request carries: query `token`, else header `TOKEN`, else a bearer token."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    found = (
        request.query.get("token")
        or request.headers.get("token")
        or (bearer if scheme.lower() == "bearer" else "")
    )
    return Secret(found.strip()) if found.strip() else None


class HookDoor:
    """ASGI endpoint for webhooks of ticketing systems."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one webhook."""
        request = Request(scope, receive)
        if request.method != "POST":
            answer: Response = problem(
                405, "method-not-allowed", "webhooks are sent with POST", headers={"Allow": "POST"}
            )
        else:
            answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        inbound = inbound_request(request, body, self._services)
        token = hook_token(inbound)
        found = await self._services.hook(request.path_params.get("integration", ""), token)
        if found is None:
            # Whether the address is wrong or the token, a stranger learns nothing from the answer.
            return refused()
        try:
            accepted = await self._services.intake.accept(
                found.binding, inbound, admitted=found.token_matches
            )
        except CalloutError as error:
            return of_error(error)
        if accepted.status == 401:  # noqa: PLR2004
            return refused()
        if accepted.reply is not None:
            return Response(accepted.reply.body, accepted.status, media_type=accepted.reply.media_type)
        return Response(
            orjson.dumps({"result": {"id": accepted.event_id, "duplicate": accepted.duplicate}}),
            accepted.status,
            headers=_STORED,
        )


def refused() -> Response:
    """Return the one answer to whoever cannot show that they may send: it does not say what exists."""
    return problem(
        401,
        "unauthenticated",
        "the webhook was refused: its signature or hook token is missing, wrong or too old",
        remediation="Compare the webhook's address and secret with those of the integration; check the sender's clock.",
    )
