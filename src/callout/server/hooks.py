"""The doors for vendors' webhooks: `/v1/hooks/{integration}` and `/v1/hooks` with a hook token.

A plain ASGI application beside the framework: the request's bytes go to verification untouched, and nothing of a web framework
stands between the socket and the group commit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from callout.kit import tracing
from callout.kit.secrets import Secret
from callout.ports.errors import CalloutError
from callout.ports.inbound import InboundRequest
from callout.server.limits import BODY_LIMIT, TooLargeError, read_body, too_large
from callout.server.problems import of_error, problem
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from callout.server.services import Services
    from callout.webhooks import Accepted, HookBinding

PATH = "/v1/hooks"
_UNAUTHENTICATED = 401
_log = structlog.get_logger(__name__)


def inbound_request(scope: AsgiScope, body: bytes, services: Services) -> InboundRequest:
    """Return the request as connectors take it."""
    query = scope.get("query_string", b"")
    return InboundRequest(
        method=scope["method"],
        path=scope["path"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        received_at=services.clock.now(),
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
    )


def hook_token(request: InboundRequest) -> Secret | None:
    """Return the hook token a request carries: query `token`, else header `TOKEN`, else a bearer token."""
    found = request.query.get("token") or request.headers.get("token")
    if not found:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        found = bearer if scheme.lower() == "bearer" else ""
    found = found.strip()
    return Secret(found) if found else None


class HookDoor:
    """ASGI application for webhooks of ticketing systems."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @staticmethod
    def takes(path: str) -> bool:
        """Return whether a request to `path` is a webhook."""
        return path.startswith(PATH) and (len(path) == len(PATH) or path[len(PATH)] == "/")

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one webhook."""
        try:
            answer = await self._answer(scope, receive)
        except ClientDisconnect:
            return  # it left before it had said everything: nothing was stored, nobody listens
        except TooLargeError as error:
            answer = too_large(error.limit)
        except CalloutError as error:
            answer = of_error(error)
        except StorageUnavailableError as error:
            _log.error("hook_not_looked_up", error=str(error))
            answer = problem(
                503,
                "unavailable",
                f"nothing was stored: {error}",
                remediation="Send it again in a moment.",
                headers={"Retry-After": "1"},
            )
        if isinstance(answer, Response):
            await answer(scope, receive, send)
        else:
            await _tell(answer, send)

    async def _answer(self, scope: AsgiScope, receive: Receive) -> Response | Accepted:
        if scope["method"] != "POST":
            return problem(
                405, "method-not-allowed", "webhooks are sent with POST", headers={"Allow": "POST"}
            )
        inbound = inbound_request(scope, b"", self._services)
        token = hook_token(inbound)
        found = await self._services.hook(scope["path"][len(PATH) + 1 :], token)
        if found is None:
            await read_body(scope, receive, BODY_LIMIT)
            # Whether the address is wrong or the token, a stranger learns nothing from the answer.
            return refused()
        try:
            body = await read_body(scope, receive, self._services.oversized.limit)
        except TooLargeError:
            await self._services.oversized.refused(found.binding)
            raise
        inbound = replace(inbound, body=body)
        with tracing.within("webhook intake") as span:
            accepted = await self._services.intake.accept(
                found.binding, inbound, admitted=found.token_matches
            )
            if tracing.is_on():
                span.note(_noted(found.binding, accepted))
        if accepted.status == _UNAUTHENTICATED:
            return refused()
        if accepted.reply is not None:
            return Response(accepted.reply.body, accepted.status, media_type=accepted.reply.media_type)
        return accepted


def _noted(binding: HookBinding, accepted: Accepted) -> tracing.Attributes:
    outcome = "stored" if accepted.event_id else "duplicate" if accepted.duplicate else "not stored"
    return {
        "callout.provider": binding.provider,
        "callout.account_id": binding.account_id,
        "callout.integration_id": binding.integration_id,
        "callout.webhook.outcome": "refused" if accepted.status == _UNAUTHENTICATED else outcome,
    }


async def _tell(accepted: Accepted, send: Send) -> None:
    """Send our own 2xx: written out, since every response object costs more than the database does."""
    body = orjson.dumps({"result": {"id": accepted.event_id, "duplicate": accepted.duplicate}})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": accepted.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def refused() -> Response:
    """Return the one answer to whoever cannot show that they may send: it does not say what exists."""
    return problem(
        401,
        "unauthenticated",
        "the webhook was refused: its signature or hook token is missing, wrong or too old",
        remediation="Compare the webhook's address and secret with those of the integration; check the sender's clock.",
    )
