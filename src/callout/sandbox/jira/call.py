"""One REST call: who asks, what was sent, and how answers and refusals look."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from starlette.responses import PlainTextResponse, Response

from callout.sandbox.jira.beans import View
from callout.sandbox.jira.errors import InvalidInputError, SiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from callout.sandbox.jira.hooks import Hooks
    from callout.sandbox.jira.model import Issue, Json, JsonObject, RestVersion, User
    from callout.sandbox.jira.oauth import Grant, OAuth
    from callout.sandbox.jira.site import Site

UNAUTHENTICATED = "Client must be authenticated to access this resource."
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a search page ended: the query, the page's last issue, and what was left behind it at that `version`."""

    jql: str
    last: Issue
    rest: list[Issue]
    version: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers work on: the site, its webhooks, its OAuth, and how far the search index lags.

    Args:
        as_of: for a request, the moment a search sees; None for now.
        cursors: search pages handed out, by token.
        media: signed download tickets, by token: the attachment id.
    """

    site: Site
    hooks: Hooks
    oauth: OAuth
    as_of: Callable[[Request], datetime | None]
    cursors: dict[str, Cursor] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been authenticated (or is anonymous, `user` None)."""

    desk: Desk
    request: Request
    view: View
    user: User | None
    grant: Grant | None
    raw: bytes
    version: RestVersion

    @property
    def site(self) -> Site:
        """The site asked."""
        return self.desk.site

    @property
    def actor(self) -> User:
        """The account asking.

        Raises:
            SiteError: 401 when nobody is signed in.
        """
        if self.user is None:
            raise SiteError(401, (UNAUTHENTICATED,))
        return self.user

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def queries(self, name: str) -> list[str]:
        """A repeatable query parameter, each occurrence possibly a comma-separated list."""
        given = self.request.query_params.getlist(name)
        return [part.strip() for value in given for part in value.split(",") if part.strip()]

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A true-or-false query parameter."""
        return self.query(name, str(default)).lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A numeric query parameter.

        Raises:
            InvalidInputError: it is not a number, or negative.
        """
        value = self.query(name, str(default))
        if not value.isdecimal():
            raise InvalidInputError(f"{name} must be a number of 0 or more, not '{value}'")
        return int(value)

    def json(self) -> Json:
        """The JSON body, of any shape.

        Raises:
            InvalidInputError: not JSON.
            SiteError: 415 when it was not sent as JSON.
        """
        if self.raw and "json" not in self.request.headers.get("content-type", ""):
            raise SiteError(415, ("Unsupported Media Type",))
        try:
            return json.loads(self.raw) if self.raw else None
        except ValueError:
            raise InvalidInputError(
                "There was an error parsing JSON. Check that your request body is valid."
            ) from None

    def body(self) -> JsonObject:
        """The JSON body, which has to be an object.

        Raises:
            InvalidInputError: anything else.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise InvalidInputError("Request body must be a JSON object.")
        return value

    def page(self, items: Sequence[Json], *, start: int, limit: int) -> JsonObject:
        """Jira's PageBean of a slice of `items`."""
        chosen = list(items[start : start + limit])
        last = start + limit >= len(items)
        bean: JsonObject = {
            "self": str(self.request.url),
            "maxResults": limit,
            "startAt": start,
            "total": len(items),
            "isLast": last,
            "values": chosen,
        }
        if not last:
            url = self.request.url.include_query_params(startAt=start + limit, maxResults=limit)
            bean["nextPage"] = str(url)
        return bean


def answer(value: Json, status: int = 200) -> Response:
    """A JSON answer."""
    # A stray date object would be a bug of the twin: it must fail, not be written in a form Jira never uses.
    body = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(body, status_code=status, media_type="application/json")


def nothing(status: int = NO_CONTENT) -> Response:
    """An answer without a body."""
    return Response(status_code=status)


def refusal(error: SiteError) -> Response:
    """A refusal as an ErrorCollection."""
    if error.status == 401:  # noqa: PLR2004 - unauthorised has its own form
        return unauthenticated()
    return answer({"errorMessages": list(error.messages), "errors": error.fields}, error.status)


def unauthenticated() -> Response:
    """Jira answers missing or wrong credentials in plain text."""
    return PlainTextResponse(
        UNAUTHENTICATED,
        status_code=401,
        headers={"WWW-Authenticate": 'OAuth realm="jira"', "X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
    )


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Mail address and token of a Basic header, None when it cannot be read."""
    try:
        decoded = base64.b64decode(header.removeprefix("Basic ").strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    email, colon, token = decoded.partition(":")
    return (email, token) if colon else None
