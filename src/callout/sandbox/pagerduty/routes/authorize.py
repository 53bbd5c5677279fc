"""The authorization server: `/oauth/authorize` and `/oauth/token`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from callout.sandbox.pagerduty import seed
from callout.sandbox.pagerduty.call import Desk, answer
from callout.sandbox.pagerduty.oauth import CLIENT_ID, OAuthError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def authorize(desk: Desk, request: Request) -> Response:
    """Send the browser back with a code: the seeded administrator always agrees."""
    query = request.query_params
    redirect = query.get("redirect_uri", "")
    if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code" or not redirect:
        return answer(
            {"error": "invalid_request", "error_description": "client, response type or redirect"}, 400
        )
    if not query.get("scope"):
        return answer({"error": "invalid_scope", "error_description": "scope is required"}, 400)
    code = desk.oauth.new_code(seed.ADMIN, query["scope"], redirect, query.get("code_challenge", ""))
    joint = "&" if "?" in redirect else "?"
    back = urlencode({"code": code, "state": query.get("state", ""), "service_region": "us"})
    return RedirectResponse(f"{redirect}{joint}{back}", status_code=302)


async def token(desk: Desk, request: Request) -> Response:
    """Trade credentials, a code or a refresh token for an access token."""
    async with request.form() as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        return answer(desk.oauth.token(given))
    except OAuthError as error:
        status = 401 if error.word == "invalid_client" else 400
        return answer({"error": error.word, "error_description": error.description}, status)
