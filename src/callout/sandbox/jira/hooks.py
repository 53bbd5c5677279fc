"""Webhooks: the registrations of a site and the sending of its events to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callout.sandbox.core.webhooks import Attempt, RetryRule, Webhook
from callout.sandbox.jira.jql import compile_query
from callout.sandbox.jira.payloads import payload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.events import SiteEvent
    from callout.sandbox.jira.model import JsonObject, User

USER_AGENT = "Atlassian Webhook HTTP Client"
DYNAMIC_LIFE = timedelta(days=30)
JWT_LIFE_SECONDS = 180
_RETRIED = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500

ISSUE_EVENTS = frozenset({"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"})
COMMENT_EVENTS = frozenset({"comment_created", "comment_updated", "comment_deleted"})
DYNAMIC_EVENTS = ISSUE_EVENTS | COMMENT_EVENTS | {"issue_property_set", "issue_property_deleted"}
ADMIN_EVENTS = DYNAMIC_EVENTS | {
    "attachment_created",
    "attachment_deleted",
    "worklog_created",
    "worklog_updated",
    "worklog_deleted",
    "issuelink_created",
    "issuelink_deleted",
    "project_created",
    "project_updated",
    "project_deleted",
    "user_created",
    "user_updated",
    "user_deleted",
    "jira:version_created",
    "jira:version_updated",
    "jira:version_deleted",
    "jira:version_released",
}


def worth_retrying(attempt: Attempt) -> bool:
    """Jira tries again after these statuses, after server errors, and when no answer came."""
    return attempt.status == 0 or attempt.status in _RETRIED or attempt.status >= _SERVER_ERROR


# Up to five retries, each 5 to 15 minutes after the one before.
RETRY_RULE = RetryRule(delays=(300.0, 450.0, 600.0, 750.0, 900.0), timeout=20.0, retry_when=worth_retrying)


def signature(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def bearer_token(claims: JsonObject, secret: str) -> str:
    """A JSON Web Token, HS256, as sent with the webhooks of OAuth apps."""
    parts = [_base64url(_dump({"typ": "JWT", "alg": "HS256"})), _base64url(_dump(claims))]
    mac = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256)
    return ".".join((*parts, _base64url(mac.digest())))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(slots=True)
class AdminHook:
    """A webhook made by an administrator."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    jql: str
    secret: str
    owner: User
    description: str = ""
    exclude_body: bool = False
    enabled: bool = True
    updated_ms: int = 0


@dataclass(slots=True)
class DynamicHook:
    """A webhook registered by an OAuth app; it expires."""

    id: int
    client_id: str
    url: str
    events: tuple[str, ...]
    jql: str
    owner: User
    expires: datetime
    field_ids: tuple[str, ...] = ()
    property_keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Hooks:
    """The registrations, and the sending.

    Args:
        send: hands a finished webhook to the sender.
        view_for: the v2 view webhook bodies are written in, for the account that acted.
        client_secret: the secret of an app by its client id.
    """

    send: Callable[[Webhook], None]
    view_for: Callable[[User], View]
    client_secret: Callable[[str], str]
    admin: dict[int, AdminHook] = field(default_factory=dict)
    dynamic: dict[int, DynamicHook] = field(default_factory=dict)
    last_id: int = 0

    def next_id(self) -> int:
        """A fresh registration id."""
        self.last_id += 1
        return self.last_id

    def publish(self, event: SiteEvent) -> None:
        """Send an event to every registration that wants it."""
        view = self.view_for(event.actor)
        for hook in self.admin.values():
            if (
                hook.enabled
                and event.name in hook.events
                and self._matches(hook.jql, hook.owner, event, view)
            ):
                self._send_admin(hook, event, view)
        by_url: dict[tuple[str, str], list[DynamicHook]] = {}
        now = view.site.now()
        for app_hook in self.dynamic.values():
            if app_hook.expires > now and self._wants(app_hook, event, view):
                by_url.setdefault((app_hook.client_id, app_hook.url), []).append(app_hook)
        for (client_id, url), matched in by_url.items():
            self._send_dynamic(client_id, url, matched, event, view)

    def _matches(self, jql: str, owner: User, event: SiteEvent, view: View) -> bool:
        return not jql or compile_query(jql, site=view.site, user=owner).test(event.issue)

    def _wants(self, hook: DynamicHook, event: SiteEvent, view: View) -> bool:
        if event.name not in hook.events or not self._matches(hook.jql, hook.owner, event, view):
            return False
        if hook.field_ids and event.name == "jira:issue_updated":
            changed = {item.field_id for item in event.history.items} if event.history else set()
            return bool(changed.intersection(hook.field_ids))
        if hook.property_keys and event.property_key is not None:
            return event.property_key in hook.property_keys
        return True

    def _send_admin(self, hook: AdminHook, event: SiteEvent, view: View) -> None:
        body = b"" if hook.exclude_body else _dump(payload_of(event, view))

        def sign(raw: bytes, number: int, _reason: str | None) -> Mapping[str, str]:
            signed = {"X-Hub-Signature": signature(hook.secret, raw)} if hook.secret else {}
            return signed | _retry_header(number)

        url = hook.url.replace("${issue.key}", event.issue.key).replace("${issue.id}", event.issue.id)
        self._post(url, body, event, sign)

    def _send_dynamic(
        self, client_id: str, url: str, matched: list[DynamicHook], event: SiteEvent, view: View
    ) -> None:
        body = _dump({**payload_of(event, view), "matchedWebhookIds": [hook.id for hook in matched]})
        secret, now = self.client_secret(client_id), view.site.now

        def sign(_raw: bytes, number: int, _reason: str | None) -> Mapping[str, str]:
            issued = int(now().timestamp())
            claims = {"iss": client_id, "iat": issued, "exp": issued + JWT_LIFE_SECONDS}
            token = bearer_token(claims, secret)
            return {"Authorization": f"Bearer {token}"} | _retry_header(number)

        self._post(url, body, event, sign)

    def _post(
        self,
        url: str,
        body: bytes,
        event: SiteEvent,
        sign: Callable[[bytes, int, str | None], Mapping[str, str]],
    ) -> None:
        delivery_id = base64.b32encode(secrets.token_bytes(15)).decode().lower()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": USER_AGENT,
            "X-Atlassian-Webhook-Identifier": delivery_id,
            "X-Atlassian-Webhook-Flow": "Secondary" if event.bulk else "Primary",
        }
        self.send(Webhook(url, event.name, body, delivery_id, headers, sign))


def _retry_header(number: int) -> dict[str, str]:
    return {"X-Atlassian-Webhook-Retry": str(number)} if number else {}


def _dump(payload: JsonObject) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
