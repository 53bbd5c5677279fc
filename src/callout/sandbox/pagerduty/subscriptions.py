"""Webhook subscriptions: what is sent to whom, signed how, and when PagerDuty gives up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from callout.sandbox.core.webhooks import Attempt, RetryRule, Webhook
from callout.sandbox.pagerduty.incident_view import incident_reference_in_webhook, subject_json
from callout.sandbox.pagerduty.model import Incident
from callout.sandbox.pagerduty.view import REFERABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from callout.sandbox.pagerduty.model import Json, JsonObject, PagerEvent
    from callout.sandbox.pagerduty.view import View

INCIDENT_EVENTS = frozenset(
    "incident." + name
    for name in (
        "acknowledged",
        "annotated",
        "conference_bridge.updated",
        "custom_field_values.updated",
        "delegated",
        "escalated",
        "incident_type.changed",
        "priority_updated",
        "reassigned",
        "reopened",
        "resolved",
        "responder.added",
        "responder.replied",
        "role.assigned",
        "service_updated",
        "status_update_published",
        "task.completed",
        "task.created",
        "task.updated",
        "triggered",
        "unacknowledged",
        "workflow.completed",
        "workflow.started",
        "action_invocation.created",
        "action_invocation.terminated",
        "action_invocation.updated",
    )
)
SERVICE_EVENTS = frozenset(
    {"service.created", "service.updated", "service.deleted", "service.custom_field_values.updated"}
)
EVENTS = INCIDENT_EVENTS | SERVICE_EVENTS
DROPS_UNTIL_DISABLED = 3
DISABLED_FOR = timedelta(hours=24)
SIZE_LIMIT = 256 * 1024
_SERVER_ERROR, _THROTTLED = 500, 429


def worth_retrying(attempt: Attempt) -> bool:
    """Again after no answer, a server error and 429; TLS errors and other answers are final."""
    if attempt.status == 0:
        return attempt.reason != "ssl_error"
    return attempt.status >= _SERVER_ERROR or attempt.status == _THROTTLED


# Retried for 48 hours, an answer is due within 5 seconds. From memory: the steps between.
RETRY_RULE = RetryRule(
    delays=(10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 28_800.0, 43_200.0, 81_530.0),
    timeout=5.0,
    retry_when=worth_retrying,
)


def signature(secret: str, body: bytes) -> str:
    """One `v1` signature of a body."""
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(slots=True, eq=False)
class Subscription:
    """A webhook subscription.

    Args:
        secrets: the signing secrets, the newest first; two while one is being replaced.
        filter: `{"type": "account_reference"}`, or with the id of a service or team.
        drops: webhooks dropped one after the other.
    """

    id: str
    url: str
    events: list[str]
    filter: JsonObject
    secrets: list[str]
    delivery_id: str
    description: str = ""
    active: bool = True
    custom_headers: list[JsonObject] = field(default_factory=list)
    drops: int = 0
    disabled_until: datetime | None = None

    def wants(self, event: PagerEvent) -> bool:
        """Whether the event is of a wanted type and passes the filter."""
        if event.name not in self.events:
            return False
        subject, wanted = event.subject, self.filter.get("id")
        service = subject.service if isinstance(subject, Incident) else subject
        kind = self.filter["type"]
        if kind == "service_reference":
            return service.id == wanted
        return kind == "account_reference" or wanted in [team.id for team in subject.teams]


@dataclass(slots=True)
class Hooks:
    """The subscriptions, and the sending.

    Args:
        send: hands a finished webhook to the sender.
        view: the view payloads are written in.
        now: the twin's clock, aware UTC.
        disabled: told of a subscription that has just been disabled.
    """

    send: Callable[[Webhook], None]
    view: Callable[[], View]
    now: Callable[[], datetime]
    disabled: Callable[[Subscription], None]
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def is_disabled(self, subscription: Subscription) -> bool:
        """Whether PagerDuty has stopped sending to it for a day."""
        until = subscription.disabled_until
        return until is not None and self.now() < until

    def enable(self, subscription: Subscription) -> None:
        """Begin to send again."""
        subscription.disabled_until, subscription.drops = None, 0

    def publish(self, event: PagerEvent) -> None:
        """Send an event to every subscription that wants it."""
        wanted = [one for one in self.subscriptions.values() if one.active and one.wants(event)]
        for subscription in wanted:
            self._post(subscription, event.name, _body(event, self.view(), self.now()), event.subject.id)

    def ping(self, subscription: Subscription) -> None:
        """Send the test event."""
        inner = _envelope("pagey.ping", "pagey", self.now())
        inner["data"] = {"message": "Hello from your friend Pagey!", "type": "ping"}
        self._post(subscription, "pagey.ping", inner, subscription.id)

    def _post(self, subscription: Subscription, name: str, event: JsonObject, resource: str) -> None:
        # A disabled subscription gets nothing, and nothing is kept for it.
        if self.is_disabled(subscription):
            return
        body = json.dumps({"event": event}, ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) > SIZE_LIMIT:
            return
        delivery_id = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "PagerDuty-Webhook/V3.0",  # from memory
            "X-Webhook-Id": delivery_id,
            "X-Webhook-Subscription": subscription.id,  # from memory: that it is there
        }
        headers.update({header["name"]: header["value"] for header in subscription.custom_headers})

        def sign(raw: bytes, _number: int, _reason: str | None) -> Mapping[str, str]:
            signatures = ",".join(signature(secret, raw) for secret in subscription.secrets)
            return {"X-PagerDuty-Signature": signatures}

        webhook = Webhook(
            subscription.url,
            name,
            body,
            delivery_id,
            headers,
            sign,
            lane=f"{subscription.id}/{resource}",
            wanted=partial(self._still_wanted, subscription),
            on_end=partial(self._ended, subscription),
        )
        self.send(webhook)

    def _still_wanted(self, subscription: Subscription) -> bool:
        there = self.subscriptions.get(subscription.id) is subscription
        return there and subscription.active and not self.is_disabled(subscription)

    def _ended(self, subscription: Subscription, attempt: Attempt) -> None:
        if attempt.ok:
            subscription.drops = 0
            return
        subscription.drops += 1
        if subscription.drops >= DROPS_UNTIL_DISABLED and not self.is_disabled(subscription):
            subscription.disabled_until = self.now() + DISABLED_FOR
            self.disabled(subscription)


def new_secret() -> str:
    """A signing secret in the vendor's form: 48 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(48)).decode()


def _envelope(name: str, resource: str, now: datetime) -> JsonObject:
    return {
        "id": base64.b32encode(secrets.token_bytes(16)).decode()[:26],
        "event_type": name,
        "resource_type": resource,
        "occurred_at": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "agent": None,
        "client": None,
    }


def _body(event: PagerEvent, view: View, now: datetime) -> JsonObject:
    subject = event.subject
    shown = _envelope(event.name, "incident" if isinstance(subject, Incident) else "service", now)
    shown["agent"] = view.agent(event.agent)
    if event.data_type in {"incident", "service"}:
        shown["data"] = subject_json(subject, view)
        return shown
    data: dict[str, Json] = {
        key: view.reference(value) if isinstance(value, REFERABLE) else value
        for key, value in event.data.items()
    }
    if isinstance(subject, Incident):
        data["incident"] = incident_reference_in_webhook(subject, view)
    shown["data"] = {**data, "type": event.data_type}
    return shown
