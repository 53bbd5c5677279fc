"""Slack, described once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.limits import SlackLimits
from callout.connectors.slack.notifications import SlackNotifications, SlackNotificationsConfig
from callout.connectors.slack.webhook import SlackInbound
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.inbound import WebhookSecrets
from callout.ports.manifest import Manifest, Tools


def build(config: SlackConfig, tools: Tools) -> SlackChat:
    """Return the chat platform of one integration. Raises AuthFailedError when its credential holds no bot token."""
    return SlackChat(_api(config, tools), config)


def build_notifications(config: SlackNotificationsConfig, tools: Tools) -> SlackNotifications:
    """Return the channel of one integration. Raises AuthFailedError when its credential holds no bot token."""
    return SlackNotifications(_api(config, tools), config)


def _api(config: SlackConfig, tools: Tools) -> SlackApi:
    token = tools.credential.secrets.get("secret")
    if not token:
        raise AuthFailedError(
            "the integration has no bot token",
            remediation="Give it the app's Bot User OAuth Token (xoxb-…) as a token credential.",
        )
    http = tools.http(config.url, headers={"Authorization": Secret(f"Bearer {token.reveal()}")})
    return SlackApi(http, tools.clock)


def inbound(_config: SlackConfig, secrets: WebhookSecrets) -> SlackInbound:
    """Return the request dialect of one integration; its webhook keys are the app's signing secrets."""
    return SlackInbound(secrets.keys)


MANIFEST: Final = Manifest(
    provider="chat_slack",
    title="Slack",
    category="chat",
    config=SlackConfig,
    build=build,
    inbound=inbound,
    provider_class=SlackChat,
    credential_kinds=("token",),
    default_budget=(10.0, 30, 4),
    limits=SlackLimits(),
    docs="connectors/slack.md",
    from_memory=(
        "channel topics hold 250 characters",
        "granted scopes come in the header x-oauth-scopes",
        "GovSlack answers at hooks.slack-gov.com",
        "there is no idempotency key for chat.postMessage",
    ),
)

NOTIFICATIONS: Final = replace(
    MANIFEST,
    provider="notifications_slack",
    title="Slack notifications",
    category="notifications",
    config=SlackNotificationsConfig,
    build=build_notifications,
    inbound=None,
    provider_class=SlackNotifications,
    from_memory=(
        *MANIFEST.from_memory,
        "metadata of a message holds 8 kB; conversations.history needs channels:history",
    ),
)
"""Messages in one channel, for programs."""
