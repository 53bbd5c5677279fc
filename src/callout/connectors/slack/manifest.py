"""Slack, described once."""

from __future__ import annotations

from typing import Final

from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.limits import SlackLimits
from callout.connectors.slack.webhook import SlackInbound
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.inbound import WebhookSecrets
from callout.ports.manifest import Manifest, Tools


def build(config: SlackConfig, tools: Tools) -> SlackChat:
    """Return the chat platform of one integration. Raises AuthFailedError when its credential holds no bot token."""
    token = tools.credential.secrets.get("secret")
    if not token:
        raise AuthFailedError(
            "the integration has no bot token",
            remediation="Give it the app's Bot User OAuth Token (xoxb-…) as a token credential.",
        )
    http = tools.http(config.url, headers={"Authorization": Secret(f"Bearer {token.reveal()}")})
    return SlackChat(SlackApi(http, tools.clock), config)


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
