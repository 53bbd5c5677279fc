"""Jira, described once."""

from __future__ import annotations

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.limits import JiraLimits
from callout.connectors.jira.ticketing import JiraTicketing, build
from callout.connectors.jira.webhook import JiraWebhook
from callout.ports.inbound import HookGuide, HookSetup
from callout.ports.manifest import Manifest


def hook_guide(_config: JiraConfig, setup: HookSetup) -> HookGuide:
    """Return how an administrator of the site makes it send its webhooks here."""
    return HookGuide(
        (
            f"Settings → System → WebHooks → Create a WebHook. URL: {setup.url}",
            f"Secret: {setup.key}",
            (
                "Events: issue created, updated, deleted; comment created, updated, deleted. No JQL, or one that holds for every issue"
                " that is to be followed."
            ),
            "Edit an issue and look at: callout integration list. It then shows when the last webhook came.",
        )
    )


MANIFEST = Manifest(
    provider="ticketing_jira",
    title="Jira",
    category="ticketing",
    config=JiraConfig,
    build=build,
    inbound=JiraWebhook,
    hook_guide=hook_guide,
    provider_class=JiraTicketing,
    credential_kinds=("basic", "service_account", "o_auth_client"),
    # From memory: Jira names no burst limit in numbers. What it tells in its answers, and its 429, count above this.
    default_budget=(20.0, 40, 8),
    limits=JiraLimits(),
    docs="connectors/jira.md",
    from_memory=(
        "scoped tokens of service accounts are bearer tokens at api.atlassian.com",
        "the comment property sd.public.comment makes a comment internal (checked after each write)",
        "search shows a new issue within 30 seconds",
        "default priority names Highest, High, Medium, Low, Lowest",
        "access tokens live 3600 seconds when the answer does not say",
    ),
)
