"""Requests Slack makes to an app: signed forms and events over HTTP, or envelopes over Socket Mode."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from functools import partial
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
    from callout.sandbox.slack.socket_mode import SocketHub
    from callout.sandbox.slack.workspace import Workspace

ANSWER_SECONDS = 3.0
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
FORM = "application/x-www-form-urlencoded"
SOCKET = "socket:"
DEFAULT_SUBSCRIPTIONS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_created",
    "channel_rename",
    "channel_unarchive",
    "file_deleted",
    "file_shared",
    "group_archive",
    "group_rename",
    "group_unarchive",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "team_join",
    "tokens_revoked",
    "user_change",
)
_MESSAGE_SUBSCRIPTION = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}
# What the app must be allowed to see for Slack to tell it; events by name or by the first word of it.
_MEMBERSHIP = ("channels:read", "groups:read")
EVENT_SCOPES: dict[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "channel": ("channels:read",),
    "file": ("files:read",),
    "group": ("groups:read",),
    "member_joined_channel": _MEMBERSHIP,
    "member_left_channel": _MEMBERSHIP,
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction": ("reactions:read",),
    "subteam": ("usergroups:read",),
    "team_join": ("users:read",),
    "user_change": ("users:read",),
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

    def __init__(self, clock: SandboxClock, sender: WebhookSender, hub: SocketHub) -> None:
        self._clock = clock
        self._sender = sender
        self.hub = hub
        self.signing_secret = seed.SIGNING_SECRET
        self.command_url: str | None = None
        self.interactivity_url: str | None = None
        self.options_url: str | None = None
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
        if self.hub.enabled:
            return await self._socket("slash_commands", "slash_command", form, form["trigger_id"], repeat)
        url = _needed(self.command_url, "command_url")
        return await self._form(url, "slash_command", form, form["trigger_id"], repeat)

    async def interaction(self, payload: Mapping[str, Any], *, repeat: int = 1) -> list[Attempt]:
        """Send an interactivity payload in its form field."""
        kind = str(payload["type"])
        handle = str(payload.get("trigger_id") or payload.get("action_ts") or kind)
        if self.hub.enabled:
            return await self._socket("interactive", kind, payload, handle, repeat)
        url = self.options_url if kind == "block_suggestion" and self.options_url else self.interactivity_url
        form = {"payload": orjson.dumps(payload).decode()}
        return await self._form(_needed(url, "interactivity_url"), kind, form, handle, repeat)

    async def verification(self, challenge: str) -> Attempt:
        """Send `url_verification` to the events URL."""
        url = _needed(self.events_url, "events_url")
        body = orjson.dumps(
            {"token": seed.VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        )
        return await self._sender.deliver(self._webhook(url, "url_verification", body, challenge))

    def event(self, space: Workspace, event: dict[str, Any], *, repeat: int = 1) -> str | None:
        """Post an event in the background when the app subscribed to it; returns its `event_id`."""
        if not self._told(space, event) or (self.events_url is None and not self.hub.enabled):
            return None
        event_id = space.new_id("Ev")
        about = event.get("channel") or event.get("channel_id")
        place = space.channels.get(about) if isinstance(about, str) else None
        body = orjson.dumps(
            {
                "token": seed.VERIFICATION_TOKEN,
                "team_id": space.team.id,
                "context_team_id": space.team.id,
                "context_enterprise_id": None,
                "api_app_id": seed.APP_ID,
                "event": event,
                "type": "event_callback",
                "event_id": event_id,
                "event_time": int(self._clock.now()),
                "authorizations": [
                    {
                        "enterprise_id": None,
                        "team_id": space.team.id,
                        "user_id": space.bot_user_id,
                        "is_bot": True,
                        "is_enterprise_install": False,
                    }
                ],
                "is_ext_shared_channel": place is not None and place.external,
                "event_context": f"4-{event_id}",
            }
        )
        name = str(event["type"])
        if self.hub.enabled:
            webhook = Webhook(SOCKET, name, body, event_id, carry=partial(self.hub.carry, "events_api"))
        else:
            webhook = self._webhook(self.events_url or "", name, body, event_id)
        for _ in range(repeat):
            self._sender.post(webhook)
        return event_id

    def rate_limited(self, space: Workspace) -> bool:
        """Tell the app that events of this minute are withheld; False when it takes no events."""
        if self.events_url is None and not self.hub.enabled:
            return False
        now = int(self._clock.now())
        body = orjson.dumps(
            {
                "token": seed.VERIFICATION_TOKEN,
                "type": "app_rate_limited",
                "team_id": space.team.id,
                "minute_rate_limited": now - now % 60,
                "api_app_id": seed.APP_ID,
            }
        )
        carry = partial(self.hub.carry, "events_api") if self.hub.enabled else None
        webhook = self._webhook(self.events_url or SOCKET, "app_rate_limited", body, space.new_id("Ev"))
        self._sender.post(replace(webhook, carry=carry))
        return True

    def _told(self, space: Workspace, event: Mapping[str, Any]) -> bool:
        """Whether the app subscribed to an event and may see it in this team."""
        name = str(event["type"])
        if name == "message":
            name = _MESSAGE_SUBSCRIPTION.get(str(event.get("channel_type")), "message.channels")
        scopes = EVENT_SCOPES.get(name) or EVENT_SCOPES.get(name.partition("_")[0])
        allowed = not scopes or bool(space.book.bot_scopes(space.team.id) & set(scopes))
        return allowed and name in self.subscriptions

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
        return await self._deliver(Webhook(url, event, body, delivery_id, headers=headers), repeat)

    async def _socket(
        self, kind: str, event: str, payload: Mapping[str, Any], delivery_id: str, repeat: int
    ) -> list[Attempt]:
        carry = partial(self.hub.carry, kind)
        webhook = Webhook(SOCKET, event, orjson.dumps(payload), delivery_id, carry=carry)
        return await self._deliver(webhook, repeat)

    async def _deliver(self, webhook: Webhook, repeat: int) -> list[Attempt]:
        return [
            await self._sender.deliver(webhook, timeout=self.answer_seconds) for _ in range(max(1, repeat))
        ]


def _needed(url: str | None, setting: str) -> str:
    if not url:
        raise ActError(f"set {setting} with PUT _twin/config first")
    return url
