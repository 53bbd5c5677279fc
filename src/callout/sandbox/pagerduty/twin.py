"""The PagerDuty twin: account, subscriptions and OAuth put together and mounted."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import Response
from starlette.routing import Route

from callout.sandbox.core.twin import ConfigError, Twin
from callout.sandbox.pagerduty import seed
from callout.sandbox.pagerduty.account import Account
from callout.sandbox.pagerduty.acts import Acts
from callout.sandbox.pagerduty.call import Desk, answer
from callout.sandbox.pagerduty.errors import PagerDutyError
from callout.sandbox.pagerduty.incident_view import incident_json
from callout.sandbox.pagerduty.limits import RateLimits
from callout.sandbox.pagerduty.oauth import CLIENT_ID, CLIENT_SECRET, SEED_REFRESH_TOKEN, OAuth
from callout.sandbox.pagerduty.routes import (
    authorize,
    directory,
    events,
    fields,
    incidents,
    parts,
    services,
    tags,
    webhook_subscriptions,
)
from callout.sandbox.pagerduty.routing import routes
from callout.sandbox.pagerduty.subscriptions import RETRY_RULE, Hooks
from callout.sandbox.pagerduty.view import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from callout.sandbox.core.webhooks import RetryRule
    from callout.sandbox.pagerduty.model import Agent, JsonObject, PagerEvent
    from callout.sandbox.pagerduty.subscriptions import Subscription

_THROTTLED, _SERVER_ERROR = 429, 500
_CODES = {400: 2002, 401: 2006, 402: 2014, 403: 2010, 404: 2100, 405: 2002, 429: 2020}
# The more particular paths come first.
_ENDPOINTS = (
    *fields.ENDPOINTS,
    *incidents.ENDPOINTS,
    *parts.ENDPOINTS,
    *services.ENDPOINTS,
    *webhook_subscriptions.ENDPOINTS,
    *directory.ENDPOINTS,
    *tags.ENDPOINTS,
)


class PagerDutyTwin(Twin):
    """PagerDuty at `/pagerduty`: REST v2, Events v2, webhooks v3, OAuth."""

    name: ClassVar[str] = "pagerduty"
    retry_rule: ClassVar[RetryRule] = RETRY_RULE
    desk: Desk

    def reset(self) -> None:
        """Seed a fresh account."""
        account = Account(now=self.clock.utc, publish=self._publish, record=self._record)
        seed.plant(account)
        oauth = OAuth(now=self.clock.now, life=lambda: account.settings.access_token_seconds)
        oauth.seed(seed.ADMIN)
        hooks = Hooks(
            send=self.webhooks.post,
            view=lambda: View(account, self.public_url),
            now=self.clock.utc,
            disabled=self._disabled,
        )
        self.desk = Desk(account, hooks, oauth, RateLimits(self.clock.now), as_of=self._as_of)

    def _publish(self, event: PagerEvent) -> None:
        self.desk.hooks.publish(event)

    def _record(self, kind: str, actor: Agent | None, target: str, facts: JsonObject) -> None:
        self.ledger.record(kind, actor=actor.id if actor else None, target=target, summary=facts)

    def _disabled(self, subscription: Subscription) -> None:
        self.ledger.record("subscription.disable", target=subscription.id, summary={"url": subscription.url})

    def _as_of(self, request: Request) -> datetime | None:
        path = request.url.path.removeprefix(self.base_path)
        lag = self.search_lag(request.method, path)
        return self.clock.utc() - timedelta(seconds=lag) if lag > 0 else None

    def routes(self) -> list[BaseRoute]:
        """Events and OAuth, which need no key, and the REST API."""
        return [
            self._plain("/v2/enqueue", events.enqueue, "POST"),
            self._plain("/v2/change/enqueue", events.enqueue_change, "POST"),
            self._plain("/oauth/authorize", authorize.authorize, "GET"),
            self._plain("/oauth/token", authorize.token, "POST"),
            *routes(lambda: self.desk, _ENDPOINTS, lambda: self.public_url),
        ]

    def _plain(
        self, path: str, handler: Callable[[Desk, Request], Response | Awaitable[Response]], method: str
    ) -> Route:
        async def handle(request: Request) -> Response:
            self.desk.account.tick()
            reply = handler(self.desk, request)
            return await reply if inspect.isawaitable(reply) else reply

        return Route(path, handle, methods=[method])

    def credentials(self) -> dict[str, Any]:
        """The seeds a client needs."""
        account = self.desk.account
        return {
            "base_path": self.base_path,
            "api_key": seed.API_KEY,
            "from": account.users[seed.ADMIN].email,
            "read_only_key": seed.READ_ONLY_KEY,
            "user_key": seed.USER_KEY,
            "user_key_owner": account.users[seed.ANN].email,
            "users": [
                {"id": user.id, "name": user.name, "email": user.email} for user in account.users.values()
            ],
            "services": [
                {
                    "id": one.id,
                    "name": one.name,
                    "routing_key": one.integrations[0].key if one.integrations else None,
                }
                for one in account.services.values()
            ],
            "escalation_policies": list(account.policies),
            "priorities": {one.name: one.id for one in account.priorities.values()},
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "refresh_token": SEED_REFRESH_TOKEN,
                "token_path": f"{self.base_path}/oauth/token",
                "authorize_path": f"{self.base_path}/oauth/authorize",
            },
        }

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Do what a person does in PagerDuty; `expire_tokens` ends every OAuth access token."""
        if action == "expire_tokens":
            self.desk.oauth.expire_access_tokens()
            return {"ok": True}
        desk = self.desk
        return Acts(desk.account, desk.hooks, View(desk.account, self.public_url)).perform(action, body)

    def apply_config(self, settings: Mapping[str, Any]) -> None:
        """Apply settings; a clock moved forward makes what is due happen."""
        super().apply_config(settings)
        self.desk.account.tick()

    def configure(self, settings: dict[str, Any]) -> None:
        """Take the settings of `settings.Settings`."""
        try:
            self.desk.account.settings.apply(settings)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def config(self) -> dict[str, Any]:
        """The settings in force."""
        return self.desk.account.settings.as_json()

    def state(self) -> dict[str, Any]:
        """Every incident and every subscription."""
        account, hooks = self.desk.account, self.desk.hooks
        view = View(account, self.public_url)
        return {
            "incidents": {one.id: incident_json(one, view) for one in account.incidents.values()},
            "subscriptions": {
                one.id: {"url": one.url, "events": one.events, "disabled": hooks.is_disabled(one)}
                for one in hooks.subscriptions.values()
            },
        }

    def error_response(self, status: int, *, request: Request, message: str = "") -> Response:
        """Errors as PagerDuty shapes them; the Events API has a shape of its own."""
        below = request.url.path.removeprefix(self.base_path)
        if below.startswith("/v2/"):
            if status == _THROTTLED:
                return events.throttled()
            return answer({"status": "error", "message": message or f"HTTP {status}"}, status)
        code = _CODES.get(status, 2000 if status >= _SERVER_ERROR else 2001)
        reply = answer(PagerDutyError(status, code, *([message] if message else [])).body(), status)
        if status == _THROTTLED:
            limit = self.desk.account.settings.rate_limit
            reply.headers.update(
                {"ratelimit-limit": str(limit), "ratelimit-remaining": "0", "ratelimit-reset": "1"}
            )
        return reply

    def expired_token_response(self, request: Request) -> Response:
        """An expired token looks like a wrong one."""
        return self.error_response(401, request=request)
