"""Endpoints to routes: credential, rate limit, version, scope, and refusals around every handler."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from callout.sandbox.pagerduty import seed
from callout.sandbox.pagerduty.call import Call, Caller, Desk, answer, refusal, zone_of
from callout.sandbox.pagerduty.errors import PagerDutyError
from callout.sandbox.pagerduty.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from callout.sandbox.pagerduty.limits import Allowance

Handler = Callable[[Call], Response]
JSON_API = "application/vnd.pagerduty+json"
_SCHEMES = ("Token token=", "Bearer ")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: method, path, handler, and the resource its OAuth scope is named after."""

    method: str
    path: str
    handler: Handler
    resource: str

    @property
    def scope(self) -> str:
        """The scope an OAuth token needs."""
        return f"{self.resource}.{'read' if self.method == 'GET' else 'write'}"


def routes(
    desk: Callable[[], Desk], endpoints: Sequence[Endpoint], base: Callable[[], str]
) -> list[BaseRoute]:
    """The endpoints as routes.

    Args:
        desk: the current state (a reset replaces it).
        base: absolute URL of the API, for links.
    """
    return [
        Route(endpoint.path, _serve(endpoint, desk, base), methods=[endpoint.method])
        for endpoint in endpoints
    ]


def _serve(
    endpoint: Endpoint, desk: Callable[[], Desk], base: Callable[[], str]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        raw = await request.body()
        state = desk()
        state.account.tick()
        headers = {"X-Request-Id": str(uuid.uuid4())}
        try:
            caller = authenticate(request, state)
            allowance = state.limits.take(caller.bucket, state.account.settings.rate_limit)
            headers.update(allowance.headers())
            _admit(endpoint, request, caller, allowance)
            view = View(state.account, base(), zone_of(request))
            reply = endpoint.handler(Call(state, request, view, caller, raw))
        except PagerDutyError as error:
            reply = refusal(error)
        reply.headers.update(headers)
        return reply

    return handle


def authenticate(request: Request, desk: Desk) -> Caller:
    """Who the `Authorization` header stands for.

    Raises:
        PagerDutyError: 401 when it stands for nobody.
    """
    header = request.headers.get("authorization", "")
    token = next(
        (header.removeprefix(scheme).strip() for scheme in _SCHEMES if header.startswith(scheme)), ""
    )
    if header.startswith("Token "):
        if token in {seed.API_KEY, seed.READ_ONLY_KEY}:
            return Caller(token, read_only=token == seed.READ_ONLY_KEY)
        if token == seed.USER_KEY:
            return Caller(f"user/{seed.ANN}", desk.account.users[seed.ANN])
    grant = desk.oauth.grant_of(token)
    if grant is None or not header.startswith("Bearer "):
        raise PagerDutyError(401, 2006)
    user = desk.account.users[grant.user_id] if grant.user_id else None
    return Caller(f"app/{grant.user_id}", user, grant.scopes, label="oauth")


def _admit(endpoint: Endpoint, request: Request, caller: Caller, allowance: Allowance) -> None:
    if allowance.exceeded:
        raise PagerDutyError(429, 2020)
    accept = request.headers.get("accept", "")
    if JSON_API in accept and "version=2" not in accept.replace(" ", ""):
        # from memory: that any other version is refused, and how.
        raise PagerDutyError(406, 2002, "The only supported version is 2")
    reads = endpoint.method == "GET"
    if (caller.read_only and not reads) or (
        caller.scopes is not None and endpoint.scope not in caller.scopes
    ):
        raise PagerDutyError(403, 2010)


def account_token_refused() -> Response:
    """What `/users/me` says to a credential that is nobody's: not the usual shape."""
    return answer(
        {"error": "The token provided is an account-level access token; a user-level token is required."}, 400
    )
