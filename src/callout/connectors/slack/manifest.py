"""Slack, described once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from callout.connectors.slack.app import app_manifest
from callout.connectors.slack.auth import CLIENT_CREDENTIAL, USER_CREDENTIAL, SlackInstaller, auth_for
from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.file_host import FileHost
from callout.connectors.slack.limits import SlackLimits
from callout.connectors.slack.notifications import SlackNotifications, SlackNotificationsConfig
from callout.connectors.slack.socket import SlackListener
from callout.connectors.slack.webhook import SlackInbound
from callout.kit.http import bearer_auth
from callout.kit.secrets import Secret
from callout.ports.inbound import WebhookSecrets
from callout.ports.manifest import Credential, Manifest, Tools

APP_CREDENTIAL: Final = "app_credential"
"""The app-level token (`xapp-…`): with it, Slack sends through Socket Mode."""


def build(config: SlackConfig, tools: Tools) -> SlackChat:
    """Return the chat platform of one integration. Raises AuthFailedError when its credential holds no bot token."""
    person = tools.more.get(USER_CREDENTIAL)
    auth = auth_for(config, tools)
    return SlackChat(
        SlackApi(tools.http(config.url, auth=auth), tools.clock, auth=auth),
        config,
        person=None if person is None else _with(person, config, tools),
        files=FileHost(tools.http(config.files_url, auth=auth), tools.http(config.files_url), tools.clock),
    )


def build_notifications(config: SlackNotificationsConfig, tools: Tools) -> SlackNotifications:
    """Return the channel of one integration. Raises AuthFailedError when its credential holds no bot token."""
    return SlackNotifications(_api(config, tools), config)


def _api(config: SlackConfig, tools: Tools) -> SlackApi:
    auth = auth_for(config, tools)
    return SlackApi(tools.http(config.url, auth=auth), tools.clock, auth=auth)


def install(config: SlackConfig, tools: Tools) -> SlackInstaller | None:
    """Return the consent of the integration's app; None where its client id and secret are not known."""
    client = tools.more.get(CLIENT_CREDENTIAL)
    return None if client is None else SlackInstaller(config, tools, client)


def app(config: SlackConfig, url: str, *, socket: bool) -> Mapping[str, Any]:
    """Return the manifest of the app that an integration with these settings needs."""
    return app_manifest(config, url=url, socket=socket)


def listen(config: SlackConfig, tools: Tools) -> SlackListener | None:
    """Return what opens Socket Mode connections; None for an integration without an app-level token."""
    held = tools.more.get(APP_CREDENTIAL)
    if held is None or tools.websocket is None:
        return None
    return SlackListener(_with(held, config, tools), tools.websocket)


def _with(credential: Credential, config: SlackConfig, tools: Tools) -> SlackApi:
    """Return the API with another token than the bot's."""
    token = credential.secrets.get("secret", Secret(""))
    return SlackApi(tools.http(config.url, auth=bearer_auth(token)), tools.clock)


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
    listen=listen,
    install=install,
    app=app,
    provider_class=SlackChat,
    credential_kinds=("token", "o_auth_client"),
    default_budget=(10.0, 30, 4),
    limits=SlackLimits(),
    docs="connectors/slack.md",
    from_memory=(
        "channel topics hold 250 characters",
        "granted scopes come in the header x-oauth-scopes",
        "GovSlack answers at hooks.slack-gov.com",
        "there is no idempotency key for chat.postMessage",
        "events and interactions in channels shared with another organization name the team of who acts",
        "a file of which only the id is told has the file_access check_file_info",
        "where a file is shown is told within 30 seconds by files.info; an upload that was never completed is no file there",
        "GovSlack keeps files at files.slack-gov.com",
        "a user group is mentioned as <!subteam^ID|@handle>, at times without the handle",
        "is_restricted, is_ultra_restricted and is_stranger say who is a guest and who of another organization",
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
    listen=None,
    install=None,
    app=None,
    credential_kinds=("token",),
    provider_class=SlackNotifications,
    from_memory=(
        *MANIFEST.from_memory,
        "metadata of a message holds 8 kB; conversations.history needs channels:history",
    ),
)
"""Messages in one channel, for programs."""
