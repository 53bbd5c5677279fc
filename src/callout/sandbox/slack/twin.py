"""The Slack twin: the Web API under `/api`, response URLs, the install page, and the people of the team."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from callout.sandbox.core.twin import ActError, ConfigError, Twin
from callout.sandbox.slack import response_urls, seed
from callout.sandbox.slack.arguments import Arguments, read_arguments
from callout.sandbox.slack.catalogue import METHODS, Method
from callout.sandbox.slack.chat import RateLimitedError
from callout.sandbox.slack.context import Context
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.limits import RateLimits
from callout.sandbox.slack.outgoing import DEFAULT_SUBSCRIPTIONS, EVENT_RETRIES, Outgoing
from callout.sandbox.slack.people import People, new_code
from callout.sandbox.slack.pressing import Pressing
from callout.sandbox.slack.workspace import Token, Workspace

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from callout.sandbox.core.webhooks import RetryRule

_ERROR_BY_STATUS = {
    401: "invalid_auth",
    403: "no_permission",
    408: "request_timeout",
    429: "ratelimited",
    503: "service_unavailable",
}
_URLS = ("command_url", "interactivity_url", "events_url")


class SlackTwin(Twin):
    """A workspace `T01ACC` with one installed app."""

    name: ClassVar[str] = "slack"
    retry_rule: ClassVar[RetryRule] = EVENT_RETRIES

    space: Workspace
    outgoing: Outgoing
    limits: RateLimits

    def reset(self) -> None:
        """Seed the workspace and the app's settings again."""
        self.outgoing = Outgoing(self.clock, self.webhooks)
        self.limits = RateLimits(self.clock)
        self.webhooks.rule = EVENT_RETRIES
        self.token_rotation = False
        self.space = Workspace(self.clock, self._report)

    def routes(self) -> list[BaseRoute]:
        """Return the Web API, response URLs and the install page."""
        return [
            Route("/api/{method}", self.call, methods=["GET", "POST"]),
            Route("/commands/{team}/{number}/{secret}", self.response_url, methods=["POST"]),
            Route("/actions/{team}/{number}/{secret}", self.response_url, methods=["POST"]),
            Route("/oauth/v2/authorize", self.authorize, methods=["GET"]),
        ]

    def credentials(self) -> dict[str, Any]:
        """Return the tokens, secrets and IDs a client needs."""
        return {
            "base_path": self.base_path,
            "api_path": f"{self.base_path}/api/",
            "bot_token": seed.BOT_TOKEN,
            "app_token": seed.APP_TOKEN,
            "signing_secret": seed.SIGNING_SECRET,
            "client_id": seed.CLIENT_ID,
            "client_secret": seed.CLIENT_SECRET,
            "team_id": seed.TEAM_ID,
            "app_id": seed.APP_ID,
            "bot_user_id": seed.BOT_USER_ID,
            "bot_id": seed.BOT_ID,
            "users": {person[3]: person[0] for person in seed.PEOPLE if not person[5]},
            "channels": {channel[1]: channel[0] for channel in seed.CHANNELS if not channel[2]},
        }

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Let a person of the workspace do something; see `people` and `pressing` for the acts."""
        base = (self.space, self.outgoing, self.ledger, self.public_url)
        acts = {**People(*base).acts(), **Pressing(*base).acts()}
        if action not in acts:
            raise ActError(f"slack has no act {action!r} (there are: {', '.join(sorted(acts))})")
        return await acts[action](body)

    def configure(self, settings: dict[str, Any]) -> None:
        """Take request URLs, `signing_secret`, `subscriptions`, `scopes`, `rate_limits` and more."""
        known = set(self.config())
        if not set(settings) <= known:
            raise ConfigError(f"unknown settings: {', '.join(sorted(set(settings) - known))}")
        for key in _URLS:
            if key in settings:
                setattr(self.outgoing, key, settings[key] or None)
        if "signing_secret" in settings:
            self.outgoing.signing_secret = str(settings["signing_secret"])
        if "subscriptions" in settings:
            self.outgoing.subscriptions = tuple(settings["subscriptions"] or DEFAULT_SUBSCRIPTIONS)
        if "scopes" in settings:
            self.space.tokens[seed.BOT_TOKEN].scopes = tuple(settings["scopes"] or seed.ALL_SCOPES)
        if "answer_seconds" in settings:
            self.outgoing.answer_seconds = float(settings["answer_seconds"])
            self.webhooks.rule = replace(EVENT_RETRIES, timeout=self.outgoing.answer_seconds)
        self.limits.enabled = bool(settings.get("rate_limits", self.limits.enabled))
        self.token_rotation = bool(settings.get("token_rotation", self.token_rotation))

    def config(self) -> dict[str, Any]:
        """Return the app's settings."""
        return {
            **{key: getattr(self.outgoing, key) for key in _URLS},
            "signing_secret": self.outgoing.signing_secret,
            "subscriptions": list(self.outgoing.subscriptions),
            "scopes": list(self.space.tokens[seed.BOT_TOKEN].scopes),
            "answer_seconds": self.outgoing.answer_seconds,
            "rate_limits": self.limits.enabled,
            "token_rotation": self.token_rotation,
        }

    def state(self) -> dict[str, Any]:
        """Return channels with messages, open views, and what people saw."""
        return {
            "channels": {
                channel.id: {
                    **channel.as_json(seed.BOT_USER_ID, num_members=True),
                    "members": channel.members,
                    "messages": [
                        {**message.as_json(with_metadata=True), "notified": message.notified}
                        for message in channel.messages.values()
                    ],
                    "ephemerals": [
                        {**message.as_json(), "visible_to": message.visible_to}
                        for message in channel.ephemerals.values()
                    ],
                    "pins": channel.pins,
                    "bookmarks": list(channel.bookmarks.values()),
                }
                for channel in self.space.channels.values()
            },
            "views": self.space.views,
            "modal_stacks": self.space.modal_stacks,
            "homes": self.space.homes,
            "screen": [asdict(shown) for shown in self.space.screen],
        }

    def error_response(self, status: int, *, request: Request, message: str = "") -> Response:
        """Shape an error; 404 and 405 come from pages that are not the Web API."""
        if status in {404, 405}:
            return PlainTextResponse(message or "not found", status_code=status)
        code = _ERROR_BY_STATUS.get(status, "internal_error")
        if status == 429 and "/api/" not in request.url.path:  # noqa: PLR2004 - an HTTP status
            return PlainTextResponse("rate_limited", status_code=status)
        return JSONResponse({"ok": False, "error": code}, status_code=status)

    def expired_token_response(self, request: Request) -> Response:
        """Shape `token_expired`, which Slack sends with HTTP 200."""
        del request
        return JSONResponse({"ok": False, "error": "token_expired"})

    async def call(self, request: Request) -> Response:
        """Handle `/api/<method>`."""
        name = request.path_params["method"]
        method = METHODS.get(name)
        if method is None:
            return JSONResponse({"ok": False, "error": "unknown_method", "req_method": name})
        headers: dict[str, str] = {}
        try:
            args = await read_arguments(request, takes_json=method.takes_json)
            token = self._token(request, args, method)
            if token.kind == "bot":
                headers["X-OAuth-Scopes"] = ",".join(token.scopes)
                headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
            wait = self.limits.wait_for_method(name, method.tier) if method.tier is not None else 0
            if wait:
                return _rate_limited(wait)
            answer = {"ok": True, **method.handler(self._context(request, args, token))}
        except RateLimitedError as limited:
            return _rate_limited(limited.wait)
        except SlackError as error:
            return JSONResponse(error.as_json(), headers=headers)
        return JSONResponse(_with_warnings(answer, args), headers=headers)

    async def response_url(self, request: Request) -> Response:
        """Handle a post to a response URL."""
        parts = request.path_params
        kind = request.url.path.removeprefix(self.base_path).split("/")[1]
        path = f"/{kind}/{parts['team']}/{parts['number']}/{parts['secret']}"
        return response_urls.take(self.space, self.ledger, path, await request.body())

    async def authorize(self, request: Request) -> Response:
        """Answer the install page: the administrator agrees at once and is sent back with a code."""
        query = request.query_params
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != seed.CLIENT_ID or not redirect:
            return PlainTextResponse("invalid_client_id", status_code=400)
        answer = {"code": new_code(self.space, "U0ADMIN", query.get("scope", ""), redirect)}
        if "state" in query:
            answer["state"] = query["state"]
        return RedirectResponse(f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(answer)}", 302)

    def _context(self, request: Request, args: Arguments, token: Token) -> Context:
        return Context(
            self.space,
            self.ledger,
            self.limits,
            token,
            args,
            self.public_url,
            token_rotation=self.token_rotation,
            basic_auth=_basic_auth(request.headers.get("authorization", "")),
        )

    def _token(self, request: Request, args: Arguments, method: Method) -> Token:
        """Return the caller's token. Raises SlackError with Slack's codes."""
        if method.token == "none":
            return Token("", "none", ())
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        in_header = scheme.lower() == "bearer" and bool(value)
        value = value.strip() if in_header else args.text("token")
        if not value:
            raise SlackError("not_authed")
        token = self.space.tokens.get(value)
        if token is None:
            raise SlackError("invalid_auth")
        if token.revoked:
            raise SlackError("token_revoked")
        if token.expires_at is not None and self.clock.now() > token.expires_at:
            raise SlackError("token_expired")
        # An app-level token must come in the header.
        if method.token != "any" and (token.kind != method.token or (token.kind == "app" and not in_header)):
            raise SlackError("not_allowed_token_type")
        if method.scopes and not set(method.scopes) & set(token.scopes):
            needed, provided = method.scopes[0], ",".join(token.scopes)
            raise SlackError("missing_scope", needed=needed, provided=provided)
        return token

    def _report(self, event: dict[str, Any]) -> None:
        self.outgoing.event(self.space, event)


def _rate_limited(wait: int) -> Response:
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": str(wait)})


def _with_warnings(answer: dict[str, Any], args: Arguments) -> dict[str, Any]:
    if args.warnings:
        answer.setdefault("warning", ",".join(args.warnings))
        metadata = answer.setdefault("response_metadata", {})
        metadata.setdefault("warnings", list(args.warnings))
    return answer


def _basic_auth(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password
