"""Endpoints to routes: authentication, scopes, and refusals in front of every handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Mount, Route

from callout.sandbox.jira.beans import View
from callout.sandbox.jira.call import Call, Desk, answer, basic_credentials, refusal, unauthenticated
from callout.sandbox.jira.errors import SiteError
from callout.sandbox.jira.oauth import CLOUD_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from callout.sandbox.jira.model import RestVersion, User
    from callout.sandbox.jira.oauth import Grant

Handler = Callable[[Call], Response | Awaitable[Response]]
GATEWAY = "/ex/jira/{cloud_id}"
READ, WRITE, WHO, HOOK = "read:jira-work", "write:jira-work", "read:jira-user", "manage:jira-webhook"
DESK_READ, DESK_WRITE = "read:servicedesk-request", "write:servicedesk-request"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: method, path below its API, handler, the OAuth scope it needs, and whether anybody may call it."""

    method: str
    path: str
    handler: Handler
    scope: str = READ
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    """A group of endpoints below one prefix, speaking one representation."""

    prefix: str
    version: RestVersion
    endpoints: Sequence[Endpoint]
    refuse: Callable[[SiteError], Response] = refusal


def mounts(desk: Callable[[], Desk], apis: Sequence[Api], base: Callable[[], str]) -> list[BaseRoute]:
    """The APIs twice: on the site, and behind the OAuth gateway.

    Args:
        desk: the current state (a reset replaces it).
        base: absolute URL of the site, for links.
    """
    direct = [_mount(api, desk, base, gateway=False) for api in apis]
    behind = [_mount(api, desk, base, gateway=True) for api in apis]
    return [*direct, Mount(GATEWAY, routes=behind)]


def _mount(api: Api, desk: Callable[[], Desk], base: Callable[[], str], *, gateway: bool) -> Mount:
    return Mount(
        api.prefix,
        routes=[
            Route(
                endpoint.path,
                _endpoint(endpoint, api, desk, base, gateway=gateway),
                methods=[endpoint.method],
            )
            for endpoint in api.endpoints
        ],
    )


def _endpoint(
    endpoint: Endpoint, api: Api, desk: Callable[[], Desk], base: Callable[[], str], *, gateway: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        raw = b"" if "multipart" in request.headers.get("content-type", "") else await request.body()
        state = desk()
        verdict = _authenticate(request, state, endpoint, gateway=gateway)
        if isinstance(verdict, Response):
            return verdict
        user, grant = verdict
        home = f"{base()}{GATEWAY.format(cloud_id=CLOUD_ID)}" if gateway else base()
        view = View(state.site, home, api.version, user)
        try:
            reply = endpoint.handler(Call(state, request, view, user, grant, raw, api.version))
            return await reply if inspect.isawaitable(reply) else reply
        except SiteError as error:
            return api.refuse(error)

    return handle


def _authenticate(
    request: Request, desk: Desk, endpoint: Endpoint, *, gateway: bool
) -> Response | tuple[User | None, Grant | None]:
    header = request.headers.get("authorization", "")
    if gateway and request.path_params.get("cloud_id") != CLOUD_ID:
        return answer(
            {"code": 404, "message": "No message available"}, 404
        )  # from memory: the gateway's words
    if header.startswith("Bearer "):
        return _bearer(header.removeprefix("Bearer ").strip(), desk, endpoint, gateway=gateway)
    if header.startswith("Basic "):
        user = _basic_user(header, desk)
        return unauthenticated() if user is None else (user, None)
    if gateway:
        return answer({"code": 401, "message": "Unauthorized"}, 401)
    return (None, None) if endpoint.anonymous else unauthenticated()


def _bearer(
    token: str, desk: Desk, endpoint: Endpoint, *, gateway: bool
) -> Response | tuple[User | None, Grant | None]:
    if not gateway:
        # The site itself takes no 3LO token. From memory: its status and words.
        return answer({"error": "Failed to parse Connect Session Auth Token"}, 403)
    grant = desk.oauth.grant_of(token)
    if grant is None:
        return answer({"code": 401, "message": "Unauthorized"}, 401)
    if not grant.allows(endpoint.scope):
        # from memory: the gateway's words for a missing scope.
        return answer({"code": 401, "message": "Unauthorized; scope does not match"}, 401)
    return desk.site.users[grant.account_id], grant


def _basic_user(header: str, desk: Desk) -> User | None:
    pair = basic_credentials(header)
    if pair is None:
        return None
    return next(
        (
            user
            for user in desk.site.users.values()
            if user.active and user.email == pair[0] and user.api_token and user.api_token == pair[1]
        ),
        None,
    )
