"""One REST call: who asks, what was sent, and how answers look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from starlette.responses import Response

from callout.sandbox.pagerduty.errors import ArgumentsError, InvalidInputError, PagerDutyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.limits import RateLimits
    from callout.sandbox.pagerduty.model import Json, JsonObject, User
    from callout.sandbox.pagerduty.oauth import OAuth
    from callout.sandbox.pagerduty.subscriptions import Hooks
    from callout.sandbox.pagerduty.view import View

_T = TypeVar("_T")
DEFAULT_LIMIT, MAX_LIMIT, REACH = 25, 100, 10_000
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers work on.

    Args:
        as_of: for a request, the moment a list sees; None for now.
    """

    account: Account
    hooks: Hooks
    oauth: OAuth
    limits: RateLimits
    as_of: Callable[[Request], datetime | None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credential came.

    Args:
        bucket: whose rate limit it counts against.
        user: for a user's own key or token; None for the account's or an app's.
        scopes: of an OAuth token; None for keys, which may do everything.
        read_only: a key that may only read.
        label: how the audit names the method.
    """

    bucket: str
    user: User | None = None
    scopes: frozenset[str] | None = None
    read_only: bool = False
    label: str = "api_token"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose credential was good."""

    desk: Desk
    request: Request
    view: View
    caller: Caller
    raw: bytes

    @property
    def account(self) -> Account:
        """The account asked."""
        return self.desk.account

    @property
    def agent(self) -> User:
        """Who acts: the owner of a user credential, else the user named by the `From` header.

        Raises:
            PagerDutyError: the header is missing, or names nobody.
        """
        if self.caller.user is not None:
            return self.caller.user
        address = self.request.headers.get("from", "").strip()
        if not address:
            # from memory: the words.
            raise InvalidInputError("The From header is required and must be the email address of a user")
        user = self.account.user_by_email(address)
        if user is None:
            raise RefusedError(1008)
        return user

    @property
    def agent_if_said(self) -> User | None:
        """Who acts, for the few writes that need no `From` header; None when it was not said."""
        return self.agent if self.caller.user is not None or "from" in self.request.headers else None

    def path(self, name: str = "id") -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def queries(self, name: str) -> list[str]:
        """A repeatable query parameter, named with or without its brackets."""
        params = self.request.query_params
        return [*params.getlist(f"{name}[]"), *params.getlist(name)]

    def flag(self, name: str) -> bool:
        """A true-or-false query parameter, false by default."""
        return self.query(name).lower() == "true"

    @property
    def include(self) -> frozenset[str]:
        """What `include[]` asks for."""
        return frozenset(self.queries("include"))

    def number(self, name: str, default: int) -> int:
        """A numeric query parameter.

        Raises:
            ArgumentsError: it is not a number.
        """
        value = self.query(name, str(default))
        if not value.isdecimal():
            # from memory: the words.
            raise ArgumentsError(f"{name} must be a number of 0 or more")
        return int(value)

    def time(self, name: str) -> datetime | None:
        """A time of the query; without an offset it is in the zone asked for.

        Raises:
            PagerDutyError: 400 with code 2004 when it cannot be read.
        """
        text = self.query(name)
        # A space is a plus that was not escaped.
        return self.moment(text.replace(" ", "+"), name) if text else None

    def moment(self, text: Json, name: str) -> datetime:
        """A time as text; without an offset it is in the zone asked for.

        Raises:
            PagerDutyError: 400 with code 2004 when it cannot be read.
        """
        try:
            read = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise PagerDutyError(400, 2004, f"{name} is not a time") from None
        return read.replace(tzinfo=read.tzinfo or self.view.zone).astimezone(UTC)

    def body(self, wrapper: str) -> JsonObject:
        """The object inside the wrapper every PagerDuty body has.

        Raises:
            PagerDutyError: not JSON, no wrapper, or no object in it.
        """
        value = self.json().get(wrapper)
        if not isinstance(value, dict):
            # from memory: the words.
            raise InvalidInputError(f"{wrapper} cannot be empty")
        return value

    def json(self) -> JsonObject:
        """The JSON body, which has to be an object.

        Raises:
            ArgumentsError: anything else.
        """
        try:
            value = json.loads(self.raw) if self.raw.strip() else {}
        except ValueError:
            value = None
        if not isinstance(value, dict):
            # from memory: code and words.
            raise ArgumentsError("The request body is not a valid JSON object")
        return value

    def page(self, wrapper: str, things: Sequence[_T], show: Callable[[_T], Json]) -> Response:
        """One page by offset and limit.

        Raises:
            ArgumentsError: it lies beyond the first 10,000.
        """
        limit = min(self.number("limit", DEFAULT_LIMIT), MAX_LIMIT) or DEFAULT_LIMIT
        offset = self.number("offset", 0)
        if offset + limit > REACH:
            # from memory: the words.
            raise ArgumentsError(f"Offset and limit must not exceed {REACH}: narrow the query")
        return answer(
            {
                wrapper: [show(thing) for thing in things[offset : offset + limit]],
                "limit": limit,
                "offset": offset,
                "more": offset + limit < len(things),
                "total": len(things) if self.flag("total") else None,
            }
        )

    def audit(self, action: str, thing: Json) -> None:
        """Note in the audit trail what the caller did to a thing."""
        now = self.account.now()
        actors = [self.view.reference(self.caller.user)] if self.caller.user else []
        self.account.audit.append(
            {
                "id": self.account.new_id("A"),
                "execution_time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
                "action": action,
                "method": {"type": self.caller.label, "description": None, "truncated_token": None},
                "actors": actors,
                "root_resource": self.view.reference(thing),
                "details": None,
            }
        )

    def since_until(self, *, default: timedelta) -> tuple[datetime, datetime]:
        """The range of the query; `until` is now and `since` lies `default` before it unless given.

        Raises:
            PagerDutyError: 400 with code 2004 or 2005 when one is unreadable or they are the wrong way round.
        """
        until = self.time("until") or self.account.now() + timedelta(seconds=1)
        since = self.time("since") or until - default
        if since > until:
            raise PagerDutyError(400, 2005)
        return since, until


def zone_of(request: Request) -> tzinfo:
    """The zone named by `time_zone`, UTC without one.

    Raises:
        ArgumentsError: there is no such zone.
    """
    name = request.query_params.get("time_zone", "")
    if name in {"", "UTC", "Etc/UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ArgumentsError(f"Time zone {name} is invalid") from None  # from memory: the words


def answer(value: Json, status: int = 200) -> Response:
    """A JSON answer."""
    # A stray date object would be a bug of the twin: it must fail, not be written in a form PagerDuty never uses.
    body = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(body, status_code=status, media_type="application/json")


def nothing() -> Response:
    """An answer without a body."""
    return Response(status_code=NO_CONTENT)


def refusal(error: PagerDutyError) -> Response:
    """A refusal as PagerDuty shapes it."""
    return answer(error.body(), error.status)
