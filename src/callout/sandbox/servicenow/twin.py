"""The ServiceNow twin: instance, business rules and OAuth put together and mounted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import Response
from starlette.routing import Route, Router

from callout.sandbox.core.twin import ConfigError, Twin
from callout.sandbox.servicenow import seed
from callout.sandbox.servicenow.acts import Acts
from callout.sandbox.servicenow.call import Desk, answer, basic_credentials, rate_headers, refusal
from callout.sandbox.servicenow.errors import InstanceError, NotAuthenticatedError
from callout.sandbox.servicenow.hooks import RETRY_RULE, Hooks
from callout.sandbox.servicenow.oauth import CLIENT_ID, CLIENT_SECRET, OAuth, OAuthRefusedError
from callout.sandbox.servicenow.records import Records
from callout.sandbox.servicenow.rendering import Rendering
from callout.sandbox.servicenow.rights import Rights
from callout.sandbox.servicenow.routes import attachment, batch, change, import_set, stats, table
from callout.sandbox.servicenow.routing import routes
from callout.sandbox.servicenow.settings import RESEEDING, Settings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from callout.sandbox.core.webhooks import RetryRule
    from callout.sandbox.servicenow.model import JsonObject, Row

_UNAUTHORIZED, _NOT_FOUND, _THROTTLED, _SERVER_ERROR = 401, 404, 429, 500
_DEFAULT_RATE = 500
_ENDPOINTS = (
    *table.ENDPOINTS,
    *attachment.ENDPOINTS,
    *stats.ENDPOINTS,
    *import_set.ENDPOINTS,
    *batch.ENDPOINTS,
    *change.ENDPOINTS,
)


class ServiceNowTwin(Twin):
    """An instance at `/servicenow`: Table, Attachment, Aggregate, Import Set, Batch and Change APIs, OAuth."""

    name: ClassVar[str] = "servicenow"
    retry_rule: ClassVar[RetryRule] = RETRY_RULE
    desk: Desk

    def reset(self) -> None:
        """Seed a fresh instance with the settings of the start."""
        self._seed(Settings())

    def _seed(self, settings: Settings) -> None:
        instance = seed.fresh(self.clock.utc, settings)
        hooks = Hooks(instance, self.webhooks.post)
        records = Records(instance, self._record, hooks.publish)
        oauth = OAuth(instance, self.clock.now, seed.INTEGRATION)
        app = Router(routes=self.routes())
        self.desk = Desk(instance, records, oauth, lambda: self.public_url, self._as_of, lambda: app)

    def _record(self, kind: str, actor: str, row: Row, facts: JsonObject) -> None:
        summary = {
            "table": row.table,
            "number": row["number"],
            "sys_id": row.sys_id,
            "correlation_id": row["correlation_id"],
            **facts,
        }
        self.ledger.record(kind, actor=actor, target=row["number"] or row.sys_id, summary=summary)

    def _as_of(self, request: Request) -> float | None:
        path = request.url.path.removeprefix(self.base_path)
        lag = self.search_lag(request.method, path)
        return (self.clock.utc() - timedelta(seconds=lag)).timestamp() if lag > 0 else None

    def routes(self) -> list[BaseRoute]:
        """The REST APIs and the token endpoint."""
        return [
            *routes(lambda: self.desk, _ENDPOINTS),
            Route("/oauth_token.do", self._token, methods=["POST"]),
        ]

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        client = basic_credentials(request.headers.get("authorization", "").partition(" ")[2])
        if client is not None:
            # RFC 6749 also lets a client name itself in the header; `pysnc` does.
            form |= {"client_id": client[0], "client_secret": client[1]}
        try:
            granted = self.desk.oauth.exchange(form)
        except OAuthRefusedError as error:
            return answer(error.body, error.status)
        return answer(granted, headers={"Cache-Control": "no-store"})

    def credentials(self) -> dict[str, Any]:
        """The seeds a client needs."""
        instance = self.desk.instance
        return {
            "base_path": self.base_path,
            "username": seed.ADMIN,
            "password": instance.accounts[seed.ADMIN].password,
            "users": [
                {
                    "username": account.user_name,
                    "password": account.password,
                    "sys_id": account.sys_id,
                    "roles": sorted(account.roles),
                    "time_zone": str(instance.zone(account)),
                }
                for account in instance.accounts.values()
            ],
            "api_key": seed.API_KEY,
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "token_path": f"{self.base_path}/oauth_token.do",
            },
        }

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Do what a person does in ServiceNow; `expire_tokens` ends every OAuth access token."""
        if action == "expire_tokens":
            self.desk.oauth.expire_access_tokens()
            return {"ok": True}
        return Acts(self.desk.records, self.public_url).perform(action, body)

    def configure(self, settings: dict[str, Any]) -> None:
        """Take the settings of `settings.Settings`; some of them seed the instance anew."""
        current = self.desk.instance.settings
        before = current.as_json()
        try:
            current.apply(settings)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if any(getattr(current, name) != before[name] for name in RESEEDING):
            self._seed(current)
        else:
            seed.apply_settings(self.desk.instance)

    def config(self) -> dict[str, Any]:
        """The settings in force."""
        return self.desk.instance.settings.as_json()

    def state(self) -> dict[str, Any]:
        """Every task by number with raw values, and its journal."""
        instance = self.desk.instance
        rights = Rights(instance, instance.accounts[seed.ADMIN])
        view = Rendering(instance, rights, self.public_url, "false", links=False)
        return {
            "tasks": {
                row["number"]: {
                    **view.record(row),
                    "journal": [
                        {"element": entry["element"], "value": entry["value"], "by": entry["sys_created_by"]}
                        for entry in instance.journal_of(row.sys_id)
                    ],
                }
                for row in instance.all_rows("task")
            }
        }

    def error_response(self, status: int, *, request: Request, message: str = "") -> Response:
        """Errors in the envelope of the REST APIs."""
        if status == _UNAUTHORIZED:
            return refusal(NotAuthenticatedError())
        if status == _THROTTLED:
            limit = self.desk.instance.settings.rate_limit or _DEFAULT_RATE
            response = refusal(InstanceError(status, "Rate limit exceeded", f"More than {limit} per hour"))
            response.headers.update(rate_headers(self.desk, limit))
            return response
        if status == _NOT_FOUND:
            # from memory: the words for a path that is no API.
            detail = f"Requested URI does not represent any resource: {request.url.path}"
            return refusal(InstanceError(status, "Requested URI does not represent any resource", detail))
        default = "Internal server error" if status >= _SERVER_ERROR else f"HTTP {status}"
        return refusal(InstanceError(status, message or default))

    def expired_token_response(self, request: Request) -> Response:
        """What an expired token gets: the same as no token at all."""
        del request
        return refusal(NotAuthenticatedError())
