"""The authorization server: consent (always given), tokens, and which sites a token reaches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from callout.sandbox.jira.call import Desk, answer
from callout.sandbox.jira.oauth import CLOUD_ID, OAuthRefusedError
from callout.sandbox.jira.seed import ADMIN

if TYPE_CHECKING:
    from starlette.requests import Request


async def token(desk: Desk, request: Request) -> Response:
    """`POST /oauth/token`."""
    try:
        body = json.loads(await request.body() or b"null")
    except ValueError:
        body = None
    try:
        return answer(desk.oauth.exchange(body))
    except OAuthRefusedError as error:
        return answer(error.body, error.status)


def authorize(desk: Desk, request: Request) -> Response:
    """`GET /authorize`: straight back to the app with a code."""
    query = request.query_params
    redirect, client_id = query.get("redirect_uri", ""), query.get("client_id", "")
    if client_id not in desk.oauth.clients or urlsplit(redirect).scheme not in {"http", "https"}:
        return answer({"error": "invalid_request"}, 400)
    code = desk.oauth.code_for(client_id, ADMIN, query.get("scope", ""))
    parameters = urlencode({"code": code, "state": query.get("state", "")})
    return RedirectResponse(f"{redirect}{'&' if '?' in redirect else '?'}{parameters}", status_code=302)


def resources(desk: Desk, request: Request, *, base: str) -> Response:
    """`GET /oauth/token/accessible-resources`."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    grant = desk.oauth.grant_of(bearer)
    if grant is None:
        return answer({"code": 401, "message": "Unauthorized"}, 401)
    scopes = [scope for scope in grant.scope.split() if scope != "offline_access"]
    site = {
        "id": CLOUD_ID,
        "name": "callout",
        "url": base,
        "scopes": scopes,
        "avatarUrl": f"{base}/avatar/site",
    }
    return answer([site])
