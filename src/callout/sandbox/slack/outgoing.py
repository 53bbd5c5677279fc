"""Requests Slack makes to an app: signed forms and signed events, with the Events API's retry rule."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from callout.sandbox.core.twin import ActError
from callout.sandbox.core.webhooks import RetryRule, Webhook
from callout.sandbox.slack import seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.core.webhooks import Attempt, WebhookSender
    from callout.sandbox.slack.workspace import Workspace

ANSWER_SECONDS = 3.0
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
FORM = "application/x-www-form-urlencoded"
DEFAULT_SUBSCRIPTIONS = (
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_created",
    "channel_rename",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "tokens_revoked",
)
_MESSAGE_SUBSCRIPTION = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


def _retry(attempt: Attempt) -> bool:
    return not attempt.ok and attempt.response_headers.get("x-slack-no-retry") != "1"


# Three retries: at once, after one minute, after five.
EVENT_RETRIES = RetryRule(delays=(0.0, 60.0, 300.0), timeout=ANSWER_SECONDS, retry_when=_retry)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return `v0=` and the hex HMAC-SHA256 over `v0:<timestamp>:<body>`."""
    base = b"v0:" + str(timestamp).encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class Outgoing:
    """Builds, signs and sends the requests of one app."""

    def __init__(self, clock: SandboxClock, sender: WebhookSender) -> None:
        self._clock = clock
        self._sender = sender
        self.signing_secret = seed.SIGNING_SECRET
        self.command_url: str | None = None
        self.interactivity_url: str | None = None
        self.events_url: str | None = None
        self.subscriptions: tuple[str, ...] = DEFAULT_SUBSCRIPTIONS
        self.answer_seconds = ANSWER_SECONDS

    def signed(self, body: bytes) -> dict[str, str]:
        """Return the signature headers for a body, now."""
        timestamp = int(self._clock.now())
        return {
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": signature(self.signing_secret, timestamp, body),
        }

    async def command(self, form: Mapping[str, str], *, repeat: int = 1) -> list[Attempt]:
        """Send a slash command; returns one attempt per sending (`repeat` sends the same bytes again)."""
        url = _needed(self.command_url, "command_url")
        return await self._form(url, "slash_command", form, form["trigger_id"], repeat)

    async def interaction(self, payload: Mapping[str, Any], *, repeat: int = 1) -> list[Attempt]:
        """Send an interactivity payload in its form field."""
        url = _needed(self.interactivity_url, "interactivity_url")
        form = {"payload": orjson.dumps(payload).decode()}
        return await self._form(url, payload["type"], form, str(payload["trigger_id"]), repeat)

    async def verification(self, challenge: str) -> Attempt:
        """Send `url_verification` to the events URL."""
        url = _needed(self.events_url, "events_url")
        body = orjson.dumps(
            {"token": seed.VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        )
        return await self._sender.deliver(self._webhook(url, "url_verification", body, challenge))

    def event(self, space: Workspace, event: dict[str, Any], *, repeat: int = 1) -> str | None:
        """Post an event in the background when the app subscribed to it; returns its `event_id`."""
        if self.events_url is None or not self._subscribed(event):
            return None
        event_id = space.new_id("Ev")
        body = orjson.dumps(
            {
                "token": seed.VERIFICATION_TOKEN,
                "team_id": seed.TEAM_ID,
                "context_team_id": seed.TEAM_ID,
                "context_enterprise_id": None,
                "api_app_id": seed.APP_ID,
                "event": event,
                "type": "event_callback",
                "event_id": event_id,
                "event_time": int(self._clock.now()),
                "authorizations": [
                    {
                        "enterprise_id": None,
                        "team_id": seed.TEAM_ID,
                        "user_id": seed.BOT_USER_ID,
                        "is_bot": True,
                        "is_enterprise_install": False,
                    }
                ],
                "is_ext_shared_channel": False,
                "event_context": f"4-{event_id}",
            }
        )
        for _ in range(repeat):
            self._sender.post(self._webhook(self.events_url, str(event["type"]), body, event_id))
        return event_id

    def _subscribed(self, event: Mapping[str, Any]) -> bool:
        name = str(event["type"])
        if name == "message":
            name = _MESSAGE_SUBSCRIPTION.get(str(event.get("channel_type")), "message.channels")
        return name in self.subscriptions

    def _webhook(self, url: str, event: str, body: bytes, delivery_id: str) -> Webhook:
        return Webhook(
            url,
            event,
            body,
            delivery_id,
            headers={"Content-Type": "application/json", "User-Agent": USER_AGENT},
            sign=self._event_headers,
        )

    def _event_headers(self, body: bytes, number: int, reason: str | None) -> dict[str, str]:
        # A retry carries a fresh timestamp and signature, so replay guards do not catch it.
        headers = self.signed(body)
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason or "unknown_error"}
        return headers

    async def _form(
        self, url: str, event: str, form: Mapping[str, str], delivery_id: str, repeat: int
    ) -> list[Attempt]:
        body = urlencode(form).encode()
        # Signed once: repeats are the very same bytes and headers, as an attacker would replay them.
        headers = {"Content-Type": FORM, "User-Agent": USER_AGENT, **self.signed(body)}
        webhook = Webhook(url, event, body, delivery_id, headers=headers)
        return [
            await self._sender.deliver(webhook, timeout=self.answer_seconds) for _ in range(max(1, repeat))
        ]


def _needed(url: str | None, setting: str) -> str:
    if not url:
        raise ActError(f"set {setting} with PUT _twin/config first")
    return url
