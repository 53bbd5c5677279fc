"""Requests as Slack sends them, signed by hand; written from Slack's documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from callout.ports.inbound import InboundRequest

SECRET = "slack-signing-secret"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
COMMAND = {
    "token": "legacy",
    "team_id": "T01ACC",
    "team_domain": "acme",
    "channel_id": "C0INCIDENTS",
    "channel_name": "incidents",
    "user_id": "U0ANN",
    "user_name": "ann",
    "command": "/im",
    "text": "declare sev1 checkout is down",
    "response_url": "https://hooks.slack.com/commands/T01ACC/1/x",
    "trigger_id": "13.37.abc",
    "api_app_id": "A01",
    "is_enterprise_install": "false",
}
PRESS: dict[str, Any] = {
    "type": "block_actions",
    "api_app_id": "A01",
    "team": {"id": "T01ACC", "domain": "acme"},
    "user": {"id": "U0ANN", "username": "ann", "name": "ann", "team_id": "T01ACC"},
    "container": {"type": "message", "message_ts": "171.1", "channel_id": "C1", "is_ephemeral": False},
    "trigger_id": "13.37.def",
    "channel": {"id": "C1", "name": "inc-123"},
    "message": {"ts": "171.1", "text": "...", "blocks": []},
    "state": {"values": {}},
    "response_url": "https://hooks.slack.com/actions/T01ACC/1/x",
    "actions": [
        {
            "type": "button",
            "block_id": "b1",
            "action_id": "incident.acknowledge",
            "value": "id-of-123",
            "action_ts": "171.2",
            "text": {"type": "plain_text", "text": "Ack"},
        }
    ],
}
MENTION: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T01ACC",
    "api_app_id": "A01",
    "event_id": "Ev01",
    "event_time": 1712345678,
    "authorizations": [{"team_id": "T01ACC", "user_id": "U0BOT", "is_bot": True}],
    "event": {
        "type": "app_mention",
        "user": "U0ANN",
        "text": "<@U0BOT> status INC-1 &lt;now&gt; <@U0BOB|bob>",
        "ts": "171.3",
        "channel": "C1",
        "event_ts": "171.3",
        "thread_ts": "170.9",
    },
}


def sign(
    body: bytes, *, secret: str = SECRET, at: datetime = NOW, timestamp: str | None = None
) -> dict[str, str]:
    stamp = timestamp if timestamp is not None else str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={mac}"}


def signed(body: bytes, media_type: str, headers: dict[str, str] | None = None) -> InboundRequest:
    return InboundRequest(
        method="POST",
        path="/hooks/slack",
        headers={"content-type": media_type, **(sign(body) if headers is None else headers)},
        body=body,
        received_at=NOW,
    )


def form(fields: dict[str, str]) -> InboundRequest:
    return signed(urlencode(fields).encode(), FORM)


def command(**changes: str) -> InboundRequest:
    return form({**COMMAND, **changes})


def interaction(payload: object) -> InboundRequest:
    return form({"payload": json.dumps(payload)})


def event(payload: object) -> InboundRequest:
    return signed(json.dumps(payload).encode(), "application/json")
