"""The Slack twin: the Web API under `/api`, Socket Mode, the install page, and the people of its teams."""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.responses import Response as BytesResponse
from starlette.routing import Route, WebSocketRoute

from callout.sandbox.core.ledger import current_call
from callout.sandbox.core.twin import ActError, Twin
from callout.sandbox.slack import filing, response_urls, scheduled, seed, settings, showing
from callout.sandbox.slack.arguments import Arguments, read_arguments
from callout.sandbox.slack.catalogue import METHODS, Method
from callout.sandbox.slack.channel_acts import ChannelActs
from callout.sandbox.slack.chat import RateLimitedError
from callout.sandbox.slack.context import Context
from callout.sandbox.slack.directory import Directory
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.installing import InstallPage
from callout.sandbox.slack.limits import RateLimits
from callout.sandbox.slack.modals import Modals
from callout.sandbox.slack.outgoing import EVENT_RETRIES, Outgoing
from callout.sandbox.slack.people import People
from callout.sandbox.slack.pressing import Pressing
from callout.sandbox.slack.shortcuts import Shortcuts
from callout.sandbox.slack.socket_mode import SocketHub
from callout.sandbox.slack.tokens import Token, TokenBook
from callout.sandbox.slack.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from callout.sandbox.core.webhooks import RetryRule

_ERROR_BY_STATUS = {
    401: "invalid_auth",
    403: "no_permission",
    408: "request_timeout",
    429: "ratelimited",
    503: "service_unavailable",
}
_SIGN_IN_PAGE = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in</body></html>"
# A person's token does what the app's does, as the person.
_ALLOWED_KINDS = {"bot": {"bot", "user"}, "app": {"app"}, "any": {"bot", "user", "app"}}


class SlackTwin(Twin):
    """One app, installed in workspace `T01ACC` and not yet in `T02ACC`."""

    name: ClassVar[str] = "slack"
    retry_rule: ClassVar[RetryRule] = EVENT_RETRIES

    book: TokenBook
    teams: dict[str, Workspace]
    outgoing: Outgoing
    limits: RateLimits
    install_page: InstallPage
    _acts_of: dict[str, tuple[tuple[object, ...], dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]]]
    file_sign_in: str = "redirect"
    """What whoever may not read a file is shown: a redirect to the sign-in page, or the page itself."""

    def reset(self) -> None:
        """Seed the teams and the app's settings again; open sockets are told to go."""
        self.hub.reset()
        self.outgoing = Outgoing(self.clock, self.webhooks, self.hub)
        self.limits = RateLimits(self.clock)
        self.webhooks.rule = EVENT_RETRIES
        self.token_rotation = False
        self.file_sign_in = "redirect"
        self.book = TokenBook(self.clock)
        self.teams = {team.id: Workspace(self.clock, team, self.book, self._report) for team in seed.TEAMS}
        self.install_page = InstallPage(self.teams, self.book, self.ledger)
        self._acts_of = {}

    @cached_property
    def hub(self) -> SocketHub:
        """The Socket Mode connections, which outlive a reset only to be told to go."""
        return SocketHub(self.clock, self.ledger)

    @property
    def space(self) -> Workspace:
        """The workspace of the first team, where acts happen that name no `team`."""
        return self.teams[seed.TEAM_ID]

    def routes(self) -> list[BaseRoute]:
        """Return the Web API, response URLs, the sockets and the install page."""
        return [
            Route("/api/{method}", self.call, methods=["GET", "POST"]),
            Route("/commands/{team}/{number}/{secret}", self.response_url, methods=["POST"]),
            Route("/actions/{team}/{number}/{secret}", self.response_url, methods=["POST"]),
            Route("/app/{team}/{number}/{secret}", self.response_url, methods=["POST"]),
            Route("/upload/v1/{key}", self.upload, methods=["POST"]),
            Route("/files-pri/{file}/{name:path}", self.download, methods=["GET"]),
            Route("/oauth/v2/authorize", self.authorize, methods=["GET", "POST"]),
            WebSocketRoute("/link/", self.socket),
        ]

    def credentials(self) -> dict[str, Any]:
        """Return the tokens, secrets and IDs a client needs."""
        return {
            "base_path": self.base_path,
            "api_path": f"{self.base_path}/api/",
            "authorize_path": f"{self.base_path}/oauth/v2/authorize",
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
            "teams": {team.id: team.name for team in seed.TEAMS},
        }

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Let a person do something, in the team named by `team` (`T01ACC` by default)."""
        acts = self._acts(self.teams.get(str(body.get("team") or seed.TEAM_ID)))
        if action not in acts:
            raise ActError(f"slack has no act {action!r} (there are: {', '.join(sorted(acts))})")
        return await acts[action](body)

    def _acts(self, space: Workspace | None) -> dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
        if space is None:
            raise ActError(f"no such team (there are: {', '.join(self.teams)})")
        base = (space, self.outgoing, self.ledger, self.public_url)
        known = self._acts_of.get(space.team.id)
        if known is not None and all(was is now for was, now in zip(known[0], base, strict=True)):
            return known[1]
        families = (People, ChannelActs, Directory, Pressing, Modals, Shortcuts)
        acts: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            **{name: act for family in families for name, act in family(*base).acts().items()},
            "install": self.install_page.act,
            "oauth_code": self.install_page.act,
            "socket_disconnect": self._socket_disconnect,
            "socket_cut": self._socket_cut,
        }
        self._acts_of[space.team.id] = (base, acts)
        return acts

    async def _socket_disconnect(self, act: dict[str, Any]) -> dict[str, Any]:
        """Tell open connections (`link`, or all) to go, for `reason`."""
        reason = str(act.get("reason") or "refresh_requested")
        return {"links": await self.hub.disconnect(reason, link_id=act.get("link"))}

    async def _socket_cut(self, act: dict[str, Any]) -> dict[str, Any]:
        """Break open connections (`link`, or all) without a word."""
        return {"links": self.hub.cut(act.get("link"))}

    def configure(self, settings_sent: dict[str, Any]) -> None:
        """Take the app's settings; see `settings.current` for their names."""
        settings.change(self, settings_sent)
        scheduled.post_due(self.teams.values())

    def config(self) -> dict[str, Any]:
        """Return the app's settings."""
        return settings.current(self)

    def state(self) -> dict[str, Any]:
        """Return the first team's channels, views and screens; every team's under `teams`; the sockets."""
        scheduled.post_due(self.teams.values())
        teams = {team_id: showing.team_state(space) for team_id, space in self.teams.items()}
        return {**teams[seed.TEAM_ID], "teams": teams, "sockets": self.hub.as_json()}

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
        token = Token("", "none", ())
        try:
            args = await read_arguments(request, takes_json=method.takes_json)
            token = self._token(request, args, method)
            if token.kind in {"bot", "user"}:
                headers["X-OAuth-Scopes"] = ",".join(token.scopes)
                headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
            tier = method.tier
            wait = self.limits.wait_for_method(name, tier, team=token.team) if tier is not None else 0
            if wait:
                return _rate_limited(wait)
            scheduled.post_due(self.teams.values())
            answer = {"ok": True, **method.handler(self._context(request, args, token, method))}
            self._note(name, token)
        except RateLimitedError as limited:
            return _rate_limited(limited.wait)
        except SlackError as error:
            self._note(name, token, error.code)
            return JSONResponse(error.as_json(), headers=headers)
        return JSONResponse(_with_warnings(answer, args), headers=headers)

    def _note(self, method: str, token: Token, error: str | None = None) -> None:
        """Have the ledger say how a call of the Web API ended: Slack's HTTP status does not."""
        call = current_call.get()
        if call is not None:
            call.summary = {"api": method, "error": error, "team": token.team, "token": token.kind}

    async def response_url(self, request: Request) -> Response:
        """Handle a post to a response URL."""
        parts = request.path_params
        kind = request.url.path.removeprefix(self.base_path).split("/")[1]
        path = f"/{kind}/{parts['team']}/{parts['number']}/{parts['secret']}"
        space = self.teams.get(parts["team"], self.space)
        return response_urls.take(space, self.ledger, path, await request.body())

    async def upload(self, request: Request) -> Response:
        """Take the bytes of an upload: the body itself, or the one file of a form."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form() as form:
                sent = next((value for value in form.values() if not isinstance(value, str)), None)
                body = b"" if sent is None else await sent.read()
        else:
            body = await request.body()
        for space in self.teams.values():
            status, text = filing.take_upload(space, request.path_params["key"], body)
            if status != 404:  # noqa: PLR2004 - an HTTP status
                return PlainTextResponse(text, status_code=status)
        return PlainTextResponse("no such upload", status_code=404)

    async def download(self, request: Request) -> Response:
        """Answer `url_private` to a token that may read the file; anyone else is sent to the sign-in page."""
        team, _, file_id = request.path_params["file"].partition("-")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        space = self.teams.get(team, self.space)
        file = space.files.get(file_id)
        try:
            token = self.book.alive(value.strip() if scheme.lower() == "bearer" else "")
        except SlackError:
            token = Token("", "none", ())
        if token.team != team or "files:read" not in token.scopes:
            if self.file_sign_in == "page":
                return HTMLResponse(_SIGN_IN_PAGE)
            return RedirectResponse(f"{space.team.url}?redir={quote(request.url.path)}", 302)
        if file is None or file.content is None or not filing.may_see(space, token.user, file):
            return PlainTextResponse("not found", status_code=404)
        return BytesResponse(file.content, media_type=file.mimetype)

    async def authorize(self, request: Request) -> Response:
        """Answer the install page."""
        return await self.install_page.serve(request)

    async def socket(self, websocket: WebSocket) -> None:
        """Serve one Socket Mode connection."""
        await self.hub.serve(websocket)

    def _context(self, request: Request, args: Arguments, token: Token, method: Method) -> Context:
        return Context(
            self.teams[token.team],
            self.teams,
            self.ledger,
            self.limits,
            token,
            args,
            self.public_url,
            self.hub,
            token_rotation=self.token_rotation,
            basic_auth=_basic_auth(request.headers.get("authorization", "")),
            by_kind=method.by_kind,
        )

    def _token(self, request: Request, args: Arguments, method: Method) -> Token:
        """Return the caller's token. Raises SlackError with Slack's codes."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        in_header = scheme.lower() == "bearer" and bool(value)
        value = value.strip() if in_header else args.text("token")
        if method.token == "none":
            return Token(value, "none", ())
        if not value:
            raise SlackError("not_authed")
        token = self.book.alive(value)
        person = self.teams[token.team].users.get(token.user)
        if token.kind == "user" and (person is None or person.deleted):
            raise SlackError("account_inactive")
        # An app-level token must come in the header.
        if token.kind not in _ALLOWED_KINDS[method.token] or (token.kind == "app" and not in_header):
            raise SlackError("not_allowed_token_type")
        wanted = set(method.scopes)
        if token.kind == "user" and wanted & {"channels:manage", "channels:join"}:
            wanted.add("channels:write")  # what a person's scope for the same is called
        if wanted and not wanted & set(token.scopes):
            needed, provided = method.scopes[0], ",".join(token.scopes)
            raise SlackError("missing_scope", needed=needed, provided=provided)
        return token

    def _report(self, space: Workspace, event: dict[str, Any]) -> None:
        self.outgoing.event(space, event)


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
