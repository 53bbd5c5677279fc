"""The Jira twin: site, webhooks and OAuth put together and mounted."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from callout.sandbox.core.twin import ConfigError, Twin
from callout.sandbox.jira import seed
from callout.sandbox.jira.acts import Acts
from callout.sandbox.jira.beans import View
from callout.sandbox.jira.call import UNAUTHENTICATED, Desk
from callout.sandbox.jira.events import SiteEvent
from callout.sandbox.jira.hooks import RETRY_RULE, Hooks
from callout.sandbox.jira.issue_view import issue_bean
from callout.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID, SEED_REFRESH_TOKEN, OAuth
from callout.sandbox.jira.routes import (
    attachments,
    authorize,
    comments,
    issues,
    search,
    servicedesk,
    webhooks,
)
from callout.sandbox.jira.routes import site as site_routes
from callout.sandbox.jira.routing import Api, mounts
from callout.sandbox.jira.settings import Settings
from callout.sandbox.jira.site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from callout.sandbox.core.webhooks import RetryRule
    from callout.sandbox.jira.model import Issue, JsonObject, User

_UNAUTHORIZED, _NOT_FOUND, _THROTTLED, _SERVER_ERROR = 401, 404, 429, 500
_PLATFORM = (
    *issues.ENDPOINTS,
    *comments.ENDPOINTS,
    *attachments.ENDPOINTS,
    *search.ENDPOINTS,
    *site_routes.ENDPOINTS,
)


class JiraTwin(Twin):
    """Jira Cloud at `/jira`: REST v2 and v3, webhooks, the OAuth gateway."""

    name: ClassVar[str] = "jira"
    retry_rule: ClassVar[RetryRule] = RETRY_RULE
    desk: Desk

    def reset(self) -> None:
        """Seed a fresh site."""
        site = Site(now=self.clock.utc, publish=self._publish, record=self._record, settings=Settings())
        seed.plant(site, admin_time_zone=site.settings.admin_time_zone)
        oauth = OAuth(now=self.clock.now, life=lambda: site.settings.access_token_seconds)
        oauth.seed(seed.ADMIN)
        hooks = Hooks(
            send=self.webhooks.post,
            view_for=lambda user: View(site, self.public_url, 2, user, webhook=True),
            client_secret=lambda client_id: oauth.clients[client_id],
        )
        self.desk = Desk(site, hooks, oauth, as_of=self._as_of)

    def _publish(self, event: SiteEvent) -> None:
        self.desk.hooks.publish(event)
        if event.comment is not None and self.desk.site.settings.issue_updated_on_comment:
            type_names = {"comment_created": "issue_commented", "comment_updated": "issue_comment_edited"}
            type_name = type_names.get(event.name, "issue_comment_deleted")
            self.desk.hooks.publish(
                SiteEvent("jira:issue_updated", event.actor, event.issue, type_name, comment=event.comment)
            )

    def _record(self, kind: str, actor: User, issue: Issue, facts: JsonObject) -> None:
        summary = {
            "id": issue.id,
            "key": issue.key,
            "summary": issue.values["summary"],
            "labels": list(issue.values["labels"]),
            **facts,
        }
        self.ledger.record(kind, actor=actor.account_id, target=issue.key, summary=summary)

    def _as_of(self, request: Request) -> datetime | None:
        path = request.url.path.removeprefix(self.base_path)
        lag = self.search_lag(request.method, path)
        return self.clock.utc() - timedelta(seconds=lag) if lag > 0 else None

    def routes(self) -> list[BaseRoute]:
        """The site's APIs, the gateway's, and the authorization server."""
        apis = (
            Api("/rest/api/3", 3, (*_PLATFORM, *webhooks.ENDPOINTS)),
            Api("/rest/api/2", 2, (*_PLATFORM, *webhooks.ENDPOINTS)),
            Api("/rest/api/latest", 2, (*_PLATFORM, *webhooks.ENDPOINTS)),
            Api("/rest/webhooks/1.0", 2, webhooks.ADMIN_ENDPOINTS),
            Api("/rest/applinks/latest", 2, site_routes.APPLICATION_LINKS),
            Api("/rest/servicedeskapi", 2, servicedesk.ENDPOINTS, servicedesk.refuse),
        )
        return [
            *mounts(lambda: self.desk, apis, lambda: self.public_url),
            self._plain("/oauth/token", authorize.token, "POST"),
            self._plain("/authorize", authorize.authorize, "GET"),
            self._plain(
                "/oauth/token/accessible-resources",
                lambda desk, request: authorize.resources(desk, request, base=self.public_url),
                "GET",
            ),
            self._plain("/_media/{id}", self._media, "GET"),
        ]

    def _media(self, desk: Desk, request: Request) -> Response:
        if "authorization" in request.headers:
            self.ledger.record("media.credentials_seen", effect=False)
        return attachments.media(desk, request)

    def _plain(
        self, path: str, handler: Callable[[Desk, Request], Response | Awaitable[Response]], method: str
    ) -> Route:
        async def handle(request: Request) -> Response:
            reply = handler(self.desk, request)
            return await reply if inspect.isawaitable(reply) else reply

        return Route(path, handle, methods=[method])

    def credentials(self) -> dict[str, Any]:
        """The seeds a client needs."""
        users = self.desk.site.users.values()
        return {
            "base_path": self.base_path,
            "email": "admin@example.com",
            "api_token": "token",
            "users": [
                {
                    "email": user.email,
                    "api_token": user.api_token,
                    "account_id": user.account_id,
                    "display_name": user.display_name,
                    "time_zone": user.time_zone,
                }
                for user in users
            ],
            "projects": [project.key for project in self.desk.site.projects.values()],
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "refresh_token": SEED_REFRESH_TOKEN,
                "cloud_id": CLOUD_ID,
                "token_path": f"{self.base_path}/oauth/token",
                "authorize_path": f"{self.base_path}/authorize",
                "gateway_path": f"{self.base_path}/ex/jira/{CLOUD_ID}",
            },
        }

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Do what a person does in Jira; `expire_tokens` ends every OAuth access token."""
        if action == "expire_tokens":
            self.desk.oauth.expire_access_tokens()
            return {"ok": True}
        return Acts(self.desk.site, self.public_url).perform(action, body)

    def configure(self, settings: dict[str, Any]) -> None:
        """Take the settings of `settings.Settings`."""
        try:
            self.desk.site.settings.apply(settings)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self.desk.site.users[seed.ADMIN].time_zone = self.desk.site.settings.admin_time_zone

    def config(self) -> dict[str, Any]:
        """The settings in force."""
        return self.desk.site.settings.as_json()

    def state(self) -> dict[str, Any]:
        """Every issue as the first account sees it in v2, and the webhook registrations."""
        site = self.desk.site
        view = View(site, self.public_url, 2, site.users[seed.ADMIN])
        return {
            "issues": {issue.key: issue_bean(issue, view) for issue in site.issues.values()},
            "admin_webhooks": [hook.url for hook in self.desk.hooks.admin.values()],
            "dynamic_webhooks": [hook.url for hook in self.desk.hooks.dynamic.values()],
        }

    def error_response(self, status: int, *, request: Request, message: str = "") -> Response:
        """Errors as Jira and its gateway shape them."""
        if status == _UNAUTHORIZED:
            return self.expired_token_response(request)
        if status == _THROTTLED:
            reset = self.clock.utc() + timedelta(minutes=1)
            headers = {
                "X-RateLimit-Limit": "100",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%MZ}",
                "X-RateLimit-NearLimit": "true",
                "RateLimit-Reason": "jira-burst-based",
            }
            return JSONResponse({"message": "Rate limit exceeded."}, status_code=status, headers=headers)
        if status == _NOT_FOUND and not message:
            message = "null for uri: " + request.url.path
        default = "Internal server error" if status >= _SERVER_ERROR else f"HTTP {status}"
        return JSONResponse({"errorMessages": [message or default], "errors": {}}, status_code=status)

    def expired_token_response(self, request: Request) -> Response:
        """The gateway says 401 in JSON, the site in plain text."""
        if request.headers.get("authorization", "").startswith("Bearer "):
            return JSONResponse({"code": _UNAUTHORIZED, "message": "Unauthorized"}, status_code=_UNAUTHORIZED)
        return PlainTextResponse(UNAUTHENTICATED, status_code=_UNAUTHORIZED)
