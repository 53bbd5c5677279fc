"""One REST call: who asks, what was sent, and how answers look."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import JSONResponse, Response

from callout.sandbox.servicenow.errors import InstanceError, InvalidRequestError, NotAuthenticatedError
from callout.sandbox.servicenow.rendering import Rendering
from callout.sandbox.servicenow.rights import Rights
from callout.sandbox.servicenow.seed import API_KEY, INTEGRATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, JsonObject
    from callout.sandbox.servicenow.oauth import OAuth
    from callout.sandbox.servicenow.records import Records
    from callout.sandbox.servicenow.rendering import Mode

# Where a part of a batch finds the user who sent the batch.
ACCOUNT_KEY = "servicenow.account"
NO_CONTENT = 204
HOUR = 3600
RATE_RULE = "7f0c4f3edb1200106a7b5c3b8a9619e1"


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers work on.

    Args:
        base: absolute URL of the instance.
        as_of: for a request, the moment a list sees (Unix seconds); None for now.
        app: the instance's own routes, for the parts of a batch.
        spent: requests by user and hour, for the rate limit.
    """

    instance: Instance
    records: Records
    oauth: OAuth
    base: Callable[[], str]
    as_of: Callable[[Request], float | None]
    app: Callable[[], ASGIApp]
    spent: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody who is signed in; `version` is the API's, `v1`, `v2` or empty."""

    desk: Desk
    request: Request
    account: Account
    raw: bytes
    version: str = ""

    @property
    def instance(self) -> Instance:
        """The instance asked."""
        return self.desk.instance

    @property
    def records(self) -> Records:
        """Where it writes."""
        return self.desk.records

    @property
    def rights(self) -> Rights:
        """What the user may."""
        return Rights(self.instance, self.account)

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def flag(self, name: str) -> bool:
        """A true-or-false query parameter, false by default."""
        return self.query(name).lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A numeric query parameter; what is none or negative counts as absent."""
        value = self.query(name)
        return int(value) if value.isdecimal() else default

    def rendering(self, mode: Mode | None = None) -> Rendering:
        """How the caller wants records; `mode` where the API leaves no choice."""
        asked = self.query("sysparm_display_value", "false").lower()
        chosen: Mode = "all" if asked == "all" else "true" if asked == "true" else "false"
        links = mode is None and not self.flag("sysparm_exclude_reference_link")
        return Rendering(self.instance, self.rights, self.desk.base(), mode or chosen, links)

    def json(self) -> Any:
        """The JSON body. Raises InstanceError 400 and 415."""
        kind = self.request.headers.get("content-type", "application/json")
        if self.raw and "json" not in kind:
            raise InstanceError(415, "Unsupported Media Type", f"Unsupported media type: {kind}")
        try:
            return json.loads(self.raw) if self.raw.strip() else {}
        except ValueError as error:
            # from memory: the message.
            raise InvalidRequestError("Exception while reading request", f"Cannot decode: {error}") from None

    def body(self) -> JsonObject:
        """The JSON body as one record: of a list only the first is processed. Raises InstanceError."""
        value = self.json()
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            raise InvalidRequestError("Exception while reading request", "The payload is not an object")
        return value


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    body = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(body, status, headers, media_type="application/json;charset=UTF-8")


def refusal(error: InstanceError) -> Response:
    """A refusal in the envelope of the REST APIs."""
    body = {"error": {"message": error.message, "detail": error.detail}, "status": "failure"}
    headers = {"WWW-Authenticate": 'BASIC realm="Service-now"'} if error.status == 401 else None  # noqa: PLR2004
    return JSONResponse(body, error.status, headers)


def throttled(desk: Desk, *, limit: int) -> Response:
    """The answer to one request too many in the hour."""
    now = desk.instance.now().timestamp()
    reset = int(now // HOUR + 1) * HOUR
    until = datetime.fromtimestamp(reset, tz=UTC)
    detail = f"The limit of {limit} requests per hour is exceeded until {until:%Y-%m-%d %H:%M:%S}"
    response = refusal(InstanceError(429, "Rate limit exceeded", detail))
    response.headers["Retry-After"] = str(max(int(reset - now), 1))
    response.headers.update(rate_headers(desk, limit))
    return response


def rate_headers(desk: Desk, limit: int) -> dict[str, str]:
    """The headers of a rate limit rule; there is none for what remains."""
    reset = int(desk.instance.now().timestamp() // HOUR + 1) * HOUR
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Reset": str(reset), "X-RateLimit-Rule": RATE_RULE}


def identify(request: Request, desk: Desk) -> Account:
    """The user who asks, by Basic, Bearer or API key. Raises NotAuthenticatedError."""
    known: Account | None = request.scope.get(ACCOUNT_KEY)
    if known is not None:
        return known
    accounts = desk.instance.accounts
    key = request.headers.get("x-sn-apikey") or request.query_params.get("x-sn-apikey")
    if key:
        if key == API_KEY:
            return accounts[INTEGRATION]
        raise NotAuthenticatedError
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    account = None
    if scheme.lower() == "bearer":
        account = accounts.get(desk.oauth.user_of(credentials.strip()) or "")
    elif scheme.lower() == "basic":
        account = _by_password(credentials, desk)
    row = desk.instance.person(account.user_name) if account else None
    if account is None or row is None or row["active"] != "true":
        raise NotAuthenticatedError
    return account


def _by_password(credentials: str, desk: Desk) -> Account | None:
    pair = basic_credentials(credentials)
    account = desk.instance.accounts.get(pair[0]) if pair else None
    return account if account is not None and pair is not None and account.password == pair[1] else None


def basic_credentials(encoded: str) -> tuple[str, str] | None:
    """Name and password of a Basic header, None when it cannot be read."""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = decoded.partition(":")
    return (name, password) if colon else None
