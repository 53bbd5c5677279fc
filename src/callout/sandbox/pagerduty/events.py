"""Events API v2: from an accepted event to alert and incident."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import incidents, states
from callout.sandbox.pagerduty.errors import RefusedError
from callout.sandbox.pagerduty.history import write
from callout.sandbox.pagerduty.model import Alert

if TYPE_CHECKING:
    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Integration, Json, JsonObject

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
SUMMARY_LIMIT, KEY_LIMIT, SIZE_LIMIT = 1024, 255, 512 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event."""

    integration: Integration
    action: str
    key: str
    payload: JsonObject
    contexts: list[JsonObject]


def mistakes(body: Json) -> list[str]:
    """What is wrong with an event, nothing when it is sound. From memory: the words of all but the first of `payload`."""
    if not isinstance(body, dict):
        return ["Event is not a JSON object"]
    found = []
    if not _filled(body.get("routing_key")):
        found.append("'routing_key' is missing or blank")
    if body.get("event_action") not in ACTIONS:
        found.append(
            "'event_action' is missing or blank"
            if not body.get("event_action")
            else "'event_action' is invalid"
        )
    key = body.get("dedup_key")
    if key is not None and (not isinstance(key, str) or len(key) > KEY_LIMIT):
        found.append(f"'dedup_key' must be a string of at most {KEY_LIMIT} characters")
    if body.get("event_action") in {"acknowledge", "resolve"} and not _filled(key):
        found.append("'dedup_key' is missing or blank")
    return found + _payload_mistakes(body) if body.get("event_action") == "trigger" else found


def _payload_mistakes(body: JsonObject) -> list[str]:
    payload = body.get("payload")
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    found = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source")
        if not _filled(payload.get(name))
    ]
    if payload.get("severity") not in SEVERITIES:
        found.append(f"'payload.severity' must be one of {', '.join(SEVERITIES)}")
    return found


def _filled(value: Json) -> bool:
    return isinstance(value, str) and bool(value.strip())


def read(body: JsonObject, integration: Integration) -> Event:
    """A sound event."""
    images = [{"type": "image", **image} for image in body.get("images") or []]
    links = [{"type": "link", **link} for link in body.get("links") or []]
    return Event(
        integration,
        body["event_action"],
        body.get("dedup_key") or secrets.token_hex(16),
        dict(body.get("payload") or {}),
        images + links,
    )


def accept(account: Account, event: Event) -> None:
    """Take an event; alert and incident follow now, or after the lag that is set."""
    facts = {"action": event.action, "dedup_key": event.key, "service": event.integration.service.id}
    account.record("event.enqueue", event.integration, event.key, facts)
    work = partial(_process, account, event)
    lag = account.settings.event_lag_seconds
    if lag:
        account.at(account.now() + timedelta(seconds=lag), work)
    else:
        work()


def _process(account: Account, event: Event) -> None:
    alert = _open_alert(account, event)
    if event.action == "trigger":
        _trigger(account, event, alert)
    elif alert is None:
        return  # dropped silently: no open alert of this integration has the key
    elif event.action == "acknowledge":
        if alert.incident.status == "triggered":
            _change_status(account, alert, "acknowledged", event.integration)
    else:
        states.resolve_alert(account, alert)
        if alert.incident.open and all(one.status == "resolved" for one in alert.incident.alerts):
            _change_status(account, alert, "resolved", event.integration)


def _change_status(account: Account, alert: Alert, status: str, integration: Integration) -> None:
    incidents.change(
        account,
        alert.incident,
        {"status": status},
        integration,
        channel={"type": "api", "incident_key": alert.key},
    )


def _open_alert(account: Account, event: Event) -> Alert | None:
    for incident in account.open_incidents(event.integration.service):
        for alert in incident.alerts:
            if (
                alert.key == event.key
                and alert.status == "triggered"
                and alert.integration is event.integration
            ):
                return alert
    return None


def _trigger(account: Account, event: Event, alert: Alert | None) -> None:
    service, payload = event.integration.service, event.payload
    summary = payload["summary"][:SUMMARY_LIMIT]
    channel = {
        "type": "api",
        "summary": summary,
        "incident_key": event.key,
        "details": payload.get("custom_details"),
    }
    if alert is not None:
        # The same problem again: one more line in the log, the alert takes the newer details.
        alert.severity, alert.details, alert.contexts = payload["severity"], payload, event.contexts
        write(
            account,
            alert.incident,
            "trigger",
            event.integration,
            said="Triggered through the API",
            channel=channel,
        )
        return
    if service.status in {"disabled", "maintenance"}:
        return
    severe = payload["severity"] in {"critical", "error"}
    draft: incidents.Draft = {"title": summary, "service": service}
    if service.urgency == "severity_based":
        draft["urgency"] = "high" if severe else "low"
    try:
        incident = incidents.trigger(account, event.integration, draft, channel=channel, alert=True)
    except RefusedError:
        return  # nobody is on call: PagerDuty opens no incident without an assignee
    made = Alert(
        id=account.new_id(),
        key=event.key,
        summary=summary,
        severity=payload["severity"],
        service=service,
        integration=event.integration,
        incident=incident,
        created_at=account.moment(),
        details=payload,
        contexts=event.contexts,
    )
    incident.alerts.append(made)
